"""Checks images for networks, and applies networks to arrays in batches of one size."""

import numpy as np

BATCH_SIZE = 64  # constant, because the last bits of a result depend on the batch size


def check_images(images):
    """Returns images, floats [N, H, W, C] in [-1, 1], as float32; ValueError for integers or another rank."""
    images = np.asarray(images)
    if images.dtype.kind != "f" or images.ndim != 4:
        raise ValueError(
            f"images must be floats [N, H, W, C] in [-1, 1]. Received: {images.dtype} {images.shape}; "
            "common.images.to_float converts uint8"
        )
    return images.astype(np.float32, copy=False)


def in_batches(function, inputs):
    """Applies `function` to inputs [N, ...] in batches padded to BATCH_SIZE; result k depends on input k only."""
    missing = -len(inputs) % BATCH_SIZE if len(inputs) else BATCH_SIZE
    padded = np.concatenate([inputs, np.zeros((missing, *inputs.shape[1:]), inputs.dtype)])
    parts = [function(padded[i : i + BATCH_SIZE]) for i in range(0, len(padded), BATCH_SIZE)]
    return np.concatenate(parts)[: len(inputs)]
