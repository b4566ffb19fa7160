"""Progress of slow work on stderr: a bar on a terminal, else a line now and then; nothing for what is quick.

A thread of its own looks at a count and shows it. The work itself only counts, so no result depends on it.
"""

import contextlib
import sys
import threading
import time

from tqdm import tqdm

QUIET = 3.0  # seconds from the start of a stage in which nothing is shown
BETWEEN_LINES = 30.0  # seconds, where stderr is no terminal
BETWEEN_LOOKS = 0.5  # seconds, of the bar at the count
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt}, {remaining} left"
NO_BAR = "{desc}: {elapsed}"


def track(items, stage):
    """Yields the items of a sequence while it shows how many are done; a single item shows nothing."""
    if len(items) < 2:
        yield from items
        return
    with show(stage, len(items)) as advance:
        for item in items:
            yield item
            advance()


@contextlib.contextmanager
def show(stage, total=None):
    """Shows a stage until the context ends.

    Args:
        stage: what is done, in plain words.
        total: number of steps; None where the work has none: the time since its start is shown instead.

    Yields:
        A function without arguments, to be called after each step.
    """
    display = _Display(stage, total)
    display.start()
    try:
        yield display.advance
    finally:
        display.ended.set()
        display.join()


class _Display(threading.Thread):
    def __init__(self, stage, total):
        super().__init__(daemon=True)
        self.stage, self.total, self.done = stage, total, 0
        self.stream, self.started, self.ended = sys.stderr, time.monotonic(), threading.Event()

    def advance(self):
        self.done += 1

    def run(self):
        if not self.ended.wait(QUIET):
            self.bar() if self.stream.isatty() else self.lines()

    def bar(self):
        form = NO_BAR if self.total is None else BAR
        options = dict(total=self.total, leave=False, file=self.stream, dynamic_ncols=True, bar_format=form)
        with tqdm(desc=self.stage, initial=self.done, **options) as bar:
            bar.initial = 0  # all steps were done since `started`: that is what the time left goes by
            bar.start_t -= time.monotonic() - self.started
            while not self.ended.wait(BETWEEN_LOOKS):
                bar.n = self.done
                bar.refresh()

    def lines(self):
        while not self.ended.is_set():
            print(self.line(time.monotonic() - self.started), file=self.stream, flush=True)
            self.ended.wait(BETWEEN_LINES)

    def line(self, seconds):
        """The stage after that many seconds, in words."""
        if self.total is None:
            return f"{self.stage}: {seconds:.0f} s so far"
        left = f", {seconds / self.done * (self.total - self.done):.0f} s left" if self.done else ""
        return f"{self.stage}: {self.done}/{self.total}{left}"
