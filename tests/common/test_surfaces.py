"""Surfaces between anchors, analogies and grids of neighbours, against paths and values worked by hand."""

import numpy as np
import pytest

from common.interpolation import analogy_corners, interpolate_grid, interpolate_path, slerp
from pictures.latents import nearest_neighbour_grid


def random_latents(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*shape, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", ["slerp", "lerp"])
def test_a_surface_contains_its_anchors_and_its_edges_are_paths(kind):
    anchors = random_latents(2, 3, 4)
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
    anchors = random_latents(1, 2, 2)
    left, right = (slerp(anchors[:, 0, side], anchors[:, 1, side], 1 / 4) for side in (0, 1))
    np.testing.assert_array_equal(interpolate_grid(anchors, 4, "slerp")[:, 1, 3], slerp(left, right, 3 / 4))
    middle = interpolate_grid(anchors, 2, "lerp")[:, 1, 1]
    np.testing.assert_allclose(middle, anchors.mean((1, 2)), atol=1e-6)


def test_the_fourth_corner_of_an_analogy_by_hand():
    king, queen, man = ([[1.0, 5.0]], [[2.0, 5.0]], [[1.0, 3.0]])
    corners = analogy_corners(*np.array([king, queen, man]))
    np.testing.assert_array_equal(corners, [[[[1, 5], [2, 5]], [[1, 3], [2, 3]]]])
    np.testing.assert_array_equal(analogy_corners(np.zeros((1, 2)), np.eye(2)[:1], np.eye(2)[1:])[0, 1, 1], [1, 1])


def test_neighbours_are_arranged_as_in_their_plane():
    """The latents are a 3x3 lattice in a plane of five dimensions, and distant points."""
    x, y = np.meshgrid([0.0, 3.0, 6.0], [0.0, 1.0, 2.0])
    lattice = np.zeros((9, 5))
    lattice[:, 1], lattice[:, 3] = x.ravel(), y.ravel()
    order = np.random.default_rng(0).permutation(9)
    far = 100 + np.random.default_rng(1).normal(size=(6, 5))
    middle = 6 + int(np.flatnonzero(order == 4)[0])
    neighbours = nearest_neighbour_grid(np.concatenate([far, lattice[order]]).reshape(15, 5, 1), middle, 3)
    np.testing.assert_array_equal(order[neighbours - 6], np.arange(9).reshape(3, 3))


def test_neighbours_are_the_nearest_latents_and_the_query_itself():
    bank = random_latents(30)
    bank[7] = bank[3]
    flat = bank.reshape(30, -1).astype(float)
    for row in (3, 7, 29):
        neighbours = nearest_neighbour_grid(bank, row, 2)
        assert neighbours.shape == (2, 2) and row in neighbours and len(np.unique(neighbours)) == 4
        distances = np.linalg.norm(flat - flat[row], axis=1)
        np.testing.assert_allclose(np.sort(distances[neighbours.ravel()]), np.sort(distances)[:4])
    with pytest.raises(ValueError, match="at least 9. Received: 8"):
        nearest_neighbour_grid(bank[:8], 0, 3)


def test_the_query_is_preferred_to_equal_latents():
    assert 8 in nearest_neighbour_grid(np.zeros((9, 3)), 8, 2)
