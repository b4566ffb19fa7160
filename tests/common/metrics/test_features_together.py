"""All statistics of features and pixels: what each must catch, that order does not matter, and what is refused."""

import numpy as np
import pytest

from common.metrics.features import (
    density_coverage,
    diversity,
    frechet_distance,
    high_frequency_energy,
    kernel_distance,
    nearest_neighbours,
    precision_recall,
    sharpness,
)
from tests.support.feature_sets import FAKE, REAL, assert_close, draw_normal, make_stripes

# What each must catch


def test_a_collapsed_generator():
    real = draw_normal(100)
    fake = np.repeat(real[:1] + 0.01, 100, axis=0)
    assert precision_recall(real, fake) == (1, 0)  # every one is good, nothing is covered
    assert density_coverage(real, fake)[1] < 0.2
    assert diversity(fake) < 1e-12 < 1 < diversity(real)
    assert frechet_distance(real, fake) > 1


def test_copied_training_images():
    train, fresh = draw_normal(100), draw_normal(100, seed=1)
    copies = train[np.random.default_rng(2).permutation(100)]
    assert abs(frechet_distance(train, copies)) < 1e-9 < frechet_distance(train, fresh)  # taken in
    assert precision_recall(train, copies) == (1, 1)  # taken in
    assert nearest_neighbours(copies, train)[1].max() == 0 < nearest_neighbours(fresh, train)[1].min()


def test_noise():
    real, fresh, noise = (
        draw_normal(200),
        draw_normal(200, seed=1),
        np.random.default_rng(2).uniform(-3, 3, (200, 4)),
    )
    assert kernel_distance(real, noise) > 20 * abs(kernel_distance(real, fresh))
    assert precision_recall(real, noise)[0] < 0.8 * precision_recall(real, fresh)[0]
    speckled = np.clip(make_stripes(0, 8, 8) * 0.2 + np.random.default_rng(0).normal(0, 0.5, (20, 8, 8, 3)), -1, 1)
    assert sharpness(speckled, 0.2 * make_stripes(0)) > 1.5  # sharper than real is wrong too


def test_cross_fades():
    # Rows and columns of +-1 are uncorrelated over an even number of pixels: the mean of both has half the energy.
    assert_close(
        sharpness((make_stripes(0) + make_stripes(1)) / 2, np.concatenate([make_stripes(0), make_stripes(1)])), 0.5
    )


# All of them


@pytest.mark.parametrize(
    "statistic",
    [frechet_distance, kernel_distance, precision_recall, density_coverage, lambda first, _: diversity(first)],
)
def test_the_order_of_rows_does_not_matter(statistic):
    first, second = draw_normal(30), draw_normal(25, seed=1) + 0.3
    shuffle = np.random.default_rng(2).permutation
    assert_close(statistic(shuffle(first), shuffle(second)), statistic(first, second), 1e-12)
    assert_close(
        statistic(first.astype(np.float32).tolist(), second), statistic(first.astype(np.float32), second), 1e-12
    )


def test_the_order_of_rows_goes_through_what_is_given_per_row():
    order = np.random.default_rng(0).permutation(10)
    queries, reference = draw_normal(10), draw_normal(30, seed=1)
    indices, distances = nearest_neighbours(queries[order], reference[::-1])
    np.testing.assert_array_equal(29 - indices, nearest_neighbours(queries, reference)[0][order])
    assert_close(distances, nearest_neighbours(queries, reference)[1][order], 1e-12)
    images = np.random.default_rng(1).uniform(-1, 1, (10, 5, 5, 3))
    assert_close(high_frequency_energy(images[order]), high_frequency_energy(images)[order])


@pytest.mark.parametrize(
    ("statistic", "first_least", "second_least"),
    [
        (frechet_distance, 2, 2),
        (kernel_distance, 2, 2),
        (precision_recall, 4, 4),
        (density_coverage, 6, 1),
        (nearest_neighbours, 1, 1),
        (lambda first, _: diversity(first), 2, 0),
    ],
)
def test_features_that_are_refused(statistic, first_least, second_least):
    first, second = draw_normal(first_least), draw_normal(max(second_least, 1), seed=1)
    assert np.isfinite(np.concatenate([np.ravel(part) for part in np.atleast_1d(statistic(first, second))])).all()
    wrong = [(first[1:], second), (first[0], second), (first[:, :0], second[:, :0]), (first[None], second)]
    wrong += [(np.where(first == first[0, 0], bad, first), second) for bad in (np.nan, np.inf)]
    if second_least:
        wrong += [(first, second[1:]), (first, second[:, :3]), (first, np.where(second > 0, np.nan, second))]
    for one, other in wrong:
        with pytest.raises(ValueError, match="must .*. Received: "):
            statistic(one, other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: precision_recall(REAL, FAKE, 0), "neighbours must be at least 1. Received: 0"),
        (lambda: density_coverage(REAL, FAKE, 4), "N >= 5"),
        (lambda: nearest_neighbours(REAL, FAKE, 0), "block must be at least 1. Received: 0"),
        (lambda: high_frequency_energy(np.zeros((1, 4, 4, 3), np.uint8)), "Received: uint8"),
        (lambda: high_frequency_energy(np.zeros((1, 4, 2, 3))), "H and W >= 3. Received"),
        (lambda: high_frequency_energy(np.zeros((0, 4, 4, 3))), "N >= 1"),
        (lambda: high_frequency_energy(np.zeros((4, 4, 3))), r"Received: float64 \(4, 4, 3\)"),
        (lambda: sharpness(np.full((1, 4, 4, 3), np.inf), make_stripes(0)), "Received: 48 that"),
    ],
)
def test_arguments_that_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
