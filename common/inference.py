"""Arrays through networks, in batches of one size."""

import numpy as np

BATCH_SIZE = 64  # of every pass, filled up: the last bits of a picture vary with the size of its batch


def in_batches(function, inputs):
    """`function` over inputs [N, ...] in full batches of BATCH_SIZE: result k depends on input k and k alone."""
    filled = np.concatenate([inputs, np.zeros((-len(inputs) % BATCH_SIZE, *inputs.shape[1:]), inputs.dtype)])
    parts = [function(filled[i : i + BATCH_SIZE]) for i in range(0, len(filled), BATCH_SIZE)]
    return np.concatenate(parts)[: len(inputs)]
