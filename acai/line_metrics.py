"""The paper's two figures for interpolations of lines (Berthelot et al. 2018, arXiv 1807.07543).

Each decoded image is matched to the nearest real line. Mean distance asks how much the images look like lines,
smoothness whether the lines turn evenly; 0 is perfect for both. The definitions are those of the official code
(`lib/eval.py` of brain-research/acai).
"""

import numpy as np

from common import interpolation, progress
from common.data import lines

BANK_SIZE = 10_000  # angles k * 2 pi / BANK_SIZE
BLOCK = 200  # rendered lines in memory at a time
TIE = 1e-12  # cosines this close are equal: rounding must not choose between mirror images
NO_TURN = 1e-4  # radians from first to last image, below which a path has no smoothness


def interpolate_lines(encode, decode, pairs=256, steps=16, seed=0):
    """Decodes linear interpolations between the codes of pairs of lines at random angles.

    Args:
        encode: function, float32 images [pairs, 32, 32, 1] in [-1, 1] -> latents [pairs, ...].
        decode: function, latents [pairs, ...] -> images [pairs, 32, 32, 1]; called once a step.
        pairs: number of interpolations. Pair k depends on (seed, k) alone.
        steps: images along each, both ends included, at least 2.
        seed: of the angles of the ends, uniform in [0, 2 pi).

    Returns:
        The decoded images [pairs, steps, 32, 32, 1], not clipped.
    """
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (pairs, 2))
    first, second = (np.asarray(encode(lines.render(ends))) for ends in angles.T)
    latents = interpolation.interpolate_path(first, second, steps, "lerp")  # [pairs, steps, ...]
    counted = progress.track(range(steps), "decoding interpolations of lines")
    return np.stack([np.asarray(decode(latents[:, step])) for step in counted], axis=1)


def line_figures(interpolations):
    """Both figures of decoded interpolations, with what a confidence interval over pairs needs.

    Args:
        interpolations: [pairs, steps, 32, 32, 1], in the units of [-1, 1], not clipped.

    Returns:
        A dict: "pairs" and "steps", the counts; "pair_distances" and "pair_smoothness", float64 [pairs], the
        latter with NaN; "mean_distance" over all images; "smoothness", the mean over pairs that have one (NaN if
        none has); "smoothness_nan_share" of the pairs; "smoothness_official", the sum over pairs that have one
        divided by the count of all pairs, so that a decoder that collapses on some pairs looks smoother than it
        is. Where no pair has a smoothness this is 0; in that one case the official code gives NaN.

    Raises:
        ValueError: another shape, or no pairs, or numbers that are not finite.
    """
    interpolations = np.asarray(interpolations)
    if interpolations.ndim != 5 or len(interpolations) == 0:
        raise ValueError(
            f"interpolations: [pairs, steps, 32, 32, 1], pairs >= 1, required. Received: {interpolations.shape}"
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
    """The nearest rendered line of each image, by cosine distance.

    Cosine distance is 1 - x . y / (|x| |y|) of the flattened images as they are: background -1, not centred, not
    clipped. A blank image (all -1) is at 0.031; an image of zeros has no direction and counts as at 1. Of
    equally near lines the one of the lowest angle is taken.

    Args:
        images: [N, 32, 32, 1], in the units of [-1, 1].
        bank_size: lines to choose from, at angles k * 2 pi / bank_size.

    Returns:
        (angles float64 [N] in [0, 2 pi), distances float64 [N] in [0, 2]).

    Raises:
        ValueError: another shape, or numbers that are not finite.
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4 or images.shape[1:] != (32, 32, 1):
        raise ValueError(f"images: [N, 32, 32, 1] required. Received: {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError(f"images: finite numbers required. Received: {np.sum(~np.isfinite(images))} others")
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
    """How far each path is from turning evenly.

    Largest |step| / |last - first| - 1 / (steps - 1). Angles are unwrapped along the path first: lines are drawn
    from the centre, so they have period 2 pi, and each step is taken the short way round. 0 is even turning; one
    jump among 16 images is 1 - 1/15; a path that turns back can exceed 1.

    Args:
        angles: [pairs, steps], radians, steps >= 2.

    Returns:
        float64 [pairs], NaN where |last - first| < 1e-4.

    Raises:
        ValueError: another shape.
    """
    angles = np.asarray(angles, np.float64)
    if angles.ndim != 2 or angles.shape[1] < 2:
        raise ValueError(f"angles: [pairs, steps] with steps >= 2 required. Received: {angles.shape}")
    unwrapped = np.unwrap(angles, axis=1)
    largest = np.abs(np.diff(unwrapped, axis=1)).max(axis=1)
    turned = np.abs(unwrapped[:, -1] - unwrapped[:, 0])
    return largest / np.where(turned < NO_TURN, np.nan, turned) - 1 / (angles.shape[1] - 1)


def _directions(images):
    """Images [N, ...] as float64 rows [N, D] of length 1; a row of zeros stays so."""
    rows = np.asarray(images, np.float64).reshape(len(images), np.prod(images.shape[1:]))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)
