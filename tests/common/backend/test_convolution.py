"""The convolution with a convolutional kernel gradient, against TensorFlow's and Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.backend import compiler, convolution
from tests.support.plain_networks import noise, random_weights

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


def outputs_and_gradients(function, inputs, kernel):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = function(inputs, kernel)
        loss = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(loss, [inputs, kernel])]


def penalty_gradients(function, inputs, kernel):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        penalty = sum(tf.reduce_sum(g**3) for g in outputs_and_gradients(function, inputs, kernel)[1:])
    return tape.gradient(penalty, [inputs, kernel])


@pytest.mark.parametrize("compute", [outputs_and_gradients, penalty_gradients])
@pytest.mark.parametrize("name", SIZES)
def test_convolve_equals_tensorflow_up_to_second_derivatives(name, compute):
    pair = draws(name)
    for value, expected in zip(compute(convolution.convolve, *pair), compute(plain, *pair), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


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
def test_images_are_split_into_equal_groups(shape, expected):
    assert convolution.num_groups((*shape, 3)) == expected


def test_the_longer_side_of_a_map_decides():
    kernel = (3, 3, 16, 16)
    assert convolution.convolve_pays((64, 8, 8, 16), kernel)
    assert not convolution.convolve_pays((64, 4, 9, 16), kernel) and not convolution.convolve_pays(
        (64, 9, 4, 16), kernel
    )


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
def test_convolve_pays_for_these_shapes(batch, width, channels, filters, expected):
    kernel = (3, 3, channels, filters)
    assert convolution.convolve_pays((batch, width, width, channels), kernel) is expected


def operations(layer, inputs, compiled=False):
    """Types of the operations in a layer's forward and backward pass."""

    @tf.function
    def step():
        with compiler.tracing(compiled), tf.GradientTape() as tape:
            outputs = layer(inputs)
        return tape.gradient(outputs, layer.trainable_variables)

    layer(inputs)
    return {operation.type for operation in step.get_concrete_function().graph.get_operations()}


def test_layer_uses_convolve_only_in_float32_on_a_cpu_without_xla(monkeypatch):
    keras_gradient, inputs = "Conv2DBackpropFilter", tf.constant(noise(16, 8, 8, 3))
    assert keras_gradient not in operations(convolution.Conv2D(16, 3, padding="same"), inputs)
    assert keras_gradient not in operations(
        convolution.Conv2D(32, 3, padding="same"), tf.constant(noise(8, 32, 32, 32))
    )
    assert keras_gradient in operations(convolution.Conv2D(15, 3, padding="same"), inputs)
    assert keras_gradient in operations(convolution.Conv2D(16, 3), inputs)
    assert keras_gradient in operations(convolution.Conv2D(16, 3, strides=2, padding="same"), inputs)
    assert keras_gradient in operations(convolution.Conv2D(16, 3, padding="same", dtype="mixed_bfloat16"), inputs)
    assert keras_gradient in operations(convolution.Conv2D(16, 3, padding="same"), inputs, compiled=True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    assert keras_gradient in operations(convolution.Conv2D(16, 3, padding="same"), inputs)


def test_layer_equals_keras_conv2d():
    layer, keras_layer = (c.Conv2D(16, 3, padding="same") for c in (convolution, keras.layers))
    inputs = tf.constant(noise(4, 8, 8, 3))
    layer.build(inputs.shape), keras_layer.build(inputs.shape)
    keras_layer.set_weights(random_weights(layer, seed=8))

    def compute(layer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(inputs)))
        return [loss, *tape.gradient(loss, layer.trainable_variables)]

    for value, expected in zip(compute(layer), compute(keras_layer), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    assert type(layer).__name__ == "Conv2D"  # pegasus.explore looks for this name
