"""Blends of latents whose shares differ from cell to cell."""

import numpy as np

from common.interpolation import slerp


def blend_cells(first, second, shares):
    """Interpolates two sets of latents cell by cell, by slerp.

    The latents of an image are a map [h, w, c]. The vector of each cell is interpolated at its own share.

    Args:
        first, second: latents [N, h, w, c].
        shares: the second's share in each cell, [N, h, w] in [0, 1].

    Returns:
        Latents [N, h, w, c].
    """
    cells = [np.reshape(latents, (-1, np.shape(latents)[-1])) for latents in (first, second)]
    return slerp(*cells, np.reshape(shares, -1)).reshape(np.shape(first))
