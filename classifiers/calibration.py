"""Calibration of a classifier's probabilities: temperature scaling, and Platt scaling of a single output."""

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_expit, log_softmax

LOWEST, HIGHEST = 0.05, 20.0  # temperatures


def fit_temperature(logits, labels):
    """Returns the temperature T that maximises the likelihood of the labels under softmax(logits / T).

    Args:
        logits: [N, classes], of held-out images.
        labels: int [N].

    Returns:
        float in [LOWEST, HIGHEST]: above 1 for an overconfident classifier.

    Reference:
        Guo et al., "On calibration of modern neural networks", 2017 (arXiv 1706.04599), section 4.2.
    """
    logits, rows = np.asarray(logits, np.float64), np.arange(len(labels))

    def cross_entropy(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    bounds = np.log([LOWEST, HIGHEST])
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def fit_platt(logits, targets):
    """Fits (scale, offset) that maximise the likelihood of the targets under sigmoid(scale * logits + offset).

    Args:
        logits: [N], of held-out images.
        targets: [N], 0 or 1, both of which occur.

    Returns:
        (scale, offset), floats.

    Reference:
        Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    logits = np.asarray(logits, np.float64)
    signs = np.where(np.asarray(targets) > 0.5, 1.0, -1.0)

    def cross_entropy(parameters):
        return -log_expit(signs * (parameters[0] * logits + parameters[1])).mean()

    scale, offset = minimize(cross_entropy, (1.0, 0.0)).x
    return float(scale), float(offset)
