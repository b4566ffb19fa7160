"""Masks: patterns and shares by hand, and the evidence of a linear classifier."""

from types import SimpleNamespace

import numpy as np
import pytest

from pegasus.general import masks

UP = np.array([[1, 1], [1, 1], [-1, -1], [-1, -1]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("uniform", 0 * UP),
        ("top", UP),
        ("bottom", -UP),
        ("soft_top", [[1, 1], [1 / 3, 1 / 3], [-1 / 3, -1 / 3], [-1, -1]]),
    ],
)
def test_patterns_by_hand(kind, expected):
    np.testing.assert_allclose(masks.make_pattern(kind, (4, 2)), expected, atol=1e-12)


def test_a_random_pattern_is_uniform_in_each_cell():
    pattern = masks.make_pattern("random", (50, 40), np.random.default_rng(0))
    assert -1 <= pattern.min() < -0.99 and 0.99 < pattern.max() <= 1 and abs(pattern.mean()) < 0.05


def test_a_learned_pattern_favours_the_parent_with_more_evidence():
    first, second = np.zeros((2, 2)), np.array([[3.0, 1.0], [1.0, -1.0]])
    expected = np.tanh(
        np.array([[2, 0], [0, -2]]) / np.sqrt(2)
    )  # minus the mean 1, divided by the standard deviation
    np.testing.assert_allclose(masks.make_pattern("learned", (2, 2), evidence=(first, second)), expected)
    swapped = masks.make_pattern("learned", (2, 2), evidence=(second, first))
    np.testing.assert_allclose(swapped, -expected)
    assert np.all(masks.make_pattern("learned", (2, 2), evidence=(second, second)) == 0)


def test_shares_are_clipped_to_0_and_1():
    np.testing.assert_allclose(masks.mix_shares(0.5, 0.2, UP)[[0, 2], 0], [0.7, 0.3])
    np.testing.assert_allclose(masks.mix_shares(0.8, 0.5, UP)[[0, 2], 0], [1, 0.3])


def test_evidence_is_in_the_cells_where_the_classes_differ():
    random = np.random.default_rng(2)
    first, second = random.normal(size=(2, 400, 2, 2, 3))
    second[:, 0, 1] += 3
    evidence = masks.ClassEvidence(first, second)
    for side, latents in enumerate((first, second)):
        mean = evidence(latents, side).mean(axis=0)
        assert mean.shape == (2, 2) and mean[0, 1] > 10 * np.abs(np.delete(mean.ravel(), 1)).max()


def test_mirrored_latents_encode_the_mirrored_reconstruction():
    model = SimpleNamespace(encode=lambda pictures: 3 * pictures, decode=lambda latents: latents / 3)
    latents = np.random.default_rng(3).uniform(-4, 4, size=(5, 2, 3, 1))
    expected = np.clip(latents, -3, 3)[:, :, ::-1]
    np.testing.assert_allclose(masks.mirror_latents(model, latents), expected)
