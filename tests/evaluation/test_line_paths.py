"""Interpolations of lines along each path, against values worked by hand and models of known figures."""

import math

import numpy as np
import pytest

from common.data import lines
from evaluation import line_metrics
from evaluation.line_metrics import interpolate_lines, line_figures, match_angles


def test_interpolations_are_linear_in_the_latents():
    images = []
    paths = interpolate_lines(
        lambda batch: images.append(batch) or batch, lambda latents: latents, pairs=3, steps=5
    )
    assert paths.shape == (3, 5, 32, 32, 1)
    for step, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        np.testing.assert_allclose(paths[:, step], (1 - share) * images[0] + share * images[1], atol=1e-6)


def test_ends_are_lines_at_uniform_angles():
    ends = interpolate_lines(lambda images: images, lambda latents: latents, pairs=256, steps=2)
    angles, distances = match_angles(ends.reshape(512, 32, 32, 1), bank_size=1000)
    assert distances.max() < 1e-3
    counts = np.histogram(angles, bins=8, range=(0, 2 * np.pi))[0]
    assert np.abs(counts - 64).max() < 4 * math.sqrt(64)
    first, second = np.exp(1j * angles.reshape(256, 2)).T
    assert abs(np.mean(first * second.conj())) < 4 / math.sqrt(256)  # the two ends know nothing of each other


def identity(points):
    return points


def test_spherical_interpolations_by_shoemakes_formula():
    first, second = (interpolate_lines(identity, identity, pairs=3, steps=2)[:, end] for end in (0, 1))
    paths = interpolate_lines(identity, identity, pairs=3, steps=5, path="slerp")
    for pair in range(3):
        a, b = (x[pair].astype(np.float64).ravel() for x in (first, second))
        omega = math.acos(a @ b / np.sqrt(a @ a * (b @ b)))
        for step, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
            expected = (math.sin((1 - share) * omega) * a + math.sin(share * omega) * b) / math.sin(omega)
            np.testing.assert_allclose(paths[pair, step].ravel(), expected, atol=1e-5)


def test_the_datas_own_angle_by_hand():
    turned = line_metrics.interpolate_angles(np.array([6.2, 0.1, 1.0]), np.array([0.1, 6.2, 1.5]), 3)
    short = 2 * np.pi - 6.1  # from 6.2 across 2 pi to 0.1
    expected = [(6.2, 6.2 + short / 2, 6.2 + short), (0.1, 0.1 - short / 2, 0.1 - short), (1, 1.25, 1.5)]
    np.testing.assert_allclose(turned, expected, atol=1e-12)


def test_exact_drawings_lose_nothing_along_the_datas_own_angle():
    """Linear interpolations of the same pixels are cross-fades, far from any line."""
    figures = line_figures(interpolate_lines(identity, identity, pairs=8, path="angle"))
    assert figures["mean_distance"] < 1e-6
    assert figures["smoothness_nan_share"] == 0 and figures["smoothness"] < 0.01
    assert line_figures(interpolate_lines(identity, identity, pairs=8))["mean_distance"] > 1e-3


def test_all_paths_join_the_same_lines():
    paths = [interpolate_lines(identity, identity, pairs=4, steps=3, path=p) for p in ("lerp", "slerp", "angle")]
    for path in paths[1:]:
        np.testing.assert_allclose(path[:, [0, -1]], paths[0][:, [0, -1]], atol=1e-6)


def test_a_pair_depends_on_the_seed_and_its_number():
    def ends(pairs, seed):
        return interpolate_lines(lambda images: images, lambda latents: latents, pairs, steps=2, seed=seed)

    np.testing.assert_array_equal(ends(2, seed=5), ends(6, seed=5)[:2])
    assert np.abs(ends(2, seed=5) - ends(2, seed=6)).max() > 0.5


def test_an_autoencoder_of_the_angle_is_almost_perfect():
    def encode(images):
        return match_angles(images)[0][:, None]

    paths = interpolate_lines(encode, lambda latents: lines.render(latents[:, 0]), pairs=8)
    figures = line_figures(paths)
    assert figures["mean_distance"] < 1e-6
    assert figures["smoothness_nan_share"] == 0 and figures["smoothness"] < 0.01


def test_an_unknown_path():
    with pytest.raises(ValueError, match="must be .* Received: 'straight'"):
        interpolate_lines(identity, identity, pairs=2, path="straight")
