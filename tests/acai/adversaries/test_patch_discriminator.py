"""The patch discriminator's part: shares of classes, penalties and feature errors worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import losses, networks
from acai.adversaries.patch_discriminator import Realism
from acai.adversaries.ramp import Rise

SEED = tf.constant([0, 0], tf.int64)


def noise(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def call(realism, step=5, images=2, scales=(1.0, 1.0)):
    """`gradients` of a small batch whose first image is of class 1, the second of class 0."""
    decoded = noise(2 * images, 8, 8, 3, seed=1)
    labels, mix = tf.constant([1, 0], tf.int32), tf.constant([0.25, 0.1])
    return realism.gradients(noise(images, 8, 8, 3), decoded, labels, mix, step, SEED, scales)


def make(from_step=0, **options):
    keras.utils.set_random_seed(0)
    return Realism(Rise(0.5, from_step), width=8, channels=2, **options)


def test_shares_of_classes_by_hand():
    """Reconstructions are of their image's class; blend 0 has a quarter of image 0 and the rest of image 1."""
    shares = make(classes=3)._class_shares(tf.constant([1, 0]), tf.constant([0.25, 0.1]))
    own = [[0, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(shares, [*own, *own, [0.75, 0.25, 0], [0.1, 0.9, 0]])
    assert make()._class_shares(tf.constant([1, 0]), tf.constant([0.25, 0.1])) is None


@pytest.mark.parametrize("loss", losses.REALISM_LOSSES)
def test_losses_and_gradients_are_those_of_the_plain_form(loss):
    realism = make(loss=loss)
    logs, gradients, decoded_gradient = call(realism, scales=(2.0, 4.0))
    images, decoded = noise(2, 8, 8, 3), noise(4, 8, 8, 3, seed=1)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(decoded)
        real, fake = realism.network(images), realism.network(decoded)
        trains_discriminator, trains_autoencoder = losses.REALISM_LOSSES[loss]
        own, others = trains_discriminator(real, fake), trains_autoencoder(fake)
    np.testing.assert_allclose(logs["discriminator_loss"], own, rtol=1e-5)
    np.testing.assert_allclose(logs["realism_loss"], 0.5 * others, rtol=1e-5)
    np.testing.assert_allclose(decoded_gradient, 4 * 0.5 * tape.gradient(others, decoded), rtol=1e-4, atol=1e-7)
    expected = tape.gradient(own, realism.network.trainable_variables)
    for ours, plain in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, 2 * plain, rtol=1e-3, atol=1e-6)


def test_before_its_step_the_autoencoder_does_not_hear_of_it():
    realism = make(from_step=6)
    (logs, own, at_decoded), (late_logs, late_own, late_at_decoded) = call(realism, step=5), call(realism, step=6)
    assert float(logs["realism_loss"]) == 0 and not np.any(at_decoded)
    assert float(late_logs["realism_loss"]) != 0 and np.any(late_at_decoded)
    for before, after in zip(own, late_own, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_weight_rises_in_even_steps_to_the_whole_one():
    rising, at_once = Rise(0.5, 6, 4), Rise(0.5, 6)
    weights = [float(rising(tf.constant(step, tf.int64))) for step in (0, 5, 6, 7, 8, 9, 10, 1000)]
    assert weights == pytest.approx([0, 0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
    assert [float(at_once(tf.constant(step, tf.int64))) for step in (5, 6, 7)] == [0, 0.5, 0.5]


def test_penalty_of_a_linear_discriminator_is_half_its_squared_weights():
    realism = make(loss="non_saturating", gradient_penalty=3.0)
    weights = noise(8 * 8 * 3, 1, seed=2)
    realism.network = lambda images, training: tf.reshape(images, (-1, 8 * 8 * 3)) @ weights
    penalty = realism._gradient_penalty(noise(2, 8, 8, 3), None, SEED)
    np.testing.assert_allclose(penalty, tf.reduce_sum(weights**2) / 2, rtol=1e-5)


def test_penalty_joins_the_discriminators_loss_only():
    plain, penalised = call(make()), call(make(gradient_penalty=3.0))
    assert float(penalised[0]["gradient_penalty"]) > 0
    np.testing.assert_array_equal(plain[2], penalised[2])
    assert not np.allclose(plain[1][0], penalised[1][0])
    np.testing.assert_array_equal(plain[0]["discriminator_loss"], penalised[0]["discriminator_loss"])


def test_augmentation_changes_what_it_sees():
    plain, (augmented, again) = call(make()), [call(make(augment=("translation",))) for _ in range(2)]
    assert float(plain[0]["discriminator_loss"]) != float(augmented[0]["discriminator_loss"])
    np.testing.assert_array_equal(augmented[2], again[2])
    with pytest.raises(ValueError, match="Augmentations among"):
        make(augment=("blur",))


def test_its_logit_of_a_class_is_the_projection():
    """The embedding times the last features, by hand from the network's own layers."""
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
