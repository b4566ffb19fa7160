"""The search: the best candidates are found, one is reserved, and distances are relative to typical ones."""

import dataclasses
import functools

import numpy as np

from pegasus import search
from pegasus.candidates import blend_candidates, draw_candidate
from pegasus.search_config import DEFAULT_TERM_WEIGHTS

WEIGHTS = DEFAULT_TERM_WEIGHTS | {"together": 0.0}


class NearTarget:
    """Scorer that prefers latents near a target and records its batch sizes."""

    def __init__(self, target):
        self.target, self.batch_sizes = target, []
        self.reference = np.zeros((2, 5), np.float32)

    def __call__(self, latents, all_views=False):
        self.batch_sizes.append(len(latents))
        score = -np.square(latents - self.target).sum((1, 2, 3))
        return {"recognised": score}, latents.reshape(len(latents), -1)[:, :5]


def blend_all(parents, count):
    return blend_candidates(parents, [draw_candidate(parents, 0, k) for k in range(count)])


def test_the_best_candidates_are_found_whatever_the_batches(parents, monkeypatch):
    monkeypatch.setattr(search, "POOL_SIZE", 20)
    monkeypatch.setattr(search, "BATCH_SIZE", 32)
    monkeypatch.setattr(search, "MIN_DISTANCE", 0)
    monkeypatch.setattr(search, "select", functools.partial(search.select, max_uses=1000))
    everything = blend_all(parents, 200)
    scorer = NearTarget(everything[123])
    selected, latents = search.select_candidates(scorer, parents, 200, 3, 0, WEIGHTS)
    assert max(scorer.batch_sizes) <= 32 and scorer.batch_sizes[:7] == [32] * 6 + [8]
    assert selected[0].pair == draw_candidate(parents, 0, 123).pair
    np.testing.assert_array_equal(latents[0], scorer.target)
    all_scores = scorer(everything)[0]["recognised"]
    scores = scorer(latents)[0]["recognised"]
    assert list(scores) == sorted(scores, reverse=True) and scores[2] >= np.sort(all_scores)[-10]


def test_with_wings_the_best_low_resolution_score_is_reserved_and_not_refined(parents, monkeypatch):
    """The reserved candidate is in the pool, but not among those with the best scores."""
    monkeypatch.setattr(search, "POOL_SIZE", 20)
    monkeypatch.setattr(search, "refine_latents", lambda scorer, latents, *_: (latents + 1).astype(np.float16))

    class WithLowResolutionScore(NearTarget):
        def __call__(self, latents, all_views=False):
            terms, features = super().__call__(latents)
            return terms | {"wings": 0 * terms["recognised"]}, features

        def low_resolution_score(self, latents):
            return latents[:, 0, 0, 0]

    everything = blend_all(parents, 50)
    scorer = WithLowResolutionScore(everything[7])
    by_score = np.argsort(-scorer(everything)[0]["recognised"], kind="stable")
    low_resolution_scores = scorer.low_resolution_score(everything)
    first = {1.0: by_score[:24][low_resolution_scores[by_score[:24]].argmax()], 0.0: by_score[0]}
    assert first[1.0] not in by_score[:3]
    for weight in (1.0, 0.0):
        weights = WEIGHTS | {"wings": weight}
        _, latents = search.select_candidates(scorer, parents, 50, 3, 0, weights)
        np.testing.assert_array_equal(latents[0], everything[first[weight]])
        assert len(latents) == 3 and np.any(np.all(latents == everything[7], axis=(1, 2, 3)))
        change = search.refine_results(scorer, latents, weights, 1, 0) - latents.astype(np.float16)
        np.testing.assert_allclose(change.mean(axis=(1, 2, 3)), [1 - weight, 1, 1], atol=1e-2)
    assert len(search.refine_results(scorer, latents[:1], WEIGHTS | {"wings": 1.0}, 1, 0)) == 1


def test_novelty_is_relative_to_typical_distances(parents):
    latents = np.zeros((2, 4, 4, 3), np.float32)
    latents[0].ravel()[:5] = parents.features[4] + [0.5, 0, 0, 0, 0]
    latents[1].ravel()[:5] = 100
    terms, _ = search.score_all_views(NearTarget(0), parents, latents)
    nearest = np.linalg.norm(parents.features - latents.reshape(2, -1)[:1, :5], axis=1).min()
    np.testing.assert_allclose(terms["unlike"], [np.log(min(1, nearest)), 0], atol=1e-6)


def test_selection_gets_the_minimum_distance_and_the_kernel_distance_weight(parents, monkeypatch):
    calls = []
    monkeypatch.setattr(search, "select", lambda *args, **options: calls.append(options) or [0])
    parents = dataclasses.replace(parents, typical_distance=3.0)
    search.select_candidates(NearTarget(0), parents, 8, 1, 0, DEFAULT_TERM_WEIGHTS | {"together": 7.0})
    assert calls[0]["min_distance"] == search.MIN_DISTANCE * 3 and calls[0]["kernel_distance_weight"] == 7
