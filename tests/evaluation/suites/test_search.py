"""The suite "search": images of a bank found again, controls that are what they say, and three fair searches."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import evaluation.suites.search
from acai.latent_bank import LatentBank
from common.data import datasets
from common.images import to_float
from common.interpolation import lerp
from pegasus import candidates, masks, scores, search
from pegasus.search_config import SearchConfig
from pictures import acai_recipes

CLASSES = ("horse", "bird")


def photographs(count, split, seed):
    """Two classes told apart by which half is bright, with noise; 8x8x3; ids count by threes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    images = rng.integers(0, 120, (count, 8, 8, 3))
    images[labels == 0, :4] += 120
    images[labels == 1, 4:] += 120
    return datasets.ImageDataset(images.astype(np.uint8), labels, 3 * np.arange(count), CLASSES, split)


TRAIN, HOLDOUT = photographs(240, "train", 0), photographs(120, "holdout", 1)


def bank():
    """Codes [4, 4, 12] of some images of either split: their 2x2 squares of pixels."""
    rows = [(TRAIN, 7), (HOLDOUT, 4), (HOLDOUT, 3), *((TRAIN, i) for i in range(20, 220))]
    codes = np.stack([encode(to_float(d.images[[i]]))[0] for d, i in rows])
    columns = ([d.labels[i], d.ids[i], d.split] for d, i in rows)
    labels, ids, splits = map(np.array, zip(*columns, strict=True))
    return LatentBank(codes.astype(np.float16), labels, ids, splits, np.array(CLASSES))


def encode(images):
    return np.reshape(images, (-1, 4, 2, 4, 2, 3)).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, 12)


def decode(codes):
    """Tensors and arrays alike."""
    squares = keras.ops.reshape(codes, (-1, 4, 4, 2, 2, 3))
    return keras.ops.reshape(keras.ops.transpose(squares, (0, 1, 3, 2, 4, 5)), (-1, 8, 8, 3))


class Judge:
    """Sees how bright each half is; its features are the means of 2x2 squares."""

    class_names = ("cat", *CLASSES)

    def log_probabilities_and_features(self, pictures):
        seen = self.network(pictures)
        return keras.ops.log_softmax(seen["logits"]), seen["features"]

    def network(self, pictures):
        halves = keras.ops.stack(
            [keras.ops.mean(pictures[:, :4], (1, 2, 3)), keras.ops.mean(pictures[:, 4:], (1, 2, 3))], 1
        )
        logits = keras.ops.concatenate([-9 + 0 * halves[:, :1], 5 * halves], 1)
        means = keras.ops.mean(keras.ops.reshape(pictures, (-1, 4, 2, 4, 2, 3)), (2, 4))
        return {"logits": logits, "features": keras.ops.reshape(means, (-1, 48))}

    def __call__(self, pictures):
        seen = self.network(pictures)
        return np.asarray(keras.ops.softmax(seen["logits"])), np.asarray(seen["features"])


def test_images_of_a_bank_are_found_by_split_and_id():
    found = evaluation.suites.search.pictures_of(bank(), TRAIN, HOLDOUT)
    expected = [TRAIN.images[7], HOLDOUT.images[4], HOLDOUT.images[3], TRAIN.images[20]]
    np.testing.assert_array_equal(found[:4], to_float(np.stack(expected)))


def test_a_cross_fade_by_cells_is_one_of_pixels():
    """Each square of 2x2 pixels is faded at its own share, parents mirrored as drawn."""
    codes, kinds = bank(), ("random",)
    pixels = LatentBank(
        evaluation.suites.search.pictures_of(codes, TRAIN, HOLDOUT), *list(codes.arrays().values())[1:]
    )
    scorer = scores.Scorer(evaluation.suites.search.CrossFade(), Judge(), CLASSES)
    parents = candidates.prepare(scorer, pixels, [codes.rows(name) for name in CLASSES], path=lerp, cell=2)
    drawn = [candidates.draw(parents, 0, k, kinds) for k in range(5)]
    faded = candidates.codes_of(parents, drawn)
    for candidate, picture in zip(drawn, faded, strict=True):
        first, second = (
            pixels.latents[parents.rows[side][candidate.places[side]]][:, :: -1 if candidate.mirrored[side] else 1]
            for side in (0, 1)
        )
        assert candidate.shares.shape == (4, 4) and np.ptp(candidate.shares) > 0.05
        shares = np.kron(candidate.shares, np.ones((2, 2)))[..., None]
        np.testing.assert_allclose(picture, (1 - shares) * first + shares * second, atol=1e-5)


def test_blends_of_cells_by_lerp_are_on_the_line():
    first, second = np.random.default_rng(0).normal(size=(2, 1, 2, 2, 3))
    shares = np.array([[[0, 0.25], [0.5, 1]]])
    expected = (1 - shares[..., None]) * first + shares[..., None] * second
    np.testing.assert_allclose(masks.blend(first, second, shares, lerp), expected, rtol=1e-6)


MODEL = SimpleNamespace(encode=encode, decode=decode, autoencoder=SimpleNamespace(decode=decode), critic=None)


@pytest.mark.parametrize("training", [TRAIN, None])
def test_the_kept_are_to_be_like_training_images_where_there_are_any(training, monkeypatch):
    seen, own = [], search.KernelDistance
    monkeypatch.setattr(search, "KernelDistance", lambda reference: seen.append(reference) or own(reference))
    codes, config = bank(), SearchConfig(70, keep=3)
    rows = [codes.rows(name) for name in CLASSES]
    result = search.run_search(config, MODEL, Judge(), codes, rows, CLASSES, 0, training)
    real = to_float(TRAIN.images)
    like = real if training else np.asarray(decode(codes.latents[np.concatenate(rows)].astype(np.float32)))
    np.testing.assert_allclose(seen[0], Judge()(like)[1], atol=1e-5)
    assert len(result.scores) == 3 and (result.nearest_images is None) == (training is None)
    if training:
        blends = [masks.blend(*sides, np.array([b["shares"]])) for sides, b in blended(codes, result)]
        pictures = np.asarray(decode(np.concatenate(blends).astype(np.float32)))
        glances = scores.Scorer(MODEL, Judge(), CLASSES).glance(np.concatenate(blends).astype(np.float32))
        np.testing.assert_allclose([e["low_resolution_score"] for e in result.scores], glances, atol=1e-3)
        assert list(glances) == sorted(glances, reverse=True)
        features = Judge()(np.clip(pictures, -1, 1))[1]
        away = np.linalg.norm(features[:, None] - Judge()(real)[1], axis=2)
        near = away.argmin(axis=1)
        np.testing.assert_array_equal(result.nearest_images, real[near])
        assert [e["nearest_training_image"]["id"] for e in result.scores] == TRAIN.ids[near].tolist()
        distances = [e["nearest_training_image"]["distance"] for e in result.scores]
        np.testing.assert_allclose(distances, away.min(axis=1), atol=2e-3)


def test_wings_stand_first_where_they_are_asked_for():
    """Of lowered first parents and second ones like the first class."""
    codes, weights = bank(), masks.WEIGHTS | {"wings": 2.0}
    rows = [codes.rows(name) for name in CLASSES]
    config = SearchConfig(70, 8, refine=1, lower_first=2, second_like="light,horse", term_weights=weights)
    result = search.run_search(config, MODEL, Judge(), codes, rows, CLASSES, seed=0)
    refined = result.refined_latents.astype(np.float32)
    expected = scores.Scorer(MODEL, Judge(), CLASSES, ("wings",)).glance(refined)
    np.testing.assert_allclose([e["low_resolution_score"] for e in result.scores], expected, atol=1e-3)
    assert list(expected[1:]) == sorted(expected[1:], reverse=True)
    lowered = masks.lowered(MODEL, codes.latents[[row for row, _ in result.rows]].astype(np.float32), 2)
    turned = [blend["mirrored"][0] for blend in result.blends]
    expected = np.where(np.reshape(turned, (-1, 1, 1, 1)), masks.mirrored(MODEL, lowered), lowered)
    source = acai_recipes.Source("", {}, {}, codes, [])
    drawn = dict(action="blend", rows=result.rows, blends=result.blends, lower_first=2)
    first, plain, _ = acai_recipes.blended(drawn, MODEL, source)
    np.testing.assert_allclose(first, expected)
    moved = np.abs(refined - plain).max(axis=(1, 2, 3))
    assert moved[0] < 2e-3 < 1e-2 < moved[1:].min()  # the first is as it was blended


def test_refined_codes_stand_beside_what_they_were_made_of():
    codes, config = bank(), SearchConfig(70, keep=8, refine=1)
    rows = [codes.rows(name) for name in CLASSES]
    result = search.run_search(config, MODEL, Judge(), codes, rows, CLASSES, seed=0)
    refined = result.refined_latents.astype(np.float32)
    glances = scores.Scorer(MODEL, Judge(), CLASSES).glance(refined)
    np.testing.assert_allclose([e["low_resolution_score"] for e in result.scores], glances, atol=1e-3)
    assert list(glances) == sorted(glances, reverse=True)
    blends = np.concatenate([masks.blend(*sides, np.array([b["shares"]])) for sides, b in blended(codes, result)])
    away = np.square(refined[:, None] - blends).sum(axis=(2, 3, 4))
    np.testing.assert_array_equal(away.argmin(axis=1), np.arange(8))


def blended(codes, result):
    """Yields, blend by blend, the two parents' latents [1, h, w, c], mirrored where it says so, and the blend."""
    for rows, blend in zip(result.rows, result.blends, strict=True):
        pictures = [np.asarray(decode(codes.latents[[row]].astype(np.float32))) for row in rows]
        turned = [p[:, :, :: -1 if m else 1] for p, m in zip(pictures, blend["mirrored"], strict=True)]
        yield [encode(picture) for picture in turned], blend


@pytest.fixture(scope="module")
def section():
    features = SimpleNamespace(name="squares", comparable="")
    extract = lambda pictures: Judge()(pictures)[1]  # noqa: E731
    extract.name, extract.comparable = features.name, features.comparable
    return evaluation.suites.search.evaluate(
        MODEL,
        Judge(),
        Judge(),
        extract,
        TRAIN,
        HOLDOUT,
        *CLASSES,
        bank(),
        SearchConfig(300, refine=3),
    )


def test_all_searches_are_asked_for_the_same(monkeypatch):
    """For light first parents, a quarter of those that judges recognise best, lowered, and the second above."""
    asked = []

    def prepare(scorer, codes, rows, likes, lower_first, path, cell):
        asked.append((scorer.optional, likes, lower_first))
        return candidates.prepare(scorer, codes, rows, likes, lower_first, path, cell)

    def find(scorer, parents, count, keep, seed, weights, kinds):
        each = weights["above"], weights["wings"], weights["recognised"]
        asked.append((count, *each, len(parents.chosen[0]), len(parents.chosen[1]), kinds))
        return None, candidates.codes_of(parents, [candidates.draw(parents, seed, k, kinds) for k in range(keep)])

    monkeypatch.setattr(evaluation.suites.search, "prepare", prepare)
    monkeypatch.setattr(evaluation.suites.search, "search", SimpleNamespace(find=find, asked=search.asked))
    judge = Judge()
    extract = lambda pictures: Judge()(pictures)[1]  # noqa: E731
    extract.name, extract.comparable = "squares", ""
    shared = judge, judge, extract, TRAIN, HOLDOUT, *CLASSES, bank()
    evaluation.suites.search.evaluate(
        MODEL,
        *shared,
        SearchConfig(
            64, mask="top", lower_first=3, first_like="light", term_weights=masks.WEIGHTS | {"above": 0.7}
        ),
    )
    rows = [len(bank().rows(name)) for name in CLASSES]
    confident = [round(n * candidates.CONFIDENT) for n in rows]
    found = 64, 0.7, 0.0, 1.0, round(confident[0] * candidates.LIKE), confident[1]
    kinds = [("top",), ("top",), ("uniform",), ("top",)]  # a plain cross-fade has no mask
    each = [[(("above",), ("light", None), 3), (*found, kind)] for kind in kinds]
    assert asked == sum(each, [])
    asked.clear()
    evaluation.suites.search.evaluate(MODEL, *shared, SearchConfig(64, mask="uniform"))
    assert [found[-1] for found in asked[1::2]] == [("uniform",)] * 3  # and then there are no collages


def test_searches_with_and_without_refinement_beside_random_draws(section):
    rows = {row["blends"]: row for row in section.table}
    of_codes = [f"{n}, {k}" for n in ("slerp", "lerp") for k in ("kept", "kept and refined", "random")]
    assert list(rows) == [*of_codes, "cross-fade, kept", "cross-fade, random", "cross-fade with masks, kept"]
    ours = rows["slerp, kept and refined"]
    assert section.estimates == [v for v in ours.values() if not isinstance(v, str)]
    for figure in section.estimates:
        assert figure.count == 64


def test_lerp_of_codes_that_are_pixels_finds_what_the_cross_fade_finds(section):
    """Same pairs, masks, shares and scores; but for rounding, which a choice one after the other spreads."""
    rows = {row["blends"]: row for row in section.table}
    for kind, control in (("kept", "cross-fade with masks, kept"), ("random", "cross-fade, random")):
        one, other = rows[f"lerp, {kind}"], rows[control]
        name = "recognisability_referee_64"
        assert one[name].value == pytest.approx(other[name].value, abs=0.03)
