"""Progress on stderr: slow work shows it, quick work does not, and items and errors pass through."""

import io
import threading
import time
from types import SimpleNamespace

import pytest

from common import progress


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def stderr(request, monkeypatch):
    """A stderr that is a terminal or a file. Progress is shown after a hundredth of a second."""
    stream = io.StringIO()
    stream.isatty = lambda: request.param
    monkeypatch.setattr(
        progress, "sys", SimpleNamespace(stderr=stream)
    )  # pytest replaces sys.stderr after fixtures
    monkeypatch.setattr(progress, "DELAY", 0.01)
    monkeypatch.setattr(progress, "BAR_INTERVAL", 0.01)
    monkeypatch.setattr(progress, "LINE_INTERVAL", 0.01)
    return stream


def wait_for(words, stream):
    """Waits up to 20 seconds until the words are in the stream."""
    end = time.monotonic() + 20
    while words not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert words in stream.getvalue()


def test_slow_work_shows_the_number_of_steps(stderr):
    for item in progress.track([10, 20, 30], "reading images"):
        if item == 30:
            wait_for("2/3", stderr)
    assert "reading images" in stderr.getvalue()
    assert "3/3" not in stderr.getvalue()


def test_work_without_steps_shows_elapsed_time(stderr):
    with progress.show("fitting a probe"):
        wait_for("fitting a probe: ", stderr)


def test_bar_is_cleared_on_a_terminal_and_a_file_gets_lines(stderr):
    with progress.show("fitting", 2) as advance:
        advance()
        wait_for("1/2", stderr)
    last = stderr.getvalue().split("\r")[-1]
    if stderr.isatty():
        assert last == "" and "\n" not in stderr.getvalue()
        assert stderr.getvalue().split("\r")[-2].strip() == ""
    else:
        assert last.endswith("s left\n")


@pytest.mark.parametrize("items", [[], [1], range(5), "abc"])
def test_track_yields_the_items(stderr, items):
    assert list(progress.track(items, "passing")) == list(items)


def test_quick_work_shows_nothing(stderr, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 60)
    for _ in progress.track(range(5), "passing"):
        pass
    with progress.show("passing"):
        pass
    assert stderr.getvalue() == ""


def test_a_single_step_shows_nothing(stderr):
    for _ in progress.track([1], "passing"):
        time.sleep(0.2)
    assert stderr.getvalue() == ""


def test_display_thread_ends_with_the_work_even_after_an_error(stderr):
    before = threading.active_count()
    with progress.show("passing", 2):
        assert threading.active_count() > before
    with pytest.raises(KeyError), progress.show("failing", 2):
        raise KeyError
    assert not any(isinstance(thread, progress._Display) for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("total", "done", "line"),
    [(None, 0, "fitting: 10 s so far"), (4, 0, "fitting: 0/4"), (4, 1, "fitting: 1/4, 30 s left")],
)
def test_line_shows_steps_and_time_left(total, done, line):
    display = progress._Display("fitting", total)
    for _ in range(done):
        display.advance()
    assert display.format_line(10.2 if total is None else 10) == line
    assert not display.is_alive()


def test_time_left_is_estimated_from_the_start_of_the_stage(stderr):
    """3 of 4 steps took 60 seconds before the bar appeared, so about 20 seconds are left."""
    display = progress._Display("fitting", 4)
    display.started -= 60
    for _ in range(3):
        display.advance()
    display.start()
    wait_for("00:20 left" if stderr.isatty() else ", 20 s left", stderr)
    display.ended.set()
    display.join()
