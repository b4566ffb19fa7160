"""What a Figure and a Section refuse, and how tables and numbers become text."""

import numpy as np
import pytest

from evaluation.report.estimates import Figure, Section, comparison, shown


@pytest.mark.parametrize(
    "interval", [(0.4, 0.6), (-1, 0.2), (0.3, None), (None, 0.3), (float("nan"), 1), (0.4, 0.2), (0, float("nan"))]
)
def test_an_interval_holds_the_value(interval):
    with pytest.raises(ValueError, match="fd: an interval around 0.3 required. Received: "):
        Figure("fd", 0.3, *interval)


def test_intervals_that_are_allowed():
    assert Figure("fd", 0.3, 0.3, 0.3).low == 0.3
    assert Figure("fd", 0.0, 0.0, 1.0).high == 1
    assert np.isnan(Figure("fd", float("nan")).value)
    with pytest.raises(ValueError, match="an interval around nan required"):
        Figure("fd", float("nan"), 0.1, 0.2)


def test_better_is_one_of_three():
    assert [Figure("fd", 1, better=better).better for better in ("lower", "higher", "")] == ["lower", "higher", ""]
    with pytest.raises(ValueError, match="fd: better .* required. Received: 'smaller'"):
        Figure("fd", 1, better="smaller")


def test_nothing_may_be_lost_by_a_name_used_twice():
    with pytest.raises(ValueError, match="Received: several of fd"):
        Section("Lines", [Figure("fd", 1), Figure("kd", 1), Figure("fd", 2)])
    with pytest.raises(ValueError, match="rows with the same keys required"):
        Section("Lines", [], [{"a": 1}, {"b": 1}])


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ([], []),
        ([{"a": 1}], [["a"], [1]]),
        ([{"a": 1, "b": 2}], [["a", "b"], [1, 2]]),  # two rows of two columns: as it is
        ([{"a": 1, "b": 2, "c": 3}], [["a", 1], ["b", 2], ["c", 3]]),  # wider than long: on its side
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], [["a", "b"], [1, 2], [3, 4]]),
    ],
)
def test_a_table_lies_on_its_side_where_it_is_wider_than_long(table, rows):
    assert comparison(table) == rows


@pytest.mark.parametrize(
    ("value", "text"),
    [(Figure("fd", 2, 1, 2), "2.000"), (0.25, "0.2500"), (np.float32(0.25), "0.2500"), (7, "7"), ("a", "a")],
)
def test_what_a_table_shows(value, text):
    assert shown(value) == text
