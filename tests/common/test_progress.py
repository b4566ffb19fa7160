"""What slow work shows on stderr, that quick work shows nothing, and that items and errors pass through."""

import io
import threading
import time
from types import SimpleNamespace

import pytest

from common import progress


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def stderr(request, monkeypatch):
    """A stderr with `isatty`; stages show themselves from the first hundredth of a second on."""
    stream = io.StringIO()
    stream.isatty = lambda: request.param
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))  # pytest sets its own after fixtures
    monkeypatch.setattr(progress, "QUIET", 0.01)
    monkeypatch.setattr(progress, "BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(progress, "BETWEEN_LINES", 0.01)
    return stream


def wait_for(words, stream):
    """Waits until the words are in the stream, at most 20 seconds."""
    end = time.monotonic() + 20
    while words not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert words in stream.getvalue()


def test_slow_work_shows_its_count(stderr):
    for item in progress.track([10, 20, 30], "reading images"):
        if item == 30:
            wait_for("2/3", stderr)
    assert "reading images" in stderr.getvalue()
    assert "3/3" not in stderr.getvalue()


def test_work_without_steps_shows_its_time(stderr):
    with progress.show("fitting a probe"):
        wait_for("fitting a probe: ", stderr)


def test_a_terminal_is_left_clean_and_a_file_has_lines(stderr):
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
def test_items_pass_through(stderr, items):
    assert list(progress.track(items, "passing")) == list(items)


def test_quick_work_shows_nothing(stderr, monkeypatch):
    monkeypatch.setattr(progress, "QUIET", 60)
    for _ in progress.track(range(5), "passing"):
        pass
    with progress.show("passing"):
        pass
    assert stderr.getvalue() == ""


def test_a_single_step_shows_nothing(stderr):
    for _ in progress.track([1], "passing"):
        time.sleep(0.2)
    assert stderr.getvalue() == ""


def test_the_display_ends_with_the_work(stderr):
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
def test_a_line_by_hand(total, done, line):
    display = progress._Display("fitting", total)
    for _ in range(done):
        display.advance()
    assert display.line(10.2 if total is None else 10) == line
    assert not display.is_alive()


def test_a_bar_reckons_from_the_start_of_the_stage(stderr):
    """3 of 4 steps in the 60 seconds before the bar appeared: about 20 are left."""
    display = progress._Display("fitting", 4)
    display.started -= 60
    for _ in range(3):
        display.advance()
    display.start()
    wait_for("00:20 left" if stderr.isatty() else ", 20 s left", stderr)
    display.ended.set()
    display.join()
