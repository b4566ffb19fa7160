"""ACAI's layers against the plain ones that they stand for, and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import layers
from common.backend import compiler
from common.backend.activations import LeakyReLU
from tests.support.plain_networks import conv, double, noise, random_weights

# Pairs of linear layers


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
def test_layers_say_the_shapes_that_they_make(layer):
    assert layer(keras.Input((4, 6, 2))).shape[1:] == layer(tf.zeros((7, 4, 6, 2))).shape[1:]


# Convolutions whose kernel's gradient is a convolution

SIZES = {  # inputs and kernel
    "one group": ((3, 4, 4, 5), (3, 3, 5, 6)),
    "two groups": ((16, 16, 32, 2), (3, 3, 2, 3)),
    "not square": ((2, 5, 7, 3), (3, 5, 3, 4)),
    "1x1": ((2, 3, 3, 3), (1, 1, 3, 2)),
}


def draws(name, dtype="float64"):
    rng = np.random.default_rng(0)
    return [tf.constant(rng.normal(size=shape), dtype) for shape in SIZES[name]]


def plain(inputs, kernel):
    return tf.nn.conv2d(inputs, kernel, 1, "SAME")


def both_gradients(function, inputs, kernel):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = function(inputs, kernel)
        loss = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(loss, [inputs, kernel])]


def penalty_gradients(function, inputs, kernel):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        penalty = sum(tf.reduce_sum(g**3) for g in both_gradients(function, inputs, kernel)[1:])
    return tape.gradient(penalty, [inputs, kernel])


@pytest.mark.parametrize("compute", [both_gradients, penalty_gradients])
@pytest.mark.parametrize("name", SIZES)
def test_convolve_and_its_gradients_and_theirs_are_tensorflows(name, compute):
    pair = draws(name)
    for value, expected in zip(compute(layers.convolve, *pair), compute(plain, *pair), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_a_kernels_gradient_by_hand():
    """One input pixel of 2 at row 1, column 0, and one output's gradient of 3 at row 0, column 1."""
    inputs = 2 * tf.reshape(tf.one_hot(3, 9, dtype="float64"), (1, 3, 3, 1))
    kernel = tf.zeros((3, 3, 1, 1), "float64")
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = 3 * layers.convolve(inputs, kernel)[0, 0, 1, 0]
    expected = np.zeros((3, 3))
    expected[2, 0] = 6  # the pixel lies below and left of the output
    np.testing.assert_array_equal(tape.gradient(loss, kernel)[..., 0, 0], expected)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 8, 8), 1),
        ((128, 8, 8), 2),  # 64 images of 64 positions are 4,096
        ((32, 16, 16), 2),
        ((64, 32, 32), 8),  # 8 images at least
        ((48, 32, 16), 6),
        ((60, 32, 32), 1),  # not a multiple of 8
        ((4, 32, 32), 1),
        ((None, 32, 32), 1),
    ],
)
def test_groups(shape, expected):
    assert layers.groups((*shape, 3)) == expected


def test_either_side_makes_maps_wide():
    kernel = (3, 3, 16, 16)
    assert layers.convolve_pays((64, 8, 8, 16), kernel)
    assert not layers.convolve_pays((64, 4, 9, 16), kernel) and not layers.convolve_pays((64, 9, 4, 16), kernel)


@pytest.mark.parametrize(
    ("batch", "width", "channels", "filters", "expected"),
    [
        (64, 8, 3, 16, True),
        (64, 8, 64, 15, False),
        (None, 4, 64, 16, True),
        (64, 9, 64, 16, False),
        (64, 16, 32, 32, True),
        (64, 9, 32, 32, False),  # 50 images are 4,050 positions: no even groups
        (64, 32, 31, 64, False),
        (64, 32, 64, 64, True),
        (None, 32, 64, 64, False),
        (64, 33, 64, 64, False),
        (64, 4, 64, 16, True),
        (60, 32, 64, 64, False),  # no groups of 8
        (4, 32, 64, 64, True),
    ],
)
def test_where_convolve_pays(batch, width, channels, filters, expected):
    kernel = (3, 3, channels, filters)
    assert layers.convolve_pays((batch, width, width, channels), kernel) is expected


def operations(layer, inputs, compiled=False):
    """Names of the operations of a layer's pass forward and back."""

    @tf.function
    def step():
        with compiler.tracing(compiled), tf.GradientTape() as tape:
            outputs = layer(inputs)
        return tape.gradient(outputs, layer.trainable_variables)

    layer(inputs)
    return {operation.type for operation in step.get_concrete_function().graph.get_operations()}


def test_the_layer_uses_it_where_it_pays(monkeypatch):
    own_way, inputs = "Conv2DBackpropFilter", tf.constant(noise(16, 8, 8, 3))
    assert own_way not in operations(layers.Conv2D(16, 3, padding="same"), inputs)
    assert own_way not in operations(layers.Conv2D(32, 3, padding="same"), tf.constant(noise(8, 32, 32, 32)))
    assert own_way in operations(layers.Conv2D(15, 3, padding="same"), inputs)
    assert own_way in operations(layers.Conv2D(16, 3), inputs)
    assert own_way in operations(layers.Conv2D(16, 3, strides=2, padding="same"), inputs)
    assert own_way in operations(layers.Conv2D(16, 3, padding="same", dtype="mixed_bfloat16"), inputs)
    assert own_way in operations(layers.Conv2D(16, 3, padding="same"), inputs, compiled=True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    assert own_way in operations(layers.Conv2D(16, 3, padding="same"), inputs)


def test_the_layer_is_kerass():
    own, keras_own = (c.Conv2D(16, 3, padding="same") for c in (layers, keras.layers))
    inputs = tf.constant(noise(4, 8, 8, 3))
    own.build(inputs.shape), keras_own.build(inputs.shape)
    keras_own.set_weights(random_weights(own, seed=8))

    def compute(layer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(inputs)))
        return [loss, *tape.gradient(loss, layer.trainable_variables)]

    for value, expected in zip(compute(own), compute(keras_own), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    assert type(own).__name__ == "Conv2D"  # by which pegasus.explore knows it
