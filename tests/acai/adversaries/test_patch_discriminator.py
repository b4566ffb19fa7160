"""The patch discriminator: class shares, penalties and losses worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import losses, networks
from acai.adversaries import LossScales, Pictures
from acai.adversaries.patch_discriminator import PatchDiscriminator
from acai.adversaries.ramp import LinearRamp

SEED = tf.constant([0, 0], tf.int64)


def noise(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def call(discriminator, step=5, scales=(1.0, 1.0)):
    """AdversaryGradients of two images, the first of class 1 and the second of class 0."""
    labels, mix = tf.constant([1, 0], tf.int32), tf.constant([0.25, 0.1])
    pictures = Pictures(noise(2, 8, 8, 3), labels, mix, *tf.split(noise(4, 8, 8, 3, seed=1), 2))
    return discriminator.gradients(pictures, step, SEED, LossScales(*scales))


def at_pictures(result):
    return np.concatenate([result.reconstructions, result.blends])


def make(ramp_from_step=0, classes=0, **options):
    keras.utils.set_random_seed(0)
    network = networks.patch_discriminator(8, 2, classes=classes)
    return PatchDiscriminator(network, LinearRamp(0.5, ramp_from_step), classes=classes, **options)


def test_class_shares_by_hand():
    """Reconstructions have the class of their image; blend 0 is a quarter of image 0, the rest is image 1."""
    shares = make(classes=3)._class_shares(tf.constant([1, 0]), tf.constant([0.25, 0.1]))
    one_hot = [[0, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(shares, [*one_hot, *one_hot, [0.75, 0.25, 0], [0.1, 0.9, 0]])
    assert make()._class_shares(tf.constant([1, 0]), tf.constant([0.25, 0.1])) is None


@pytest.mark.parametrize("loss", losses.ADVERSARIAL_LOSSES)
def test_losses_and_gradients_are_those_of_the_plain_form(loss):
    discriminator = make(loss=loss)
    result = call(discriminator, scales=(2.0, 4.0))
    images, decoded = noise(2, 8, 8, 3), noise(4, 8, 8, 3, seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(decoded)
        real, fake = discriminator.network(images), discriminator.network(decoded)
        trains_discriminator, trains_autoencoder = losses.ADVERSARIAL_LOSSES[loss]
        discriminator_loss, adversarial_loss = trains_discriminator(real, fake), trains_autoencoder(fake)
    np.testing.assert_allclose(result.logs["discriminator_loss"], discriminator_loss, rtol=1e-5)
    np.testing.assert_allclose(result.logs["realism_loss"], 0.5 * adversarial_loss, rtol=1e-5)
    assert result.autoencoder_loss is result.logs["realism_loss"]
    expected = 4 * 0.5 * tape.gradient(adversarial_loss, decoded)
    np.testing.assert_allclose(at_pictures(result), expected, rtol=1e-4, atol=1e-7)
    expected = tape.gradient(discriminator_loss, discriminator.network.trainable_variables)
    for ours, plain in zip(result.network, expected, strict=True):
        np.testing.assert_allclose(ours, 2 * plain, rtol=1e-3, atol=1e-6)


def test_before_its_step_the_adversarial_loss_is_zero():
    early, late = (call(make(ramp_from_step=6), step=step) for step in (5, 6))
    assert float(early.logs["realism_loss"]) == 0 and not np.any(at_pictures(early))
    assert float(late.logs["realism_loss"]) != 0 and np.any(at_pictures(late))
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
    discriminator = make(loss="non_saturating", gradient_penalty=3.0)
    weights = noise(8 * 8 * 3, 1, seed=2)
    discriminator.network = lambda images, training: tf.reshape(images, (-1, 8 * 8 * 3)) @ weights
    penalty = discriminator._gradient_penalty(noise(2, 8, 8, 3), None, SEED)
    np.testing.assert_allclose(penalty, tf.reduce_sum(weights**2) / 2, rtol=1e-5)


def test_penalty_is_part_of_the_discriminators_loss_only():
    plain, penalised = call(make()), call(make(gradient_penalty=3.0))
    assert float(penalised.logs["gradient_penalty"]) > 0
    np.testing.assert_array_equal(at_pictures(plain), at_pictures(penalised))
    assert not np.allclose(plain.network[0], penalised.network[0])
    np.testing.assert_array_equal(plain.logs["discriminator_loss"], penalised.logs["discriminator_loss"])


def test_augmentation_changes_the_losses_reproducibly():
    plain, (augmented, again) = call(make()), [call(make(augment=("translation",))) for _ in range(2)]
    assert float(plain.logs["discriminator_loss"]) != float(augmented.logs["discriminator_loss"])
    np.testing.assert_array_equal(at_pictures(augmented), at_pictures(again))
    with pytest.raises(ValueError, match="Augmentations must be among"):
        make(augment=("blur",))


def test_class_logit_is_the_projection():
    """The embedding times the last features, computed from the network's layers."""
    network = networks.patch_discriminator(8, 2, classes=3)
    images, shares = noise(2, 8, 8, 3), tf.constant([[0, 1, 0], [0.5, 0.5, 0]], tf.float32)
    embedding = next(layer for layer in network.layers if isinstance(layer, keras.layers.Dense)).kernel
    hidden = images
    *body, last = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in body:
        hidden = tf.nn.leaky_relu(layer(hidden), 0.2)
    expected = last(hidden)[..., 0] + tf.einsum("bhwc,bc->bhw", hidden, shares @ embedding)
    np.testing.assert_allclose(network([images, shares]), expected, rtol=1e-4, atol=1e-6)


def test_feature_error_by_hand():
    """Maps (1, 3) and (2): errors (1, 1) / 5 for mean square 5, and 4 / 4."""
    images, reconstructed = [np.array([1.0, 3]), np.array([2.0])], [np.array([2.0, 2]), np.array([0.0])]
    np.testing.assert_allclose(losses.feature_loss(images, reconstructed), (1 / 5 + 1) / 2)
    assert losses.feature_loss(images, images) == 0


def test_other_losses_by_hand():
    np.testing.assert_allclose(losses.absolute_reconstruction_loss(np.array([1.0, -1]), np.array([0.5, 1])), 1.25)
    zeros = np.zeros(3)
    np.testing.assert_allclose(losses.logistic_discriminator_loss(zeros, zeros), 2 * np.log(2), rtol=1e-6)
    real, fake = np.log([3.0]), np.log([1 / 4])  # taken for real with probabilities 3/4 and 1/5
    np.testing.assert_allclose(losses.logistic_discriminator_loss(real, fake), -np.log(3 / 4 * 4 / 5), rtol=1e-6)
    np.testing.assert_allclose(losses.real_label_loss(fake), -np.log(1 / 5), rtol=1e-6)
