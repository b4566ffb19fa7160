"""The foreground of the wing referee's composites, by another method than that of searches."""

import numpy as np

from pegasus.foreground import smooth

STEPS = 8
RIDGE = 1e-3  # added to the variances of colours


def colour_model_foreground(image):
    """Fits two normal distributions of colour by expectation-maximisation.

    The first guess is an ellipse in the middle. Positions enter as a prior that falls off towards the border.

    Args:
        image: float [H, W, C] in [-1, 1].

    Returns:
        float32 [H, W] in [0, 1].
    """
    colours = (np.asarray(image, np.float64) + 1) / 2
    height, width = colours.shape[:2]
    down, right = np.mgrid[:height, :width]
    squared = np.square((2 * down + 1) / height - 1) + np.square((2 * right + 1) / width - 1)
    prior = 0.05 + 0.75 * np.exp(-2 * squared)
    points, mask = colours.reshape(height * width, -1), (squared < 0.3).astype(np.float64).ravel()
    for _ in range(STEPS):
        inside, outside = log_normal_density(points, mask), log_normal_density(points, 1 - mask)
        odds = inside - outside + np.log(prior / (1 - prior)).ravel()
        mask = smooth((1 / (1 + np.exp(np.clip(-odds, -50, 50)))).reshape(height, width)).ravel()
    return mask.reshape(height, width).astype(np.float32)


def log_normal_density(points, weights):
    """Log density [N] at points [N, d] of the normal distribution with their weighted mean and covariance."""
    total = weights.sum() + 1e-6
    mean = weights @ points / total
    centred = points - mean
    covariance = (weights[:, None] * centred).T @ centred / total + RIDGE * np.eye(points.shape[1])
    distances = np.sum(centred @ np.linalg.inv(covariance) * centred, axis=1)
    return -0.5 * (distances + np.linalg.slogdet(2 * np.pi * covariance)[1])
