"""The search: the best are found; what is measured in typical distances."""

import dataclasses
import functools

import numpy as np

from pegasus import masks, search


class Best:
    """A scorer that likes codes near a target, and counts what it is shown at once."""

    def __init__(self, target):
        self.target, self.sizes = target, []
        self.reference = np.zeros((2, 5), np.float32)

    def __call__(self, codes, thorough=False):
        self.sizes.append(len(codes))
        away = -np.square(codes - self.target).sum((1, 2, 3))
        return {"recognised": away}, codes.reshape(len(codes), -1)[:, :5]


def test_the_best_of_all_are_found_whatever_the_batches(parents, monkeypatch):
    monkeypatch.setattr(search, "POOL", 20)
    monkeypatch.setattr(search, "BATCH_SIZE", 32)
    monkeypatch.setattr(search, "NEAR", 0)
    monkeypatch.setattr(search, "select", functools.partial(search.select, uses=1000))
    scorer = Best(search.codes_of(parents, [search.draw(parents, 0, 123)])[0])
    drawn, codes = search.find(scorer, parents, 200, 3, 0, masks.WEIGHTS | {"together": 0.0})
    assert max(scorer.sizes) <= 32 and scorer.sizes[:7] == [32] * 6 + [8]
    assert drawn[0].places == search.draw(parents, 0, 123).places
    np.testing.assert_array_equal(codes[0], scorer.target)
    everything = search.codes_of(parents, [search.draw(parents, 0, k) for k in range(200)])
    scores = scorer(everything)[0]["recognised"]
    found = scorer(codes)[0]["recognised"]
    assert list(found) == sorted(found, reverse=True) and found[2] >= np.sort(scores)[-10]


def test_where_wings_are_asked_for_the_first_is_the_best_at_a_glance_and_stays_as_it_is(parents, monkeypatch):
    """Of those in the pool, whatever its score."""
    monkeypatch.setattr(search, "POOL", 20)
    monkeypatch.setattr(search, "refine", lambda scorer, codes, *_: (codes + 1).astype(np.float16))

    class Glancing(Best):
        def __call__(self, codes, thorough=False):
            terms, features = super().__call__(codes)
            return terms | {"wings": 0 * terms["recognised"]}, features

        def glance(self, codes):
            return codes[:, 0, 0, 0]

    everything = search.codes_of(parents, [search.draw(parents, 0, k) for k in range(50)])
    scorer, weights = Glancing(everything[7]), masks.WEIGHTS | {"together": 0.0}
    by_score = np.argsort(-scorer(everything)[0]["recognised"], kind="stable")
    glances = scorer.glance(everything)
    best = {True: by_score[:24][glances[by_score[:24]].argmax()], False: by_score[0]}
    assert best[True] not in by_score[:3]
    for asked, first in best.items():
        wings = {"wings": 1.0 * asked}
        _, codes = search.find(scorer, parents, 50, 3, 0, weights | wings)
        np.testing.assert_array_equal(codes[0], everything[first])
        assert len(codes) == 3 and np.any(np.all(codes == everything[7], axis=(1, 2, 3)))
        better = search.refined(scorer, codes, weights | wings, 1, 0) - codes.astype(np.float16)
        np.testing.assert_allclose(better.mean(axis=(1, 2, 3)), [1 - asked, 1, 1], atol=1e-2)
    assert len(search.refined(scorer, codes[:1], weights | {"wings": 1.0}, 1, 0)) == 1


def test_unlike_is_the_distance_in_typical_ones(parents):
    codes = np.zeros((2, 4, 4, 3), np.float32)
    codes[0].ravel()[:5] = parents.features[4] + [0.5, 0, 0, 0, 0]
    codes[1].ravel()[:5] = 100
    terms, _ = search.thorough(Best(0), parents, codes)
    nearest = np.linalg.norm(parents.features - codes.reshape(2, -1)[:1, :5], axis=1).min()
    np.testing.assert_allclose(terms["unlike"], [np.log(min(1, nearest)), 0], atol=1e-6)


def test_duplicates_are_measured_in_typical_distances_and_the_whole_has_its_weight(parents, monkeypatch):
    seen = []
    monkeypatch.setattr(search, "select", lambda *args, begin: seen.append(args) or [0])
    search.find(Best(0), dataclasses.replace(parents, spacing=3.0), 8, 1, 0, masks.WEIGHTS | {"together": 7.0})
    [(*_, near, _, together)] = seen
    assert (near, together) == (search.NEAR * 3, 7)
