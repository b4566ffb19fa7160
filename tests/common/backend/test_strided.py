"""Strided convolutions, their gradients and second gradients against TensorFlow's, for every dtype policy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.backend import strided

SIZES = {"few": (3, 5), "many": (20, 6)}  # (channels of the images, of the maps): both forms of `down`


def draws(few, deep, seed=0):
    """Images [2, 8, 4, few], maps [2, 4, 2, deep] and a kernel."""
    rng = np.random.default_rng(seed)
    shapes = ((2, 8, 4, few), (2, 4, 2, deep), (4, 4, few, deep))
    return [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]


def plain_down(images, kernel):
    return tf.nn.conv2d(images, kernel, 2, "SAME")


def plain_up(maps, kernel):
    shape = (tf.shape(maps)[0], 2 * maps.shape[1], 2 * maps.shape[2], kernel.shape[2])
    return tf.nn.conv2d_transpose(maps, kernel, shape, 2)


def test_down_of_a_patch_matches_a_hand_computed_one():
    kernel = tf.reshape(tf.range(1.0, 17.0), (4, 4, 1, 1))
    images = strided.up(tf.reshape([1.0, 0, 0, 0], (1, 2, 2, 1)), kernel)[0, ..., 0]
    np.testing.assert_array_equal(images, [[6, 7, 8, 0], [10, 11, 12, 0], [14, 15, 16, 0], [0] * 4])
    pixel = tf.reshape(tf.one_hot(5, 16), (1, 4, 4, 1))  # in row 1, column 1
    np.testing.assert_array_equal(strided.down(pixel, kernel)[0, ..., 0], [[11, 9], [3, 1]])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", SIZES)
def test_values_and_gradients_equal_tensorflow(name, compiled):
    images, maps, kernel = draws(*SIZES[name])
    for own, plain, inputs in ((strided.down, plain_down, images), (strided.up, plain_up, maps)):

        def both(function, inputs=inputs):
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                outputs = function(inputs, kernel)
                loss = tf.reduce_sum(tf.sin(outputs))
            return [outputs, *tape.gradient(loss, [inputs, kernel])]

        run = tf.function(both, jit_compile=compiled)
        for value, expected in zip(run(own), both(plain), strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("name", SIZES)
def test_gradient_of_a_gradient_penalty_equals_tensorflow(name):
    images, maps, kernel = draws(*SIZES[name])
    for own, plain, inputs in ((strided.down, plain_down, images), (strided.up, plain_up, maps)):

        def slope(function, inputs=inputs):
            with tf.GradientTape() as outer:
                outer.watch([inputs, kernel])
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    score = tf.reduce_sum(tf.sin(function(inputs, kernel)))
                penalty = tf.reduce_sum(inner.gradient(score, inputs) ** 2)
            return outer.gradient(penalty, [inputs, kernel])

        for value, expected in zip(slope(own), slope(plain), strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    ("own", "keras_own", "width"),
    [(strided.Down, keras.layers.Conv2D, 8), (strided.Up, keras.layers.Conv2DTranspose, 4)],
)
def test_layers_equal_keras_layers(own, keras_own, width, precision):
    layer = own(6, dtype=precision, bias_initializer="ones")
    plain = keras_own(6, 4, 2, padding="same", dtype=precision)
    inputs = np.random.default_rng(1).normal(size=(2, width, width, 3)).astype(np.float32)
    layer.build(inputs.shape)
    plain.build(inputs.shape)
    plain.set_weights(layer.get_weights())
    tolerance = {"float32": 1e-5, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}[precision]
    run = tf.function(lambda: (layer(inputs), plain(inputs)), jit_compile=True)
    value, expected = run()
    assert value.dtype == expected.dtype == layer.compute_dtype
    np.testing.assert_allclose(tf.cast(value, "float32"), tf.cast(expected, "float32"), atol=tolerance)
    assert tuple(layer.compute_output_shape(inputs.shape)) == tuple(value.shape)


@pytest.mark.parametrize(
    ("own", "plain", "width"),
    [(strided.Down, keras.layers.Conv2D, 8), (strided.Up, keras.layers.Conv2DTranspose, 4)],
)
def test_layers_with_many_channels_have_keras_gradients(own, plain, width):
    """Where kernel gradients are matrix products, also without a traced function."""
    own, plain = own(32), plain(32, 4, 2, padding="same")
    inputs, results = tf.constant(np.random.default_rng(1).normal(size=(2, width, width, 32)), tf.float32), []
    for layer in (own, plain):
        layer.build(inputs.shape)
        layer.set_weights(own.get_weights())
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.sin(outputs))
        results.append([outputs, *tape.gradient(loss, layer.trainable_variables)])
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
