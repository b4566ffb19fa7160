"""Candidates of two classes: each is a function of the seed and its number."""

from types import SimpleNamespace

import numpy as np
import pytest

from pegasus.general import candidates, masks


@pytest.fixture(scope="module")
def parents():
    """Parents of random latents, nine of either class."""
    random = np.random.default_rng(5)
    return candidates.Parents(
        rows=[np.arange(9), np.arange(9, 18)],
        latents=[random.normal(size=(9, 2, 4, 4, 3)).astype(np.float32) for _ in range(2)],
        evidence=[random.normal(size=(9, 2, 4, 4)) for _ in range(2)],
    )


def is_same(first, second):
    return first[:3] == second[:3] and np.array_equal(first.shares, second.shares)


def test_a_candidate_depends_on_the_seed_and_its_number_alone(parents):
    drawn = [candidates.draw_candidate(parents, 4, k) for k in range(200)]
    assert all(is_same(candidates.draw_candidate(parents, 4, k), drawn[k]) for k in (0, 7, 199))
    assert not all(is_same(candidates.draw_candidate(parents, 5, k), drawn[k]) for k in range(5))
    assert {c.pair[0] for c in drawn} == {*range(9)} == {c.pair[1] for c in drawn}
    assert {c.mask for c in drawn} == set(masks.KINDS) and len({c.mirrored for c in drawn}) == 4
    shares = np.stack([c.shares for c in drawn])
    assert shares.shape == (200, 4, 4) and shares.min() >= 0 and shares.max() <= 1
    uniform = np.stack([c.shares for c in drawn if c.mask == "uniform"])
    assert 0.3 <= uniform.min() < 0.4 and 0.6 < uniform.max() <= 0.7 and np.all(np.ptp(uniform, (1, 2)) == 0)


def test_learned_masks_follow_the_evidence_of_the_pair_as_it_is_mirrored(parents):
    """Shares that are not clipped are mix + strength * pattern, with a positive strength of the range."""
    for candidate in (candidates.draw_candidate(parents, 4, k, ("learned",)) for k in range(40)):
        chosen = zip(parents.evidence, candidate.pair, candidate.mirrored, strict=True)
        first, second = (evidence[row, mirrored] for evidence, row, mirrored in chosen)
        difference = second - first - np.mean(second - first)
        inside = (candidate.shares > 0) & (candidate.shares < 1)
        pattern, shares = np.tanh(difference / difference.std())[inside], candidate.shares[inside]
        strength, mix = np.polyfit(pattern, shares, 1)
        np.testing.assert_allclose(mix + strength * pattern, shares, atol=2e-3)
        assert 0.099 < strength < 0.501 and 0.299 < mix < 0.701


def test_parents_have_evidence_for_their_own_class():
    """Latents differ in the cell (0, 1) alone, by -1 and 1, and a mirror image has that in (0, 0), where it tells
    nothing. The ridge regression's slope for n images of 4 numbers, one of them not 0, is n / (n + n / 16).
    """
    latents = np.zeros((6, 2, 2, 1), np.float16)
    latents[:3, 0, 1], latents[3:, 0, 1] = -1, 1
    bank, identity = SimpleNamespace(latents=latents), lambda array: array
    model = SimpleNamespace(encode=identity, decode=identity)
    parents = candidates.prepare_parents(model, bank, [np.arange(3), np.arange(3, 6)])
    for side, sign in enumerate((-1, 1)):
        np.testing.assert_array_equal(parents.latents[side][:, :, 0, :, 0], [[[0, sign], [sign, 0]]] * 3)
        expected = np.zeros((3, 2, 2, 2))
        expected[:, 0, 0, 1] = 16 / 17
        np.testing.assert_allclose(parents.evidence[side], expected, atol=1e-9)


def test_latents_are_those_of_the_parents_as_they_are_or_mirrored(parents):
    drawn = [candidates.draw_candidate(parents, 0, k) for k in range(5)]
    latents = candidates.parent_latents(parents, drawn)
    assert latents.shape == (5, 2, 4, 4, 3)
    for candidate, pair in zip(drawn, latents, strict=True):
        for side in (0, 1):
            expected = parents.latents[side][candidate.pair[side], candidate.mirrored[side]]
            np.testing.assert_array_equal(pair[side], expected)
