"""The search for blends of any two classes: results match their description and are the best of all candidates."""

import numpy as np
import pytest

from common.interpolation import slerp
from pegasus import selection
from pegasus.general import candidates, search
from pegasus.search_config import MaskSearch
from tests.support.searches import CLASSES, MODEL, HalvesClassifier, decode, encode, make_bank

BANK = make_bank()
ROWS = [BANK.rows(name) for name in CLASSES]


def run_search(count, keep=8, mask=None):
    config = MaskSearch(count, keep, mask)
    return search.run_search(config, MODEL, HalvesClassifier(), BANK, ROWS, CLASSES, seed=0)


@pytest.fixture(scope="module")
def result():
    return run_search(300)


def blend(latents, shares):
    """Slerp of two parents' latents [2, h, w, c], cell by cell."""
    blended = np.empty_like(latents[0])
    for i, j in np.ndindex(*shares.shape):
        blended[i, j] = slerp(latents[0, i, j][None], latents[1, i, j][None], shares[i, j])[0]
    return blended


def test_results_match_their_description(result):
    for latents, described, note in zip(result.latents, result.blends, result.notes, strict=True):
        for side in (0, 1):
            row = note["parents"][side]["row"]
            assert note["parents"][side] == BANK.describe(row) and row in ROWS[side]
            picture = np.asarray(decode(BANK.latents[[row]].astype(np.float32)))
            expected = encode(picture[:, :, ::-1] if described["mirrored"][side] else picture)[0]
            np.testing.assert_allclose(latents[side], expected, atol=2e-3)


def test_scores_are_those_of_the_blends(result):
    parents = [BANK.latents[rows].astype(np.float32) for rows in ROWS]
    features = HalvesClassifier()(np.clip(np.asarray(decode(np.concatenate(parents))), -1, 1))[1]
    covariance = np.cov(features.T.astype(np.float64))
    covariance = 0.9 * covariance + 0.1 * np.mean(np.diag(covariance)) * np.eye(len(covariance))
    for latents, described, note in zip(result.latents, result.blends, result.notes, strict=True):
        blended = blend(latents.astype(np.float32), np.array(described["shares"]))
        probabilities, seen = HalvesClassifier()(np.clip(np.asarray(decode(blended[None])), -1, 1))
        recognised = np.log(probabilities[0, 1:]).mean()
        offset = seen[0] - features.mean(axis=0)
        distance = offset @ np.linalg.solve(covariance, offset) / len(offset)
        expected = {"recognised": recognised, "typical": -0.5 * max(distance - 1, 0)}
        assert note["terms"] == pytest.approx(expected, abs=2e-2)
        assert note["score"] == pytest.approx(sum(note["terms"].values()), abs=2e-4)
    scores = [note["score"] for note in result.notes]
    assert scores == sorted(scores, reverse=True)


def test_the_best_candidates_are_found_whatever_the_batches(result, monkeypatch):
    monkeypatch.setattr(selection, "BATCH_SIZE", 32)
    monkeypatch.setattr(selection, "POOL_SIZE", 100)
    again = run_search(300)
    assert [note["candidate"] for note in again.notes] == [note["candidate"] for note in result.notes]
    numbers = [note["candidate"] for note in run_search(300, keep=1).notes]
    assert numbers == [result.notes[0]["candidate"]]


def test_a_mask_is_the_only_one_that_is_drawn():
    kinds = {blend["mask"] for blend in run_search(70, mask="top").blends}
    assert kinds == {"top"}
    parents = candidates.prepare_parents(MODEL, BANK, ROWS)
    assert candidates.draw_candidate(parents, 0, 0, ("top",)).mask == "top"
