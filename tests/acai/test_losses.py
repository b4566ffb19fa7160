"""Losses of a few numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from acai import losses


def images(*values):
    """One number per image: [B, 1, 1, 1]."""
    return np.asarray(values, np.float32)[:, None, None, None]


def vector(*values):
    return np.asarray(values, np.float32)


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=tolerance, atol=1e-12)


def test_mix_latents_by_hand():
    mixed = losses.mix_latents(images(1, 2, 10, 20), images(0, 0.25, 0.5, 0.1))
    # rows 0 and 3 are partners, as are 1 and 2; the mix is the share of the row itself
    close(mixed, images(20, 0.25 * 2 + 0.75 * 10, 0.5 * 10 + 0.5 * 2, 0.1 * 20 + 0.9 * 1))


def test_mix_latents_with_a_share_for_each_cell():
    """Channels of a cell have one share."""
    latents = np.arange(2 * 2 * 3 * 2, dtype=np.float32).reshape(2, 2, 3, 2)
    shares = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3, 1)
    mixed = np.asarray(losses.mix_latents(latents, shares))
    for image, y, x, channel in np.ndindex(2, 2, 3, 2):
        share = shares[image, y, x, 0]
        expected = share * latents[image, y, x, channel] + (1 - share) * latents[1 - image, y, x, channel]
        close(mixed[image, y, x, channel], expected)


def test_the_middle_of_an_odd_batch_is_its_own_partner():
    close(losses.mix_latents(images(1, 7, 3), images(0.5, 0.3, 0.5)), images(2, 7, 2))


def test_reconstruction_loss_by_hand():
    close(losses.reconstruction_loss(images(1, 2, -1), images(0, 0, 1)), (1 + 4 + 4) / 3)
    # a mean over all pixels and colours, not a sum over an image: 12 numbers, one of them off by 3
    first, second = np.zeros((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2, 3), np.float32)
    second[0, 1, 0, 2] = 3
    close(losses.reconstruction_loss(first, second), 9 / 12)


def test_mix_regulariser_by_hand():
    close(losses.mix_regulariser(vector(0.5, -0.25, 0), 0.5), 0.5 * (0.25 + 0.0625) / 3)
    close(losses.mix_regulariser(vector(0.5, -0.25, 0), 0), 0)


def test_critic_loss_by_hand():
    # ((0.5 - 0.25)^2 + (0.1 - 0.5)^2) / 2 + (0.2^2 + (-0.6)^2) / 2
    loss = losses.critic_loss(vector(0.5, 0.1), vector(0.25, 0.5), vector(0.2, -0.6))
    close(loss, (0.0625 + 0.16) / 2 + (0.04 + 0.36) / 2)


def test_soften_by_hand():
    # 0.2 of the image and 0.8 of the reconstruction
    close(losses.soften(images(1, -1), images(0, 4), 0.2), images(0.2, 0.2 * -1 + 0.8 * 4))
    close(losses.soften(images(5), images(7), 0.0), images(7))
    close(losses.soften(images(5), images(7), 1.0), images(5))


def test_constant_guess_loss_is_the_lowest_of_a_constant_answer():
    # For an answer c: E (c - mix)^2 + c^2 with mix uniform in [0, 1/2], by the midpoint rule, over a grid of c.
    mix = (np.arange(2000) + 0.5) / 4000
    guesses = np.linspace(-0.5, 0.5, 401)
    least = min(np.mean((guess - mix) ** 2) + guess**2 for guess in guesses)
    close(losses.CONSTANT_GUESS_LOSS, least, 1e-5)


def test_label_losses_by_hand():
    """Logits log 3 and log 1/4 are probabilities of 3/4 and 1/5."""
    logits = np.log(vector(3, 1 / 4))
    close(losses.real_label_loss(logits), -(np.log(3 / 4) + np.log(1 / 5)) / 2)
    close(losses.fake_label_loss(logits), -(np.log(1 / 4) + np.log(4 / 5)) / 2)
    close(losses.real_label_loss(vector(-200)), 200)  # log sigmoid would be log 0


# The ratio of the two gradients


def test_ratio_by_hand():
    ratio = losses.regulariser_per_critic_gradient(vector(0.5, 0.1, -0.2), vector(0.25, 0.3, 0.2), 0.5)
    # lambda d / (d - alpha): 0.25 / 0.25, 0.05 / -0.2, -0.1 / -0.4
    close(ratio, [1, -0.25, 0.25])


def test_ratio_turns_one_gradient_into_the_other():
    scores, mix = tf.constant([0.3, -0.7, 0.02, 0.4]), tf.constant([0.1, 0.2, 0.5, 0.45])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(scores)
        critic_loss = losses.critic_loss(scores, mix, tf.constant([0.5, 0.1, 0.1, 0.3]))
        regulariser = losses.mix_regulariser(scores, 0.7)
    ratio = losses.regulariser_per_critic_gradient(scores, mix, 0.7)
    close(tape.gradient(critic_loss, scores) * ratio, tape.gradient(regulariser, scores))


@pytest.mark.parametrize(
    ("difference", "divisor"),
    [
        (0.0, 1e-6),  # the score equals its mix: the ratio is finite, and times the critic's gradient of 0 it is 0
        (2.0**-22, 1e-6),  # 2.4e-7 above, closer than 1e-6
        (-(2.0**-22), -1e-6),  # below: the sign is kept
        (2.0**-19, 2.0**-19),  # 1.9e-6: not bounded
        (-(2.0**-19), -(2.0**-19)),
    ],
)
def test_ratio_near_zero(difference, divisor):
    # 1/4 + 2^-22 is a float32, so the difference is exact
    ratio = losses.regulariser_per_critic_gradient(vector(0.25 + difference), vector(0.25), 0.5)
    close(ratio, [0.5 * (0.25 + difference) / divisor])
