"""Weights of losses that join a training late."""

import tensorflow as tf


class Rise:
    """A weight that rises evenly from 0. Called with a step, int64 [], it gives a float32 [].

    Adam divides by the root of what squared gradients were over a thousand steps, so that gradients which come at
    once are steps far too long.

    Args:
        weight: in the end.
        from_step: the first step at which it is above 0.
        steps: in which it rises; 0: at once.
    """

    def __init__(self, weight, from_step=0, steps=0):
        self.weight, self.from_step, self.steps = weight, from_step, steps

    def __call__(self, step):
        since = tf.cast(step - self.from_step + 1, tf.float32)
        return self.weight * tf.clip_by_value(since / max(1, self.steps), 0.0, 1.0)
