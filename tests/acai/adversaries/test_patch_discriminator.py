"""The patch discriminator: its losses, their gradients and the R1 penalty."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import networks
from acai.adversaries import LossScales, Pictures
from acai.adversaries.patch_discriminator import PatchDiscriminator
from acai.adversaries.ramp import LinearRamp


def noise(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def call(discriminator, step=5, scales=(1.0, 1.0)):
    """AdversaryGradients of two images."""
    pictures = Pictures(noise(2, 8, 8, 3), tf.constant([0.25, 0.1]), *tf.split(noise(4, 8, 8, 3, seed=1), 2))
    return discriminator.gradients(pictures, step, LossScales(*scales))


def at_pictures(result):
    return np.concatenate([result.reconstructions, result.blends])


def make(ramp_from_step=0, **options):
    keras.utils.set_random_seed(0)
    return PatchDiscriminator(networks.patch_discriminator(8, 2), LinearRamp(0.5, ramp_from_step), **options)


def test_losses_and_gradients_are_those_of_the_plain_form():
    """Minus log probabilities of the right answer, and for the autoencoder of the wrong one."""
    discriminator = make()
    result = call(discriminator, scales=(2.0, 4.0))
    images, decoded = noise(2, 8, 8, 3), noise(4, 8, 8, 3, seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(decoded)
        real, fake = tf.sigmoid(discriminator.network(images)), tf.sigmoid(discriminator.network(decoded))
        discriminator_loss = -tf.reduce_mean(tf.math.log(real)) - tf.reduce_mean(tf.math.log(1 - fake))
        adversarial_loss = -tf.reduce_mean(tf.math.log(fake))
    np.testing.assert_allclose(result.logs["discriminator_loss"], discriminator_loss, rtol=1e-5)
    np.testing.assert_allclose(result.logs["adversarial_loss"], 0.5 * adversarial_loss, rtol=1e-5)
    assert result.autoencoder_loss is result.logs["adversarial_loss"]
    expected = 4 * 0.5 * tape.gradient(adversarial_loss, decoded)
    np.testing.assert_allclose(at_pictures(result), expected, rtol=1e-4, atol=1e-7)
    expected = tape.gradient(discriminator_loss, discriminator.network.trainable_variables)
    for ours, plain in zip(result.network, expected, strict=True):
        np.testing.assert_allclose(ours, 2 * plain, rtol=1e-3, atol=1e-6)


def test_before_its_step_the_adversarial_loss_is_zero():
    early, late = (call(make(ramp_from_step=6), step=step) for step in (5, 6))
    assert float(early.logs["adversarial_loss"]) == 0 and not np.any(at_pictures(early))
    assert float(late.logs["adversarial_loss"]) != 0 and np.any(at_pictures(late))
    for before, after in zip(early.network, late.network, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_ramp_is_linear():
    rising, at_once = LinearRamp(0.5, 6, 4), LinearRamp(0.5, 6)
    weights = [float(rising(tf.constant(step, tf.int64))) for step in (0, 5, 6, 7, 8, 9, 10, 1000)]
    assert weights == pytest.approx([0, 0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
    assert [float(at_once(tf.constant(step, tf.int64))) for step in (5, 6, 7)] == [0, 0.5, 0.5]
    with pytest.raises(ValueError, match="must be at least 0.*weight=-0.1"):
        LinearRamp(-0.1)


def test_penalty_of_a_linear_discriminator_is_half_its_squared_weights():
    discriminator = make(gradient_penalty=3.0)
    weights = noise(8 * 8 * 3, 1, seed=2)
    discriminator.network = lambda images, training: tf.reshape(images, (-1, 8 * 8 * 3)) @ weights
    penalty = discriminator._gradient_penalty(noise(2, 8, 8, 3))
    np.testing.assert_allclose(penalty, tf.reduce_sum(weights**2) / 2, rtol=1e-5)


def test_penalty_is_part_of_the_discriminators_loss_only():
    discriminator = make(gradient_penalty=3.0)
    plain, penalised = call(make()), call(discriminator)
    with tf.GradientTape() as tape:
        penalty = discriminator._gradient_penalty(noise(2, 8, 8, 3))
    *slopes, none = tape.gradient(penalty, discriminator.network.trainable_variables)
    assert float(penalised.logs["gradient_penalty"]) == pytest.approx(float(penalty), rel=1e-5) and penalty > 0
    for ours, without, slope in zip(penalised.network[:-1], plain.network[:-1], slopes, strict=True):
        np.testing.assert_allclose(ours - without, 3 * slope, rtol=1e-3, atol=1e-6)
    assert max(np.abs(slope).max() for slope in slopes) > 1e-3 and none is None  # of the last bias
    np.testing.assert_array_equal(at_pictures(plain), at_pictures(penalised))
    np.testing.assert_array_equal(plain.logs["discriminator_loss"], penalised.logs["discriminator_loss"])
