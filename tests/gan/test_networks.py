"""Networks of GANs: weight shapes by hand, outputs against references, conditions, initial values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan import choices, networks
from gan.layers import BatchNorm, SpectralConv2D, SpectralDense
from tests.support.plain_networks import noise, random_weights

GENERATORS = {"dcgan": "transposed", "residual": "resize"}


def shapes(network):
    return [tuple(weight.shape) for weight in network.trainable_variables]


# Weight shapes by hand


def test_dcgan_weight_shapes_at_width_32():
    generator = networks.dcgan_generator(32, 100, 64)

    def norm(channels):
        return [(channels,)] * 2

    expected = [(100, 4 * 4 * 256), *norm(256), (4, 4, 128, 256), *norm(128), (4, 4, 64, 128), *norm(64)]
    assert shapes(generator) == [*expected, (4, 4, 3, 64), (3,)]
    discriminator = networks.dcgan_discriminator(32, 64)
    expected = [(4, 4, 3, 64), (64,), (4, 4, 64, 128), *norm(128), (4, 4, 128, 256), *norm(256)]
    assert shapes(discriminator) == [*expected, (4 * 4 * 256, 1), (1,)]
    assert generator.output_shape == discriminator.input_shape == (None, 32, 32, 3)
    assert discriminator.output_shape == (None,)


def test_width_64_has_one_more_scale():
    generator, discriminator = networks.dcgan_generator(64, 5, 2, 1), networks.dcgan_discriminator(64, 2, 1)
    assert generator.output_shape == discriminator.input_shape == (None, 64, 64, 1)
    assert shapes(generator)[0] == (5, 16 * 16) and shapes(discriminator)[-2] == (16 * 16, 1)
    generator, discriminator = networks.residual_generator(64, 5, 2), networks.residual_discriminator(64, 2)
    assert generator.output_shape == discriminator.input_shape == (None, 64, 64, 3)
    assert len(generator.layers) > len(networks.residual_generator(32, 5, 2).layers)


@pytest.mark.parametrize("width", [4, 30, 48, 0, -32])
def test_widths_that_are_not_a_power_of_two_are_refused(width):
    with pytest.raises(ValueError, match=f"width must be .*Received: {width}"):
        networks.dcgan_generator(width, 5, 2)
    with pytest.raises(ValueError, match=f"width must be .*Received: {width}"):
        networks.residual_discriminator(width, 2)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda **o: networks.dcgan_generator(8, 3, 2, **o), dict(up="bilinear")),
        (lambda **o: networks.dcgan_generator(8, 3, 2, classes=2, **o), dict(condition="label")),
        (lambda **o: networks.residual_generator(8, 3, 2, **o), dict(up="transposed")),
        (lambda **o: networks.dcgan_discriminator(8, 2, **o), dict(normalisation="layer")),
        (lambda **o: networks.dcgan_discriminator(8, 2, **o), dict(condition="label")),
        (lambda **o: networks.residual_discriminator(8, 2, **o), dict(normalisation="batch")),
    ],
)
def test_unknown_choices_are_refused(make, wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(ValueError, match=f"{name} must be one of .*Received: '{value}'"):
        make(**wrong)


# Outputs against reference implementations


def reference_norm(x, scale, shift):
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5) * scale + shift


def reference_transposed(x, kernel):
    """Input i adds its multiple of the kernel [4, 4, F, C] to the outputs 2 i - 1 to 2 i + 2."""
    batch, height, width, _ = x.shape
    out = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for row, column in np.ndindex(height, width):
        part = np.einsum("bc,hwfc->bhwf", x[:, row, column], kernel)
        out[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += part
    return out[:, 1:-1, 1:-1]


def reference_conv(x, kernel, strides):
    """Convolution with zero padding of 1."""
    size, padded = kernel.shape[0], np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    batch, height, width, _ = x.shape
    out = np.zeros((batch, height // strides, width // strides, kernel.shape[-1]))
    for row, column in np.ndindex(out.shape[1:3]):
        patch = padded[:, row * strides : row * strides + size, column * strides : column * strides + size]
        out[:, row, column] = np.einsum("bhwi,hwio->bo", patch, kernel)
    return out


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize("up", choices.UPSAMPLINGS)
def test_dcgan_generator_equals_the_reference(up):
    generator, z = networks.dcgan_generator(16, 5, 2, up=up), noise(3, 5)
    first, *norm, second, scale, shift, third, bias = random_weights(generator)
    step = (
        reference_transposed
        if up == "transposed"
        else lambda x, k: reference_conv(x.repeat(2, 1).repeat(2, 2), k, 1)
    )
    hidden = relu(reference_norm((z @ first).reshape(3, 4, 4, 4), *norm))
    hidden = relu(reference_norm(step(hidden, second), scale, shift))
    expected = np.tanh(step(hidden, third) + bias)
    np.testing.assert_allclose(generator(z, training=True), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("normalisation", choices.NORMALISATIONS)
def test_dcgan_discriminator_equals_the_reference(normalisation):
    discriminator, images = networks.dcgan_discriminator(16, 2, normalisation=normalisation), noise(3, 16, 16, 3)
    first, first_bias, second, *norm, kernel, bias = random_weights(discriminator)
    if normalisation == "spectral":
        spectral = [n for n in discriminator.layers if hasattr(n, "sigma")]
        assert [type(n) for n in spectral] == [SpectralConv2D, SpectralConv2D, SpectralDense]
        first, second, kernel = (
            k / float(n.sigma()) for k, n in zip((first, second, kernel), spectral, strict=True)
        )
    hidden = relu(reference_conv(images, first, 2) + first_bias, 0.2)
    hidden = reference_conv(hidden, second, 2)
    hidden = relu(reference_norm(hidden, *norm) if normalisation == "batch" else hidden + norm[0], 0.2)
    expected = hidden.reshape(3, -1) @ kernel[:, 0] + bias
    np.testing.assert_allclose(discriminator(images, training=True), expected, rtol=1e-3, atol=1e-4)


def test_residual_generator_equals_the_reference():
    generator, z = networks.residual_generator(8, 5, 2), noise(3, 5)
    w = random_weights(generator)
    assert sorted(weight.shape for weight in w) == sorted(
        [(5, 32), (32,), *[(2,)] * 6, (3, 3, 2, 2), (3, 3, 2, 2), (1, 1, 2, 2), (3, 3, 2, 3), (3,)]
    )
    layer = {type(n).__name__: [] for n in generator.layers}
    for n in generator.layers:
        layer[type(n).__name__].append([np.asarray(v, np.float64) for v in n.trainable_variables])
    [dense], norms, convs = layer["Dense"], layer["BatchNorm"], layer["Conv2D"]
    shortcut = next(c for c in convs if c[0].shape[0] == 1)
    first, second, last = (c for c in convs if c[0].shape[0] == 3)

    def double(x):
        return x.repeat(2, 1).repeat(2, 2)

    x = (z @ dense[0] + dense[1]).reshape(3, 4, 4, 2)
    inner = reference_conv(double(relu(reference_norm(x, *norms[0]))), first[0], 1)
    inner = reference_conv(relu(reference_norm(inner, *norms[1])), second[0], 1)
    x = inner + double(x) @ shortcut[0][0, 0]
    expected = np.tanh(reference_conv(relu(reference_norm(x, *norms[2])), last[0], 1) + last[1])
    np.testing.assert_allclose(generator(z, training=True), expected, rtol=1e-3, atol=1e-4)


def test_residual_discriminator_equals_the_reference():
    """At width 16 there are a downsampling block without a first ReLU, two blocks of equal width and a sum."""
    discriminator, images = networks.residual_discriminator(16, 2, normalisation="none"), noise(3, 16, 16, 3)
    random_weights(discriminator)
    convs = [n for n in discriminator.layers if isinstance(n, keras.layers.Conv2D)]
    [dense] = [n for n in discriminator.layers if isinstance(n, keras.layers.Dense)]
    shortcut = next(n for n in convs if n.kernel_size == (1, 1))
    pairs = [n for n in convs if n is not shortcut]

    def conv(x, layer):
        return reference_conv(x, np.asarray(layer.kernel, np.float64), 1) + np.asarray(layer.bias)

    def halved(x):
        return x.reshape(3, 8, 2, 8, 2, -1).mean((2, 4))

    x = halved(conv(relu(conv(images, pairs[0])), pairs[1]))
    x += halved(images) @ np.asarray(shortcut.kernel)[0, 0] + np.asarray(shortcut.bias)
    for first, second in (pairs[2:4], pairs[4:6]):
        x = x + conv(relu(conv(relu(x), first)), second)
    expected = relu(x).sum((1, 2)) @ np.asarray(dense.kernel)[:, 0] + np.asarray(dense.bias)
    np.testing.assert_allclose(discriminator(images), expected, rtol=1e-3, atol=1e-4)


def test_minibatch_deviation_makes_logits_depend_on_the_batch():
    images = noise(3, 8, 8, 3)
    for minibatch_deviation in (False, True):
        network = networks.dcgan_discriminator(8, 2, normalisation="none", minibatch_deviation=minibatch_deviation)
        random_weights(network)
        logit_alone, logit_in_batch = network(images[:1]), network(images)[:1]
        assert np.allclose(logit_alone, logit_in_batch, atol=1e-5) != minibatch_deviation


# Conditions


@pytest.mark.parametrize("condition", choices.CONDITIONS)
@pytest.mark.parametrize("name", networks.ARCHITECTURES)
def test_outputs_depend_on_the_class(name, condition):
    make_generator, make_discriminator = networks.ARCHITECTURES[name]
    generator = make_generator(8, 3, 4, classes=2, condition=condition, up=GENERATORS[name])
    discriminator = make_discriminator(8, 4, classes=2, condition=condition, normalisation="spectral")
    for network, inputs in ((generator, noise(4, 3)), (discriminator, noise(4, 8, 8, 3))):
        random_weights(network)
        first, second = (network([inputs, np.float32([weights] * 4)]) for weights in ([1, 0], [0, 1]))
        assert np.abs(first - second).max(tuple(range(1, len(first.shape)))).min() > 1e-4
        assert network.input_shape == [(None, *inputs.shape[1:]), (None, 2)]
    norms = [layer for layer in generator.layers if isinstance(layer, BatchNorm)]
    assert [n.classes for n in norms][0] == (2 if condition == "projection" else 0)


def test_projection_adds_the_inner_product_of_embedding_and_summed_features():
    conditional = networks.dcgan_discriminator(16, 2, classes=3, normalisation="none")
    unconditional = networks.dcgan_discriminator(16, 2, normalisation="none")
    weights, images = random_weights(conditional), noise(4, 16, 16, 3)
    embedding = next(w for w in weights if w.shape == (3, 4))
    unconditional.set_weights([w for w in weights if w.shape != (3, 4)])
    features = keras.Model(unconditional.input, unconditional.layers[4].output)
    hidden = np.asarray(features(images))
    assert hidden.shape == (4, 4, 4, 4)
    class_weights = np.float32([[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 0, 0]])
    expected = np.asarray(unconditional(images)) + np.einsum("bc,bhwc->b", class_weights @ embedding, hidden)
    np.testing.assert_allclose(conditional([images, class_weights]), expected, rtol=1e-4, atol=1e-4)


def test_concatenated_class_weights_are_constant_maps_after_the_colours():
    network = networks.dcgan_discriminator(8, 2, classes=2, condition="concat", normalisation="none")
    weights, images = random_weights(network), noise(2, 8, 8, 3)
    assert weights[0].shape == (4, 4, 5, 2)
    maps = np.broadcast_to(np.float32([[1, 0], [0.25, 0.75]])[:, None, None], (2, 8, 8, 2))
    hidden = relu(reference_conv(np.concatenate([images, maps], -1), weights[0], 2) + weights[1], 0.2)
    expected = hidden.reshape(2, -1) @ weights[2][:, 0] + weights[3]
    np.testing.assert_allclose(network([images, maps[:, 0, 0]]), expected, rtol=1e-4, atol=1e-4)


# Initial values and dtype policies


def test_dcgan_kernels_start_with_a_deviation_of_002():
    keras.utils.set_random_seed(0)
    for network in (
        networks.dcgan_generator(32, 100, 16),
        networks.dcgan_generator(32, 100, 16, up="resize"),
        networks.dcgan_discriminator(32, 16),
        networks.dcgan_discriminator(32, 16, normalisation="spectral"),
    ):
        for weight in network.trainable_variables:
            draws = np.ravel(weight)
            if len(weight.shape) > 1:
                assert abs(draws.mean()) < 5 * 0.02 / np.sqrt(draws.size), weight.path
                assert abs(draws.var() / 0.02**2 - 1) < 5 * np.sqrt(2 / draws.size), weight.path
            else:
                assert set(draws) == {float(weight.name == "scale")}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", networks.ARCHITECTURES)
def test_outputs_are_float32_under_mixed_policies(name, policy):
    make_generator, make_discriminator = networks.ARCHITECTURES[name]
    generator = make_generator(8, 3, 2, classes=2, up=GENERATORS[name], dtype=policy)
    discriminator = make_discriminator(8, 2, classes=2, normalisation="spectral", dtype=policy)
    weights = np.float32([[1, 0], [0, 1]])
    for network, inputs in ((generator, noise(2, 3)), (discriminator, noise(2, 8, 8, 3))):
        assert {v.dtype for v in network.variables} == {"float32"}
        assert network([inputs, weights]).dtype == tf.float32
        kernels = [n for n in network.layers if hasattr(n, "kernel")]
        low = policy.removeprefix("mixed_")
        last = [n for n in kernels if network is discriminator and isinstance(n, SpectralDense)]
        assert {n.compute_dtype for n in kernels if n not in last} == {low}
        assert {n.compute_dtype for n in last} == ({"float32"} if network is discriminator else set())
