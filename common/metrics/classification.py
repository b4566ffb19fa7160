"""Metrics of class probabilities, in float64.

Probabilities are rows [N, classes] of numbers >= 0 that sum to 1 within 0.001, N >= 1. Other shapes and numbers
raise ValueError.
"""

import numpy as np

from common.metrics.features import check_rows

BINS = 15  # of a reliability diagram


def recognisability(probabilities, first, second):
    """sqrt(P(first) P(second)) of each row, [N], in [0, 0.5]; 0.5 means equal shares and no other class. No paper.

    Args:
        probabilities: [N, classes].
        first, second: different class indices, each an integer or one per row, [N].
    """
    one, other = _two_classes(probabilities, first, second)
    return np.sqrt(one * other)


def balance(probabilities, first, second):
    """The smaller of P(first) and P(second) divided by the larger, [N], in [0, 1]; 0 where both are 0. No paper.

    Arguments as for `recognisability`.
    """
    one, other = _two_classes(probabilities, first, second)
    larger = np.maximum(one, other)
    return np.divide(np.minimum(one, other), larger, out=np.zeros_like(larger), where=larger > 0)


def reliability(probabilities, labels):
    """Computes the reliability diagram (Guo et al. 2017, arXiv 1706.04599, section 2) of the top probability.

    Bin m of M = BINS holds top probabilities in ((m - 1) / M, m / M].

    Args:
        probabilities: [N, classes].
        labels: class indices [N].

    Returns:
        (confidence [BINS], accuracy [BINS], count [BINS]): mean top probability and share of correct predictions,
        NaN for empty bins, and the number of predictions.
    """
    probabilities = _probabilities(probabilities)
    labels = _class_indices(labels, probabilities)
    top, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.digitize(top, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    count = np.bincount(places, minlength=BINS)
    totals = (np.bincount(places, weights, minlength=BINS) for weights in (top, correct))
    confidence, accuracy = (np.divide(t, count, out=np.full(BINS, np.nan), where=count > 0) for t in totals)
    return confidence, accuracy, count


def expected_calibration_error(probabilities, labels):
    """Mean |accuracy - confidence| over the bins of `reliability`, weighted by their counts; a float in [0, 1].

    Guo et al. 2017, arXiv 1706.04599, eq. 3. Arguments as for `reliability`.
    """
    confidence, accuracy, count = reliability(probabilities, labels)
    filled = count > 0
    return float(np.average(np.abs(accuracy - confidence)[filled], weights=count[filled]))


# Checks


def _probabilities(probabilities):
    probabilities = check_rows(probabilities, 1)
    error = np.max(np.abs(probabilities.sum(axis=1) - 1))
    if probabilities.min() < 0 or error > 1e-3:
        raise ValueError(
            "probabilities must be numbers >= 0 that sum to 1 in each row. "
            f"Received: least {probabilities.min():.3g}, sums off by up to {error:.3g}"
        )
    return probabilities


def _class_indices(indices, probabilities):
    """Returns class indices, an integer or one per row, checked against probabilities [N, classes]."""
    indices, (count, classes) = np.asarray(indices), probabilities.shape
    if indices.shape not in ((), (count,)) or indices.dtype.kind not in "iu":
        raise ValueError(f"Class indices must be an integer or integers [{count}]. Received: {indices!r}")
    if indices.min() < 0 or indices.max() >= classes:
        raise ValueError(
            f"Class indices must be in 0 to {classes - 1}. Received: {indices.min()} to {indices.max()}"
        )
    return indices


def _two_classes(probabilities, first, second):
    probabilities = _probabilities(probabilities)
    rows = np.arange(len(probabilities))
    return (probabilities[rows, _class_indices(index, probabilities)] for index in (first, second))
