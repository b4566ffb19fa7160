"""The training loop: compiled steps, and the one place that calls callbacks.

A loop of our own because Keras's `fit` cannot average scalar logs over several machines. It only knows a
model by `train_step(data, **static_arguments(step))`, and a callback by the class below.
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
    """A loss became NaN or infinite. Attributes: `step`, `name`."""

    def __init__(self, step, name, value):
        super().__init__(f"{name} is {value} at step {step}")
        self.step, self.name = step, name


class Callback:
    """What happens beside the steps. Steps are counted from 1: step k is the k-th one done."""

    every_steps = 0  # 0: only at the end

    def on_scalars(self, step, scalars):
        """After each logging interval: {name: float}, means over its steps, and "images_per_second"."""

    def on_interval(self, step):
        """After each step that `every_steps` divides, and once after the last step, also when stopped."""

    def close(self):
        """When training is over, however it ended."""


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
    """Runs `model` from its own step to `total_steps`; returns the signal that stopped it earlier, or None.

    Args:
        model: has `train_step`, `static_arguments` and `step`.
        batches: tf.data.Dataset; its first element is for the model's next step.
        total_steps: the step after which training is finished.
        batch_size: images a step, for images per second.
        log_every_steps: the interval of `on_scalars`.
        callbacks: of Callback, called in this order.
        jit_compile: compile the step with XLA.
        strategy: tf.distribute.Strategy, see common.distribute.distribution; None: the default one, for one
            device. On several machines each runs this loop. A signal to one stops all at the next logging
            interval.
        towers: parts of a batch that a step takes beside each other on a CPU, see `common.backend.towers`.

    Raises:
        NonFiniteError: before any callback sees the step, so that no checkpoint of it is ever written.
    """
    strategy = strategy or tf.distribute.get_strategy()
    compiler.keep_order_of_sums()
    train_step = compile_step(model, jit_compile, strategy, towers)
    any_says = distribution.signal_exchange(strategy)
    iterator = iter(distribution.prefetch_to_device(strategy, batches))
    unchecked, window, clock = [], [], Stopwatch()
    with StopSignal() as stop:
        for step in range(distribution.to_int(model.step) + 1, total_steps + 1):
            unchecked.append((step, *train_step(next(iterator), **model.static_arguments(step - 1))))
            logging_due = step % log_every_steps == 0
            stopped_by = any_says(stop.received, logging_due)
            ending = step == total_steps or stopped_by is not None
            due = [c for c in callbacks if c.every_steps and step % c.every_steps == 0 or ending]
            logging_due = logging_due or ending
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
            if ending:
                return stopped_by if step < total_steps else None
    return None


def step_in_towers(model, count):
    """A model's `train_step` whose gradients are means over towers, see `replicas.run_in_towers`."""

    def train_step(batch, **static):
        logs, gradients = replicas.run_in_towers(functools.partial(model.gradients, **static), count, batch)
        return logs | model.apply_gradients(gradients)

    return train_step


def compile_step(model, jit_compile, strategy=None, towers=1):
    """One training step of a model as a function of a batch and of its static arguments.

    It returns the logs' names, a tuple, and their values, float32 [n] on the device of the step. Reading values
    waits for the step, so they are read together, by `read_finite`.

    Args:
        model, jit_compile, strategy, towers: see `train`.
    """
    strategy, names = strategy or tf.distribute.get_strategy(), {}
    train_step = model.train_step if towers == 1 else step_in_towers(model, towers)

    @tf.function(jit_compile=jit_compile, autograph=False)  # nothing in it branches on tensors
    def run(batch, **static):
        with compiler.tracing(jit_compile):
            logs = distribution.run_step(strategy, train_step, batch, **static)
        names[tuple(static.items())] = tuple(logs)
        return tf.stack([tf.cast(value, tf.float32) for value in logs.values()])

    def step(batch, **static):
        kind = tuple(static.items())
        if kind not in names:
            which = ", ".join(f"{name}={value}" for name, value in kind)
            verb = "compiling" if jit_compile else "tracing"
            logging.info("%s the training step%s: this takes a while", verb, which and f" ({which})")
        values = run(batch, **static)
        return names[kind], values

    return step


def read_finite(steps):
    """[(step, names, values on the device)] -> [{name: float}], by a single copy from the device.

    Raises:
        NonFiniteError: naming the first value that is not finite.
    """
    read = tf.concat([values for *_, values in steps], 0).numpy().tolist()
    window, start = [], 0
    for step, names, _ in steps:
        scalars = dict(zip(names, read[start : start + len(names)], strict=True))
        start += len(names)
        for name, value in scalars.items():
            if not math.isfinite(value):
                raise NonFiniteError(step, name, value)
        window.append(scalars)
    return window


def mean_scalars(window):
    """A list of {name: float} -> {name: mean over those that have it}."""
    names = dict.fromkeys(name for scalars in window for name in scalars)
    columns = {name: [scalars[name] for scalars in window if name in scalars] for name in names}
    return {name: math.fsum(values) / len(values) for name, values in columns.items()}


class Stopwatch:
    """Seconds spent between `start` and `stop`, summed until `restart`."""

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
    """Context in which SIGTERM and Ctrl-C do not kill but set `received` to the signal; the second one kills."""

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
