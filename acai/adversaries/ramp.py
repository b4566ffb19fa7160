"""Weights of losses that join the training late."""

import tensorflow as tf


class LinearRamp:
    """A weight that rises linearly from 0. Called with a step, int64 [], it returns a float32 [].

    A loss that joined with its full weight would cause steps that are too long. Adam divides by the root of a
    running mean of squared gradients, and that mean does not include the new loss yet.

    Args:
        weight: the final value.
        from_step: first step at which the value is above 0.
        steps: length of the ramp; 0: the first value is already the final one.

    Raises:
        ValueError: for a negative weight.
    """

    def __init__(self, weight, from_step=0, steps=0):
        if weight < 0:
            raise ValueError(f"weight must be at least 0. Received: {weight=}.")
        self.weight, self.from_step, self.steps = weight, from_step, steps

    def __call__(self, step):
        steps_since = tf.cast(step - self.from_step + 1, tf.float32)
        return self.weight * tf.clip_by_value(steps_since / max(1, self.steps), 0.0, 1.0)
