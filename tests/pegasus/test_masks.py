"""Masks: patterns and shares by hand, slerp cell by cell, what a linear direction knows of each cell."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.interpolation import slerp
from pegasus import masks

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
    np.testing.assert_allclose(masks.pattern(kind, (4, 2)), expected, atol=1e-12)


def test_a_random_pattern_fills_its_range_cell_by_cell():
    pattern = masks.pattern("random", (50, 40), np.random.default_rng(0))
    assert -1 <= pattern.min() < -0.99 and 0.99 < pattern.max() <= 1 and abs(pattern.mean()) < 0.05


def test_a_learned_pattern_follows_who_says_more():
    first, second = np.zeros((2, 2)), np.array([[3.0, 1.0], [1.0, -1.0]])
    expected = np.tanh(np.array([[2, 0], [0, -2]]) / np.sqrt(2))  # less the mean 1, over the deviation
    np.testing.assert_allclose(masks.pattern("learned", (2, 2), evidence=(first, second)), expected)
    swapped = masks.pattern("learned", (2, 2), evidence=(second, first))
    np.testing.assert_allclose(swapped, -expected)
    assert np.all(masks.pattern("learned", (2, 2), evidence=(second, second)) == 0)


def test_shares_stay_between_the_parents():
    np.testing.assert_allclose(masks.shares(0.5, 0.2, UP)[[0, 2], 0], [0.7, 0.3])
    np.testing.assert_allclose(masks.shares(0.8, 0.5, UP)[[0, 2], 0], [1, 0.3])


def test_each_cell_is_blended_by_slerp_at_its_share():
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 3, 2, 2, 5)).astype(np.float32)
    shares = random.uniform(size=(3, 2, 2))
    shares[0, 0, 0], shares[0, 0, 1] = 0, 1
    codes = masks.blend(first, second, shares)
    for n, i, j in np.ndindex(3, 2, 2):
        expected = slerp(first[n, i, j][None], second[n, i, j][None], shares[n, i, j])[0]
        np.testing.assert_array_equal(codes[n, i, j], expected)
    np.testing.assert_array_equal(codes[0, 0, 0], first[0, 0, 0])
    np.testing.assert_array_equal(codes[0, 0, 1], second[0, 0, 1])


def test_evidence_is_where_the_classes_differ():
    random = np.random.default_rng(2)
    first, second = random.normal(size=(2, 400, 2, 2, 3))
    second[:, 0, 1] += 3
    learned = masks.Evidence(first, second)
    for side, codes in enumerate((first, second)):
        mean = learned(codes, side).mean(axis=0)
        assert mean.shape == (2, 2) and mean[0, 1] > 10 * np.abs(np.delete(mean.ravel(), 1)).max()


def test_mirrored_codes_are_those_of_the_mirrored_picture():
    class Same:
        def encode(self, images):
            return 3 * images

        def decode(self, codes):
            return codes / 3

    codes = np.random.default_rng(3).uniform(-4, 4, size=(5, 2, 3, 1))
    expected = np.clip(codes, -3, 3)[:, :, ::-1]
    np.testing.assert_allclose(masks.mirrored(Same(), codes), expected)


def test_lowered_codes_are_those_of_the_picture_moved_down():
    """A code is its picture times three; the uppermost of three rows is repeated, the lowest falls out."""
    same = SimpleNamespace(encode=lambda pictures: 3 * pictures, decode=lambda codes: codes / 3)
    codes = np.random.default_rng(3).uniform(-3, 3, size=(5, 3, 4, 1))
    np.testing.assert_allclose(masks.lowered(same, codes, 1), codes[:, [0, 0, 1]])
    np.testing.assert_allclose(masks.lowered(same, 2 * codes, 2), np.clip(2 * codes, -3, 3)[:, [0, 0, 0]])
    assert masks.lowered(None, codes, 0) is codes


def test_wishes_are_taken_one_after_the_other():
    assert masks.wishes(None) == [] and masks.wishes("light,airplane") == ["light", "airplane"]
