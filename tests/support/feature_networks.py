"""Pictures and damaged files for tests of feature networks."""

import numpy as np


def make_pictures(count=7, width=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, width, width, 3)).astype(np.float32)


def truncate(path):
    """Removes the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
