"""What a training shows at each picture interval: pure functions from codes and images to pictures."""

import numpy as np

from common import interpolation
from common.images import grid, to_uint8

STRIP_STEPS = 9


def training_pictures(encode, decode, first, second, columns=8):
    """The three pictures of a training, on fixed images.

    Args:
        encode: function, images [N, H, W, C] float32 in [-1, 1] -> latents [N, h, w, c].
        decode: its inverse, up to the model's error.
        first: images of the first class [N, H, W, C], e.g. horses; N a multiple of `columns`.
        second: as many of the second, e.g. birds.
        columns: of the grids.

    Returns:
        {"reconstructions": originals in one row, reconstructions in the next; "strips": slerp from first to
        second, a row a pair; "blends": one half of each}, each uint8 [height, width, C].
    """
    first_latents, second_latents = np.asarray(encode(first)), np.asarray(encode(second))
    originals = np.concatenate([first, second])
    decoded = np.asarray(decode(np.concatenate([first_latents, second_latents])))
    shape = (-1, columns, *originals.shape[1:])
    rows = np.stack([originals.reshape(shape), decoded.reshape(shape)], axis=1)  # [rows, 2, columns, H, W, C]
    paths = interpolation.interpolate_path(first_latents[:columns], second_latents[:columns], STRIP_STEPS, "slerp")
    blends = interpolation.slerp(first_latents, second_latents, 0.5)
    return {
        "reconstructions": grid(to_uint8(rows.reshape(-1, *originals.shape[1:])), columns),
        "strips": grid(to_uint8(decode(paths.reshape(-1, *paths.shape[2:]))), STRIP_STEPS),
        "blends": grid(to_uint8(decode(blends)), columns),
    }
