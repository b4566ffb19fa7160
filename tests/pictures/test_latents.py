"""Kernel density samples against their statistics, grids of neighbours against sorted distances, and files."""

import numpy as np
import pytest

from common.errors import InputError
from common.files import pack
from pictures.latents import kernel_density_sample, nearest_neighbour_grid, read


def random_latents(count, shape=(2, 2, 4)):
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


# Kernel density samples


def test_sample_k_depends_on_seed_and_k_only():
    bank = random_latents(30)
    few, many = (kernel_density_sample(bank, count, 0.3, seed=7) for count in (3, 12))
    np.testing.assert_array_equal(few, many[:3])
    assert few.shape == (3, 2, 2, 4)
    assert few.dtype == np.float32
    assert len(np.unique(many.reshape(12, -1), axis=0)) == 12  # all differ
    assert not np.any(kernel_density_sample(bank, 3, 0.3, seed=8) == few)
    assert kernel_density_sample(bank, 0, 0.3, seed=7).shape == (0, 2, 2, 4)


def test_bandwidth_0_samples_the_bank_uniformly():
    bank = random_latents(4).astype(np.float16)
    draws = kernel_density_sample(bank, 400, 0, seed=0)
    hits = [np.sum(np.all(draws == latents, axis=(1, 2, 3))) for latents in bank]
    assert sum(hits) == 400
    assert min(hits) > 100 - 5 * np.sqrt(400 / 4 * 3 / 4)  # five binomial standard deviations


def test_kernel_width_is_relative_to_the_deviation_of_each_dimension():
    # Two latents have standard deviations s of 1, 10 and 0; N(0, (h s)^2) makes the variances s^2 (1 + h^2).
    bank = np.reshape([(0.0, 0, 5), (2, 20, 5)], (2, 1, 1, 3))
    draws = kernel_density_sample(bank, 4000, 0.5, seed=1).reshape(4000, 3)
    np.testing.assert_allclose(draws.mean(axis=0), (1, 10, 5), rtol=0.1)
    np.testing.assert_allclose(draws.std(axis=0), np.array((1, 10, 0)) * np.sqrt(1.25), rtol=0.05)
    nearest = np.where(draws[:, 0] < 1, 0, 2)
    assert np.std(draws[:, 0] - nearest) < 0.55  # around each of the two: h s = 0.5
    residuals = draws[:, :2] / (1, 10) - np.round(draws[:, :2] / (2, 20)).clip(0, 1) * 2
    assert abs(np.corrcoef(residuals.T)[0, 1]) < 0.1  # noise is independent in each dimension


# Grids of neighbours


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
    bank = random_latents(30, (2, 3))
    bank[7] = bank[3]
    flat = bank.reshape(30, -1).astype(float)
    for row in (3, 7, 29):
        neighbours = nearest_neighbour_grid(bank, row, 2)
        assert neighbours.shape == (2, 2) and row in neighbours and len(np.unique(neighbours)) == 4
        distances = np.linalg.norm(flat - flat[row], axis=1)
        np.testing.assert_allclose(np.sort(distances[neighbours.ravel()]), np.sort(distances)[:4])


def test_the_query_is_preferred_to_equal_latents():
    assert 8 in nearest_neighbour_grid(np.zeros((9, 3)), 8, 2)


# Files


def test_latents_that_a_decoder_cannot_take_are_refused(tmp_path):
    """1e300 is finite in float64 alone, and 1e38 is finite, but a convolution of it is not."""
    path = tmp_path / "latents.npz"
    for number in (1e300, 1e38, 1.1e6, -1.1e6, np.inf, np.nan):
        path.write_bytes(pack({"latents": np.full((2, 3), number)}))
        with pytest.raises(
            InputError, match="must be numbers from -1,000,000 to 1,000,000 of the shape N x 3. Rec"
        ):
            read(path, (3,))
    path.write_bytes(pack({"latents": np.full((2, 3), 1e6)}))
    np.testing.assert_array_equal(read(path, (3,)), np.full((2, 3), 1e6, np.float32))
