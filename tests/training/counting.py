"""A model that only counts its steps, and a callback that records its calls, for tests of the training loop."""

import tensorflow as tf

from training import loop


class Counter(tf.Module):
    """Logs {"loss": number + 1000 * late, "steps": number of this step}; step k reads batch k - 1."""

    def __init__(self, step=0, late_from=10**9):
        super().__init__()
        self.step = tf.Variable(step, dtype=tf.int64)
        self.late_from = late_from

    def static_arguments(self, step):
        return {"late": step >= self.late_from}

    def train_step(self, batch, late):
        self.step.assign_add(1)
        logs = {"loss": tf.cast(batch["number"], tf.float32) + (1000.0 if late else 0.0)}
        return logs | ({"late_loss": tf.constant(2.0)} if late else {}) | {"steps": self.step}


class Recorder(loop.Callback):
    def __init__(self, events, name="", every_steps=0, act=None):
        self.events, self.name, self.every_steps, self.act = events, name, every_steps, act

    def on_scalars(self, step, scalars):
        self.events.append(("scalars" + self.name, step, dict(scalars)))

    def on_interval(self, step):
        self.events.append(("interval" + self.name, step))
        if self.act:
            self.act(step)


def numbers(start=0, values=None):
    """Batch k holds the number k, or the k-th of `values`."""
    return tf.data.Dataset.from_tensor_slices({"number": [float(v) for v in values or range(start, start + 1000)]})


def train(model, callbacks, total=6, log_every=2, batches=None, **options):
    batches = numbers(int(model.step)) if batches is None else batches
    return loop.train(model, batches, total, 5, log_every, callbacks, jit_compile=False, **options)
