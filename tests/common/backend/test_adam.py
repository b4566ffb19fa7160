"""Adam against its formulas in numpy, and against Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.backend.adam import Adam

RATE, BETA_1, BETA_2, EPSILON = 0.1, 0.8, 0.95, 1e-3


def gradients(steps=5):
    return [np.random.default_rng(step).normal(size=(3, 4)).astype(np.float32) for step in range(steps)]


def moved(optimizer_class, rate=RATE, compiled=False):
    """Returns the variable and all optimizer variables after steps along `gradients`."""
    variable = keras.Variable(np.ones((3, 4), np.float32))
    optimizer = optimizer_class(rate, BETA_1, BETA_2, epsilon=EPSILON)
    optimizer.build([variable])
    step = tf.function(lambda gradient: optimizer.apply([gradient]), jit_compile=compiled)
    for gradient in gradients():
        step(tf.constant(gradient))
    return [np.asarray(value) for value in (variable, *optimizer.variables)]


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "XLA"])
def test_steps_match_hand_computed_ones(compiled):
    """x -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)."""
    x, m, v = np.ones((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    for t, gradient in enumerate(gradients(), 1):
        m, v = BETA_1 * m + (1 - BETA_1) * gradient, BETA_2 * v + (1 - BETA_2) * gradient**2
        x -= RATE * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t) * m / (np.sqrt(v) + EPSILON)
    np.testing.assert_allclose(moved(Adam, compiled=compiled)[0], x, rtol=1e-5)


def test_checkpoints_of_keras_adam_can_be_restored():
    """Both have the same variables in the same order, here after steps with a decaying rate."""
    schedule = keras.optimizers.schedules.CosineDecay(RATE, 10)
    for ours, kerass in zip(moved(Adam, schedule), moved(keras.optimizers.Adam, schedule), strict=True):
        np.testing.assert_allclose(ours, kerass, rtol=1e-5)
