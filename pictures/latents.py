"""Draws and neighbours among latent codes, in numpy; paths between them are those of `common.interpolation`.

A code is whatever follows the first axis ([h, w, c] for ACAI).

Reference: White 2016, "Sampling generative networks", arXiv 1609.04468 (MINE grids).
"""

import numpy as np


def kernel_density_sample(bank, count, bandwidth, seed):
    """Draws from a Gaussian kernel density estimate over a bank of codes.

    Draw k picks a code of the bank uniformly and adds N(0, (bandwidth * s)^2) to each dimension, s being the
    standard deviation of that dimension over the bank. It depends on (seed, k) alone, not on `count`.

    Args:
        bank: codes [N, ...], N >= 1.
        count: number of draws, >= 0.
        bandwidth: width of a kernel in standard deviations of the bank, >= 0; 0 gives codes of the bank.
        seed: integer >= 0.

    Returns:
        Codes [count, ...].

    Raises:
        ValueError: an empty bank, or a negative count, bandwidth or seed.
    """
    bank = np.asarray(bank)
    if bank.ndim < 2 or len(bank) == 0:
        raise ValueError(f"bank: codes [N, ...] with N >= 1 required. Received: shape {bank.shape}")
    if count < 0 or seed < 0 or not 0 <= bandwidth < np.inf:
        raise ValueError(
            "count, bandwidth and seed: finite numbers >= 0 required. "
            f"Received: count={count}, bandwidth={bandwidth}, seed={seed}"
        )
    width = bandwidth * bank.std(axis=0, dtype=np.float64)
    codes = np.empty((count, *bank.shape[1:]), np.result_type(bank.dtype, np.float32))
    for k in range(count):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        centre = bank[random.integers(len(bank))].astype(np.float64)
        codes[k] = centre + width * random.standard_normal(width.shape)
    return codes


def neighbourhood(codes, row, side):
    """The codes around one, laid out as a map: the anchors of a MINE grid (White 2016, "manifold traversal").

    Taken are the nearest by Euclidean distance, the code itself among them. They lie by their two principal axes:
    the second, by rank, tells the row, the first the place in it. An axis points to where its largest number is
    above 0.

    Args:
        codes: [N, ...], N at least side^2.
        row: of the code in the middle of it all.
        side: of the map, at least 2.

    Returns:
        Rows of `codes`, int [side, side].

    Raises:
        ValueError: too few codes.
    """
    flat = np.asarray(codes, np.float64).reshape(len(codes), -1)
    if len(flat) < side * side:
        raise ValueError(f"codes: at least {side * side} required. Received: {len(flat)}")
    squared = np.sum(np.square(flat - flat[row]), axis=1)
    squared[row] = -1  # before its twins
    nearest = np.argsort(squared, kind="stable")[: side * side]
    centred = flat[nearest] - flat[nearest].mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]  # [2, d]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    across, down = centred @ axes[0], centred @ axes[-1]
    by_height = np.argsort(down, kind="stable").reshape(side, side)
    return np.stack([nearest[places[np.argsort(across[places], kind="stable")]] for places in by_height])
