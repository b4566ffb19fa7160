"""The training loop: compiled steps, and the one place that calls callbacks.

A loop of our own because Keras's `fit` cannot average scalar logs over several machines. It only knows a
model by `train_step(data, **static_arguments(step))`, and a callback by the class below.
"""

import math
import signal
import time

import tensorflow as tf

from common import compiler, distribution


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


def train(model, batches, total_steps, batch_size, log_every_steps, callbacks, jit_compile=True, strategy=None):
    """Runs `model` from its own step to `total_steps`; returns the signal that stopped it earlier, or None.

    Args:
        model: has `train_step`, `static_arguments` and `step`.
        batches: tf.data.Dataset; its first element is for the model's next step.
        total_steps: the step after which training is finished.
        batch_size: images a step, for images per second.
        log_every_steps: the interval of `on_scalars`.
        callbacks: of Callback, called in this order.
        jit_compile: compile the step with XLA.
        strategy: tf.distribute.Strategy, see common.distribution; None: the default one, for one device. On
            several machines each runs this loop; a signal to one stops all at the next logging interval.

    Raises:
        NonFiniteError: before any callback sees the step, so that no checkpoint of it is ever written.
    """
    strategy = strategy or tf.distribute.get_strategy()
    compiler.keep_order_of_sums()

    @tf.function(jit_compile=jit_compile, autograph=False)  # nothing in it branches on tensors
    def train_step(batch, **static):
        with compiler.tracing(jit_compile):
            return distribution.run(strategy, model.train_step, batch, **static)

    any_says = distribution.agreement(strategy)
    iterator = iter(batches)
    unchecked, window, clock = [], [], Stopwatch()
    with StopSignal() as stop:
        for step in range(distribution.number(model.step) + 1, total_steps + 1):
            logs = train_step(next(iterator), **model.static_arguments(step - 1))
            unchecked.append((step, logs))
            logging_due = step % log_every_steps == 0
            stopped_by = any_says(stop.received, logging_due)
            ending = step == total_steps or stopped_by is not None
            due = [c for c in callbacks if c.every_steps and step % c.every_steps == 0 or ending]
            logging_due = logging_due or ending
            if due or logging_due:
                window += [check_finite(*entry) for entry in unchecked]
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


def check_finite(step, logs):
    """{name: scalar tensor} -> {name: float}; NonFiniteError names the first that is not finite."""
    scalars = {name: float(value) for name, value in logs.items()}
    for name, value in scalars.items():
        if not math.isfinite(value):
            raise NonFiniteError(step, name, value)
    return scalars


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
