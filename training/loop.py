"""The training loop: compiled steps, callbacks, and stopping at a signal.

Keras's `fit` is not used because it cannot average scalar logs over several machines.
"""

import functools
import math
import signal
import time

import tensorflow as tf
from absl import logging

from common.backend import compiler
from common.distribute import distribution, replicas


class NonFiniteError(ArithmeticError):
    """Raised when a loss is NaN or infinite. Attributes: `step`, `name`."""

    def __init__(self, step, name, value):
        super().__init__(f"{name} is {value} at step {step}")
        self.step, self.name = step, name


class Callback:
    """Base class of callbacks. Steps are counted from 1: step k is the k-th completed step."""

    every_steps = 0  # interval of `on_interval`; 0: only at the end

    def on_scalars(self, step, scalars):
        """Called after each logging interval with {name: mean over its steps}, including "images_per_second"."""

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
):
    """Trains a model from its current step to `total_steps`.

    SIGTERM and Ctrl-C end the training after the current step, with the callbacks of a last step.

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

    Returns:
        The signal that stopped the training early, or None.

    Raises:
        NonFiniteError: a loss is not finite. It is raised before any callback sees the step, so that no
            checkpoint contains it.
    """
    strategy = strategy or tf.distribute.get_strategy()
    compiler.keep_order_of_sums()
    train_step = compile_step(model, jit_compile, strategy, towers)
    exchange_signal = distribution.signal_exchange(strategy)
    iterator = iter(distribution.prefetch_to_device(strategy, batches))
    unchecked, window, clock = [], [], Stopwatch()
    with StopSignal() as stop:
        for step in range(distribution.to_int(model.step) + 1, total_steps + 1):
            unchecked.append((step, *train_step(next(iterator), **model.static_arguments(step - 1))))
            logging_due = step % log_every_steps == 0
            stop_signal = exchange_signal(stop.received, logging_due)
            is_last = step == total_steps or stop_signal is not None
            due = [c for c in callbacks if c.every_steps and step % c.every_steps == 0 or is_last]
            logging_due = logging_due or is_last
            if due or logging_due:
                window += read_finite(unchecked)
                unchecked = []
            clock.stop()
            if logging_due:
                scalars = mean_scalars(window)
                scalars["images_per_second"] = len(window) * batch_size / clock.restart()
                window = []
                for callback in callbacks:
                    callback.on_scalars(step, scalars)
            for callback in due:
                callback.on_interval(step)
            clock.start()
            if is_last:
                return stop_signal if step < total_steps else None
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
        if key not in names:
            which = ", ".join(f"{name}={value}" for name, value in key)
            verb = "compiling" if jit_compile else "tracing"
            logging.info("%s the training step%s: this takes a while", verb, which and f" ({which})")
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


class StopSignal:
    """Context in which the first SIGTERM or Ctrl-C only sets `received` to the signal; a second one kills."""

    SIGNALS = signal.SIGTERM, signal.SIGINT

    def __enter__(self):
        self.received, self.previous = None, {number: signal.getsignal(number) for number in self.SIGNALS}
        for number in self.SIGNALS:
            signal.signal(number, self._receive)
        return self

    def _receive(self, number, _):
        self.received = signal.Signals(number)
        self._restore()

    def __exit__(self, *_):
        self._restore()

    def _restore(self):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
