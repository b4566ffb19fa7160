"""Paths and surfaces between latent codes or noises, in numpy.

A code is whatever follows the first axis ([h, w, c] for ACAI, [d] for a GAN's noise); spherical interpolation sees
it flattened. Everything is computed in float64; the result is float32, or float64 if an input was.

References: Shoemake 1985, "Animating rotation with quaternion curves" (slerp);
White 2016, "Sampling generative networks", arXiv 1609.04468 (slerp of latent codes, J-diagrams, MINE grids).
"""

import numpy as np

SMALL_ANGLE = 1e-8  # radians: below it slerp and lerp differ by less than float64 can show
NEAR_OPPOSITE = 1e-2  # radians short of pi: from here on the norm is interpolated, see slerp
NO_PLANE = 1e-6  # sin(omega) below which float32 rounding alone decides the plane of the path


def lerp(first, second, mix):
    """Straight line from `first` to `second`.

    Args:
        first, second: codes [N, ...] of one shape.
        mix: share of `second`, a number or [N], in [0, 1]; 0 and 1 give `first` and `second` bit for bit.

    Returns:
        (1 - mix) * first + mix * second, [N, ...].

    Raises:
        ValueError: shapes differ, or mix is neither a number nor [N], or is outside [0, 1].
    """
    a, b, m, dtype = _rows(first, second, mix)
    return _finish((1 - m) * a + m * b, a, b, m, np.shape(first), dtype)


def slerp(first, second, mix):
    """Spherical interpolation of raw codes (Shoemake 1985; White 2016, arXiv 1609.04468).

    With omega the angle between the NORMALISED codes, weights on the RAW codes:

        sin((1 - mix) omega) / sin(omega) * first + sin(mix omega) / sin(omega) * second

    Where sin(omega) vanishes:
      - omega -> 0, or a code of zeros: lerp.
      - omega within 0.01 rad of pi: those weights would blow the norm up without bound wherever the norms
        differ, so the direction turns at constant speed and the norm goes linearly from one to the other
        (for equal norms this is the same path). Exactly opposite codes lie on no single great circle: the
        path then passes through the coordinate axis on which the code is smallest, made perpendicular to
        it. This choice is deterministic and the same from both ends, and the path never collapses through
        zero (in one dimension, where nothing is perpendicular, it has to).

    Args:
        first, second: codes [N, ...] of one shape, N rows interpolated independently.
        mix: share of `second`, a number or [N], in [0, 1]; 0 and 1 give `first` and `second` bit for bit.

    Returns:
        Codes [N, ...].

    Raises:
        ValueError: shapes differ, or mix is neither a number nor [N], or is outside [0, 1].
    """
    a, b, m, dtype = _rows(first, second, mix)
    norm_a, norm_b = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    zero = (norm_a == 0) | (norm_b == 0)
    u, v = a / np.where(zero, 1, norm_a), b / np.where(zero, 1, norm_b)
    # Kahan's form of the angle: accurate near 0 and near pi, where arccos of the dot product is not.
    omega = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))[:, None]

    straight = zero | (omega < SMALL_ANGLE)
    opposite = ~straight & (omega > np.pi - NEAR_OPPOSITE)
    sine = np.where(straight | opposite, 1, np.sin(omega))
    weight_a = np.where(straight, 1 - m, np.sin((1 - m) * omega) / sine)
    weight_b = np.where(straight, m, np.sin(m * omega) / sine)
    codes = weight_a * a + weight_b * b

    far = opposite[:, 0]
    if far.any():
        u, v, turn = u[far], v[far], (m * omega)[far]
        norm = ((1 - m) * norm_a + m * norm_b)[far]
        codes[far] = norm * (np.cos(turn) * u + np.sin(turn) * _perpendicular(u, v))
    return _finish(codes, a, b, m, np.shape(first), dtype)


def interpolate_path(first, second, steps, kind):
    """Codes along the way from `first` to `second`, both ends included.

    Args:
        first, second: codes [N, ...] of one shape.
        steps: number of codes on each path, at least 2; the mixes are evenly spaced over [0, 1].
        kind: "slerp" or "lerp".

    Returns:
        Codes [N, steps, ...].

    Raises:
        ValueError: unknown kind, fewer than two steps, or shapes that differ.
    """
    kinds = {"slerp": slerp, "lerp": lerp}
    if kind not in kinds:
        raise ValueError(f"kind: one of {', '.join(kinds)} required. Received: {kind!r}")
    if steps < 2:
        raise ValueError(f"steps: at least 2 required, for both ends. Received: {steps}")
    return np.stack([kinds[kind](first, second, mix) for mix in np.linspace(0, 1, steps)], axis=1)


def interpolate_grid(anchors, gap, kind):
    """Codes between those of a grid: along its columns first, then along the rows that this makes.

    Every edge of a cell is the path between its two corners, bit for bit.

    Args:
        anchors: codes [N, n, m, ...], n and m at least 2.
        gap: steps from one anchor to the next, at least 1.
        kind: "slerp" or "lerp".

    Returns:
        Codes [N, (n - 1) * gap + 1, (m - 1) * gap + 1, ...]; every `gap`-th along both axes is an anchor.

    Raises:
        ValueError: as `interpolate_path`.
    """
    upright = _along_rows(np.swapaxes(anchors, 1, 2), gap, kind)
    return _along_rows(np.swapaxes(upright, 1, 2), gap, kind)


def analogy_corners(first, second, third):
    """Corners [N, 2, 2, ...] of a J-diagram (White 2016, "analogy") of codes [N, ...].

    First and second are the upper two, the third is below the first, and the fourth is the third changed as the
    second differs from the first: third + second - first.
    """
    fourth = third + second - first
    return np.stack([np.stack([first, second], axis=1), np.stack([third, fourth], axis=1)], axis=1)


def _along_rows(anchors, gap, kind):
    """[N, n, m, ...] -> [N, n, (m - 1) * gap + 1, ...]"""
    rows = anchors.reshape(-1, *anchors.shape[2:])
    parts = [interpolate_path(rows[:, i], rows[:, i + 1], gap + 1, kind)[:, :-1] for i in range(rows.shape[1] - 1)]
    filled = np.concatenate([*parts, rows[:, -1:]], axis=1)
    return filled.reshape(*anchors.shape[:2], *filled.shape[1:])


def _rows(first, second, mix):
    """Checked float64 rows [N, D] of both codes, mix as [N, 1], and the dtype of the result."""
    first, second, mix = np.asarray(first), np.asarray(second), np.asarray(mix, np.float64)
    if first.shape != second.shape or first.ndim < 2:
        raise ValueError(
            f"first and second: codes [N, ...] of one shape required. Received: {first.shape}, {second.shape}"
        )
    if mix.shape not in ((), first.shape[:1]):
        raise ValueError(f"mix: a number or shape {first.shape[:1]} required. Received: shape {mix.shape}")
    if not np.all((mix >= 0) & (mix <= 1)):
        raise ValueError(f"mix: shares in [0, 1] required. Received: {mix}")
    count, size = len(first), int(np.prod(first.shape[1:]))
    a, b = (x.astype(np.float64).reshape(count, size) for x in (first, second))
    return a, b, np.broadcast_to(mix, count)[:, None], np.result_type(first, second, np.float32)


def _finish(codes, a, b, m, shape, dtype):
    """Rows [N, D] back to `shape` and `dtype`, with the ends of the path set exactly."""
    codes = np.where(m == 0, a, np.where(m == 1, b, codes))
    return codes.astype(dtype).reshape(shape)


def _perpendicular(u, v):
    """Unit vectors perpendicular to unit rows `u`, towards `v`, or by the fixed rule where v = -u."""
    towards = v - np.sum(u * v, axis=1, keepdims=True) * u
    smallest = np.argmin(np.abs(u), axis=1)
    axis = np.zeros_like(u)
    axis[np.arange(len(u)), smallest] = 1
    axis -= np.sum(u * axis, axis=1, keepdims=True) * u
    towards = np.where(np.linalg.norm(towards, axis=1, keepdims=True) < NO_PLANE, axis, towards)
    return towards / np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), np.finfo(np.float64).tiny)
