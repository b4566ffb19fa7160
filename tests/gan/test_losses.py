"""Losses of GANs: values by hand, signs of their gradients, and the gradient penalty of a linear critic."""

import math

import numpy as np
import pytest
import tensorflow as tf

from gan import losses
from gan.choices import LOSS_WITH_TARGETS, LOSSES

REAL, FAKE = [2.0, -1.0], [0.5, -3.0]


def vector(*values):
    return np.asarray(values, np.float32)


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=tolerance, atol=1e-12)


def log_sigmoid(x):
    return -math.log(1 + math.exp(-x))


BY_HAND = {
    "non_saturating": (
        -(log_sigmoid(2) + log_sigmoid(-1)) / 2 - (log_sigmoid(-0.5) + log_sigmoid(3)) / 2,
        -(log_sigmoid(0.5) + log_sigmoid(-3)) / 2,
    ),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, 2.5 / 2),
    "wasserstein": (-2.5 / 2 - 1 / 2, 2.5 / 2),
}


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_by_hand(name):
    loss = losses.LOSSES[name]
    close(loss.discriminator(vector(*REAL), vector(*FAKE)), BY_HAND[name][0])
    close(loss.generator(vector(*FAKE)), BY_HAND[name][1])


@pytest.mark.parametrize("name", losses.LOSSES)
def test_signs_of_the_gradients(name):
    """The discriminator's loss raises real and lowers fake logits; the generator's loss raises fake ones."""
    loss = losses.LOSSES[name]
    real, fake = tf.constant([0.2]), tf.constant([0.3])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        discriminator, generator = loss.discriminator(real, fake), loss.generator(fake)
    assert tape.gradient(discriminator, real) < 0 < tape.gradient(discriminator, fake)
    assert tape.gradient(generator, fake) < 0 and tape.gradient(generator, real) is None


def test_large_logits_stay_finite():
    loss = losses.LOSSES["non_saturating"]
    close(loss.discriminator(vector(-200), vector(300)), 500)
    close(loss.generator(vector(-200)), 200)


def test_targets_by_hand():
    real_targets, fake_targets = vector(0.9, 1), vector(0, 0.2)
    expected = -(0.9 * log_sigmoid(2) + 0.1 * log_sigmoid(-2) + log_sigmoid(-1)) / 2
    expected -= (log_sigmoid(-0.5) + 0.2 * log_sigmoid(-3) + 0.8 * log_sigmoid(3)) / 2
    actual = losses.non_saturating_discriminator_loss(vector(*REAL), vector(*FAKE), real_targets, fake_targets)
    close(actual, expected)


def test_which_losses_accept_targets():
    assert [name for name, loss in losses.LOSSES.items() if loss.accepts_targets] == [LOSS_WITH_TARGETS]
    assert tuple(losses.LOSSES) == LOSSES


def test_accuracies_by_hand():
    real, fake = vector(0.4, 0.6, 2, -1), vector(0.4, 0.6, -2, -1)
    for name in ("non_saturating", "hinge"):
        accuracies = losses.LOSSES[name].accuracies(real, fake)
        assert (float(accuracies["real_accuracy"]), float(accuracies["fake_accuracy"])) == (0.75, 0.5)
    assert losses.LOSSES["wasserstein"].accuracies(real, fake) == {}


# Gradient penalty


def test_interpolate_by_hand():
    real, fake = np.full((3, 2, 2, 1), 4, np.float32), np.full((3, 2, 2, 1), 8, np.float32)
    interpolated = np.asarray(losses.interpolate(real, fake, vector(1, 0, 0.25)))
    for k, expected in enumerate((4, 8, 7)):
        close(interpolated[k], np.full((2, 2, 1), expected))
    close(
        losses.interpolate(np.eye(2, dtype=np.float32), 1 - np.eye(2, dtype=np.float32), vector(1, 0)),
        [[1, 0]] * 2,
    )


def test_gradient_penalty_of_a_linear_critic():
    """C(x) = w . x + b has the gradient w everywhere, so the penalty is (|w| - 1)^2."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(4, 4, 3)).astype(np.float32)
    images = tf.constant(rng.normal(size=(5, 4, 4, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = tf.einsum("bhwc,hwc->b", images, kernel) + 3
    penalty = losses.gradient_penalty(tape.gradient(logits, images))
    close(penalty, (np.linalg.norm(kernel) - 1) ** 2, 1e-5)


def test_gradient_penalty_averages_over_images_and_is_two_sided():
    gradients = np.zeros((3, 2, 2, 1), np.float32)
    gradients[0, 0, 1, 0], gradients[1, 1, 1, 0], gradients[1, 0, 0, 0] = 0.5, 3, 4  # norms 0.5, 5, 0
    close(losses.gradient_penalty(gradients), (0.25 + 16 + 1) / 3, 1e-5)


def test_gradient_penalty_is_differentiable_at_zero():
    gradients = tf.zeros((2, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(gradients)
        penalty = losses.gradient_penalty(gradients)
    assert not np.any(tape.gradient(penalty, gradients))
