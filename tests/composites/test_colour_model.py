"""The normal distributions of a model of colours; what it finds is tested in tests/pegasus/test_foreground.py."""

import numpy as np

from composites.colour_model import RIDGE, log_normal_density


def test_log_density_of_a_normal_distribution_by_hand():
    points = np.array([[-1.0], [1.0], [3.0]])
    variance = 1 + RIDGE  # of the first two, about 0
    expected = -0.5 * (points[:, 0] ** 2 / variance + np.log(2 * np.pi * variance))
    np.testing.assert_allclose(log_normal_density(points, np.array([1, 1, 0])), expected, rtol=1e-5)
