"""Small sets of features for tests of feature metrics."""

import numpy as np


def draw_normal(count, width=4, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((count, width))


def points_on_line(*positions):
    """Points on a slanted line in the plane, so that both columns matter; distances are those of `positions`."""
    return np.outer(np.asarray(positions, np.float64), (0.6, 0.8))


def assert_close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


REAL = points_on_line(0, 1, 3, 7)  # nearest other: 1, 1, 2, 4; second nearest: 3, 2, 3, 6
FAKE = points_on_line(-2, 2.5, 4, 20)  # 4.5, 1.5, 1.5, 16; 6, 4.5, 6, 17.5


def make_stripes(axis, height=8, width=8):
    """Makes a grey image [1, H, W, 3] whose rows or columns alternate between -1 and 1."""
    signs = (-1.0) ** np.arange((height, width)[axis])
    image = np.broadcast_to(signs[:, None] if axis == 0 else signs, (height, width))
    return np.repeat(image[None, :, :, None], 3, axis=3)
