"""The training loop stopped early: by signals, and in time for a deadline."""

import math
import os
import signal
import time

import pytest

pytest.importorskip("tensorflow")
from tests.training.counting import Counter, Recorder, train  # noqa: E402
from training import loop  # noqa: E402

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


def handlers():
    return {name: signal.getsignal(getattr(signal, name)) for name in NAMES}


@pytest.fixture(autouse=True)
def default_handlers():
    """Those of a program in the foreground of a terminal, wherever pytest was started."""
    before = handlers()
    for name in NAMES:
        handler = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
        signal.signal(getattr(signal, name), handler)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def send(*names):
    for name in names:
        os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.parametrize("name", NAMES)
def test_signal_stops_after_the_step_with_all_callbacks(name):
    """Sent while step 3's callbacks run: the step under way next is finished, logged and saved."""
    events, model, before = [], Counter(), handlers()
    sender = Recorder(events, " send", 3, act=lambda step: step == 3 and send(name))
    assert train(model, [sender, Recorder(events, " save")], total=100, log_every=50) == name
    assert int(model.step) == 4
    assert [event[:2] for event in events] == [
        ("interval send", 3),
        *(("scalars send", 4), ("scalars save", 4)),
        *(("interval send", 4), ("interval save", 4)),
    ]
    assert events[1][2]["loss"] == 1.5  # the mean of 0 to 3
    assert handlers() == before


@pytest.mark.parametrize("name", NAMES)
def test_ignored_signal_stays_ignored(name):
    """As SIGHUP under nohup, or SIGINT of a script's background job."""
    signal.signal(getattr(signal, name), signal.SIG_IGN)
    before = handlers()
    assert train(Counter(), [Recorder([], "", 3, act=lambda step: send(name))], total=9) is None
    assert handlers() == before


@pytest.mark.parametrize(
    "names",
    [
        ("SIGHUP", "SIGHUP"),  # a terminal closes: one is the kernel's, the other the shell's
        ("SIGTERM", "SIGHUP"),  # systemd
        ("SIGUSR1", "SIGTERM"),  # Slurm
        ("SIGINT", "SIGTERM"),
        ("SIGTERM", "SIGTERM", "SIGTERM"),
    ],
)
def test_further_signals_do_not_keep_it_from_saving(names):
    saved = []

    def act(step):
        send(*names) if step == 3 else saved.append(step)

    assert train(Counter(), [Recorder([], "", 3, act=act)], total=100) == names[0]
    assert saved == [4]


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_after_a_signal_interrupts(first):
    """Whoever waits for a slow last step or save can still leave."""
    before = handlers()
    with pytest.raises(KeyboardInterrupt):
        train(Counter(), [Recorder([], "", 1, act=lambda step: send(first, "SIGINT"))])
    assert handlers() == before


def test_signal_at_the_last_step_is_not_reported():
    class SendsWhileTraining(Counter):
        def static_arguments(self, step):
            if step == 2:
                send("SIGTERM")
            return super().static_arguments(step)

    model = SendsWhileTraining()
    assert train(model, [], total=3) is None and int(model.step) == 3


def test_signal_handlers_are_restored_after_an_error():
    before = handlers()

    def fail(step):
        raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        train(Counter(), [Recorder([], "", 1, act=fail)])
    assert handlers() == before


@pytest.mark.parametrize("hidden", [("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"), ("SIGHUP",)])
def test_signals_that_a_system_lacks_are_left_out(hidden, monkeypatch):
    """Windows has none of these."""
    for name in hidden:
        monkeypatch.delattr(signal, name)
    events = []
    assert train(Counter(), [Recorder(events, "", 3, act=lambda step: send("SIGTERM"))], total=100) == "SIGTERM"
    assert events[-1] == ("interval", 4)


# the time limit


class Clock:
    """A clock in place of `time.monotonic`, which only `advance` moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class Slow(Counter):
    """A step takes as many seconds as `seconds` says of its number, from 0."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def static_arguments(self, step):
        self.clock.advance(self.seconds(step))
        return super().static_arguments(step)


@pytest.mark.parametrize(
    ("limit", "last", "ended"),
    [
        (64, 4, 50),  # another step and saving would end at 65
        (65, 5, 65),
        (74, 5, 65),
        (75, 6, 75),
        (89, 6, 75),
        (90, 7, 90),
        (5, 1, 15),  # one step at least, so that each start gets further
        (math.inf, 20, 250),
    ],
)
def test_training_stops_before_it_would_be_too_late_to_save(clock, limit, last, ended):
    """Each step takes 10 s, saving after every second step and after the last one 5 s."""
    model, saved = Slow(clock, lambda step: 10), []

    def save(step):
        clock.advance(5)
        saved.append(step)

    stopped_by = train(model, [Recorder([], "", 2, act=save)], total=20, deadline=1000 + limit)
    assert stopped_by == (loop.TIME_IS_UP if last < 20 else None)
    assert (saved[-1], clock.now) == (last, 1000 + ended)


@pytest.mark.parametrize(("limit", "last", "ended"), [(85, 5, 45), (86, 6, 46), (88, 8, 88), (89, 9, 89)])
def test_training_stops_before_it_would_be_too_late_to_validate(clock, limit, last, ended):
    """A step takes a second, every fourth log 40 s and the others no time; there is a log after each step."""
    model, logged = Slow(clock, lambda step: 1), []

    class Validating(loop.Callback):
        def on_scalars(self, step, scalars):
            logged.append(step)
            clock.advance(0 if step % 4 else 40)

    train(model, [Validating()], total=20, log_every=1, deadline=1000 + limit)
    assert (logged[-1], clock.now) == (last, 1000 + ended)


def test_tracing_is_not_expected_again(clock):
    """The first step takes a minute, the others one second each."""
    model = Slow(clock, lambda step: 1 if step else 60)
    assert train(model, [], total=100, deadline=1000 + 69.5) == loop.TIME_IS_UP
    assert int(model.step) == 10  # at 69 s


def test_what_a_resumed_training_needs_is_saved_first():
    """A batch queue that kills soon after its signal can only cost pictures and a release."""
    events = []
    callbacks = [
        Recorder(events, " pictures", 3),
        Recorder(events, " release"),
        Recorder(events, " checkpoint", 3),
    ]
    callbacks[2].saves = True
    stop = Recorder(events, " stop", 3, act=lambda step: send("SIGTERM"))
    train(Counter(), [*callbacks, stop], total=100, log_every=50)
    before, after = [[name for name, at, *_ in events if at == step and "interval" in name] for step in (3, 4)]
    assert before == ["interval pictures", "interval checkpoint", "interval stop"]
    assert after == ["interval checkpoint", "interval pictures", "interval release", "interval stop"]
