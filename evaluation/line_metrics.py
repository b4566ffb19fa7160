"""The paper's two metrics for interpolations of lines (Berthelot et al. 2018, arXiv 1807.07543).

Each decoded image is matched to the nearest real line. Mean distance measures how much the images look like lines,
smoothness how evenly the lines turn. Both are 0 for perfect interpolations. The definitions are those of the
official code (`lib/eval.py` of brain-research/acai).
"""

import numpy as np

from common import interpolation, progress
from common.data import lines

BANK_SIZE = 10_000  # number of real lines, at the angles k * 2 pi / BANK_SIZE
BLOCK = 200  # lines rendered at a time
TIE = 1e-12  # cosines that differ by less are equal, so that rounding does not choose between mirror images
NO_TURN = 1e-4  # least angle between first and last image, in radians, of a path that has a smoothness


def interpolate_lines(encode, decode, pairs=256, steps=16, seed=0, path="lerp"):
    """Decodes interpolations between pairs of lines at random angles.

    Args:
        encode: function, float32 images [pairs, 32, 32, 1] in [-1, 1] -> latents [pairs, ...].
        decode: function, latents [pairs, ...] -> images [pairs, 32, 32, 1]; called once per step.
        pairs: number of interpolations. Pair k depends on (seed, k) alone.
        steps: number of images along each interpolation with both ends, at least 2.
        seed: of the angles, which are uniform in [0, 2 pi).
        path: "lerp" or "slerp" of the two latents, see common.interpolation, or "angle": lines are rendered at
            the angles between the two, the short way round, and encoded. No latents are interpolated there, so
            all that is lost is lost by the autoencoder.

    Returns:
        The decoded images [pairs, steps, 32, 32, 1], not clipped.
    """
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (pairs, 2))
    if path == "angle":
        between = interpolate_angles(*angles.T, steps)
        latents = np.stack([np.asarray(encode(lines.render(column))) for column in between.T], axis=1)
    else:
        first, second = (np.asarray(encode(lines.render(side))) for side in angles.T)
        latents = interpolation.interpolate_path(first, second, steps, path)  # [pairs, steps, ...]
    tracked = progress.track(range(steps), "decoding interpolations of lines")
    return np.stack([np.asarray(decode(latents[:, step])) for step in tracked], axis=1)


def interpolate_angles(first, second, steps):
    """Turns evenly from one angle to another, the short way round.

    Args:
        first, second: angles [N] in radians.
        steps: number of angles of each path with both ends.

    Returns:
        float64 [N, steps], not reduced to one turn.
    """
    turn = (np.asarray(second) - first + np.pi) % (2 * np.pi) - np.pi  # in [-pi, pi)
    return np.asarray(first)[:, None] + turn[:, None] * np.linspace(0, 1, steps)


def line_figures(interpolations):
    """Mean distance and smoothness of decoded interpolations, also per pair.

    Args:
        interpolations: [pairs, steps, 32, 32, 1], nominally in [-1, 1], not clipped.

    Returns:
        A dict:
            "pairs", "steps": the counts.
            "pair_distances": float64 [pairs].
            "pair_smoothness": float64 [pairs], NaN for a pair without a smoothness.
            "mean_distance": mean over all images.
            "smoothness": mean over the pairs that have one; NaN if none has.
            "smoothness_nan_share": share of the pairs without one.
            "smoothness_official": sum over the pairs that have one, divided by the number of all pairs. A decoder
                that collapses on some pairs looks smoother than it is. Where no pair has one it is 0; in this case
                the official code has NaN.

    Raises:
        ValueError: for another shape, no pairs or numbers that are not finite.
    """
    interpolations = np.asarray(interpolations)
    if interpolations.ndim != 5 or len(interpolations) == 0:
        raise ValueError(
            f"interpolations must be [pairs, steps, 32, 32, 1] with pairs >= 1. Received: {interpolations.shape}"
        )
    pairs, steps = interpolations.shape[:2]
    angles, distances = match_angles(interpolations.reshape(pairs * steps, *interpolations.shape[2:]))
    pair_distances = mean_distance(distances.reshape(pairs, steps))
    pair_smoothness = smoothness(angles.reshape(pairs, steps))
    valid = pair_smoothness[~np.isnan(pair_smoothness)]
    return {
        "pairs": pairs,
        "steps": steps,
        "pair_distances": pair_distances,
        "pair_smoothness": pair_smoothness,
        "mean_distance": float(pair_distances.mean()),
        "smoothness": float(valid.mean()) if len(valid) else float("nan"),
        "smoothness_nan_share": 1 - len(valid) / pairs,
        "smoothness_official": float(valid.sum() / pairs),
    }


def match_angles(images, bank_size=BANK_SIZE):
    """The angle of the nearest real line for each image, by cosine distance.

    The cosine distance is 1 - x . y / (|x| |y|) of the flattened images, which have a background of -1 and are
    neither centred nor clipped. A blank image (all -1) has a distance of 0.031. An image of zeros has no
    direction; its distance is defined as 1. Of equally near lines the one with the lowest angle is taken.

    Args:
        images: [N, 32, 32, 1], nominally in [-1, 1].
        bank_size: number of real lines, at the angles k * 2 pi / bank_size.

    Returns:
        (angles float64 [N] in [0, 2 pi), distances float64 [N] in [0, 2]).

    Raises:
        ValueError: for another shape or numbers that are not finite.
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4 or images.shape[1:] != (32, 32, 1):
        raise ValueError(f"images must be [N, 32, 32, 1]. Received: {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError(f"images must be finite. Received: {np.sum(~np.isfinite(images))} numbers that are not")
    directions = _directions(images)
    angles, closest = np.zeros(len(images)), np.full(len(images), -np.inf)
    bank = np.arange(bank_size) * 2 * np.pi / bank_size
    for start in progress.track(range(0, bank_size, BLOCK), "matching pictures to lines"):
        block = bank[start : start + BLOCK]
        cosines = directions @ _directions(lines.render(block)).T  # [N, BLOCK]
        best = cosines.max(axis=1)
        lowest = np.argmax(cosines >= best[:, None] - TIE, axis=1)
        closer = best > closest + TIE
        angles = np.where(closer, block[lowest], angles)
        closest = np.where(closer, best, closest)
    return angles, np.maximum(1 - closest, 0.0)


def mean_distance(distances):
    """Mean cosine distance of each interpolation: [pairs, steps] -> float64 [pairs]."""
    return np.asarray(distances, np.float64).mean(axis=1)


def smoothness(angles):
    """How unevenly the line turns along each path: largest |step| / |last - first| - 1 / (steps - 1).

    Angles are first unwrapped along the path, with each step the short way round: lines are drawn from the centre,
    so their angles have period 2 pi. Even turning gives 0 and a single jump among 16 images gives 1 - 1/15. A path
    that turns back can exceed 1.

    Args:
        angles: [pairs, steps] in radians, steps >= 2.

    Returns:
        float64 [pairs], NaN where |last - first| < 1e-4.

    Raises:
        ValueError: for another shape.
    """
    angles = np.asarray(angles, np.float64)
    if angles.ndim != 2 or angles.shape[1] < 2:
        raise ValueError(f"angles must be [pairs, steps] with steps >= 2. Received: {angles.shape}")
    unwrapped = np.unwrap(angles, axis=1)
    largest = np.abs(np.diff(unwrapped, axis=1)).max(axis=1)
    turned = np.abs(unwrapped[:, -1] - unwrapped[:, 0])
    return largest / np.where(turned < NO_TURN, np.nan, turned) - 1 / (angles.shape[1] - 1)


def _directions(images):
    """Images [N, ...] as float64 rows [N, D] of norm 1. Rows of zeros stay zero."""
    rows = np.asarray(images, np.float64).reshape(len(images), np.prod(images.shape[1:]))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)
