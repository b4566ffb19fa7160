"""Tricks of a GAN's training: noise, targets, instance noise, replay, gradient penalty, weight clip, average."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan import losses, tricks

SEED = tf.constant([1, 2], tf.int64)
OTHER = tf.constant([1, 3], tf.int64)


def test_gaussian_noise():
    noise = np.asarray(tricks.draw_gaussian_noise(2000, 10, SEED))
    assert noise.shape == (2000, 10) and noise.dtype == np.float32
    assert abs(noise.mean()) < 5 / np.sqrt(20_000) and abs(noise.var() - 1) < 5 * np.sqrt(2 / 20_000)
    assert np.linalg.norm(noise, axis=1).std() > 0.3
    np.testing.assert_array_equal(noise, tricks.draw_gaussian_noise(2000, 10, SEED))
    assert len(np.intersect1d(noise, tricks.draw_gaussian_noise(2000, 10, OTHER))) < 100


def test_spherical_noise_is_uniform_on_its_sphere():
    noise = np.asarray(tricks.draw_spherical_noise(4000, 3, SEED))
    gaussian = np.asarray(tricks.draw_gaussian_noise(4000, 3, SEED))
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), np.sqrt(3), rtol=1e-5)
    directions = gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)
    np.testing.assert_allclose(noise, np.sqrt(3) * directions, rtol=1e-4, atol=1e-5)
    height = noise[:, 2] / np.sqrt(3)  # uniform in [-1, 1] by Archimedes' theorem
    assert abs(height.mean()) < 5 / np.sqrt(3 * 4000) and abs(3 * height.var() - 1) < 0.1


def test_targets_without_noise_are_exact():
    real, fake = tricks.NoisyTargets()(50, SEED)
    assert np.all(np.asarray(real) == 1) and not np.any(fake)


def test_soft_targets():
    real, fake = (np.asarray(t) for t in tricks.NoisyTargets(softness=0.2)(4000, SEED))
    for soft in (1 - real, fake):
        assert 0 <= soft.min() < 0.002 and 0.198 < soft.max() <= 0.2 and abs(soft.mean() - 0.1) < 0.005
    assert abs(np.corrcoef(real, fake)[0, 1]) < 0.1


def test_flipped_targets():
    real, fake = (np.asarray(t) for t in tricks.NoisyTargets(flip_probability=0.1)(4000, SEED))
    assert {*real, *fake} == {0.0, 1.0}
    for share in ((real == 0).mean(), (fake == 1).mean()):
        assert abs(share - 0.1) < 5 * np.sqrt(0.09 / 4000)
    assert (real == fake).mean() < 0.3  # flipped independently


def test_softness_and_flips_are_independent():
    real, _ = (np.asarray(t) for t in tricks.NoisyTargets(0.2, 0.25)(4000, SEED))
    flipped = real < 0.5
    assert abs(flipped.mean() - 0.25) < 0.04
    assert abs((1 - real[~flipped]).mean() - 0.1) < 0.01 and abs(real[flipped].mean() - 0.1) < 0.01


def test_instance_noise():
    images = tf.fill((20, 8, 8, 3), 0.5)
    instance_noise = tricks.InstanceNoise(0.3, 10)
    noise = np.asarray(instance_noise(images, tf.constant(0, tf.int64), SEED)) - 0.5
    assert abs(noise.std() / 0.3 - 1) < 5 / np.sqrt(2 * noise.size) and abs(noise.mean()) < 0.02
    assert np.std(noise[0] - noise[1]) > 0.3
    np.testing.assert_array_equal(instance_noise(images, tf.constant(10, tf.int64), SEED), images)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.4), (5, 0.2), (9, 0.04), (10, 0), (1000, 0)])
def test_deviation_of_instance_noise_decays_linearly(step, expected):
    deviation = tricks.InstanceNoise(0.4, 10).deviation_at(tf.constant(step, tf.int64))
    np.testing.assert_allclose(deviation, expected, atol=1e-7)


# Replay


def numbered(*numbers):
    """Images [B, 1, 1, 1] and labels [B] whose values are the numbers."""
    return tf.constant(numbers, tf.float32)[:, None, None, None], tf.constant(numbers, tf.int32)


def test_replay_stores_first_halves_in_place_of_the_oldest_entries():
    buffer = tricks.ReplayBuffer(3, (1, 1, 1))
    for start, entries in ((10, [10, 11, 0]), (20, [21, 11, 20]), (30, [21, 30, 31])):
        buffer.exchange(*numbered(*range(start, start + 4)), SEED)
        np.testing.assert_array_equal(np.asarray(buffer.images).ravel(), entries)
        np.testing.assert_array_equal(buffer.labels, entries)
    assert int(buffer.stored) == 6


def test_replay_replaces_the_second_half_by_stored_fakes():
    buffer = tricks.ReplayBuffer(400, (1, 1, 1))
    first, labels = buffer.exchange(*numbered(*range(100, 200)), SEED)
    np.testing.assert_array_equal(labels, range(100, 200))  # the buffer was empty
    np.testing.assert_array_equal(np.ravel(first), range(100, 200))
    shown, labels = buffer.exchange(*numbered(*range(1000, 1100)), OTHER)
    np.testing.assert_array_equal(np.ravel(shown), labels)
    np.testing.assert_array_equal(labels[:50], range(1000, 1050))
    replayed = np.asarray(labels[50:])
    assert set(replayed) <= set(range(100, 150)) and len(set(replayed)) > 20


def test_replay_of_an_odd_batch_keeps_its_size():
    buffer = tricks.ReplayBuffer(2, (1, 1, 1))
    for _ in range(2):
        shown, labels = buffer.exchange(*numbered(1, 2, 3, 4, 5), SEED)
        assert shown.shape == (5, 1, 1, 1) and labels.shape == (5,)
    assert int(buffer.stored) == 4


def test_replay_refuses_a_batch_whose_half_exceeds_the_capacity():
    with pytest.raises(ValueError, match="half the batch size, 3. Received: 2"):
        tricks.ReplayBuffer(2, (1, 1, 1)).exchange(*numbered(*range(6)), SEED)


# Gradient penalty, weight clip, average


def test_gradient_penalty_interpolates_images_and_class_weights():
    """C(x, w) = sum(x^2) w has the gradient 2 x w at the interpolated x and w."""
    real, fake = np.full((5, 1, 1, 1), 2.0, np.float32), np.full((5, 1, 1, 1), 6.0, np.float32)
    inputs = []

    def discriminate(both):
        inputs.append([np.asarray(x) for x in both])
        return tf.reduce_sum(both[0] ** 2, (1, 2, 3)) * both[1][:, 0]

    class_weights = tf.ones((5, 1)), tf.zeros((5, 1))
    penalty = tricks.GradientPenalty(10.0)(discriminate, [real, class_weights[0]], [fake, class_weights[1]], SEED)
    ((images, weights),) = inputs
    share = weights[:, 0]
    assert len(set(share)) == 5 and share.min() >= 0 and share.max() <= 1
    np.testing.assert_allclose(images.ravel(), 2 * share + 6 * (1 - share), rtol=1e-6)
    np.testing.assert_allclose(penalty, np.mean((2 * images.ravel() * share - 1) ** 2), rtol=1e-4)


def test_weight_clip_constrains_every_variable_of_a_network():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    tricks.WeightClip(0.1).apply(network)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(network.trainable_variables)
    gradients = [np.full(v.shape, -5.0, np.float32) for v in network.trainable_variables]
    optimizer.apply(gradients)
    for variable in network.trainable_variables:
        np.testing.assert_allclose(variable, 0.1)


def test_an_average_is_not_updated_after_a_skipped_step():
    generator, network = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    average = tricks.MovingAverage(generator, network, 0.5)
    start = np.asarray(network.variables[0]).copy()
    generator.variables[0].assign_add([[1.0]])
    average.update(100, tf.constant(False))
    np.testing.assert_array_equal(network.variables[0], start)
    average.update(100, tf.constant(True))
    np.testing.assert_allclose(network.variables[0], start + 0.5, rtol=1e-6)


def test_seed_states_are_not_averaged():
    def make():
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1), keras.layers.Dropout(0.5)])

    average = tricks.MovingAverage(make(), make(), 0.5)
    assert len(average.network.variables) == 3 and len(average.pairs) == 2
    average.update(100, tf.constant(True))


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: tricks.NoisyTargets(softness=0.5), "softness=0.5"),
        (lambda: tricks.NoisyTargets(flip_probability=-0.1), "flip_probability=-0.1"),
        (lambda: tricks.InstanceNoise(-1, 10), "deviation=-1"),
        (lambda: tricks.InstanceNoise(0.1, 0), "steps=0"),
        (lambda: tricks.Augmentation(("zoom",)), "zoom"),
        (lambda: tricks.ReplayBuffer(-1, (1, 1, 1)), "-1"),
        (lambda: tricks.GradientPenalty(-1.0), "-1.0"),
        (lambda: tricks.WeightClip(0.0), "0.0"),
        (lambda: tricks.MovingAverage(None, None, 1.0), "1.0"),
    ],
)
def test_values_out_of_range_are_refused(make, received):
    with pytest.raises(ValueError, match=rf"(?s)must.*Received.*{received}"):
        make()


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_losses_without_targets_refuse_noisy_ones(name):
    with pytest.raises(ValueError, match=f"accepts targets. Received: {name}"):
        dataclasses.replace(losses.LOSSES[name], draw_targets=tricks.NoisyTargets(0.1))
