"""ACAI's layers and their gradients against the pairs of plain layers that they replace."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import layers
from common.backend.activations import LeakyReLU
from tests.support.plain_networks import conv, double, noise, random_weights


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_linear_then_conv_equals_the_two_convolutions(dtype, tolerance):
    layer = layers.LinearThenConv2D(5, 4, dtype=dtype)
    images = np.random.default_rng(5).standard_normal((2, 4, 6, 3)).astype(dtype)
    layer.build(images.shape)
    linear_kernel, linear_bias, kernel, bias = random_weights(layer, seed=6)
    expected = conv(conv(images, linear_kernel, linear_bias), kernel, bias)
    assert np.abs(linear_bias).max() > 0.1  # at the border the 3x3 convolution sees less of this bias
    np.testing.assert_allclose(layer(images), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_upsample_then_conv_equals_the_two_layers(dtype, tolerance):
    layer = layers.UpsampleThenConv2D(4, dtype=dtype)
    maps = np.random.default_rng(5).standard_normal((2, 3, 5, 6)).astype(dtype)
    layer.build(maps.shape)
    kernel, bias = random_weights(layer, seed=6)
    assert kernel.shape == (3, 3, 6, 4)
    np.testing.assert_allclose(layer(maps), conv(double(maps), kernel, bias), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_of_upsample_then_conv_are_the_two_layers(compiled):
    ours, plain = layers.UpsampleThenConv2D(4), keras.layers.Conv2D(4, 3, padding="same")
    upsampling = keras.layers.UpSampling2D(interpolation="nearest")
    maps, weights = (tf.constant(noise(2, width, width, 4, seed=width)) for width in (3, 6))
    ours.build(maps.shape), plain.build((2, 6, 6, 4))
    plain.set_weights(random_weights(ours, seed=7))

    def gradients(layer, before):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs = layer(before(maps))
        return tape.gradient(outputs, [maps, layer.kernel, layer.bias], weights)

    compiled_gradients = tf.function(lambda: gradients(ours, tf.identity), jit_compile=compiled)()
    for one, other in zip(compiled_gradients, gradients(plain, upsampling), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [layers.LinearThenConv2D(5, 3), layers.UpsampleThenConv2D(3), layers.ImageMean(), LeakyReLU(0.2)],
    ids=lambda layer: type(layer).__name__,
)
def test_symbolic_output_shapes_are_those_of_calls(layer):
    assert layer(keras.Input((4, 6, 2))).shape[1:] == layer(tf.zeros((7, 4, 6, 2))).shape[1:]
