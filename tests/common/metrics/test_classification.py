"""Statistics of class probabilities against values worked by hand."""

import numpy as np
import pytest

from common.metrics import classification
from common.metrics.classification import balance, expected_calibration_error, recognisability, reliability


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


# Ten predictions of two classes. The larger probability is 0.7 four times (3 correct), 0.9 five times (3 correct)
# and 1 once (correct). TEN holds the probabilities of both classes.
TOP = np.array((0.7, 0.7, 0.7, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 1.0))
PREDICTED = np.array((0, 1, 0, 1, 0, 0, 1, 1, 0, 1))
CORRECT = np.array((1, 1, 1, 0, 1, 1, 1, 0, 0, 1), bool)
TEN = np.where(PREDICTED[:, None] == (0, 1), TOP[:, None], 1 - TOP[:, None])
LABELS = np.where(CORRECT, PREDICTED, 1 - PREDICTED)


def test_calibration_error_of_ten_predictions(monkeypatch):
    """Of 15 or 8 bins three are filled; of 2 or 1 only one is, with a confidence of 0.83 and 7 of 10 correct."""
    for bins, expected in ((15, 0.4 * 0.05 + 0.5 * 0.3), (8, 0.4 * 0.05 + 0.5 * 0.3), (2, 0.13), (1, 0.13)):
        monkeypatch.setattr(classification, "BINS", bins)
        close(expected_calibration_error(TEN, LABELS), expected)


def test_reliability_of_ten_predictions(monkeypatch):
    assert [len(part) for part in reliability(TEN, LABELS)] == [15] * 3
    monkeypatch.setattr(classification, "BINS", 4)
    confidence, accuracy, count = reliability(TEN, LABELS)  # quarters: 0.7 | 0.9 and 1
    close(confidence, (np.nan, np.nan, 0.7, 5.5 / 6))
    close(accuracy, (np.nan, np.nan, 0.75, 4 / 6))
    np.testing.assert_array_equal(count, (0, 0, 4, 6))


def test_a_bin_includes_its_upper_end(monkeypatch):
    monkeypatch.setattr(classification, "BINS", 4)
    confidence, _, count = reliability([[0.5, 0.25, 0.25], [0.75, 0.25, 0], [0, 0, 1]], [0, 0, 0])
    np.testing.assert_array_equal(count, (0, 1, 1, 1))
    close(confidence, (np.nan, 0.5, 0.75, 1))


def test_recognisability_and_balance_by_hand():
    probabilities = [[0.5, 0, 0.5], [0.1, 0.5, 0.4], [0, 1, 0], [0.09, 0.9, 0.01]]
    close(recognisability(probabilities, 0, 2), (0.5, 0.2, 0, 0.03))
    close(balance(probabilities, 0, 2), (1, 0.25, 0, 1 / 9))
    close(balance(probabilities, 2, 0), (1, 0.25, 0, 1 / 9))
    first, second = [0, 1, 1, 2], [1, 0, 2, 1]  # one pair of classes a row
    close(recognisability(probabilities, first, second), (0, np.sqrt(0.05), 0, np.sqrt(0.009)))
    close(balance(probabilities, first, second), (0, 0.2, 0, 1 / 90))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability(TEN, LABELS[:9]), r"must be an integer or integers \[10\]"),
        (lambda: reliability(TEN, LABELS + 0.5), "an integer"),
        (lambda: reliability(TEN, LABELS + 1), "must be in 0 to 1. Received: 1 to 2"),
        (lambda: balance(TEN, 0, -1), "must be in 0 to 1. Received: -1 to -1"),
        (lambda: recognisability(TEN, 0, [1]), r"must be an integer or integers \[10\]"),
        (lambda: recognisability(2 * TEN, 0, 1), "sums off by up to 1"),
        (lambda: recognisability([[1.5, -0.5]], 0, 1), "least -0.5"),
        (lambda: recognisability([0.5, 0.5], 0, 1), "Received: shape"),
        (lambda: expected_calibration_error([[np.nan, 1]], [1]), "Numbers must be finite. Received: 1 that"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
