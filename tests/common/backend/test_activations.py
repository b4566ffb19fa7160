"""Leaky ReLU: values, first and second gradients, and every dtype policy."""

import numpy as np
import pytest
import tensorflow as tf

from common.backend.activations import LeakyReLU

INPUTS = [-2.0, -0.5, 0.5, 3.0]


def test_values_and_gradients_match_hand_computed_ones():
    inputs = tf.constant(INPUTS)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = LeakyReLU(0.25)(inputs)
    np.testing.assert_array_equal(outputs, [-0.5, -0.125, 0.5, 3])
    np.testing.assert_array_equal(tape.gradient(outputs, inputs, tf.constant([1.0, 2, 3, 4])), [0.25, 0.5, 3, 4])


@pytest.mark.parametrize("compiled", [False, True])
def test_gradient_of_a_gradient_penalty_matches_a_hand_computed_one(compiled):
    """f = sum y^2 / 2 has df/dx = s^2 x with s the slope at x; d/dx of sum (df/dx)^2 / 2 is s^4 x."""

    @tf.function(jit_compile=compiled)
    def penalty_gradient(inputs):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                half_square = tf.reduce_sum(LeakyReLU(0.5)(inputs) ** 2) / 2
            penalty = tf.reduce_sum(inner.gradient(half_square, inputs) ** 2) / 2
        return outer.gradient(penalty, inputs)

    np.testing.assert_allclose(penalty_gradient(tf.constant(INPUTS)), [-2 / 16, -0.5 / 16, 0.5, 3], rtol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_layer_computes_in_its_policys_dtype(policy):
    layer = LeakyReLU(0.25, dtype=policy)
    outputs = layer(tf.constant(INPUTS))
    assert outputs.dtype == layer.compute_dtype
    np.testing.assert_array_equal(tf.cast(outputs, tf.float32), [-0.5, -0.125, 0.5, 3])
