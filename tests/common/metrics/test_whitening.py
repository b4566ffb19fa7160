"""Whitening of latents before they are clustered."""

import numpy as np
import pytest

from common.metrics.probe import whitening


def white_covariance(latents):
    mean, projection = whitening(latents)
    white = (latents - mean) @ projection
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    return white.T @ white / len(white)


def test_whitening_gives_the_identity():
    random = np.random.default_rng(0)
    latents = random.standard_normal((200, 5)) @ random.standard_normal((5, 5)) + 3
    np.testing.assert_allclose(white_covariance(latents), np.eye(5), atol=1e-10)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_directions_without_variance_become_zero(precision):
    random = np.random.default_rng(0)
    latents = random.standard_normal((200, 3)) @ random.standard_normal((3, 5)) + 3
    latents = latents.astype(precision).astype(np.float64)
    np.testing.assert_allclose(white_covariance(latents), np.diag([1, 1, 1, 0, 0]), atol=1e-6)


def test_whitening_of_fewer_latents_than_dimensions():
    # Four points differ from their mean in three directions.
    latents = np.random.default_rng(0).standard_normal((4, 6))
    np.testing.assert_allclose(white_covariance(latents), np.diag([1, 1, 1, 0]), atol=1e-10)


def test_whitening_by_hand():
    # The standard deviations along the axes are 1 and 3; the larger comes first.
    latents = np.array([(1, 3), (1, -3), (-1, 3), (-1, -3)]) + (5, 7)
    mean, projection = whitening(latents)
    np.testing.assert_allclose(mean, (5, 7))
    np.testing.assert_allclose(np.abs(projection), [(0, 1), (1 / 3, 0)], atol=1e-12)
