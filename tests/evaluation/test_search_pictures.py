"""Pictures of a search from its manifest, and the controls: which are made, of what, and which are left out."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import InputError
from common.images import to_float
from evaluation import controls, search_pictures
from pegasus import labels, search
from pegasus.parents import prepare_parents
from pegasus.search_config import MaskSearch, Search
from tests.pegasus.winged_horses import BIRD_IDS, MODEL, LightClassifier, make_bank, make_dataset

DATASET, COUNT = make_dataset(), 20
TEST = dataclasses.replace(DATASET, split="test")
FOLD = 0  # of the referee: all birds of the data set have odd ids


def make_plan(dataset=DATASET):
    """A plan of a search's manifest, as it is read from JSON, and the search's result."""
    bank = make_bank(DATASET, np.arange(7))
    parents, config = prepare_parents(MODEL, bank, dataset), Search(60, COUNT)
    result = search.run_search(config, MODEL, LightClassifier(), parents, seed=3)
    drawn = json.loads(json.dumps({"blends": result.blends, "parents": result.source}))
    notes = tuple(json.loads(json.dumps(result.notes)))
    request = SimpleNamespace(first="horse", second="bird", seed=3, search=config)
    plan = SimpleNamespace(request=request, bank=bank, drawn=drawn, notes=notes, parent_latents=result.latents)
    plan.has_labels = True
    return plan, result


@pytest.fixture(scope="module")
def made():
    return make_plan()


def collect(plan, train=DATASET, test=TEST):
    return search_pictures.collect(plan, MODEL, train, test, FOLD, seed=0)


def changed(plan, **fields):
    return SimpleNamespace(**vars(plan) | fields)


def test_pictures_are_decoded_and_controls_made_of_the_same_parents(made):
    plan, result = made
    shown, composition = collect(plan), result.composition
    parents = [composition.first, composition.second]
    assert shown.pictures.shape == (COUNT, 32, 32, 3) and shown.omitted == []
    whole = np.kron(np.array([blend["shares"] for blend in result.blends]), np.ones((4, 4)))
    for share, images in zip((0, 1), parents, strict=True):
        np.testing.assert_allclose(shown.pictures[whole == share], images[whole == share], atol=2e-3)
    assert shown.bird_ids == [note["parents"][1]["id"] for note in result.notes]
    assert set(shown.bird_ids) <= set(BIRD_IDS)
    assert list(shown.made) == ["the bird's share at 0", "a dark blob as wings", "a folded bird as wings"]
    np.testing.assert_allclose(shown.made["the bird's share at 0"], composition.first, atol=2e-3)
    expected = controls.with_dark_blobs(MODEL, result)
    np.testing.assert_allclose(shown.made["a dark blob as wings"], expected, atol=1e-5)
    np.testing.assert_allclose(shown.collages, controls.collages(result), atol=1e-6)
    birds = search_pictures.draw_folded_birds(DATASET, 1 - FOLD, COUNT, 0)
    expected = controls.with_folded_birds(MODEL, result, *birds)
    np.testing.assert_allclose(shown.made["a folded bird as wings"], expected, atol=1e-5)


def test_folded_birds_have_no_label_and_the_wanted_fold():
    images, masks = search_pictures.draw_folded_birds(DATASET, 1, 3, seed=0)
    assert images.shape == (3, 32, 32, 3) and masks.shape == (3, 32, 32) and masks.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(images, [to_float(DATASET.images[6])] * 3)  # the only one, with id 1
    with pytest.raises(InputError, match="needs? a bird with folded wings. Received: 0 birds"):
        search_pictures.draw_folded_birds(DATASET, 0, 3, seed=0)


def test_photographs_are_those_that_the_referee_has_not_seen():
    riders = [id for id, label in labels.horse_riders().items() if label.use == "control"]
    others = [id for id, label in labels.horse_riders().items() if label.use == "train"]
    ids = np.array([riders[0], others[0], 87, *BIRD_IDS, 1])
    train = dataclasses.replace(DATASET, ids=ids)
    groups = search_pictures.collect_photographs(train, TEST, 1, seed=0)
    images = to_float(DATASET.images)
    np.testing.assert_array_equal(groups["real horses"], images[:3])
    np.testing.assert_array_equal(groups["real horses with riders"], images[:1])
    np.testing.assert_array_equal(groups["real birds with spread wings"], images[4:6])  # 303 is not clear
    fades = groups["cross-fades of a horse and a bird"]
    means = (images[:3, None] + images[None, 3:]) / 2
    differences = np.abs(fades[:, None, None] - means).max(axis=(3, 4, 5))  # [fade, horse, bird]
    assert len(fades) == 3 and differences.min(axis=(1, 2)).max() < 1e-6
    assert "real birds with spread wings" not in search_pictures.collect_photographs(train, TEST, 0, seed=0)


def test_other_draws_than_the_manifests_make_no_controls(made):
    plan, _ = made
    other_seed = SimpleNamespace(**vars(plan.request) | {"seed": 4})
    moved = json.loads(json.dumps(plan.drawn))
    moved["blends"][5]["placements"][0]["down"] += 0.01
    unnumbered = tuple({"parents": note["parents"]} for note in plan.notes)
    for fields in ({"request": other_seed}, {"drawn": moved}, {"notes": unnumbered}):
        shown = collect(changed(plan, **fields))
        assert list(shown.made) == ["the bird's share at 0"] and shown.collages is None
        [(what, reason)] = shown.omitted
        assert what == search_pictures.PLACED_CONTROLS and "draws the manifest's candidates otherwise" in reason


def test_without_cifar10_only_the_manifest_is_used(made):
    shown = collect(made[0], None, None)
    assert list(shown.made) == ["the bird's share at 0"] and shown.photographs == {}
    assert shown.omitted == [
        (search_pictures.PLACED_CONTROLS, "the parents were images, and CIFAR-10 is not at hand")
    ]
    assert len(shown.bird_ids) == COUNT


def test_placed_reconstructions_need_no_data():
    plan, result = make_plan(dataset=None)
    shown = collect(plan, None, None)
    assert list(shown.made) == ["the bird's share at 0", "a dark blob as wings"]
    np.testing.assert_allclose(shown.collages, controls.collages(result), atol=1e-6)
    assert shown.omitted == [("folded birds", "CIFAR-10 is not at hand")]
    np.testing.assert_allclose(collect(plan).collages, shown.collages, atol=1e-6)


def test_a_search_with_masks_has_no_placed_controls(made):
    plan, _ = made
    for first, second, ids, photographs in (("horse", "bird", COUNT, 3), ("bird", "horse", 0, 0)):
        request = SimpleNamespace(first=first, second=second, seed=3, search=MaskSearch(60, COUNT))
        shown = collect(changed(plan, request=request))
        assert list(shown.made) == [f"the {second}'s share at 0"] and shown.collages is None
        assert shown.omitted == [(search_pictures.PLACED_CONTROLS, "this search places no parents")]
        assert collect(changed(plan, request=request, has_labels=False)).bird_ids is None
        assert len(shown.bird_ids or ()) == ids and len(shown.photographs) == photographs


def test_what_is_no_search_is_refused(made):
    plan, _ = made
    with pytest.raises(InputError, match="--candidates=N, or a folder"):
        collect(changed(plan, parent_latents=None))
    for note in ({}, {"parents": [{"id": 1}]}, {"parents": [{"id": 1}, {"id": "a"}]}):
        with pytest.raises(InputError, match="with the ids of both parents of each picture"):
            collect(changed(plan, notes=(note, *plan.notes[1:])))


def test_few_pictures_are_refused():
    search_pictures.SearchPictures(np.zeros((20, 8, 8, 3)))
    with pytest.raises(InputError, match="at least 20 pictures. Received: 19"):
        search_pictures.SearchPictures(np.zeros((19, 8, 8, 3)))
