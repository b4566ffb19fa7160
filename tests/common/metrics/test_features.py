"""Statistics of features and pixels against closed forms and slow reference implementations."""

import tracemalloc

import numpy as np
import pytest

from common.metrics import features
from common.metrics.features import (
    density_coverage,
    diversity,
    frechet_distance,
    high_frequency_energy,
    kernel_distance,
    nearest_neighbours,
    precision_recall,
)
from tests.support.feature_sets import FAKE, REAL, assert_close, draw_normal, make_stripes, points_on_line


def draw_with_moments(mean, covariance, count=20, seed=0):
    """Draws rows [count, d] whose sample mean and unbiased sample covariance are the given ones."""
    rows = draw_normal(count, len(mean), seed)
    rows -= rows.mean(axis=0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    return np.asarray(mean) + white @ np.linalg.cholesky(covariance).T


# Frechet distance


def test_frechet_distance_of_independent_dimensions():
    # |(1, 2, 2)|^2 + (1 - 2)^2 + (3 - 1)^2 + (2 - 2)^2; the sets have different sizes
    first = draw_with_moments((0, 0, 0), np.diag((1.0, 9, 4)))
    second = draw_with_moments((1, 2, 2), np.diag((4.0, 1, 4)), count=33, seed=1)
    assert_close(frechet_distance(first, second), 9 + 1 + 4)


def test_frechet_distance_of_correlated_dimensions():
    # For 2x2 matrices tr (S1 S2)^(1/2) = (tr(S1 S2) + 2 det(S1 S2)^(1/2))^(1/2); these two do not commute.
    a, b = np.array(((2, 1), (1, 3.0))), np.array(((4, -1), (-1, 1.0)))
    trace_of_root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b)))
    result = frechet_distance(draw_with_moments((1, 0), a), draw_with_moments((0, 3), b, count=31, seed=1))
    assert_close(result, 1 + 9 + 5 + 5 - 2 * trace_of_root)


def test_frechet_distance_with_fewer_rows_than_dimensions():
    # Two rows +-a u and +-b v have covariance 2 a^2 u u^T and 2 b^2 v v^T; with u.v = 0.6 the trace is 2 a b 0.6.
    u, v = np.zeros((2, 50))
    u[7], v[7], v[31] = 1, 0.6, 0.8
    first, second = np.stack([3 * u, -3 * u]), np.stack([2 * v, -2 * v])
    assert_close(frechet_distance(first, second), 2 * 9 + 2 * 4 - 2 * (2 * 3 * 2 * 0.6))
    rows = draw_normal(5, 50)  # tiny eigenvalues, which are rounding errors, must not count
    assert_close(frechet_distance(rows, rows.copy()), 0)


def test_frechet_distance_of_shifted_features_is_the_squared_shift():
    rows = draw_normal(30)
    assert_close(frechet_distance(rows, rows[::-1]), 0)
    assert_close(frechet_distance(rows, rows + (1, -2, 0, 0.5)), 5.25)


# Kernel distance


def test_kernel_distance_equals_a_double_loop(monkeypatch):
    first, second = draw_normal(6, 3), draw_normal(9, 3, seed=1) + 0.5

    def mean_kernel(rows, columns, same):
        pairs = [(x, y) for i, x in enumerate(rows) for j, y in enumerate(columns) if not (same and i == j)]
        return sum((sum(p * q for p, q in zip(x, y, strict=True)) / 3 + 1) ** 3 for x, y in pairs) / len(pairs)

    within = mean_kernel(first, first, True) + mean_kernel(second, second, True)
    expected = within - 2 * mean_kernel(first, second, False)
    assert_close(kernel_distance(first, second), expected)
    monkeypatch.setattr(features, "BLOCK", 20)  # two or three rows at a time
    assert_close(kernel_distance(first, second), expected)


def test_kernel_distance_is_unbiased():
    values = [kernel_distance(draw_normal(8, 3, seed), draw_normal(5, 3, 10_000 + seed)) for seed in range(1000)]
    standard_error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * standard_error
    assert min(values) < 0
    assert standard_error < 0.1  # the terms i = j would add a bias of (mean k(x, x) - mean k(x, y)) / 8 > 0.5


# Precision, recall, density, coverage


def test_precision_recall_by_hand():
    # Real balls [-1, 1], [0, 2], [1, 5], [3, 11]: 2.5 and 4 are inside.
    # Fake balls [-6.5, 2.5], [1, 4], [2.5, 5.5], [4, 36]: 0 and 1, then 3, then 7 are inside.
    assert precision_recall(REAL, FAKE, neighbours=1) == (0.5, 1)
    # [-3, 3] now contains -2 as well; the balls of the fakes only grow.
    assert precision_recall(REAL, FAKE, neighbours=2) == (0.75, 1)
    # Fakes 50, 51, 52, 2: balls [49, 51], [50, 52], [51, 53], [-46, 50]
    real, fake = points_on_line(0, 1, 3, 60), points_on_line(50, 51, 52, 2)
    assert precision_recall(real, fake, neighbours=1) == (1, 0.75)
    real, fake = points_on_line(0, 1, 3, 4), points_on_line(50, 51, 52, 53, 2)
    assert precision_recall(real, fake, neighbours=1) == (0.2, 1)


def test_density_coverage_by_hand():
    # 2.5 lies in (1, 5) only, 4 in (1, 5) and (3, 11): 3 memberships of 4 fakes; 2 of 4 balls hold one.
    assert density_coverage(REAL, FAKE, neighbours=1) == (3 / 4, 0.5)
    # k = 2, balls (-3, 3), (-1, 3), (0, 6), (1, 13): -2 in one, 2.5 in four, 4 in two, 20 in none.
    assert density_coverage(REAL, FAKE, neighbours=2) == (7 / 2 / 4, 1)
    assert density_coverage(REAL, points_on_line(2.5), neighbours=2) == (4 / 2, 1)  # one fake is enough


def test_default_numbers_of_neighbours_are_those_of_the_papers():
    real, fake = draw_normal(60, 6), draw_normal(50, 6, seed=1)
    assert precision_recall(real, fake) == precision_recall(real, fake, 3) != precision_recall(real, fake, 5)
    assert density_coverage(real, fake) == density_coverage(real, fake, 5) != density_coverage(real, fake, 3)


def test_a_point_at_the_radius_of_a_ball_is_outside():
    # Real balls [-5, 5], [0, 10], [5, 15]: 15 is at the radius of the last ball. The coordinates are integers.
    real, fake = points_on_line(0, 5, 10), points_on_line(15, 150)
    for offset in (0, 10_000):  # rounding must not matter far from the origin either
        assert precision_recall(real + offset, fake + offset, neighbours=1)[0] == 0.5
        assert density_coverage(real + offset, fake + offset, neighbours=1) == (0, 0)


def test_identical_and_disjoint_sets():
    rows = draw_normal(40, 8)
    assert precision_recall(rows, rows[::-1]) == (1, 1)
    assert density_coverage(rows, rows[::-1]) == (1, 1)
    assert precision_recall(rows, rows + 100) == (0, 0)
    assert density_coverage(rows, rows + 100) == (0, 0)


def test_memberships_equal_plain_loops(monkeypatch):
    real, fake = draw_normal(25, 3), draw_normal(15, 3, seed=1)
    radii = [sorted(np.linalg.norm(real - row, axis=1))[4] for row in real]
    inside = np.array([[np.linalg.norm(x - y) < r for y in fake] for x, r in zip(real, radii, strict=True)])
    expected = inside.sum() / 4 / 15, inside.any(axis=1).mean()
    assert 0 < expected[1] < 1
    for block in (features.BLOCK, 60):  # 60: two rows at a time, and the last one
        monkeypatch.setattr(features, "BLOCK", block)
        assert_close(density_coverage(real, fake, 4), expected)
        assert_close(precision_recall(real, fake, 4)[0], inside.any(axis=0).mean())


# Distances


def test_nearest_neighbours_equal_a_plain_loop(monkeypatch):
    queries, reference = draw_normal(11), draw_normal(23, seed=1)
    expected = np.array([[np.linalg.norm(x - y) for y in reference] for x in queries])
    for rows in (1, 4, 11, 1024):
        monkeypatch.setattr(features, "ROWS", rows)
        indices, distances = nearest_neighbours(queries, reference)
        np.testing.assert_array_equal(indices, expected.argmin(axis=1))
        assert_close(distances, expected.min(axis=1), 1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_copy_is_at_distance_zero(dtype, monkeypatch):
    monkeypatch.setattr(features, "ROWS", 16)
    reference = np.random.default_rng(0).integers(100, 256, (50, 300)).astype(dtype)
    neighbours = reference[:3].copy()
    neighbours[:, 5] -= 2
    indices, distances = nearest_neighbours(np.concatenate([reference[::-1], neighbours]), reference)
    np.testing.assert_array_equal(indices, [*range(49, -1, -1), 0, 1, 2])
    np.testing.assert_array_equal(distances, [0] * 50 + [2] * 3)


def test_nearest_neighbours_converts_few_rows_to_float64_at_a_time(monkeypatch):
    monkeypatch.setattr(features, "ROWS", 16)
    reference = draw_normal(2000, 100).astype(np.float32)
    tracemalloc.start()
    try:
        nearest_neighbours(reference[:20], reference)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        assert peak_bytes < 400_000  # the whole reference in float64 needs 1,600,000
    finally:
        tracemalloc.stop()


def test_diversity_by_hand(monkeypatch):
    assert_close(diversity(points_on_line(0, 1, 3)), (1 + 3 + 2) / 3)
    assert_close(diversity([[0, 0], [3, 4]]), 5)
    monkeypatch.setattr(features, "BLOCK", 6)  # one row at a time
    assert_close(diversity(points_on_line(0, 1, 3, 7)), (1 + 3 + 7 + 2 + 6 + 4) / 6)


def test_diversity_is_accurate_far_from_the_origin_and_of_equal_rows():
    rows = draw_normal(20, 64)
    assert_close(diversity(rows + 1e6), diversity(rows), 1e-8)
    # The 40 * 39 ordered pairs of 40 rows are 40 pairs of equal rows, and each pair of the 20 rows four times.
    assert_close(diversity(np.concatenate([rows, rows])), diversity(rows) * 4 * 20 * 19 / (40 * 39), 1e-6)


@pytest.mark.parametrize(
    "statistic",
    [
        kernel_distance,
        precision_recall,
        density_coverage,
        lambda first, _: diversity(first),
        nearest_neighbours,
    ],
)
def test_statistics_of_large_sets_take_bounded_memory(statistic, monkeypatch):
    monkeypatch.setattr(features, "BLOCK", 2000)
    monkeypatch.setattr(features, "ROWS", 8)
    first, second = draw_normal(400), draw_normal(500, seed=1)
    tracemalloc.start()
    try:
        statistic(first, second)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        assert peak_bytes < 300_000  # the matrix of all distances needs at least 1,280,000
    finally:
        tracemalloc.stop()


# Pixels


def test_high_frequency_energy_by_hand():
    # The mean of a 3x3 box of stripes c, -c, c is -c/3, which leaves 4c/3 everywhere. A ramp leaves nothing.
    ramp = np.broadcast_to(np.linspace(-1, 1, 8)[None, :, None, None], (1, 8, 8, 3))
    dot = np.zeros((1, 8, 8, 3))
    dot[0, 3, 4, 0] = 0.9  # grey 0.3, which leaves 0.3 - 0.3/9 there and -0.3/9 in 8 pixels around it, of 36
    images = np.concatenate([make_stripes(0), make_stripes(1), ramp, np.ones_like(ramp), dot])
    expected_dot = ((8 / 30) ** 2 + 8 / 30**2) / 36
    assert_close(high_frequency_energy(images), (16 / 9, 16 / 9, 0, 0, expected_dot), 1e-15)
    one_row = make_stripes(0, 3, 5).astype(np.float32)  # of three boxes
    assert_close(high_frequency_energy(one_row), (16 / 9,))


# Arguments


def test_lists_and_float32_are_accepted():
    first, second = draw_normal(30).astype(np.float32), draw_normal(25, seed=1)
    assert_close(frechet_distance(first.tolist(), second), frechet_distance(first, second), 1e-12)


@pytest.mark.parametrize(
    ("statistic", "min_first", "min_second"),
    [
        (frechet_distance, 2, 2),
        (kernel_distance, 2, 2),
        (precision_recall, 4, 4),
        (density_coverage, 6, 1),
        (nearest_neighbours, 1, 1),
        (lambda first, _: diversity(first), 2, 0),
    ],
)
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
        (lambda: precision_recall(REAL, FAKE, 0), "neighbours must be at least 1. Received: 0"),
        (lambda: density_coverage(REAL, FAKE, 4), "N >= 5"),
        (lambda: high_frequency_energy(np.zeros((1, 4, 4, 3), np.uint8)), "Received: uint8"),
        (lambda: high_frequency_energy(np.zeros((1, 4, 2, 3))), "H and W >= 3. Received"),
        (lambda: high_frequency_energy(np.zeros((0, 4, 4, 3))), "N >= 1"),
        (lambda: high_frequency_energy(np.zeros((4, 4, 3))), r"Received: float64 \(4, 4, 3\)"),
        (lambda: high_frequency_energy(np.full((1, 4, 4, 3), np.inf)), "Received: 48 that"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
