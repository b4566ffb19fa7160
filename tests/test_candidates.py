"""Candidates: what they are drawn from, and that each is a function of the seed and its number."""

import numpy as np

from acai import candidates, masks


def test_the_border_is_the_twelve_outer_cells():
    codes = np.arange(16).reshape(1, 4, 4, 1)
    assert candidates.border(codes).tolist() == [[0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 14, 15]]


def same(one, other):
    return one[:3] == other[:3] and np.array_equal(one.shares, other.shares)


def test_a_candidate_depends_on_the_seed_and_its_number_alone(parents):
    drawn = [candidates.draw(parents, 4, k) for k in range(200)]
    assert all(same(candidates.draw(parents, 4, k), drawn[k]) for k in (0, 7, 199))
    assert not all(same(candidates.draw(parents, 5, k), drawn[k]) for k in range(5))
    assert {c.places[0] for c in drawn} == {1, 3, 5} and {c.mask for c in drawn} == set(masks.KINDS)
    assert {c.mirrored[0] for c in drawn} == {0, 1}
    shares = np.stack([c.shares for c in drawn])
    assert shares.shape == (200, 4, 4) and shares.min() >= 0 and shares.max() <= 1
    uniform = np.stack([c.shares for c in drawn if c.mask == "uniform"])
    assert 0.3 <= uniform.min() < 0.4 and 0.6 < uniform.max() <= 0.7 and np.all(np.ptp(uniform, (1, 2)) == 0)


def test_the_rival_with_the_most_similar_border_is_taken(parents):
    drawn = [candidates.draw(parents, 0, k, rivals=500) for k in range(20)]  # sees all nine, both ways
    for c in drawn:
        mine = parents.borders[0][c.places[0], c.mirrored[0]]
        away = np.linalg.norm(parents.borders[1] - mine, axis=-1)  # [9, 2]
        assert away[c.places[1], c.mirrored[1]] == away.min()
