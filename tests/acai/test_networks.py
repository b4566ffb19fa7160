"""The networks against the paper's sizes and plain numpy versions, and the statistics of their initial weights."""

import keras
import numpy as np
import pytest

from acai import networks
from tests.support.plain_networks import conv, double, noise, random_weights

SMALL = dict(width=8, latent_width=2, latent_channels=3, depth=2)  # two scales


def conv_size(kernel, inputs, outputs):
    """Weights of a convolution: a kernel and a bias."""
    return kernel * kernel * inputs * outputs + outputs


def chain_size(*channels, kernel=3):
    return sum(conv_size(kernel, i, o) for i, o in zip(channels, channels[1:], strict=False))


# Plain numpy layers


def leaky(inputs):
    return np.where(inputs > 0, inputs, 0.2 * inputs)


def halve(inputs):
    return (inputs[:, ::2, ::2] + inputs[:, 1::2, ::2] + inputs[:, ::2, 1::2] + inputs[:, 1::2, 1::2]) / 4


def plain_encoder(images, weights, scales):
    """1x1 linear, (3x3, 3x3, pool) per scale, 3x3, 3x3 linear."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    hidden = conv(images, *layers.pop(0))
    for _ in range(scales):
        hidden = leaky(conv(leaky(conv(hidden, *layers.pop(0))), *layers.pop(0)))
        hidden = halve(hidden)
    hidden = leaky(conv(hidden, *layers.pop(0)))
    return conv(hidden, *layers.pop(0))


def plain_decoder(latents, weights, scales):
    """(3x3, 3x3, upsample) per scale, 3x3, 3x3 linear."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    hidden = latents
    for _ in range(scales):
        hidden = double(leaky(conv(leaky(conv(hidden, *layers.pop(0))), *layers.pop(0))))
    hidden = leaky(conv(hidden, *layers.pop(0)))
    return conv(hidden, *layers.pop(0))


# Numbers of parameters, worked by hand


def test_sizes_for_cifar10():
    """Depth 64 and 256 latents: scales 32 -> 16 -> 8 -> 4 with 64, 128, 256 and then 512 channels."""
    encoder, decoder = networks.encoder(32, 4, 16, 64), networks.decoder(32, 4, 16, 64)
    critic = networks.critic(32, 4, 16, 64)
    encoder_size = conv_size(1, 3, 64) + chain_size(64, 64, 64, 128, 128, 256, 256, 512, 16)
    assert encoder.count_params() == critic.count_params() == encoder_size == 2_434_704
    assert decoder.count_params() == chain_size(16, 256, 256, 128, 128, 64, 64, 64, 3) == 1_219_203
    assert encoder.input_shape == decoder.output_shape == critic.input_shape == (None, 32, 32, 3)
    assert encoder.output_shape == decoder.input_shape == (None, 4, 4, 16)
    assert critic.output_shape == (None,)
    assert networks.classifier(4, 16, 10).count_params() == 256 * 10 + 10


def test_sizes_for_lines():
    """Depth 16 and 2x2x16 latents, grey: four scales of 16, 32, 64, 128 and then 256 channels."""
    encoder = networks.encoder(32, 2, 16, 16, colours=1)
    decoder = networks.decoder(32, 2, 16, 16, colours=1)
    channels = (16, 16, 16, 32, 32, 64, 64, 128, 128, 256, 16)
    assert encoder.count_params() == conv_size(1, 1, 16) + chain_size(*channels)
    assert decoder.count_params() == chain_size(16, 128, 128, 64, 64, 32, 32, 16, 16, 16, 1)
    assert encoder.input_shape == decoder.output_shape == (None, 32, 32, 1)
    assert encoder.output_shape == decoder.input_shape == (None, 2, 2, 16)


@pytest.mark.parametrize("width", [32, 64])
def test_patch_discriminator_sizes(width):
    discriminator = networks.patch_discriminator(width, 48)
    size = chain_size(3, 48, 96, 192, kernel=4) + conv_size(3, 192, 1)
    assert discriminator.count_params() == size
    assert discriminator.output_shape == (None, width // 8, width // 8)


def test_sizes_for_width_64():
    encoder, decoder = networks.encoder(64, 4, 3, 2), networks.decoder(64, 4, 3, 2)
    assert encoder.input_shape == decoder.output_shape == (None, 64, 64, 3)
    assert encoder.output_shape == decoder.input_shape == (None, 4, 4, 3)
    assert encoder.count_params() == conv_size(1, 3, 2) + chain_size(2, 2, 2, 4, 4, 8, 8, 16, 16, 32, 3)


@pytest.mark.parametrize(("width", "latent_width"), [(32, 5), (48, 16), (32, 32), (4, 32), (32, 0), (32, -4)])
def test_widths_that_do_not_fit_raise(width, latent_width):
    for network in (networks.encoder, networks.decoder, networks.critic):
        with pytest.raises(ValueError, match=rf"{width=}, {latent_width=}"):
            network(width, latent_width, 3, 2)


@pytest.mark.parametrize(("width", "latent_width", "scales"), [(32, 16, 1), (32, 4, 3), (32, 1, 5), (24, 3, 3)])
def test_count_scales(width, latent_width, scales):
    assert networks.count_scales(width, latent_width) == scales


# Outputs


def test_encoder_and_critic_equal_the_plain_version():
    encoder, critic = networks.encoder(**SMALL), networks.critic(**SMALL)
    weights = random_weights(encoder, seed=1)
    critic.set_weights(weights)
    images = noise(2, 8, 8, 3)
    expected = plain_encoder(images, weights, scales=2)
    np.testing.assert_allclose(encoder(images), expected, rtol=1e-4, atol=1e-5)
    assert (expected < 0).any() and (expected > 0).any()  # otherwise a final activation would not show
    scores = [sum(image.flat) / (2 * 2 * 3) for image in expected]
    np.testing.assert_allclose(critic(images), scores, rtol=1e-4, atol=1e-5)


def test_decoder_equals_the_plain_version():
    decoder = networks.decoder(**SMALL)
    latents = 9 * noise(2, 2, 2, 3)
    expected = plain_decoder(latents, random_weights(decoder, seed=3), scales=2)
    assert expected.min() < 0 and np.abs(expected).max() > 1  # images are neither rectified nor clipped
    np.testing.assert_allclose(decoder(latents), expected, rtol=1e-4, atol=1e-5)


def test_classifier_is_one_linear_layer():
    classifier = networks.classifier(2, 3, 4)
    kernel, bias = random_weights(classifier, seed=3)
    latents = noise(5, 2, 2, 3)
    np.testing.assert_allclose(classifier(latents), latents.reshape(5, 12) @ kernel + bias, rtol=1e-5, atol=1e-5)


def test_patch_discriminator_equals_the_plain_version():
    discriminator = networks.patch_discriminator(16, 2)
    weights = random_weights(discriminator, seed=4)
    hidden = images = 3 * noise(2, 16, 16, 3)
    for layer in range(3):
        hidden = leaky(conv(hidden, *weights[2 * layer : 2 * layer + 2], strides=2))
    expected = conv(hidden, *weights[6:])[..., 0]
    np.testing.assert_allclose(discriminator(images), expected, rtol=1e-4, atol=1e-5)
    assert expected.min() < 0 < expected.max()


# Initial values


def assert_initialised(kernel, fan_in, sigmas=5):
    """Asserts mean, variance and tails of a normal of variance 1 / (1.04 fan_in), to `sigmas` standard errors."""
    draws = np.asarray(kernel, np.float64).ravel() * np.sqrt(1.04 * fan_in)
    count = draws.size
    assert abs(draws.mean()) < sigmas / np.sqrt(count)
    assert abs(np.mean(draws**2) - 1) < sigmas * np.sqrt(2 / count)
    for bound, share in ((2, 0.0455003), (3, 0.0026998)):  # of a normal; a truncated normal has no tails
        error = np.sqrt(share * (1 - share) / count)
        assert abs(np.mean(np.abs(draws) > bound) - share) < sigmas * error


def test_kernel_initializer_draws_from_the_documented_normal():
    keras.utils.set_random_seed(0)
    assert_initialised(networks.kernel_initializer()((3, 3, 64, 512)), fan_in=3 * 3 * 64)


def test_every_network_uses_the_kernel_initializer():
    keras.utils.set_random_seed(1)
    encoder, decoder = networks.encoder(32, 8, 32, 32, colours=64), networks.decoder(32, 8, 32, 32, colours=32)
    others = [networks.classifier(4, 64, 50), networks.patch_discriminator(32, 16)]
    for network in (encoder, decoder, networks.critic(32, 8, 32, 32, colours=64), *others):
        for weight in network.weights:
            if len(weight.shape) == 1:
                assert not np.any(weight)
            elif np.prod(weight.shape) > 1000:
                assert_initialised(weight, fan_in=np.prod(weight.shape[:-1]))


# Dtype policies


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_outputs_are_float32_under_mixed_policies(policy):
    """So are the last layers, except the decoder's: a pixel needs no more than eight bits."""
    low = policy.removeprefix("mixed_")
    latents, images = noise(2, 2, 2, 3), noise(2, 8, 8, 3)
    for network, inputs, last in (
        (networks.encoder(**SMALL, dtype=policy), images, "float32"),
        (networks.decoder(**SMALL, dtype=policy), latents, low),
        (networks.critic(**SMALL, dtype=policy), images, "float32"),
        (networks.patch_discriminator(8, 2, dtype=policy), images, "float32"),
        (networks.classifier(2, 3, 4), latents, "float32"),
    ):
        assert {weight.dtype for weight in network.weights} == {"float32"}
        assert network(inputs).dtype == "float32"
        *hidden, final = [layer for layer in network.layers if layer.weights]
        assert {layer.compute_dtype for layer in hidden} == ({low} if hidden else set())
        assert final.compute_dtype == last
