"""Making a classifier's probabilities mean what they say."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def fit_temperature(logits, labels, lowest=0.05, highest=20.0):
    """The temperature T that makes softmax(logits / T) likeliest (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    Args:
        logits: [N, classes], of images that were not trained on.
        labels: int [N].
        lowest, highest: bounds of T.

    Returns:
        float; above 1 for a classifier that is surer than it is right.
    """
    logits, rows = np.asarray(logits, np.float64), np.arange(len(labels))

    def cross_entropy(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    bounds = np.log([lowest, highest])
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))
