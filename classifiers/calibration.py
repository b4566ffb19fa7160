"""Temperature scaling: calibration of a classifier's probabilities."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def fit_temperature(logits, labels, lowest=0.05, highest=20.0):
    """Returns the temperature T that maximises the likelihood of the labels under softmax(logits / T).

    Args:
        logits: [N, classes], of held-out images.
        labels: int [N].
        lowest, highest: bounds of T.

    Returns:
        float: above 1 for an overconfident classifier.

    Reference:
        Guo et al., "On calibration of modern neural networks", 2017 (arXiv 1706.04599), section 4.2.
    """
    logits, rows = np.asarray(logits, np.float64), np.arange(len(labels))

    def cross_entropy(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    bounds = np.log([lowest, highest])
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))
