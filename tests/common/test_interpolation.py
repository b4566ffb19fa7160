"""Slerp, lerp, paths and surfaces against values worked by hand and geometric properties."""

import numpy as np
import pytest

from common import interpolation
from common.interpolation import analogy_corners, interpolate_grid, interpolate_path, lerp, slerp

HALF = np.sqrt(0.5)


def as_latents(*rows, dtype=np.float64):
    """Reshapes rows [N, D] to latents [N, 1, 1, D]."""
    return np.asarray(rows, dtype)[:, None, None, :]


def flat(latents):
    return np.asarray(latents, np.float64).reshape(len(latents), -1)


def random_latents(count, seed, shape=(2, 2, 4), dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(dtype)


def unit(latents):
    return latents / np.linalg.norm(flat(latents), axis=1).reshape(-1, 1, 1, 1)


def angles(first, second):
    """Computes the angles between pairs of latents, in radians, with arccos."""
    a, b = flat(unit(first)), flat(unit(second))
    return np.arccos(np.clip(np.sum(a * b, axis=1), -1, 1))


# Values worked by hand


@pytest.mark.parametrize(
    ("first", "second", "mix", "expected"),
    [
        ((1, 0), (0, 1), 1 / 2, (HALF, HALF)),
        ((1, 0), (0, 1), 1 / 3, (np.sqrt(3) / 2, 1 / 2)),  # 30 of 90 degrees
        ((1, 0), (0, 3), 1 / 2, (HALF, 3 * HALF)),  # norms 1 and 3, weights sin 45 / sin 90
        ((1, 0), (0, 3), 1 / 3, (np.sqrt(3) / 2, 3 / 2)),
        ((2, 0), (-1, np.sqrt(3)), 1 / 2, (1, np.sqrt(3))),  # 120 degrees: both weights sin 60 / sin 120 = 1
        ((1, 0), (-HALF, HALF), 1 / 3, (HALF, HALF)),  # 45 of 135 degrees
    ],
)
def test_slerp_by_hand(first, second, mix, expected):
    np.testing.assert_allclose(flat(slerp(as_latents(first), as_latents(second), mix)), [expected], atol=1e-14)


def test_the_angle_does_not_depend_on_the_norms():
    # 60 degrees, norms 5 and 1/2; at the middle both weights are sin 30 / sin 60 = 1 / sqrt(3).
    first, second = as_latents((5, 0)), as_latents((0.25, np.sqrt(3) / 4))
    np.testing.assert_allclose(slerp(first, second, 0.5), (first + second) / np.sqrt(3), atol=1e-14)


def test_the_angle_is_that_of_flattened_latents():
    # These latents [2, 2, 1] are orthogonal when flattened; at each position they are parallel or zero.
    first, second = np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1))
    first[0, 0, 0], second[0, 1, 1] = 1, 1
    expected = np.array([[[[HALF], [0]], [[0], [HALF]]]])
    np.testing.assert_allclose(slerp(first, second, 0.5), expected, atol=1e-14)


def test_lerp_by_hand():
    result = lerp(as_latents((1, 0), (4, 8)), as_latents((0, 3), (0, 0)), [1 / 4, 1 / 2])
    np.testing.assert_allclose(flat(result), [(0.75, 0.75), (2, 4)], atol=1e-15)


# Properties


@pytest.mark.parametrize("interpolate", [slerp, lerp])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_are_exact_and_the_dtype_is_kept(interpolate, dtype):
    first, second = (random_latents(6, seed, dtype=dtype) for seed in (0, 1))
    second[4], second[5] = -first[4], first[5]  # opposite and equal latents
    first[3, 0, 0, 0], second[3, 0, 0, 0] = -0.0, np.float64(1e-3)
    result = interpolate(first, second, np.array([0, 1, 0, 0, 1, 1]))
    expected = np.stack([first[0], second[1], first[2], first[3], second[4], second[5]])
    assert result.dtype == dtype
    assert result.tobytes() == expected.tobytes()


def test_half_precision_latents_give_float32():
    first, second = (random_latents(2, seed, dtype=np.float16) for seed in (0, 1))
    assert slerp(first, second, 0.5).dtype == lerp(first, second, 0.5).dtype == np.float32
    np.testing.assert_array_equal(slerp(first, second, 1), second)


def test_float32_latents_are_interpolated_in_float64():
    """The result is that of float64 latents, rounded, even if the latents are almost opposite."""
    first = random_latents(20, 0, dtype=np.float32)
    second = (-first * (1 + 0.1 * random_latents(20, 1))).astype(np.float32)
    exact = slerp(first.astype(np.float64), second.astype(np.float64), 0.37)
    np.testing.assert_array_equal(slerp(first, second, 0.37), exact.astype(np.float32))


@pytest.mark.parametrize("mix", [0.1, 0.5])
def test_slerp_is_symmetric(mix):
    first, second = random_latents(60, 0), 3 * random_latents(60, 1)
    second[:20] = -first[:20]  # opposite, equal norms
    second[20:40] = -2.5 * first[20:40]  # opposite, other norms
    np.testing.assert_allclose(slerp(first, second, mix), slerp(second, first, 1 - mix), atol=1e-9)


def test_unit_latents_stay_on_the_sphere():
    first, second = unit(random_latents(50, 0)), unit(random_latents(50, 1))
    second[:10] = -first[:10]
    second[10:20] = unit(-first[10:20] + 1e-3 * random_latents(10, 2))
    np.testing.assert_allclose(np.linalg.norm(flat(slerp(first, second, 0.9)), axis=1), 1, atol=1e-12)


def test_slerp_agrees_with_lerp_at_small_angles():
    first = random_latents(40, 0)
    for size in (0, 1e-16, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5):
        second = first + size * random_latents(40, 1)
        # For unit latents at an angle w, slerp is lerp times 1 + O(w^2). Here the norms are about 4.
        tolerance = 5 * size**2 + 1e-14
        np.testing.assert_allclose(slerp(first, second, 0.3), lerp(first, second, 0.3), rtol=1e-12, atol=tolerance)


def test_slerp_of_zero_latents_is_lerp():
    zero, latents = np.zeros((2, 2, 2, 4)), random_latents(2, 0)
    np.testing.assert_allclose(slerp(zero, latents, 0.25), latents / 4, rtol=1e-15)
    np.testing.assert_allclose(slerp(latents, zero, 0.25), 3 * latents / 4, rtol=1e-15)
    np.testing.assert_array_equal(slerp(zero, zero, 0.5), zero)


def test_rows_do_not_depend_on_each_other():
    first, second = random_latents(4, 0), random_latents(4, 1)
    second[1], second[2], first[3] = -first[1], first[2], 0
    mix = np.array([0.1, 0.4, 0.6, 0.9])
    batch = slerp(first, second, mix)
    for row in range(4):
        single = slerp(first[row : row + 1], second[row : row + 1], mix[row])
        np.testing.assert_array_equal(batch[row], single[0])


def test_slerp_follows_the_published_formula_up_to_almost_opposite_latents():
    """It does for all angles of at most 179.4 degrees and for all norms."""
    first = as_latents((1, 0))
    for omega in (1e-6, 1e-3, 0.5, 2.0, 3.0, np.pi - 1.1 * interpolation.NEAR_OPPOSITE):
        second = as_latents((3 * np.cos(omega), 3 * np.sin(omega)))
        expected = (np.sin(0.75 * omega) * first + np.sin(0.25 * omega) * second) / np.sin(omega)
        np.testing.assert_allclose(slerp(first, second, 0.25), expected, rtol=1e-9, atol=1e-12)


# Opposite latents: no unique great circle


def test_opposite_latents_by_hand():
    # The smallest coordinate of (1, 0) is the second: the path turns through (0, 1), the norm from 1 to 3.
    path = interpolate_path(as_latents((1, 0)), as_latents((-3, 0)), 5, "slerp")
    expected = [(1, 0), (1.5 * HALF, 1.5 * HALF), (0, 2), (-2.5 * HALF, 2.5 * HALF), (-3, 0)]
    np.testing.assert_allclose(flat(path[0]), expected, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_between_opposite_latents_are_interpolated(dtype):
    first = random_latents(20, 0, dtype=dtype)
    second = (-1.7 * first).astype(dtype)
    norms = np.linalg.norm(flat(first), axis=1)
    for mix in (0.01, 0.3, 0.5, 0.99):
        middle = slerp(first, second, mix)
        np.testing.assert_allclose(np.linalg.norm(flat(middle), axis=1), (1 + 0.7 * mix) * norms, rtol=1e-6)
        np.testing.assert_allclose(angles(first, middle), mix * np.pi, atol=2e-5)


def test_path_between_almost_opposite_latents_is_planar_and_bounded():
    for gap in (1e-1, 1e-2, 1e-3, 1e-5):  # pi minus the angle, through (0, -1)
        second = as_latents((-np.cos(gap), -np.sin(gap)))
        half = (np.pi - gap) / 2
        expected = [(np.cos(half), -np.sin(half))]
        np.testing.assert_allclose(flat(slerp(as_latents((1, 0)), second, 0.5)), expected, atol=1e-9)
        norm = np.linalg.norm(slerp(as_latents((1, 0)), 3 * second, 0.5))
        assert norm <= 2 / np.sin(1e-2) + 3


def test_path_of_one_dimension_passes_through_zero():
    first = as_latents((1,))
    np.testing.assert_allclose(flat(slerp(first, -first, [0.5])), [[0]], atol=1e-15)
    np.testing.assert_array_equal(slerp(first, -first, 1), -first)


# Paths


@pytest.mark.parametrize(("kind", "interpolate"), [("slerp", slerp), ("lerp", lerp)])
def test_path_has_evenly_spaced_mixes(kind, interpolate):
    first, second = (random_latents(3, seed, dtype=np.float32) for seed in (0, 1))
    path = interpolate_path(first, second, 5, kind)
    assert path.shape == (3, 5, 2, 2, 4)
    assert path.dtype == np.float32
    for step, mix in enumerate((0, 0.25, 0.5, 0.75, 1)):
        np.testing.assert_array_equal(path[:, step], interpolate(first, second, mix))
    np.testing.assert_array_equal(path[:, 0], first)
    np.testing.assert_array_equal(path[:, -1], second)


# Surfaces and analogies


@pytest.mark.parametrize("kind", ["slerp", "lerp"])
def test_a_surface_contains_its_anchors_and_its_edges_are_paths(kind):
    anchors = random_latents(2, 0, (3, 4, 2, 3))
    cells = interpolate_grid(anchors, 5, kind)
    assert cells.shape == (2, 11, 16, 2, 3)
    np.testing.assert_array_equal(cells[:, ::5, ::5], anchors)
    for i in range(3):
        for j in range(3):
            edge = interpolate_path(anchors[:, i, j], anchors[:, i, j + 1], 6, kind)
            np.testing.assert_array_equal(cells[:, 5 * i, 5 * j : 5 * j + 6], edge)
    for i in range(2):
        for j in range(4):
            edge = interpolate_path(anchors[:, i, j], anchors[:, i + 1, j], 6, kind)
            np.testing.assert_array_equal(cells[:, 5 * i : 5 * i + 6, 5 * j], edge)


def test_the_inside_of_a_surface_interpolates_between_its_vertical_edges():
    anchors = random_latents(1, 0, (2, 2, 2, 3))
    left, right = (slerp(anchors[:, 0, side], anchors[:, 1, side], 1 / 4) for side in (0, 1))
    np.testing.assert_array_equal(interpolate_grid(anchors, 4, "slerp")[:, 1, 3], slerp(left, right, 3 / 4))
    middle = interpolate_grid(anchors, 2, "lerp")[:, 1, 1]
    np.testing.assert_allclose(middle, anchors.mean((1, 2)), atol=1e-6)


def test_the_fourth_corner_of_an_analogy_by_hand():
    king, queen, man = ([[1.0, 5.0]], [[2.0, 5.0]], [[1.0, 3.0]])
    corners = analogy_corners(*np.array([king, queen, man]))
    np.testing.assert_array_equal(corners, [[[[1, 5], [2, 5]], [[1, 3], [2, 3]]]])
    np.testing.assert_array_equal(analogy_corners(np.zeros((1, 2)), np.eye(2)[:1], np.eye(2)[1:])[0, 1, 1], [1, 1])


# Errors


def test_invalid_arguments_are_refused():
    latents, other = random_latents(3, 0), random_latents(3, 1)
    with pytest.raises(ValueError, match="one of slerp, lerp. Received: 'pixel'"):
        interpolate_path(latents, other, 5, "pixel")
    with pytest.raises(ValueError, match="at least 2.*Received: 1"):
        interpolate_path(latents, other, 1, "slerp")
    for interpolate in (slerp, lerp):
        with pytest.raises(ValueError, match="of one shape. Received: .3, 2, 2, 4., .2, 2, 2, 4."):
            interpolate(latents, other[:2], 0.5)
        with pytest.raises(ValueError, match=r"have shape \(3,\). Received: shape \(2,\)"):
            interpolate(latents, other, [0.5, 0.5])
        for mix in (-0.1, 1.1, np.nan):
            with pytest.raises(ValueError, match=r"mix must be in \[0, 1\]"):
                interpolate(latents, other, mix)
