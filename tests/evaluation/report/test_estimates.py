"""Estimates and sections: their checks, and how tables and numbers are formatted."""

import numpy as np
import pytest

from evaluation.report import estimates
from evaluation.report.estimates import Estimate, Section, Spread


@pytest.mark.parametrize(
    "interval", [(0.4, 0.6), (-1, 0.2), (0.3, None), (None, 0.3), (float("nan"), 1), (0.4, 0.2), (0, float("nan"))]
)
def test_an_interval_must_contain_the_value(interval):
    with pytest.raises(ValueError, match="fd: the interval must contain 0.3. Received: "):
        Estimate("fd", 0.3, *interval)


def test_intervals_may_be_empty_or_absent():
    assert Estimate("fd", 0.3, 0.3, 0.3).low == 0.3
    assert Estimate("fd", 0.0, 0.0, 1.0).high == 1
    assert np.isnan(Estimate("fd", float("nan")).value)
    with pytest.raises(ValueError, match="the interval must contain nan"):
        Estimate("fd", float("nan"), 0.1, 0.2)


def test_better_must_be_lower_higher_or_empty():
    values = ["lower", "higher", ""]
    assert [Estimate("fd", 1, better=better).better for better in values] == values
    with pytest.raises(ValueError, match="fd: better must be .* Received: 'smaller'"):
        Estimate("fd", 1, better="smaller")


def test_names_must_be_unique_and_rows_alike():
    with pytest.raises(ValueError, match="Received twice: fd"):
        Section("Lines", [Estimate("fd", 1), Estimate("kd", 1), Estimate("fd", 2)])
    with pytest.raises(ValueError, match="rows of a table must have the same keys"):
        Section("Lines", [], [{"a": 1}, {"b": 1}])


def test_key_figures_are_at_most_five_of_the_estimates():
    estimates_ = [Estimate(f"kd_{k}", 1) for k in range(6)]
    with pytest.raises(ValueError, match="key_figures must be at most 5 of the estimates. Received: .'fd'"):
        Section("Lines", estimates_, key_figures={"fd": "Explained."})
    with pytest.raises(ValueError, match="at most 5"):
        Section("Lines", estimates_, key_figures={e.name: "Explained." for e in estimates_})
    chosen = estimates.choose_key_figures(estimates_, {"kd_3": "Third.", "kd": "First.", "fd": "None."})
    assert chosen == {"kd_3": "Third.", "kd_0": "First."}


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((), ""),
        ((0, 50), ""),
        ((64,), ""),
        ((1000, 49), "1 of 2 figures have counts of 49"),
        ((0, 4), "1 of 2 figures have counts of 4"),
        ((30, 100, 4, 9), "3 of 4 figures have counts of 4 to 30"),
    ],
)
def test_small_counts_are_named_in_the_verdict(counts, words):
    section = Section("A", [Estimate(f"fd_{n}", 1, count=n) for n in counts], summary="Good.")
    warning = f"SMALL COUNTS: {words} and say little."
    assert section.verdict == (f"Good.\n\n{warning}" if words else "Good.")
    assert not words or Section("A", section.estimates).verdict == warning


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.2, 0.63, "0.2000 to 0.6300, wide"),
        (0.2, 0.39, "0.2000 to 0.3900"),
        (-0.9, -0.3, "-0.9000 to -0.3000, wide"),
        (0.0, 0.06, "0.000 to 0.06000"),
        (-0.1, 0.5, "-0.1000 to 0.5000"),
    ],
)
def test_wide_intervals_say_so(low, high, text):
    """The larger end is more than twice the smaller; next to 0 that would say nothing."""
    assert estimates.format_rated_interval(Estimate("fd", (low + high) / 2, low, high)) == text
    assert estimates.format_rated_interval(Estimate("fd", 1.0)) == ""


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ([], []),
        ([{"a": 1}], [["a"], [1]]),
        ([{"a": 1, "b": 2}], [["a", "b"], [1, 2]]),  # two rows of two columns: not transposed
        ([{"a": 1, "b": 2, "c": 3}], [["a", 1], ["b", 2], ["c", 3]]),  # wider than high: transposed
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], [["a", "b"], [1, 2], [3, 4]]),
    ],
)
def test_a_table_wider_than_high_is_transposed(table, rows):
    assert estimates.table_cells(table) == rows


@pytest.mark.parametrize(
    ("value", "text"),
    [(Estimate("fd", 2, 1, 2), "2.000"), (0.25, "0.2500"), (np.float32(0.25), "0.2500"), (7, "7"), ("a", "a")],
)
def test_formatted_cells(value, text):
    assert estimates.format_cell(value) == text


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [
        (0.52774, 0.00453, "0.5277 +- 0.0045"),
        (0.000241, 1e-5, "0.000241 +- 0.000010"),
        (123.4, 25.0, "123 +- 25"),
        (0.5, 0.0996, "0.500 +- 0.100"),
        (0.25, 0.0, "0.2500 +- 0"),
        (0.25, float("nan"), "0.2500"),
        (float("nan"), float("nan"), "none"),
        (float("inf"), float("nan"), "inf"),
    ],
)
def test_means_have_the_decimals_of_two_digits_of_the_deviation(mean, deviation, text):
    assert str(Spread(mean, deviation)) == text


def test_rows_of_spreads_are_not_transposed():
    wide = {"model": "a", "fd": 1.0, "kd": 2.0, "runs": 2}
    assert estimates.table_cells([wide]) == [["model", "a"], ["fd", 1.0], ["kd", 2.0], ["runs", 2]]
    row = wide | {"fd": Spread(1.0, 0.5, 2)}
    assert estimates.table_cells([row]) == [["model", "fd", "kd", "runs"], list(row.values())]


def test_cells_of_tuples_and_none():
    assert [estimates.format_cell(value) for value in (("a", "b"), (), None, "", 0)] == ["a, b", "", "", "", "0"]
