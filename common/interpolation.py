"""Interpolates between latents or noise vectors, in numpy.

The axes after the first are one point: [h, w, c] for the latents of ACAI, [d] for the noise of a GAN. Spherical
interpolation flattens it. Computations are in float64; results are float32, or float64 if an input is.

References: Shoemake 1985, "Animating rotation with quaternion curves" (slerp);
White 2016, "Sampling generative networks", arXiv 1609.04468 (slerp of latent codes, J-diagrams, MINE grids).
"""

import numpy as np

SMALL_ANGLE = 1e-8  # radians, below which slerp equals lerp to the precision of float64
NEAR_OPPOSITE = 1e-2  # radians from pi within which slerp interpolates the norm
NO_PLANE = 1e-6  # sin(omega) below which the plane of the path would be float32 rounding noise


def lerp(first, second, mix):
    """Interpolates linearly from `first` to `second`.

    Args:
        first, second: points [N, ...] of one shape.
        mix: share of `second`, a number or [N], in [0, 1]; 0 and 1 return exactly `first` and `second`.

    Returns:
        (1 - mix) * first + mix * second, [N, ...].

    Raises:
        ValueError: shapes differ, or mix has another shape or is outside [0, 1].
    """
    a, b, m, dtype = _rows(first, second, mix)
    return _finish((1 - m) * a + m * b, a, b, m, np.shape(first), dtype)


def slerp(first, second, mix):
    """Interpolates spherically from `first` to `second` (Shoemake 1985; White 2016, arXiv 1609.04468).

    With omega, the angle between the NORMALISED points, the RAW points are weighted:

        sin((1 - mix) omega) / sin(omega) * first + sin(mix omega) / sin(omega) * second

    Where sin(omega) vanishes:
      - For omega -> 0, or a point at zero, it is lerp.
      - For omega within 0.01 rad of pi, these weights would make the norm unbounded where the norms differ.
        Instead the direction turns at constant speed while the norm is interpolated linearly, which is the same
        path for equal norms. Exactly opposite points lie on no single great circle. Their path passes through
        the coordinate axis on which the point is smallest, orthogonalised. This choice is deterministic and
        symmetric, and the path avoids zero (except in one dimension, where nothing is perpendicular).

    Args:
        first, second: points [N, ...] of one shape; rows are interpolated independently.
        mix: share of `second`, a number or [N], in [0, 1]; 0 and 1 return exactly `first` and `second`.

    Returns:
        Points [N, ...].

    Raises:
        ValueError: shapes differ, or mix has another shape or is outside [0, 1].
    """
    a, b, m, dtype = _rows(first, second, mix)
    norm_a, norm_b = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    zero = (norm_a == 0) | (norm_b == 0)
    u, v = a / np.where(zero, 1, norm_a), b / np.where(zero, 1, norm_b)
    # Kahan's formula for the angle is accurate near 0 and pi, where arccos of the dot product is not.
    omega = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))[:, None]

    straight = zero | (omega < SMALL_ANGLE)
    opposite = ~straight & (omega > np.pi - NEAR_OPPOSITE)
    sine = np.where(straight | opposite, 1, np.sin(omega))
    weight_a = np.where(straight, 1 - m, np.sin((1 - m) * omega) / sine)
    weight_b = np.where(straight, m, np.sin(m * omega) / sine)
    points = weight_a * a + weight_b * b

    far = opposite[:, 0]
    if far.any():
        u, v, turn = u[far], v[far], (m * omega)[far]
        norm = ((1 - m) * norm_a + m * norm_b)[far]
        points[far] = norm * (np.cos(turn) * u + np.sin(turn) * _perpendicular(u, v))
    return _finish(points, a, b, m, np.shape(first), dtype)


def interpolate_path(first, second, steps, kind):
    """Returns evenly spaced points on the path from `first` to `second`, including both ends.

    Args:
        first, second: points [N, ...] of one shape.
        steps: number of points on each path, at least 2.
        kind: "slerp" or "lerp".

    Returns:
        Points [N, steps, ...].

    Raises:
        ValueError: the kind is unknown, there are fewer than two steps, or shapes differ.
    """
    kinds = {"slerp": slerp, "lerp": lerp}
    if kind not in kinds:
        raise ValueError(f"kind must be one of {', '.join(kinds)}. Received: {kind!r}")
    if steps < 2:
        raise ValueError(f"steps must be at least 2, for both ends. Received: {steps}")
    return np.stack([kinds[kind](first, second, mix) for mix in np.linspace(0, 1, steps)], axis=1)


def interpolate_grid(anchors, gap, kind):
    """Fills a grid between anchors, interpolating first along its columns and then along all rows.

    Every edge of a cell equals the path between its two corners exactly.

    Args:
        anchors: points [N, n, m, ...], n and m at least 2.
        gap: number of steps from one anchor to the next, at least 1.
        kind: "slerp" or "lerp".

    Returns:
        Points [N, (n - 1) * gap + 1, (m - 1) * gap + 1, ...]; every `gap`-th along both axes is an anchor.

    Raises:
        ValueError: as `interpolate_path`.
    """
    columns = _fill_rows(np.swapaxes(anchors, 1, 2), gap, kind)
    return _fill_rows(np.swapaxes(columns, 1, 2), gap, kind)


def analogy_corners(first, second, third):
    """Returns the corners [N, 2, 2, ...] of J-diagrams (White 2016, "analogy") of points [N, ...].

    First and second are the upper corners, and third is below first. The fourth corner completes the analogy:
    third + second - first.
    """
    fourth = third + second - first
    return np.stack([np.stack([first, second], axis=1), np.stack([third, fourth], axis=1)], axis=1)


def _fill_rows(anchors, gap, kind):
    """Fills rows of anchors: [N, n, m, ...] -> [N, n, (m - 1) * gap + 1, ...]."""
    rows = anchors.reshape(-1, *anchors.shape[2:])
    parts = [interpolate_path(rows[:, i], rows[:, i + 1], gap + 1, kind)[:, :-1] for i in range(rows.shape[1] - 1)]
    filled = np.concatenate([*parts, rows[:, -1:]], axis=1)
    return filled.reshape(*anchors.shape[:2], *filled.shape[1:])


def _rows(first, second, mix):
    """Returns float64 rows [N, D] of both points, mix as [N, 1], and the dtype of the result; checks them."""
    first, second, mix = np.asarray(first), np.asarray(second), np.asarray(mix, np.float64)
    if first.shape != second.shape or first.ndim < 2:
        raise ValueError(
            f"first and second must be points [N, ...] of one shape. Received: {first.shape}, {second.shape}"
        )
    if mix.shape not in ((), first.shape[:1]):
        raise ValueError(f"mix must be a number or have shape {first.shape[:1]}. Received: shape {mix.shape}")
    if not np.all((mix >= 0) & (mix <= 1)):
        raise ValueError(f"mix must be in [0, 1]. Received: {mix}")
    count, size = len(first), int(np.prod(first.shape[1:]))
    a, b = (x.astype(np.float64).reshape(count, size) for x in (first, second))
    return a, b, np.broadcast_to(mix, count)[:, None], np.result_type(first, second, np.float32)


def _finish(points, a, b, m, shape, dtype):
    """Returns rows [N, D] in `shape` and `dtype`, with exact ends of the path."""
    points = np.where(m == 0, a, np.where(m == 1, b, points))
    return points.astype(dtype).reshape(shape)


def _perpendicular(u, v):
    """Returns unit vectors perpendicular to unit rows `u`, towards `v`, or by the rule of `slerp` where v = -u."""
    towards = v - np.sum(u * v, axis=1, keepdims=True) * u
    smallest = np.argmin(np.abs(u), axis=1)
    axis = np.zeros_like(u)
    axis[np.arange(len(u)), smallest] = 1
    axis -= np.sum(u * axis, axis=1, keepdims=True) * u
    towards = np.where(np.linalg.norm(towards, axis=1, keepdims=True) < NO_PLANE, axis, towards)
    return towards / np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), np.finfo(np.float64).tiny)
