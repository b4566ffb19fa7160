"""What several tests share. First of: Statistics of features and pixels against closed forms and slow plain
versions."""

import numpy as np


def draw(count, width=4, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((count, width))


def line(*places):
    """Points on a slanted line in the plane, so that both columns count: distances are those of `places`."""
    return np.outer(np.asarray(places, np.float64), (0.6, 0.8))


def close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


REAL = line(0, 1, 3, 7)  # to the nearest other: 1, 1, 2, 4; to the second nearest: 3, 2, 3, 6
FAKE = line(-2, 2.5, 4, 20)  # 4.5, 1.5, 1.5, 16; 6, 4.5, 6, 17.5


def stripes(axis, height=8, width=8):
    """One grey image of rows or columns that alternate between -1 and 1."""
    signs = (-1.0) ** np.arange((height, width)[axis])
    image = np.broadcast_to(signs[:, None] if axis == 0 else signs, (height, width))
    return np.repeat(image[None, :, :, None], 3, axis=3)
