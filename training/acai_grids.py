"""The pictures that a training of an ACAI writes at intervals: functions from latents and images to grids."""

import numpy as np

from common import interpolation
from common.images import grid, to_uint8

COLUMNS = 8
STRIP_STEPS = 9


def training_pictures(encode, decode, first, second):
    """Draws three pictures from fixed images.

    Args:
        encode: function, images [N, H, W, C] float32 in [-1, 1] -> latents [N, h, w, c].
        decode: function, latents -> images.
        first: images of the first class [N, H, W, C], e.g. horses. N must be a multiple of COLUMNS.
        second: as many images of the second class, e.g. birds.

    Returns:
        Dict of pictures, uint8 [height, width, C]: "reconstructions" (rows of originals above rows of their
        reconstructions), "strips" (slerp from first to second, a row for each of COLUMNS pairs, evenly drawn) and
        "blends" (slerp at one half).
    """
    first_latents, second_latents = np.asarray(encode(first)), np.asarray(encode(second))
    originals = np.concatenate([first, second])
    decoded = np.asarray(decode(np.concatenate([first_latents, second_latents])))
    shape = (-1, COLUMNS, *originals.shape[1:])
    rows = np.stack([originals.reshape(shape), decoded.reshape(shape)], axis=1)  # [rows, 2, COLUMNS, H, W, C]
    ends = (latents[:: len(latents) // COLUMNS] for latents in (first_latents, second_latents))
    paths = interpolation.interpolate_path(*ends, STRIP_STEPS, "slerp")
    blends = interpolation.slerp(first_latents, second_latents, 0.5)
    return {
        "reconstructions": grid(to_uint8(rows.reshape(-1, *originals.shape[1:])), COLUMNS),
        "strips": grid(to_uint8(decode(paths.reshape(-1, *paths.shape[2:]))), STRIP_STEPS),
        "blends": grid(to_uint8(decode(blends)), COLUMNS),
    }
