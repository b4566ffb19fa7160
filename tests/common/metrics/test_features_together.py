"""Statistics of features and pixels side by side: what they detect, the order of rows, and invalid arguments."""

import numpy as np
import pytest

from common.metrics import features
from tests.support.feature_sets import FAKE, REAL, assert_close, draw_normal, make_stripes

# What they detect


def test_a_collapsed_generator_has_no_recall_and_no_diversity():
    real = draw_normal(100)
    fake = np.repeat(real[:1] + 0.01, 100, axis=0)
    assert features.precision_recall(real, fake) == (1, 0)  # every image is realistic, nothing is covered
    assert features.density_coverage(real, fake)[1] < 0.2
    assert features.diversity(fake) < 1e-12 < 1 < features.diversity(real)
    assert features.frechet_distance(real, fake) > 1


def test_only_nearest_neighbours_detect_copied_training_images():
    train, fresh = draw_normal(100), draw_normal(100, seed=1)
    copies = train[np.random.default_rng(2).permutation(100)]
    assert abs(features.frechet_distance(train, copies)) < 1e-9 < features.frechet_distance(train, fresh)
    assert features.precision_recall(train, copies) == (1, 1)
    _, distances = features.nearest_neighbours(copies, train)
    _, fresh_distances = features.nearest_neighbours(fresh, train)
    assert distances.max() == 0 < fresh_distances.min()


def test_noise_differs_from_real_images_in_distance_precision_and_fine_detail():
    real, fresh = draw_normal(200), draw_normal(200, seed=1)
    noise = np.random.default_rng(2).uniform(-3, 3, (200, 4))
    assert features.kernel_distance(real, noise) > 20 * abs(features.kernel_distance(real, fresh))
    assert features.precision_recall(real, noise)[0] < 0.8 * features.precision_recall(real, fresh)[0]
    speckled = np.clip(make_stripes(0, 8, 8) * 0.2 + np.random.default_rng(0).normal(0, 0.5, (20, 8, 8, 3)), -1, 1)
    energy, real_energy = map(features.high_frequency_energy, (speckled, 0.2 * make_stripes(0)))
    assert energy.mean() > 1.5 * real_energy.mean()  # sharper than the real images


def test_cross_fades_are_half_as_sharp():
    # Rows and columns of +-1 are uncorrelated over an even number of pixels, so their mean has half the energy.
    first, second = make_stripes(0), make_stripes(1)
    energies = [features.high_frequency_energy(images).mean() for images in ((first + second) / 2, first, second)]
    assert_close(energies[0], 0.5 * np.mean(energies[1:]))


# The order of rows


@pytest.mark.parametrize(
    "statistic",
    [
        features.frechet_distance,
        features.kernel_distance,
        features.precision_recall,
        features.density_coverage,
        lambda first, _: features.diversity(first),
    ],
)
def test_the_order_of_rows_does_not_matter(statistic):
    first, second = draw_normal(30), draw_normal(25, seed=1) + 0.3
    shuffle = np.random.default_rng(2).permutation
    assert_close(statistic(shuffle(first), shuffle(second)), statistic(first, second), 1e-12)
    first = first.astype(np.float32)
    assert_close(statistic(first.tolist(), second), statistic(first, second), 1e-12)


def test_values_for_each_row_follow_the_order_of_rows():
    order = np.random.default_rng(0).permutation(10)
    queries, reference = draw_normal(10), draw_normal(30, seed=1)
    expected_indices, expected_distances = features.nearest_neighbours(queries, reference)
    indices, distances = features.nearest_neighbours(queries[order], reference[::-1])
    np.testing.assert_array_equal(29 - indices, expected_indices[order])
    assert_close(distances, expected_distances[order], 1e-12)
    images = np.random.default_rng(1).uniform(-1, 1, (10, 5, 5, 3))
    assert_close(features.high_frequency_energy(images[order]), features.high_frequency_energy(images)[order])


@pytest.mark.parametrize(
    ("statistic", "min_first", "min_second"),
    [
        (features.frechet_distance, 2, 2),
        (features.kernel_distance, 2, 2),
        (features.precision_recall, 4, 4),
        (features.density_coverage, 6, 1),
        (features.nearest_neighbours, 1, 1),
        (lambda first, _: features.diversity(first), 2, 0),
    ],
)
# Invalid arguments


def test_invalid_features_are_refused(statistic, min_first, min_second):
    first, second = draw_normal(min_first), draw_normal(max(min_second, 1), seed=1)
    assert np.isfinite(np.concatenate([np.ravel(part) for part in np.atleast_1d(statistic(first, second))])).all()
    wrong = [(first[1:], second), (first[0], second), (first[:, :0], second[:, :0]), (first[None], second)]
    wrong += [(np.where(first == first[0, 0], bad, first), second) for bad in (np.nan, np.inf)]
    if min_second:
        wrong += [(first, second[1:]), (first, second[:, :3]), (first, np.where(second > 0, np.nan, second))]
    for one, other in wrong:
        with pytest.raises(ValueError, match="must .*. Received: "):
            statistic(one, other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: features.precision_recall(REAL, FAKE, 0), "neighbours must be at least 1. Received: 0"),
        (lambda: features.density_coverage(REAL, FAKE, 4), "N >= 5"),
        (lambda: features.high_frequency_energy(np.zeros((1, 4, 4, 3), np.uint8)), "Received: uint8"),
        (lambda: features.high_frequency_energy(np.zeros((1, 4, 2, 3))), "H and W >= 3. Received"),
        (lambda: features.high_frequency_energy(np.zeros((0, 4, 4, 3))), "N >= 1"),
        (lambda: features.high_frequency_energy(np.zeros((4, 4, 3))), r"Received: float64 \(4, 4, 3\)"),
        (lambda: features.high_frequency_energy(np.full((1, 4, 4, 3), np.inf)), "Received: 48 that"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
