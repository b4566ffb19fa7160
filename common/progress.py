"""Shows the progress of slow work on stderr: a bar on a terminal, otherwise occasional lines.

Quick work shows nothing. A thread displays a counter that the work increments. tqdm alone (`delay`, `mininterval`)
would redraw only between steps, and so never show work without steps or whose steps take minutes.
"""

import contextlib
import sys
import threading
import time

from tqdm import tqdm

DELAY = 3.0  # seconds of a stage before anything is shown
LINE_INTERVAL = 30.0  # seconds between lines where stderr is not a terminal
BAR_INTERVAL = 0.5  # seconds between updates of the bar
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt}, {remaining} left"
TIME_ONLY = "{desc}: {elapsed}"


def track(items, stage):
    """Yields the items of a sequence and shows how many are done; a single item shows nothing."""
    if len(items) < 2:
        yield from items
        return
    with show(stage, len(items)) as advance:
        for item in items:
            yield item
            advance()


@contextlib.contextmanager
def show(stage, total=None):
    """Shows the progress of a stage until the context ends.

    Args:
        stage: description of the work.
        total: number of steps; None shows the elapsed time instead.

    Yields:
        A function without arguments, to call after each step.
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
        if not self.ended.wait(DELAY):
            self.show_bar() if self.stream.isatty() else self.print_lines()

    def show_bar(self):
        bar_format = TIME_ONLY if self.total is None else BAR
        options = dict(total=self.total, leave=False, file=self.stream, dynamic_ncols=True, bar_format=bar_format)
        with tqdm(desc=self.stage, initial=self.done, **options) as bar:
            bar.initial = 0  # estimate the time left from all steps since `started`
            bar.start_t -= time.monotonic() - self.started
            while not self.ended.wait(BAR_INTERVAL):
                bar.n = self.done
                bar.refresh()

    def print_lines(self):
        while not self.ended.is_set():
            print(self.format_line(time.monotonic() - self.started), file=self.stream, flush=True)
            self.ended.wait(LINE_INTERVAL)

    def format_line(self, seconds):
        """Returns the line to print after `seconds` of the stage."""
        if self.total is None:
            return f"{self.stage}: {seconds:.0f} s so far"
        left = f", {seconds / self.done * (self.total - self.done):.0f} s left" if self.done else ""
        return f"{self.stage}: {self.done}/{self.total}{left}"
