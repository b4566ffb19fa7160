"""Sampling and neighbours in latent space, in numpy. Paths between latents are in `common.interpolation`.

A latent is whatever follows the first axis ([h, w, c] for ACAI).

Reference: White 2016, "Sampling generative networks", arXiv 1609.04468 (MINE grids).
"""

import os
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import pack, unpack, write_atomically

LARGEST = 1e6  # of latents; with much larger ones a decoder's numbers are not finite


def read(path, shape):
    """Reads latents from a file of `save`.

    Args:
        path: an .npz file with "latents" [N, *shape], N >= 1.
        shape: of one latent.

    Returns:
        float32 [N, *shape].

    Raises:
        InputError: where the file is missing or damaged, or its latents are of another shape, not finite or beyond
            LARGEST.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():  # reading a pipe would block
            raise ValueError("not a file")
        latents = unpack(Path(path).read_bytes(), path)["latents"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f'--latents must be an .npz file with "latents". Received: {path} ({error!r})') from error
    fits = (
        latents.dtype.kind in "fiu" and len(latents.shape) == len(shape) + 1 and latents.shape[1:] == tuple(shape)
    )
    if not fits or not len(latents) or not (np.abs(latents) <= LARGEST).all():
        raise InputError(
            f"--latents must be numbers from {-LARGEST:,.0f} to {LARGEST:,.0f} of the shape "
            f"N x {' x '.join(map(str, shape))}. Received: {path} "
            f"of {latents.dtype} {latents.shape}"
        )
    return latents.astype(np.float32)


def check_path(path):
    """Raises InputError, before hours of a search, unless `save` can write to `path`."""
    if os.path.isdir(path) or not os.access(os.path.dirname(path) or ".", os.W_OK):
        raise InputError(f"--save_latents must be a writable file. Received: {path}")


def save(path, latents):
    """Writes latents [N, ...] as float32 into an .npz file and returns its path; InputError if it cannot."""
    try:
        write_atomically(path, pack({"latents": np.asarray(latents, np.float32)}))
    except OSError as error:
        raise InputError(f"--save_latents must be a writable file. Received: {path} ({error})") from error
    return path


def kernel_density_sample(bank, count, bandwidth, seed):
    """Draws from a Gaussian kernel density estimate over a bank of latents.

    Draw k picks a latent of the bank uniformly and adds N(0, (bandwidth * s)^2) to each dimension, s being the
    standard deviation of that dimension over the bank. It depends on (seed, k) alone, not on `count`.

    Args:
        bank: latents [N, ...], N >= 1.
        count: number of draws.
        bandwidth: width of a kernel in standard deviations of the bank, >= 0; 0 gives latents of the bank.
        seed: integer >= 0.

    Returns:
        Latents [count, ...].
    """
    width = bandwidth * bank.std(axis=0, dtype=np.float64)
    drawn = np.empty((count, *bank.shape[1:]), np.result_type(bank.dtype, np.float32))
    for k in range(count):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        centre = bank[random.integers(len(bank))].astype(np.float64)
        drawn[k] = centre + width * random.standard_normal(width.shape)
    return drawn


def nearest_neighbour_grid(latents, row, side):
    """Arranges a latent and its nearest neighbours in a grid: the anchors of a MINE grid (White 2016).

    The neighbours are nearest by Euclidean distance, the latent itself among them. Their coordinates on their two
    principal axes give the places: the rank on the second axis gives the row, that on the first the column.
    Each axis is turned so that its largest component is positive.

    Args:
        latents: [N, ...], N at least side^2.
        row: of the latent whose neighbours are wanted.
        side: of the grid, at least 2.

    Returns:
        Rows of `latents`, int [side, side].
    """
    flat = np.asarray(latents, np.float64).reshape(len(latents), -1)
    squared = np.sum(np.square(flat - flat[row]), axis=1)
    squared[row] = -1  # first, even before equal latents
    nearest = np.argsort(squared, kind="stable")[: side * side]
    centred = flat[nearest] - flat[nearest].mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]  # [2, d]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    across, down = centred @ axes[0], centred @ axes[-1]
    by_height = np.argsort(down, kind="stable").reshape(side, side)
    return np.stack([nearest[places[np.argsort(across[places], kind="stable")]] for places in by_height])
