"""The search for winged horses: the best of all candidates, described so that they can be made again."""

import dataclasses

import numpy as np
import pytest

from common.errors import InputError
from pegasus import candidates, scores, search, selection
from pegasus.blending import blend_cells
from pegasus.placement import Placement, place
from pegasus.search_config import Search
from tests.pegasus.winged_horses import MODEL, LightClassifier, make_parents

PARENTS = make_parents()


def run_search(count=120, keep=6):
    return search.run_search(Search(count, keep), MODEL, LightClassifier(), PARENTS, seed=3)


@pytest.fixture(scope="module")
def result():
    return run_search()


def decode(latents, shares):
    first, second = latents.astype(np.float32).swapaxes(0, 1)
    return np.clip(MODEL.decode(blend_cells(first, second, np.array(shares))), -1, 1)


def test_results_are_described_so_that_they_can_be_made_again(result):
    """From the parents' ids and placements, the latents; from these and the shares, the picture and its score."""
    for k, (blend, note) in enumerate(zip(result.blends, result.notes, strict=True)):
        groups = (PARENTS.horses, PARENTS.birds)
        for side, group in enumerate(groups):
            parent = note["parents"][side]
            assert parent["class"] == ("horse", "bird")[side]
            index = [label.id for label in group.labels].index(parent["id"])
            assert parent["row"] == group.rows[index]
            placed = place(group.images[[index]], [Placement(**blend["placements"][side])])
            np.testing.assert_allclose(MODEL.encode(placed)[0], result.latents[k, side], atol=2e-3)
        wings = result.composition.wings[[k]]
        np.testing.assert_array_equal(candidates.cell_shares(wings, (8, 8))[0], blend["shares"])
    pictures = decode(result.latents, [blend["shares"] for blend in result.blends])
    horses = np.clip(result.composition.first, -1, 1)
    terms = scores.picture_terms(result.composition, pictures, horses)
    terms["horse"], terms["wings"] = np.log(1 / (1 + np.exp(-np.asarray(LightClassifier.logits(pictures))))).T
    logits = [np.asarray(MODEL.discriminator(x)).mean(axis=(1, 2)) for x in (pictures, horses)]
    terms["seam"] = np.minimum(logits[0] - logits[1], 0)
    for k, note in enumerate(result.notes):
        assert note["terms"].keys() == scores.TERM_WEIGHTS.keys()
        assert note["terms"] == pytest.approx({name: values[k] for name, values in terms.items()}, abs=1e-2)
        expected = sum(scores.TERM_WEIGHTS[name] * value for name, value in note["terms"].items())
        assert note["score"] == pytest.approx(expected, abs=1e-2)


def test_the_best_are_found_whatever_the_batches(result, monkeypatch):
    monkeypatch.setattr(selection, "BATCH_SIZE", 17)
    monkeypatch.setattr(selection, "POOL_SIZE", 50)
    assert [note["candidate"] for note in run_search().notes] == [note["candidate"] for note in result.notes]
    best = run_search(keep=1).notes[0]
    assert best["candidate"] == result.notes[0]["candidate"]
    assert best["score"] == max(note["score"] for note in result.notes)


def test_candidates_that_are_not_worth_decoding_are_left_out(result, monkeypatch):
    monkeypatch.setattr(search.scores, "is_plausible", lambda composition: np.arange(len(composition.wings)) == 5)
    assert [note["candidate"] for note in run_search(keep=1).notes] == [5]


def test_a_search_without_a_plausible_candidate_says_so(monkeypatch):
    monkeypatch.setattr(scores, "SMALLEST_WINGS", 32 * 32)
    with pytest.raises(InputError, match="^--candidates must be more.* Received: 120 candidates, none of them"):
        run_search()


def test_a_model_without_a_discriminator_has_no_term_of_seams(monkeypatch):
    monkeypatch.setattr(MODEL, "discriminator", None)
    assert "seam" not in run_search(20, 1).notes[0]["terms"]


def test_the_distance_of_thumbnails_is_a_root_mean_square():
    pictures = np.zeros((2, 32, 32, 3), np.float32)
    pictures[1] = 0.3
    thumbnails = selection.make_thumbnails(pictures)
    assert thumbnails.shape == (2, 8 * 8 * 3)
    assert np.linalg.norm(thumbnails[0] - thumbnails[1]) == pytest.approx(0.3)


def test_a_result_holds_what_controls_need(result):
    names = [field.name for field in dataclasses.fields(result)]
    assert names == ["latents", "blends", "notes", "source", "composition"] and result.source == "images"
    assert len(result.composition.wings) == len(result.blends) == len(result.latents) == 6
