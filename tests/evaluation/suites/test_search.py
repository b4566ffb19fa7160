"""The suite "search": the bank's images, the controls, and equal conditions for all searches."""

import numpy as np
import pytest

import evaluation.suites.search
from acai.latent_bank import LatentBank
from common.images import to_float
from common.interpolation import lerp
from pegasus import candidates, masks, search
from pegasus.search_config import DEFAULT_TERM_WEIGHTS, SearchConfig
from tests.support.searches import CLASSES, HOLDOUT, MODEL, TRAIN, HalvesClassifier, make_bank


class Squares:
    """Extractor whose features are the means of 2x2 squares."""

    name, comparable = "squares", ""

    def __call__(self, pictures):
        return HalvesClassifier()(pictures)[1]


def evaluate(config):
    classifiers = HalvesClassifier(), HalvesClassifier()
    return evaluation.suites.search.evaluate(
        MODEL, *classifiers, Squares(), TRAIN, HOLDOUT, *CLASSES, make_bank(), config
    )


def test_images_of_a_bank_are_found_by_split_and_id():
    images = evaluation.suites.search.find_bank_images(make_bank(), TRAIN, HOLDOUT)
    expected = [TRAIN.images[7], HOLDOUT.images[4], HOLDOUT.images[3], TRAIN.images[20]]
    np.testing.assert_array_equal(images[:4], to_float(np.stack(expected)))


def test_a_cross_fade_of_cells_fades_squares_of_pixels():
    """Each square of 2x2 pixels is faded at its own share, with parents mirrored as drawn."""
    bank = make_bank()
    images = evaluation.suites.search.find_bank_images(bank, TRAIN, HOLDOUT)
    pixels = LatentBank(images, *list(bank.arrays().values())[1:])
    model, rows = evaluation.suites.search.CrossFade(), [bank.rows(name) for name in CLASSES]
    parents = candidates.prepare_parents(model, HalvesClassifier(), CLASSES, pixels, rows, path=lerp, cell_size=2)
    drawn = [candidates.draw_candidate(parents, 0, k, ("random",)) for k in range(5)]
    faded = candidates.blend_candidates(parents, drawn)
    for candidate, picture in zip(drawn, faded, strict=True):
        first, second = (
            pixels.latents[parents.rows[side][candidate.pair[side]]][:, :: -1 if candidate.mirrored[side] else 1]
            for side in (0, 1)
        )
        assert candidate.shares.shape == (4, 4) and np.ptp(candidate.shares) > 0.05
        shares = np.kron(candidate.shares, np.ones((2, 2)))[..., None]
        np.testing.assert_allclose(picture, (1 - shares) * first + shares * second, atol=1e-5)


def test_blends_of_cells_by_lerp_are_linear():
    first, second = np.random.default_rng(0).normal(size=(2, 1, 2, 2, 3))
    shares = np.array([[[0, 0.25], [0.5, 1]]])
    expected = (1 - shares[..., None]) * first + shares[..., None] * second
    np.testing.assert_allclose(masks.blend_cells(first, second, shares, lerp), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def section():
    return evaluate(SearchConfig(300, refine=3))


def test_all_searches_have_the_same_settings(monkeypatch):
    """First parents are light, lowered, and a quarter of the most confidently recognised half."""
    calls = []

    def prepare_parents(model, ensemble, classes, bank, rows, traits, lower_first, path, cell_size):
        calls.append((traits, lower_first))
        return candidates.prepare_parents(
            model, ensemble, classes, bank, rows, traits, lower_first, path, cell_size
        )

    def select_candidates(scorer, parents, count, keep, seed, weights, kinds):
        terms = weights["above"], weights["wings"], weights["recognised"]
        eligible = [len(indices) for indices in parents.eligible]
        calls.append((scorer.optional_terms, count, *terms, *eligible, kinds))
        drawn = [candidates.draw_candidate(parents, seed, k, kinds) for k in range(keep)]
        return None, candidates.blend_candidates(parents, drawn)

    monkeypatch.setattr(evaluation.suites.search, "prepare_parents", prepare_parents)
    monkeypatch.setattr(search, "select_candidates", select_candidates)
    weights = DEFAULT_TERM_WEIGHTS | {"above": 0.7}
    evaluate(SearchConfig(64, mask="top", lower_first=3, first_like="light", term_weights=weights))
    rows = [len(make_bank().rows(name)) for name in CLASSES]
    confident = [round(count * candidates.CONFIDENT_SHARE) for count in rows]
    settings = ("above",), 64, 0.7, 0.0, 1.0, round(confident[0] * candidates.LIKE_SHARE), confident[1]
    kinds = [("top",), ("top",), ("uniform",), ("top",)]  # the third is the cross-fade without masks
    expected = [[(("light", None), 3), (*settings, kind)] for kind in kinds]
    assert calls == sum(expected, [])
    calls.clear()
    evaluate(SearchConfig(64, mask="uniform"))
    assert [call[-1] for call in calls[1::2]] == [("uniform",)] * 3  # no second cross-fade


def test_the_table_has_results_with_and_without_refinement_and_random_blends(section):
    rows = {row["blends"]: row for row in section.table}
    latent_rows = [f"{n}, {k}" for n in ("slerp", "lerp") for k in ("kept", "kept and refined", "random")]
    assert list(rows) == [*latent_rows, "cross-fade, kept", "cross-fade, random", "cross-fade with masks, kept"]
    main_row = rows["slerp, kept and refined"]
    assert section.estimates == [value for value in main_row.values() if not isinstance(value, str)]
    for estimate in section.estimates:
        assert estimate.count == 64


def test_lerp_finds_what_the_cross_fade_finds_if_latents_are_pixels(section):
    """Pairs, masks, shares and scores are equal but for rounding, which greedy selection amplifies."""
    rows = {row["blends"]: row for row in section.table}
    for kind, control in (("kept", "cross-fade with masks, kept"), ("random", "cross-fade, random")):
        name = "recognisability_referee_64"
        value, control_value = rows[f"lerp, {kind}"][name].value, rows[control][name].value
        assert value == pytest.approx(control_value, abs=0.03)
