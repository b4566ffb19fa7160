"""Blends of latents, cell by cell."""

import numpy as np

from common.interpolation import slerp
from pegasus.blending import blend_cells


def test_each_cell_is_interpolated_by_slerp_at_its_share():
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 3, 2, 2, 5)).astype(np.float32)
    shares = random.uniform(size=(3, 2, 2))
    shares[0, 0, 0], shares[0, 0, 1] = 0, 1
    latents = blend_cells(first, second, shares)
    for n, i, j in np.ndindex(3, 2, 2):
        expected = slerp(first[n, i, j][None], second[n, i, j][None], shares[n, i, j])[0]
        np.testing.assert_array_equal(latents[n, i, j], expected)
    np.testing.assert_array_equal(latents[0, 0, 0], first[0, 0, 0])
    np.testing.assert_array_equal(latents[0, 0, 1], second[0, 0, 1])
