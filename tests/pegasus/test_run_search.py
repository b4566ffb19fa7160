"""Whole searches: what they resemble, their order, and that results match their description."""

import numpy as np
import pytest

from common.images import to_float
from pegasus import masks, search
from pegasus.candidates import prepare_parents
from pegasus.scores import Scorer
from pegasus.search_config import DEFAULT_TERM_WEIGHTS, SearchConfig
from pictures.acai_plan import ACAIPlan
from pictures.acai_render import blend_latents
from pictures.request import Blend
from tests.support.searches import CLASSES, MODEL, TRAIN, HalvesClassifier, decode, encode, make_bank


def run_search(config, training=None):
    """Returns (bank, its rows of each class, SearchResult)."""
    bank = make_bank()
    rows = [bank.rows(name) for name in CLASSES]
    result = search.run_search(config, MODEL, HalvesClassifier(), bank, rows, CLASSES, seed=0, training=training)
    return bank, rows, result


def low_resolution_scores(latents, optional_terms=()):
    bank = make_bank()
    networks = MODEL, HalvesClassifier(), CLASSES
    parents = prepare_parents(*networks, bank, [bank.rows(name) for name in CLASSES])
    return Scorer(*networks, parents, optional_terms).low_resolution_score(latents)


def blend_results(bank, result):
    """Blends the results anew from their description: latents [N, h, w, c]."""
    blends = []
    for rows, blend in zip(result.rows, result.blends, strict=True):
        pictures = [np.asarray(decode(bank.latents[[row]].astype(np.float32))) for row in rows]
        mirrored = [p[:, :, :: -1 if m else 1] for p, m in zip(pictures, blend["mirrored"], strict=True)]
        blends.append(masks.blend_cells(*map(encode, mirrored), np.array([blend["shares"]])))
    return np.concatenate(blends).astype(np.float32)


def values(result, name):
    return [scores[name] for scores in result.scores]


@pytest.mark.parametrize("training", [TRAIN, None])
def test_results_should_resemble_training_images_or_else_reconstructions(training, monkeypatch):
    references, kernel_distance = [], search.KernelDistance
    monkeypatch.setattr(search, "KernelDistance", lambda x: references.append(x) or kernel_distance(x))
    bank, rows, result = run_search(SearchConfig(70, keep=3), training)
    real = to_float(TRAIN.images)
    expected = real if training else np.asarray(decode(bank.latents[np.concatenate(rows)].astype(np.float32)))
    np.testing.assert_allclose(references[0], HalvesClassifier()(expected)[1], atol=1e-5)
    assert len(result.scores) == 3 and (result.nearest_images is None) == (training is None)
    if training:
        latents = blend_results(bank, result)
        expected = low_resolution_scores(latents)
        np.testing.assert_allclose(values(result, "low_resolution_score"), expected, atol=1e-3)
        assert list(expected) == sorted(expected, reverse=True)
        features = HalvesClassifier()(np.clip(np.asarray(decode(latents)), -1, 1))[1]
        distances = np.linalg.norm(features[:, None] - HalvesClassifier()(real)[1], axis=2)
        nearest = distances.argmin(axis=1)
        np.testing.assert_array_equal(result.nearest_images, real[nearest])
        described = values(result, "nearest_training_image")
        assert [image["id"] for image in described] == TRAIN.ids[nearest].tolist()
        np.testing.assert_allclose([i["distance"] for i in described], distances.min(axis=1), atol=2e-3)


def test_the_reserved_result_is_first_and_not_refined():
    """With the term "wings", lowered first parents, and second parents with traits."""
    weights = DEFAULT_TERM_WEIGHTS | {"wings": 2.0}
    config = SearchConfig(70, 8, refine=1, lower_first=2, second_like="light,horse", term_weights=weights)
    bank, _, result = run_search(config)
    refined = result.refined_latents.astype(np.float32)
    expected = low_resolution_scores(refined, ("wings",))
    np.testing.assert_allclose(values(result, "low_resolution_score"), expected, atol=1e-3)
    assert list(expected[1:]) == sorted(expected[1:], reverse=True)
    lowered = masks.lower_latents(MODEL, bank.latents[[row for row, _ in result.rows]].astype(np.float32), 2)
    is_mirrored = np.reshape([blend["mirrored"][0] for blend in result.blends], (-1, 1, 1, 1))
    expected = np.where(is_mirrored, masks.mirror_latents(MODEL, lowered), lowered)
    drawn = {"rows": result.rows, "blends": result.blends}
    plan = ACAIPlan(Blend(count=8, search=config), "", {}, {}, bank, drawn)
    first, plain, _ = blend_latents(plan, MODEL)
    np.testing.assert_allclose(first, expected)
    change = np.abs(refined - plain).max(axis=(1, 2, 3))
    assert change[0] < 2e-3 < 1e-2 < change[1:].min()


def test_refined_latents_are_in_the_order_of_their_descriptions():
    bank, _, result = run_search(SearchConfig(70, keep=8, refine=1))
    refined = result.refined_latents.astype(np.float32)
    expected = low_resolution_scores(refined)
    np.testing.assert_allclose(values(result, "low_resolution_score"), expected, atol=1e-3)
    assert list(expected) == sorted(expected, reverse=True)
    distances = np.square(refined[:, None] - blend_results(bank, result)).sum(axis=(2, 3, 4))
    np.testing.assert_array_equal(distances.argmin(axis=1), np.arange(8))
