"""Candidates: the eligible parents, and that each candidate is a function of the seed and its number."""

import numpy as np
import pytest
import tensorflow as tf

from pegasus import candidates, masks


def test_the_border_is_the_twelve_outer_cells():
    latents = np.arange(16).reshape(1, 4, 4, 1)
    assert candidates.border_cells(latents).tolist() == [[0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 14, 15]]


def is_same(first, second):
    return first[:3] == second[:3] and np.array_equal(first.shares, second.shares)


def test_a_candidate_depends_on_the_seed_and_its_number_alone(parents):
    drawn = [candidates.draw_candidate(parents, 4, k) for k in range(200)]
    assert all(is_same(candidates.draw_candidate(parents, 4, k), drawn[k]) for k in (0, 7, 199))
    assert not all(is_same(candidates.draw_candidate(parents, 5, k), drawn[k]) for k in range(5))
    assert {c.pair[0] for c in drawn} == {1, 3, 5} and {c.mask for c in drawn} == set(masks.KINDS)
    assert {c.mirrored[0] for c in drawn} == {0, 1}
    shares = np.stack([c.shares for c in drawn])
    assert shares.shape == (200, 4, 4) and shares.min() >= 0 and shares.max() <= 1
    uniform = np.stack([c.shares for c in drawn if c.mask == "uniform"])
    assert 0.3 <= uniform.min() < 0.4 and 0.6 < uniform.max() <= 0.7 and np.all(np.ptp(uniform, (1, 2)) == 0)


def test_the_rival_with_the_most_similar_border_is_used(parents, monkeypatch):
    monkeypatch.setattr(candidates, "RIVALS", 0.01)  # hundreds are drawn: all nine compete, plain and mirrored
    drawn = [candidates.draw_candidate(parents, 0, k) for k in range(20)]
    for candidate in drawn:
        border = parents.borders[0][candidate.pair[0], candidate.mirrored[0]]
        distances = np.linalg.norm(parents.borders[1] - border, axis=-1)  # [9, 2]
        assert distances[candidate.pair[1], candidate.mirrored[1]] == distances.min()


class PixelModel:
    """A model whose latents are the pixels."""

    critic = None

    def __init__(self):
        self.autoencoder = self
        self.encode = self.decode = lambda latents: latents


class ChannelClassifier:
    """Its log probabilities of the classes "a", "b" and "c" are the means of the three channels."""

    class_names = ("a", "b", "c")

    def log_probabilities_and_features(self, pictures):
        means = tf.reduce_mean(pictures, axis=(1, 2))
        return means, means


class Bank:
    """Sixteen latents of each of the classes "a" and "b".

    The middle of row k is lighter by k percent, and that of row k + 16 likewise. The third channel gives the
    likeness to class "c": the numbers 0 to 15 in random order, twice.
    """

    likeness = np.random.default_rng(3).permutation(32) % 16
    latents = np.zeros((32, 8, 8, 3), np.float32)
    latents[..., 2] = likeness[:, None, None] / 1000
    latents[:, 2:6, 2:6] = (np.arange(32) % 16)[:, None, None, None] / 100


def prepare_parents(**options):
    rows = [np.arange(16), np.arange(16, 32)]
    return candidates.prepare_parents(PixelModel(), ChannelClassifier(), ("a", "b"), Bank(), rows, **options)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ((None, None), [range(8, 16), range(8, 16)]),  # the lighter half has the higher log probability
        (("light", None), [(14, 15), range(8, 16)]),  # a quarter of those
        ((None, "light"), [range(8, 16), range(12, 16)]),  # in the second class a quarter of nine tenths
        ((None, "light,light"), [range(8, 16), (15,)]),  # and a quarter of that
    ],
)
def test_eligible_parents_are_confidently_recognised_and_have_the_traits(traits, expected):
    parents = prepare_parents(traits=traits)
    assert [[*indices] for indices in parents.eligible] == [[*indices] for indices in expected]


def test_parents_with_a_class_as_trait_have_its_highest_probability():
    parents = prepare_parents(traits=(None, "c"))
    likeness = Bank.latents[18:, :, :, 2].mean(axis=(1, 2))  # all of class "b" but the two least recognised
    assert [*parents.eligible[1]] == sorted(2 + np.argsort(-likeness)[:4])


def test_parents_keep_what_scores_are_relative_to():
    """Bank latents as they are, features of both classes, and their mean high-frequency energy."""
    parents = prepare_parents(lower_first=2)
    np.testing.assert_array_equal(parents.bank_latents, Bank.latents)
    np.testing.assert_allclose(parents.features, Bank.latents.mean(axis=(1, 2)), rtol=1e-5, atol=1e-7)
    assert parents.energy == pytest.approx(
        float(np.mean(candidates.high_frequency_energy(Bank.latents))), rel=1e-5
    )


def test_relative_lightness_compares_the_middle_with_the_whole():
    """A uniformly light picture has 0; a middle quarter of 1 on 0 has 1 minus the mean of 1 / 4."""
    pictures = np.zeros((3, 8, 8, 3), np.float32)
    pictures[1] = 0.9
    pictures[2, 2:6, 2:6] = 1
    np.testing.assert_allclose(candidates.relative_lightness(tf.constant(pictures)), [0, 0, 0.75], atol=1e-6)


def test_first_parents_are_lowered():
    """Two rows down with the top row repeated, plain and mirrored; second parents do not move."""
    parents = prepare_parents(lower_first=2)
    plain = Bank.latents[:16]
    expected = np.concatenate([plain[:, :1], plain[:, :1], plain[:, :6]], axis=1)
    np.testing.assert_array_equal(parents.latents[0], np.stack([expected, expected[:, :, ::-1]], axis=1))
    np.testing.assert_array_equal(parents.latents[1][:, 0], Bank.latents[16:])
