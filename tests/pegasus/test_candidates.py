"""Candidates: what they are drawn from, and that each is a function of the seed and its number."""

import numpy as np
import pytest
import tensorflow as tf

from pegasus import candidates, masks


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


def test_the_rival_with_the_most_similar_border_is_taken(parents, monkeypatch):
    monkeypatch.setattr(candidates, "RIVALS", 0.01)  # hundreds are drawn: it sees all nine, both ways
    drawn = [candidates.draw(parents, 0, k) for k in range(20)]
    for c in drawn:
        mine = parents.borders[0][c.places[0], c.mirrored[0]]
        away = np.linalg.norm(parents.borders[1] - mine, axis=-1)  # [9, 2]
        assert away[c.places[1], c.mirrored[1]] == away.min()


class Lightness:
    """In place of a model and its judge: a code is its picture, and the mean of each of its channels the logarithm
    of one of the classes "a", "b" and "c"."""

    class_names, pair, judge, critic = ("a", "b", "c"), [0, 1], None, None

    def __init__(self):
        self.model = self.judge = self.autoencoder = self
        self.encode = self.decode = lambda codes: codes
        self.refer_to = lambda codes, features, energy: None

    def see(self, pictures):
        logs = tf.reduce_mean(pictures, axis=(1, 2))
        return logs, logs


class Bank:
    """Sixteen codes a class. Row k is white in the middle by k percent; k + 16, of class b, likewise. Class c says
    of them 0 to 15 in an order of its own."""

    said = np.random.default_rng(3).permutation(32) % 16
    latents = np.zeros((32, 8, 8, 3), np.float32)
    latents[..., 2] = said[:, None, None] / 1000
    latents[:, 2:6, 2:6] = (np.arange(32) % 16)[:, None, None, None] / 100


@pytest.mark.parametrize(
    ("likes", "expected"),
    [
        ((None, None), [range(8, 16), range(8, 16)]),  # the whiter half is what the judge takes for its class
        (("light", None), [(14, 15), range(8, 16)]),  # a quarter of those
        ((None, "light"), [range(8, 16), range(12, 16)]),  # of the second class a quarter of nine tenths
        ((None, "light,light"), [range(8, 16), (15,)]),  # and a quarter of that
    ],
)
def test_parents_are_the_confident_ones_and_among_them_those_asked_for(likes, expected):
    rows = [np.arange(16), np.arange(16, 32)]
    found = candidates.prepare(Lightness(), Bank(), rows, likes=likes)
    assert [[*side] for side in found.chosen] == [[*side] for side in expected]


def test_parents_like_a_class_are_those_the_judge_finds_most_like_it():
    rows = [np.arange(16), np.arange(16, 32)]
    found = candidates.prepare(Lightness(), Bank(), rows, likes=(None, "c"))
    whole = Bank.latents[18:, :, :, 2].mean(axis=(1, 2))  # of class b all but the two that are recognised least
    assert [*found.chosen[1]] == sorted(2 + np.argsort(-whole)[:4])


def test_light_is_the_middle_against_the_whole():
    """A picture that is light all over is not; a middle quarter of 1 on 0 is 1 less the mean of 1 / 4."""
    pictures = np.zeros((3, 8, 8, 3), np.float32)
    pictures[1] = 0.9
    pictures[2, 2:6, 2:6] = 1
    np.testing.assert_allclose(candidates.lightness(tf.constant(pictures)), [0, 0, 0.75], atol=1e-6)


def test_first_parents_are_lowered():
    """The codes are pictures: two rows down, the uppermost repeated, plain and mirrored; the second's stay."""
    rows = [np.arange(16), np.arange(16, 32)]
    found = candidates.prepare(Lightness(), Bank(), rows, lower_first=2)
    plain = Bank.latents[:16]
    expected = np.concatenate([plain[:, :1], plain[:, :1], plain[:, :6]], axis=1)
    np.testing.assert_array_equal(found.codes[0], np.stack([expected, expected[:, :, ::-1]], axis=1))
    np.testing.assert_array_equal(found.codes[1][:, 0], Bank.latents[16:])
