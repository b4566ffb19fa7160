"""Layers of GANs: spectral norms against an SVD, batch norms and minibatch deviation by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan import layers

KINDS = {"conv": (lambda **o: layers.SpectralConv2D(5, 3, **o), (2, 6, 6, 4))}
KINDS["dense"] = (lambda **o: layers.SpectralDense(5, **o), (2, 7))


def built(kind, seed=0, **options):
    """A layer with random weights, and inputs for it."""
    keras.utils.set_random_seed(seed)
    make, shape = KINDS[kind]
    layer = make(**options)
    layer.build(shape)
    rng = np.random.default_rng(seed)
    layer.kernel.assign(rng.normal(size=layer.kernel.shape))
    layer.bias.assign(rng.normal(size=layer.bias.shape))
    return layer, rng.normal(size=shape).astype(np.float32)


def matrix(layer):
    return np.asarray(layer.kernel, np.float64).reshape(-1, layer.kernel.shape[-1])


# Spectral normalisation


@pytest.mark.parametrize("kind", KINDS)
def test_sigma_converges_to_the_largest_singular_value(kind):
    layer, _ = built(kind)
    left, values, right = np.linalg.svd(matrix(layer), full_matrices=False)
    assert float(layer.sigma()) < 0.99 * values[0]
    for _ in range(100):
        layer.power_iteration()
    np.testing.assert_allclose(layer.sigma(), values[0], rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.asarray(layer.u) @ right[0]), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_power_iteration_by_hand(kind):
    layer, _ = built(kind)
    u = np.asarray(layer.u, np.float64)
    assert np.linalg.norm(u) == pytest.approx(1, rel=1e-5)
    v = matrix(layer) @ u
    expected = matrix(layer).T @ (v / np.linalg.norm(v))
    layer.power_iteration()
    np.testing.assert_allclose(layer.u, expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_is_divided_by_sigma(kind):
    layer, inputs = built(kind)
    before = np.asarray(layer.u).copy()
    sigma = np.linalg.norm(matrix(layer) @ before)
    kernel = np.asarray(layer.kernel) / sigma
    expected = tf.nn.conv2d(inputs, kernel, 1, "SAME") if kind == "conv" else inputs @ kernel
    for training in (False, True):
        outputs = layer(inputs, training=training)
        np.testing.assert_allclose(outputs, expected + np.asarray(layer.bias), rtol=1e-4, atol=1e-5)
    assert np.array_equal(before, layer.u)  # `training=True` does not update u


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_flows_through_sigma(kind):
    """d sigma / d W is u v^T, and scaling the kernel does not change the outputs."""
    layer, inputs = built(kind)
    with tf.GradientTape(persistent=True) as tape:
        sigma = layer.sigma()
        total = tf.reduce_sum(layer(inputs) * 3)
    u = np.asarray(layer.u, np.float64)
    v = matrix(layer) @ u / np.linalg.norm(matrix(layer) @ u)
    gradient = np.asarray(tape.gradient(sigma, layer.kernel)).reshape(matrix(layer).shape)
    np.testing.assert_allclose(gradient, np.outer(v, u), rtol=1e-4, atol=1e-5)
    gradient = np.asarray(tape.gradient(total, layer.kernel), np.float64)
    assert abs(np.sum(gradient * np.asarray(layer.kernel))) < 1e-3 * np.abs(gradient * layer.kernel).sum()
    direction = np.random.default_rng(3).normal(size=layer.kernel.shape)
    sides = []
    for sign in (1, -1):
        shifted = np.asarray(layer.kernel, np.float64) + sign * 1e-3 * direction
        size = np.linalg.norm(shifted.reshape(-1, 5) @ u)
        kernel = tf.constant(shifted / size)
        x = tf.constant(inputs, tf.float64)
        outputs = tf.nn.conv2d(x, kernel, 1, "SAME") if kind == "conv" else x @ kernel
        sides.append(float(tf.reduce_sum(outputs * 3)))
    assert np.sum(gradient * direction) == pytest.approx((sides[0] - sides[1]) / 2e-3, rel=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_sigma_is_float32_under_mixed_policies(policy, monkeypatch):
    full, inputs = built("conv")
    mixed, _ = built("conv", dtype=policy)
    for variable, value in zip(mixed.variables, full.variables, strict=True):
        variable.assign(value)
    kernels, linear = [], mixed.linear
    monkeypatch.setattr(mixed, "linear", lambda x, kernel: kernels.append(kernel) or linear(x, kernel))
    outputs = mixed(inputs)
    low = tf.as_dtype(policy.removeprefix("mixed_"))
    assert outputs.dtype == kernels[0].dtype == low
    exact = tf.cast(tf.convert_to_tensor(full.kernel) / full.sigma(), low)  # divided in float32, then rounded
    assert np.array_equal(tf.cast(kernels[0], tf.float32), tf.cast(exact, tf.float32))
    mixed.power_iteration()
    full.power_iteration()
    assert np.array_equal(mixed.u, full.u) and mixed.u.dtype == "float32"


def test_strided_convolution_halves_the_width():
    layer = layers.SpectralConv2D(2, 4, strides=2, use_bias=False)
    assert layer(np.ones((1, 8, 8, 3), np.float32)).shape == (1, 4, 4, 2)
    assert [v.name for v in layer.trainable_variables] == ["kernel"]


def test_power_iteration_of_a_network_updates_all_spectral_layers_and_nothing_else():
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.SpectralConv2D(2, 3), keras.layers.Flatten(), layers.SpectralDense(3)]
    )
    before = [np.asarray(v).copy() for v in network.variables]
    layers.power_iteration(network)
    changed = [v.name for v, old in zip(network.variables, before, strict=True) if not np.array_equal(v, old)]
    assert changed == ["u", "u"]


# Batch normalisation


def images(seed=0, size=4):
    return np.random.default_rng(seed).normal(2, 3, (size, 3, 3, 2)).astype(np.float32)


def conditional(classes=3):
    layer, rng = layers.BatchNorm(classes), np.random.default_rng(1)
    layer.build((None, 3, 3, 2), (None, classes))
    layer.scale.assign(rng.normal(1, 0.5, (classes, 2)))
    layer.shift.assign(rng.normal(0, 0.5, (classes, 2)))
    return layer


def test_batch_norm_by_hand():
    layer, x = layers.BatchNorm(), images()
    layer.build(x.shape)
    layer.scale.assign([2, 3])
    layer.shift.assign([0.5, -1])
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * [2, 3] + [0.5, -1]
    np.testing.assert_allclose(layer(x, training=True), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)
    layer.moving_mean.assign([1, 2])
    layer.moving_variance.assign([4, 9])
    expected = (x - [1, 2]) / np.sqrt(np.add([4, 9], 1e-5)) * [2, 3] + [0.5, -1]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, [1, 2])  # not updated outside of training


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_batch_norm_has_float32_statistics_under_mixed_policies(policy, training, classes):
    """From the same rounded inputs only the outputs are rounded, to 2^-8 in bfloat16."""
    dtype, weights = policy.removeprefix("mixed_"), np.float32([[0.37, 0.63, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    x, results = tf.cast(images(), dtype), []
    for options in ({}, {"dtype": policy}):
        layer = layers.BatchNorm(classes, **options)
        layer.build(x.shape, weights.shape if classes else None)
        layer.shift.assign(np.full(layer.shift.shape, 0.7))
        inputs = x if options else tf.cast(x, "float32")
        results.append((layer, layer(inputs, *([weights] if classes else []), training=training)))
    (full, expected), (mixed, outputs) = results
    assert outputs.dtype == dtype and {v.dtype for v in mixed.variables} == {"float32"}
    np.testing.assert_allclose(tf.cast(outputs, "float32"), expected, rtol=2**-6, atol=2**-7)
    np.testing.assert_allclose(mixed.moving_mean, full.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(mixed.moving_variance, full.moving_variance, rtol=1e-5)


def test_frozen_batch_stats_prevents_updates_of_moving_statistics():
    network = keras.Sequential([keras.Input((3, 3, 2)), layers.BatchNorm()])
    [norm], x = network.layers, images()
    with layers.frozen_batch_stats():
        outputs = network(x, training=True)
    np.testing.assert_array_equal(norm.moving_mean, [0, 0])
    np.testing.assert_array_equal(outputs, network(x, training=True))
    assert np.all(norm.moving_mean)
    before = np.asarray(norm.moving_mean).copy()
    with pytest.raises(KeyError), layers.frozen_batch_stats():
        raise KeyError
    with layers.frozen_batch_stats(False):
        network(x + 1, training=True)
    assert not np.any(before == np.asarray(norm.moving_mean))


def test_gradient_flows_through_the_batch_statistics():
    """A constant added to all inputs of a channel changes no output, so the gradients sum to 0."""
    layer, x = layers.BatchNorm(), tf.constant(images())
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.sin(layer(x, training=True)))
    gradient = tape.gradient(total, x)
    assert np.abs(tf.reduce_sum(gradient, (0, 1, 2))).max() < 1e-4 * np.abs(gradient).sum()


def test_each_class_has_its_own_scale_and_shift():
    layer, x, labels = conditional(), images(), np.array([2, 0, 1, 2])
    outputs = layer(x, labels, training=True)
    normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    for k, label in enumerate(labels):
        expected = normal[k] * np.asarray(layer.scale)[label] + np.asarray(layer.shift)[label]
        np.testing.assert_allclose(outputs[k], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs, layer(x, np.eye(3, dtype=np.float32)[labels], training=True))


def test_class_weights_interpolate_scales_and_shifts():
    layer, x = conditional(), images(size=1)
    ends = [np.asarray(layer(x, np.array([label]))) for label in (0, 2)]
    halfway = layer(x, np.float32([[0.5, 0, 0.5]]))
    np.testing.assert_allclose(halfway, (ends[0] + ends[1]) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("values", [np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros((2, 3, 1))])
def test_class_weights_of_another_shape_or_dtype_are_refused(values):
    with pytest.raises(ValueError, match=r"class weights \[B, 3\]\. Received"):
        layers.as_class_weights(values, 3)


# Minibatch standard deviation


def test_minibatch_deviation_by_hand():
    x = np.zeros((2, 1, 2, 2), np.float32)
    x[:, 0, 0, 0], x[:, 0, 1, 1] = [1, 3], [0, 8]  # deviations 1 and 4 at two of the four positions and channels
    outputs = np.asarray(layers.MinibatchDeviation()(x))
    np.testing.assert_array_equal(outputs[..., :2], x)
    np.testing.assert_allclose(outputs[..., 2], np.full((2, 1, 2), (1 + 4 + 2e-4) / 4), rtol=1e-5)


def test_minibatch_deviation_of_equal_images_has_a_finite_gradient():
    x = tf.ones((3, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layers.MinibatchDeviation()(x))
    assert np.isfinite(tape.gradient(total, x)).all()
