"""Convolutions with kernel gradients by matrix products, against TensorFlow's and Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.backend import compiler, convolution
from tests.support.plain_networks import noise, random_weights

SIZES = {  # inputs, kernel and stride
    "3x3": ((3, 4, 4, 5), (3, 3, 5, 6), 1),
    "neither map nor kernel square": ((2, 5, 7, 3), (3, 5, 3, 4), 1),
    "1x1": ((2, 3, 3, 3), (1, 1, 3, 2), 1),
    "4x4 with stride 2": ((2, 4, 6, 3), (4, 4, 3, 5), 2),
    "9x3 with stride 3": ((2, 6, 3, 2), (9, 3, 2, 3), 3),
}


@pytest.fixture
def products_in_float64(monkeypatch):
    monkeypatch.setattr(convolution, "MIN_CHANNELS", {"float64": 1})
    monkeypatch.setattr(compiler, "targets_onednn", lambda: True)


def draws(name, transposed=False):
    """Inputs and a kernel, float64, and the stride."""
    rng, (shape, kernel_shape, stride) = np.random.default_rng(0), SIZES[name]
    if transposed:
        shape = (shape[0], shape[1] // stride, shape[2] // stride, kernel_shape[3])
    return [tf.constant(rng.normal(size=shape)) for shape in (shape, kernel_shape)], stride


def plain(inputs, kernel, stride):
    return tf.nn.conv2d(inputs, kernel, stride, "SAME")


def plain_transposed(inputs, kernel, stride):
    rows, columns = (stride * size for size in inputs.shape[1:3])
    return tf.nn.conv2d_transpose(inputs, kernel, (inputs.shape[0], rows, columns, kernel.shape[2]), stride)


def outputs_and_gradients(function, inputs, kernel, stride):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = function(inputs, kernel, stride)
        loss = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(loss, [inputs, kernel])]


def penalty_gradients(function, inputs, kernel, stride):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        penalty = sum(tf.reduce_sum(g**3) for g in outputs_and_gradients(function, inputs, kernel, stride)[1:])
    return tape.gradient(penalty, [inputs, kernel])


@pytest.mark.usefixtures("products_in_float64")
@pytest.mark.parametrize("compute", [outputs_and_gradients, penalty_gradients])
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(
    ("function", "expected"),
    [(convolution.convolve, plain), (convolution.convolve_transposed, plain_transposed)],
    ids=["down", "up"],
)
def test_convolutions_equal_tensorflow_up_to_second_derivatives(function, expected, name, compute):
    pair, stride = draws(name, transposed=expected is plain_transposed)
    for value, right in zip(compute(function, *pair, stride), compute(expected, *pair, stride), strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-9, atol=1e-9 * np.abs(right).max())


@pytest.mark.usefixtures("products_in_float64")
def test_kernel_gradient_matches_a_hand_computed_case():
    """One input pixel of 2 at row 1, column 0, and one output's gradient of 3 at row 0, column 1."""
    inputs = 2 * tf.reshape(tf.one_hot(3, 9, dtype="float64"), (1, 3, 3, 1))
    kernel = tf.zeros((3, 3, 1, 1), "float64")
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = 3 * convolution.convolve(inputs, kernel)[0, 0, 1, 0]
    expected = np.zeros((3, 3))
    expected[2, 0] = 6  # the pixel lies below and left of the output
    np.testing.assert_array_equal(tape.gradient(loss, kernel)[..., 0, 0], expected)


@pytest.mark.parametrize(
    ("dtype", "channels", "filters", "expected"),
    [
        ("float32", 32, 32, True),
        ("float32", 31, 64, False),
        ("float32", 64, 31, False),
        ("bfloat16", 64, 64, True),
        ("bfloat16", 64, 63, False),
        ("float16", 512, 512, False),
    ],
)
def test_products_pay_for_many_channels_without_xla(dtype, channels, filters, expected, monkeypatch):
    kernel = tf.zeros((3, 3, channels, filters), dtype)
    monkeypatch.setattr(compiler, "targets_onednn", lambda: True)
    assert convolution.products_pay(kernel) is expected
    monkeypatch.setattr(compiler, "targets_onednn", lambda: False)
    assert not convolution.products_pay(kernel)


def operations(layer, inputs, compiled=False):
    """Types of the operations in a layer's forward and backward pass."""

    @tf.function
    def step():
        with compiler.tracing(compiled), tf.GradientTape() as tape:
            outputs = layer(inputs)
        return tape.gradient(outputs, layer.trainable_variables)

    layer(inputs)
    return {operation.type for operation in step.get_concrete_function().graph.get_operations()}


def test_layer_uses_products_where_they_pay(monkeypatch):
    inputs = tf.constant(noise(2, 8, 8, 64))

    def has_products(filters, size=3, padding="same", compiled=False, **options):
        layer = convolution.Conv2D(filters, size, padding=padding, **options)
        return "Conv2DBackpropFilter" not in operations(layer, inputs, compiled)

    monkeypatch.setattr(compiler, "has_onednn", lambda: True)
    assert has_products(32) and has_products(64, dtype="mixed_bfloat16")
    assert not has_products(31) and not has_products(63, dtype="mixed_bfloat16")
    assert not has_products(64, dtype="mixed_float16")
    assert not has_products(32, padding="valid") and not has_products(32, strides=2) and not has_products(32, 4)
    assert not has_products(32, compiled=True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    assert not has_products(32)


def test_layer_equals_keras_conv2d():
    layer, keras_layer = (c.Conv2D(32, 3, padding="same") for c in (convolution, keras.layers))
    inputs = tf.constant(noise(4, 8, 8, 32))
    layer.build(inputs.shape), keras_layer.build(inputs.shape)
    keras_layer.set_weights(random_weights(layer, seed=8))

    def compute(layer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(inputs)))
        return [loss, *tape.gradient(loss, layer.trainable_variables)]

    for value, expected in zip(compute(layer), compute(keras_layer), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    assert type(layer).__name__ == "Conv2D"  # pegasus.explore looks for this name
