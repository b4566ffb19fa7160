"""Intervals against closed forms and values worked by hand."""

import numpy as np
import pytest

from common.metrics import intervals
from common.metrics.classification import expected_calibration_error
from common.metrics.intervals import bootstrap_mean, jackknife

T_95 = {4: 2.776445, 9: 2.262157, 19: 2.093024}  # 97.5% quantiles of Student's t by degrees of freedom, tabulated
T_50_OF_9 = 0.702722  # 75% quantile for 9 degrees of freedom


def draw(count, seed=0):
    return np.random.default_rng(seed).standard_normal(count)


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# Bootstrap


def test_bootstrap_mean_of_many_values_is_the_normal_interval(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 4000)
    values = 3 + 2 * draw(1000)
    error = values.std() / np.sqrt(1000)
    for level, normal in ((0.95, 1.959964), (0.5, 0.674490)):
        monkeypatch.setattr(intervals, "LEVEL", level)
        estimate, low, high = bootstrap_mean(values)
        close(estimate, values.mean(), 1e-12)
        close((low, high), (estimate - normal * error, estimate + normal * error), 0.1 * error)


def test_bootstrap_mean_of_two_values_by_hand(monkeypatch):
    # A resample is (0, 0), (0, 1), (1, 0) or (1, 1): its mean is 0, 0.5 or 1 with probability 1/4, 1/2, 1/4.
    for values, level, expected in (([0, 1], 0.6, (0.5, 0, 1)), ([1, 0], 0.4, (0.5, 0.5, 0.5))):
        monkeypatch.setattr(intervals, "LEVEL", level)
        assert bootstrap_mean(values) == expected


def test_bootstrap_mean_depends_on_values_and_seed_but_not_on_order_or_blocks(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 100)
    values = draw(30)
    expected = bootstrap_mean(values)
    assert bootstrap_mean(values[::-1]) == expected
    assert bootstrap_mean(values, seed=1)[1:] != expected[1:]
    monkeypatch.setattr(intervals, "BLOCK", 30 * 8)  # blocks of 8 resamples, the last of 4
    close(bootstrap_mean(values), expected, 1e-12)


def test_bootstrap_interval_contains_the_mean_of_values_that_differ_by_rounding():
    for count in range(100, 130):
        values = np.resize([1 / 3, np.nextafter(1 / 3, 1)], count)
        estimate, low, high = bootstrap_mean(values)
        assert low <= estimate <= high


@pytest.mark.parametrize("values", [[1], [[1, 2]], 3, [1, np.nan], [1, np.inf]], ids=str)
def test_bootstrap_mean_refuses_invalid_values(values):
    with pytest.raises(ValueError, match="must .*. Received: "):
        bootstrap_mean(values)


# Jackknife


def test_jackknife_of_a_mean_with_a_row_per_group_is_the_t_interval(monkeypatch):
    for count in (5, 10):
        values = draw(count)
        error = values.std(ddof=1) / np.sqrt(count)
        expected = values.mean() + np.array((0, -1, 1)) * T_95[count - 1] * error
        close(jackknife(np.mean, values, groups=count), expected)
    monkeypatch.setattr(intervals, "LEVEL", 0.5)
    close(jackknife(np.mean, values, groups=10)[2], values.mean() + T_50_OF_9 * error)


def test_jackknife_by_hand():
    # The squared sum of the rows 0, 2, 7 is 81, and 81, 49 or 4 without one of them.
    deviations = np.array((81, 49, 4)) - 134 / 3
    half_width = 4.302653 * np.sqrt(2 / 3 * np.sum(deviations**2))  # Student's t with 2 degrees of freedom
    close(jackknife(lambda x: x.sum() ** 2, [0, 2, 7], groups=3), (81, 81 - half_width, 81 + half_width))


def test_paired_rows_are_left_out_together():
    # The mean difference of pairs, one row in each group, has the error of a paired test.
    first, second = draw(20), draw(20, 1)
    error = (first - second).std(ddof=1) / np.sqrt(20)
    estimate, low, high = jackknife(lambda a, b: a.mean() - b.mean(), first, second)
    close((estimate, high - low), ((first - second).mean(), 2 * T_95[19] * error))
    probabilities, labels = np.tile(((1.0, 0), (0, 1)), (20, 1)), np.tile((0, 1), 20)
    assert jackknife(expected_calibration_error, probabilities, labels) == (0, 0, 0)  # each row keeps its label


def test_each_row_is_left_out_once_in_groups_of_equal_size():
    calls = []
    jackknife(lambda a, b: calls.append((set(a), set(b))) or 0.0, np.arange(23), np.arange(40), groups=5)
    (all_first, all_second), *replicates = calls
    left_out = [(all_first - a, all_second - b) for a, b in replicates]
    assert sorted(len(a) for a, _ in left_out) == [4, 4, 5, 5, 5]
    assert [len(b) for _, b in left_out] == [8] * 5
    assert set.union(*(a for a, _ in left_out)) == set(range(23))
    assert set.union(*(b for _, b in left_out)) == set(range(40))
    assert any(max(a) - min(a) >= 5 for a, _ in left_out)  # shuffled


def test_jackknife_groups_depend_on_the_seed():
    values = draw(60)
    first = jackknife(np.mean, values)
    assert first == jackknife(np.mean, values, seed=0)
    assert first[0] == jackknife(np.mean, values, seed=1)[0]
    assert first[1] != jackknife(np.mean, values, seed=1)[1]


def test_jackknife_of_several_numbers_at_once():
    values = draw(40)
    results = jackknife(lambda x: (x.mean(), x.max()), values)
    assert [result.shape for result in results] == [(2,)] * 3
    for i, statistic in enumerate((np.mean, np.max)):
        close([result[i] for result in results], jackknife(statistic, values), 1e-12)


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        ([], {}),
        ([np.float64(1)], {}),
        ([np.arange(19)], {}),
        ([np.arange(20), np.arange(19)], {}),
        ([np.arange(20)], {"groups": 1}),
        ([np.where(np.arange(20) == 3, np.nan, 1)], {}),
    ],
)
def test_jackknife_refuses_invalid_arguments(samples, options):
    with pytest.raises(ValueError, match="must .*. Received: "):
        jackknife(lambda *rows: np.mean(rows[0]), *samples, **options)


# Wilson


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (5, 5), (1, 3), (50, 128), (1, 1)])
def test_wilson_interval_in_closed_form(successes, count):
    """The roots of (share - p)^2 = z^2 p (1 - p) / N."""
    share, z = successes / count, 1.959964
    a, b, c = 1 + z**2 / count, -(2 * share + z**2 / count), share**2
    root = np.sqrt(max(b * b - 4 * a * c, 0))
    close(intervals.wilson(successes, count), (share, (-b - root) / (2 * a), (-b + root) / (2 * a)))
