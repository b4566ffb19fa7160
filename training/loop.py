"""The training loop: compiled steps, callbacks, and stopping at a signal or in time.

Keras's `fit` is not used because it cannot average scalar logs over several machines.
"""

import contextlib
import functools
import math
import signal
import time

import tensorflow as tf

from common import progress
from common.backend import compiler
from common.distribute import distribution, replicas

TIME_IS_UP = "train.max_minutes"


class NonFiniteError(ArithmeticError):
    """Raised when a loss is NaN or infinite. Attributes: `step`, `name`, `value`."""

    def __init__(self, step, name, value):
        super().__init__(f"{name} is {value} at step {step}")
        self.step, self.name, self.value = step, name, value


class Callback:
    """Base class of callbacks. Steps are counted from 1: step k is the k-th completed step."""

    every_steps = 0  # interval of `on_interval`; 0: only at the end
    saves = False  # whether `on_interval` saves what a resumed training needs

    def on_scalars(self, step, scalars):
        """Called after each logging interval with {name: mean over its steps}, including "images_per_second".

        A callback may add scalars, which those after it see.
        """

    def on_interval(self, step):
        """Called after each multiple of `every_steps`, and once after the last step, even if stopped early."""

    def close(self):
        """Called when training ends, even by an error."""


def train(
    model,
    batches,
    total_steps,
    batch_size,
    log_every_steps,
    callbacks,
    jit_compile=True,
    strategy=None,
    towers=1,
    deadline=math.inf,
):
    """Trains a model from its current step to `total_steps`.

    The signals of `StopSignal` and the time limit end the training after the current step, with the callbacks of a
    last step. Those that save are then called first, because a batch queue may not wait for the others.

    Args:
        model: has `step`, a variable, `static_arguments(step)`, which returns the keyword arguments for which the
            step is traced separately, and `train_step(batch, **static_arguments)`, which returns its logs, a
            dict of scalar tensors.
        batches: tf.data.Dataset, starting with the batch of the model's next step.
        total_steps: number of the last step.
        batch_size: images per step, for images per second.
        log_every_steps: interval of `on_scalars`.
        callbacks: Callbacks, called in this order.
        jit_compile: whether to compile the step with XLA.
        strategy: tf.distribute.Strategy, see `common.distribute.distribution`; None: one device. With several
            machines each runs this loop, and a signal to one stops all at the next logging interval.
        towers: number of parts of a batch that a CPU works on side by side, see `common.backend.towers`.
        deadline: value of `time.monotonic()` at which to have ended, see `TimeLimit`.

    Returns:
        What stopped the training early, the name of a signal or TIME_IS_UP, or None.

    Raises:
        NonFiniteError: a loss is not finite. It is raised before any callback sees the step, so that no
            checkpoint contains it.
    """
    strategy = strategy or tf.distribute.get_strategy()
    compiler.keep_order_of_sums()
    train_step = compile_step(model, jit_compile, strategy, towers)
    exchange_signal = distribution.signal_exchange(strategy)
    iterator = iter(distribution.prefetch_to_device(strategy, batches))
    unchecked, window, clock, limit = [], [], Stopwatch(), TimeLimit(deadline)
    with StopSignal() as stop:
        first = distribution.to_int(model.step) + 1
        for step in range(first, total_steps + 1):
            with limit.timing("step" if step > first else "first step"):
                unchecked.append((step, *train_step(next(iterator), **model.static_arguments(step - 1))))
            logging_due = step % log_every_steps == 0
            due = [c for c in callbacks if c.every_steps and step % c.every_steps == 0]
            is_late = limit.is_near(["step", "scalars", *due, *callbacks])
            stopped_by = stop.received or (TIME_IS_UP if is_late else None)
            stopped_by = exchange_signal(stopped_by, logging_due)
            is_last = step == total_steps or stopped_by is not None
            if is_last:
                due = sorted(callbacks, key=lambda c: stopped_by is not None and not c.saves)
            logging_due = logging_due or is_last
            if due or logging_due:
                window += read_finite(unchecked)
                unchecked = []
            clock.stop()
            if logging_due:
                scalars = mean_scalars(window)
                scalars["images_per_second"] = len(window) * batch_size / clock.restart()
                window = []
                with limit.timing("scalars", keep_longest=True):  # few of them include a validation
                    for callback in callbacks:
                        callback.on_scalars(step, scalars)
            for callback in due:
                with limit.timing(callback):
                    callback.on_interval(step)
            clock.start()
            if is_last:
                return stopped_by if step < total_steps else None
    return None


def step_in_towers(model, count):
    """Returns a model's `train_step` with gradients averaged over towers, see `replicas.run_in_towers`."""

    def train_step(batch, **static):
        logs, gradients = replicas.run_in_towers(functools.partial(model.gradients, **static), count, batch)
        return logs | model.apply_gradients(gradients)

    return train_step


def compile_step(model, jit_compile, strategy=None, towers=1):
    """Returns a model's training step as a function of a batch and of static arguments.

    The function returns the names of the logs, a tuple, and their values, float32 [n] on the device of the step.
    Reading values waits for the step, so `read_finite` reads those of many steps at once.

    Args:
        model, jit_compile, strategy, towers: see `train`.
    """
    strategy, names = strategy or tf.distribute.get_strategy(), {}
    train_step = model.train_step if towers == 1 else step_in_towers(model, towers)

    @tf.function(jit_compile=jit_compile, autograph=False)  # the step has no Python branches on tensors
    def run(batch, **static):
        with compiler.tracing(jit_compile):
            logs = distribution.run_step(strategy, train_step, batch, **static)
        names[tuple(static.items())] = tuple(logs)
        return tf.stack([tf.cast(value, tf.float32) for value in logs.values()])

    def step(batch, **static):
        key = tuple(static.items())
        if key in names:
            return names[key], run(batch, **static)
        which = ", ".join(f"{name}={value}" for name, value in key)
        with progress.show(f"compiling the step with {which}" if names else "compiling the first step"):
            values = run(batch, **static)
        return names[key], values

    return step


def read_finite(steps):
    """Converts [(step, names, values on the device)] to [{name: float}], with a single copy from the device.

    Raises:
        NonFiniteError: a value is not finite; it names the first one.
    """
    all_values = tf.concat([values for *_, values in steps], 0).numpy().tolist()
    window, start = [], 0
    for step, names, _ in steps:
        scalars = dict(zip(names, all_values[start : start + len(names)], strict=True))
        start += len(names)
        for name, value in scalars.items():
            if not math.isfinite(value):
                raise NonFiniteError(step, name, value)
        window.append(scalars)
    return window


def mean_scalars(window):
    """Averages a list of {name: float} over the entries that have a name."""
    names = dict.fromkeys(name for scalars in window for name in scalars)
    columns = {name: [scalars[name] for scalars in window if name in scalars] for name in names}
    return {name: math.fsum(values) / len(values) for name, values in columns.items()}


class Stopwatch:
    """Sums the seconds between `start` and `stop` until `restart`, which returns and resets them."""

    def __init__(self):
        self.seconds, self.started = 0.0, time.perf_counter()

    def start(self):
        self.started = time.perf_counter()

    def stop(self):
        self.seconds += time.perf_counter() - self.started

    def restart(self):
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class TimeLimit:
    """Tells when to stop so that what a last step brings still ends before the deadline.

    Args:
        deadline: value of `time.monotonic()`.
    """

    def __init__(self, deadline):
        self.deadline, self.seconds = deadline, {}

    @contextlib.contextmanager
    def timing(self, work, keep_longest=False):
        """Measures how long `work`, any key, takes, in this context: the last time or, of several, the longest."""
        started = time.monotonic()
        yield
        before = self.seconds.get(work, 0) if keep_longest else 0
        self.seconds[work] = max(before, time.monotonic() - started)

    def is_near(self, ahead):
        """Whether it would be too late after `ahead`, a list of what was measured.

        All take as long as was measured; what was never measured takes no time.
        """
        return time.monotonic() + sum(self.seconds.get(work, 0) for work in ahead) > self.deadline


class StopSignal:
    """Context in which signals only set `received`, to the name of the first. Ignored ones stay ignored.

    Repeated signals do nothing more, because a closing terminal or a batch queue sends several; but a Ctrl-C after
    another signal interrupts.
    """

    NAMES = (
        *("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"),  # Ctrl-C; kill; a lost terminal on Unix and on Windows
        *("SIGUSR1", "SIGUSR2", "SIGXCPU"),  # announce the end of a job: Slurm, Grid Engine, a limit of CPU time
    )

    def __enter__(self):
        numbers = [getattr(signal, name) for name in self.NAMES if hasattr(signal, name)]
        previous = {number: signal.getsignal(number) for number in numbers}
        self.received, self.previous = None, {n: h for n, h in previous.items() if h not in (signal.SIG_IGN, None)}
        for number in self.previous:
            signal.signal(number, self._receive)
        return self

    def _receive(self, number, _):
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or signal.Signals(number).name

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
