"""Each trick on and off: noise, targets, instance noise and the buffer of older fakes."""

import numpy as np
import pytest
import tensorflow as tf

from gan import tricks

SEED = tf.constant([1, 2], tf.int64)
OTHER = tf.constant([1, 3], tf.int64)


def test_gaussian_noise():
    noise = np.asarray(tricks.draw_noise(2000, 10, SEED))
    assert noise.shape == (2000, 10) and noise.dtype == np.float32
    assert abs(noise.mean()) < 5 / np.sqrt(20_000) and abs(noise.var() - 1) < 5 * np.sqrt(2 / 20_000)
    assert np.linalg.norm(noise, axis=1).std() > 0.3
    np.testing.assert_array_equal(noise, tricks.draw_noise(2000, 10, SEED))
    assert len(np.intersect1d(noise, tricks.draw_noise(2000, 10, OTHER))) < 100


def test_spherical_noise_is_uniform_on_its_sphere():
    noise, plain = (np.asarray(tricks.draw_noise(4000, 3, SEED, spherical)) for spherical in (True, False))
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), np.sqrt(3), rtol=1e-5)
    directions = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(noise, np.sqrt(3) * directions, rtol=1e-4, atol=1e-5)
    height = noise[:, 2] / np.sqrt(3)  # Archimedes: uniform in [-1, 1]
    assert abs(height.mean()) < 5 / np.sqrt(3 * 4000) and abs(3 * height.var() - 1) < 0.1


def test_targets_without_tricks_are_exact():
    real, fake = tricks.draw_targets(50, SEED)
    assert np.all(np.asarray(real) == 1) and not np.any(fake)


def test_soft_targets():
    real, fake = (np.asarray(t) for t in tricks.draw_targets(4000, SEED, softness=0.2))
    for soft in (1 - real, fake):
        assert 0 <= soft.min() < 0.002 and 0.198 < soft.max() <= 0.2 and abs(soft.mean() - 0.1) < 0.005
    assert abs(np.corrcoef(real, fake)[0, 1]) < 0.1


def test_flipped_targets():
    real, fake = (np.asarray(t) for t in tricks.draw_targets(4000, SEED, flip_probability=0.1))
    assert {*real, *fake} == {0.0, 1.0}
    for share in ((real == 0).mean(), (fake == 1).mean()):
        assert abs(share - 0.1) < 5 * np.sqrt(0.09 / 4000)
    assert (real == fake).mean() < 0.3  # each by itself


def test_soft_and_flipped_targets_are_drawn_apart():
    real, _ = (np.asarray(t) for t in tricks.draw_targets(4000, SEED, 0.2, 0.25))
    flipped = real < 0.5
    assert abs(flipped.mean() - 0.25) < 0.04
    assert abs((1 - real[~flipped]).mean() - 0.1) < 0.01 and abs(real[flipped].mean() - 0.1) < 0.01


def test_instance_noise():
    images = tf.fill((20, 8, 8, 3), 0.5)
    noise = np.asarray(tricks.add_instance_noise(images, 0.3, SEED)) - 0.5
    assert abs(noise.std() / 0.3 - 1) < 5 / np.sqrt(2 * noise.size) and abs(noise.mean()) < 0.02
    assert np.std(noise[0] - noise[1]) > 0.3
    np.testing.assert_array_equal(tricks.add_instance_noise(images, 0.0, SEED), images)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.4), (5, 0.2), (9, 0.04), (10, 0), (1000, 0)])
def test_decayed(step, expected):
    np.testing.assert_allclose(tricks.decayed(0.4, tf.constant(step, tf.int64), 10), expected, atol=1e-7)


# Replay


def numbered(*numbers):
    """Images [B, 1, 1, 1] and labels that show their number."""
    return tf.constant(numbers, tf.float32)[:, None, None, None], tf.constant(numbers, tf.int32)


def test_replay_stores_first_halves_over_the_oldest():
    buffer = tricks.ReplayBuffer(3, (1, 1, 1))
    for start, held in ((10, [10, 11, 0]), (20, [21, 11, 20]), (30, [21, 30, 31])):
        buffer.exchange(*numbered(*range(start, start + 4)), SEED)
        np.testing.assert_array_equal(np.asarray(buffer.images).ravel(), held)
        np.testing.assert_array_equal(buffer.labels, held)
    assert int(buffer.stored) == 6


def test_replay_shows_the_new_half_and_an_older_half():
    buffer = tricks.ReplayBuffer(400, (1, 1, 1))
    first, labels = buffer.exchange(*numbered(*range(100, 200)), SEED)
    np.testing.assert_array_equal(labels, range(100, 200))  # nothing older yet: as it was
    np.testing.assert_array_equal(np.ravel(first), range(100, 200))
    shown, labels = buffer.exchange(*numbered(*range(1000, 1100)), OTHER)
    np.testing.assert_array_equal(np.ravel(shown), labels)
    np.testing.assert_array_equal(labels[:50], range(1000, 1050))
    old = np.asarray(labels[50:])
    assert set(old) <= set(range(100, 150)) and len(set(old)) > 20  # only what is filled, and not one of it


def test_replay_of_an_odd_batch_keeps_its_size():
    buffer = tricks.ReplayBuffer(2, (1, 1, 1))
    for _ in range(2):
        shown, labels = buffer.exchange(*numbered(1, 2, 3, 4, 5), SEED)
        assert shown.shape == (5, 1, 1, 1) and labels.shape == (5,)
    assert int(buffer.stored) == 4


def test_replay_refuses_a_batch_that_does_not_fit():
    with pytest.raises(ValueError, match="3 images or more is required. Received: 2"):
        tricks.ReplayBuffer(2, (1, 1, 1)).exchange(*numbered(*range(6)), SEED)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(soft_labels=0.5),
        dict(flipped_labels=-0.1),
        dict(instance_noise=-1),
        dict(instance_noise_steps=0),
        dict(replay_images=-1),
        dict(soft_labels=0.1, loss="hinge"),
        dict(flipped_labels=0.1, loss="wasserstein"),
    ],
)
def test_check_tricks(wrong):
    fine = dict(soft_labels=0.1, flipped_labels=0.1, instance_noise=0, instance_noise_steps=1, replay_images=0)
    tricks.check_tricks(**fine | {"loss": "least_squares"})
    name = list(wrong)[-1]
    off = dict.fromkeys(fine, 0) | {"instance_noise_steps": 1, "loss": "minimax"}
    with pytest.raises(ValueError, match=f"(?s)required.*Received.*{name}={wrong[name]!r}"):
        tricks.check_tricks(**off | wrong)
