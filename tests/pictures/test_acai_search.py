"""Winged horses from a search to the pictures, into a manifest and back."""

import dataclasses
import json

import numpy as np
import pytest

from classifiers import inference
from common import files
from common.errors import InputError
from pegasus import manifest, search
from pegasus.blending import blend_cells
from pegasus.search_config import Search
from pictures import acai_search
from pictures.acai_plan import ACAIPlan
from pictures.acai_render import render
from pictures.request import Blend
from tests.pegasus.winged_horses import MODEL, LightClassifier, make_bank, make_dataset, make_parents

CONFIG = Search(60, 4)
BANK = make_bank(make_dataset(), [0, 1, 3, 4, 6])


@pytest.fixture(scope="module")
def plan():
    request = Blend(first="horse", second="bird", count=4, strip=3, search=CONFIG)
    result = search.run_search(CONFIG, MODEL, LightClassifier(), make_parents(), seed=0)
    return ACAIPlan(request, "a test", {}, {}, BANK, {"rows": []}).with_results(result)


def test_pictures_are_the_parents_blended_cell_by_cell(plan):
    rendered, entries = render(plan, MODEL)
    first, second = plan.parent_latents.astype(np.float32).swapaxes(0, 1)
    shares = np.array([blend["shares"] for blend in plan.drawn["blends"]])
    for share, picture in ((0, 0), (1, 1), (2, 2)):
        cells = [0 * shares, shares, 1 + 0 * shares][share]
        expected = MODEL.decode(blend_cells(first, second, cells))
        np.testing.assert_allclose(rendered["strips"][:, picture], expected, atol=1e-6)
    np.testing.assert_array_equal(rendered["pictures"], rendered["strips"][:, 1])
    assert plan.drawn["parents"] == "images" and plan.drawn["rows"] == []
    for entry, blend in zip(entries, plan.drawn["blends"], strict=True):
        assert entry["placements"] == blend["placements"] and len(entry["placements"]) == 2
        assert [parent["class"] for parent in entry["parents"]] == ["horse", "bird"]


def test_a_request_is_for_as_many_pictures_as_a_search_has_found(plan, monkeypatch):
    monkeypatch.setattr(search.scores, "is_plausible", lambda composition: np.arange(len(composition.wings)) < 3)
    result = search.run_search(CONFIG, MODEL, LightClassifier(), make_parents(), seed=0)
    fewer = plan.with_results(result)
    assert (fewer.request.count, fewer.request.search) == (3, Search(60, 3))
    manifest.check_blends(fewer.drawn["blends"], fewer.request.count, (8, 8))


def test_a_manifest_holds_all_that_makes_the_pictures_again(plan, tmp_path):
    rendered, entries = render(plan, MODEL)
    path = tmp_path / "manifest.json"
    (tmp_path / "manifest.npz").write_bytes(files.pack({"parents": rendered["latents"]}))
    entries, drawn = json.loads(json.dumps([entries, plan.drawn]))
    notes, latents = manifest.load_results(path, entries, drawn, (4, 8, 8, 48), len(BANK))
    assert notes == list(plan.notes)
    np.testing.assert_array_equal(latents, plan.parent_latents)
    manifest.check_blends(drawn["blends"], 4, (8, 8))
    for share in (-0.001, 1.001):
        drawn["blends"][3]["shares"][7][7] = share
        with pytest.raises(InputError, match=r"4 blends with shares of shape \(8, 8\) in \[0, 1\]"):
            manifest.check_blends(drawn["blends"], 4, (8, 8))
    with pytest.raises(InputError, match="must be those of the manifest"):
        manifest.load_results(path, entries, drawn | {"parents_digest": "0"}, (4, 8, 8, 48), len(BANK))
    with pytest.raises(InputError, match=r"must be of shape \(4, 2, 8, 8, 16\)"):
        manifest.load_results(path, entries, drawn, (4, 8, 8, 16), len(BANK))


@pytest.mark.parametrize(
    "parents",
    [
        None,
        3,
        [],
        [{"row": 0}],
        [{"row": 0}, {}],
        [{"row": 0}, 1],
        [{"row": 0}, {"row": "1"}],
        [{"row": 0}, {"row": -2}],
    ]
    + [[{"row": 0}, {"row": 5}]],  # the bank has five rows
)
def test_parents_of_a_manifest_must_be_rows_of_the_bank(parents):
    whole = {"parents": [{"row": 4}, {"row": -1}]}
    manifest.check_parents("a path", [whole] * 2, len(BANK))
    wrong = {} if parents is None else {"parents": parents}
    with pytest.raises(InputError, match="two parents each, with rows from -1 to 4. Received: a path"):
        manifest.check_parents("a path", [whole, wrong], len(BANK))


@pytest.mark.parametrize(("width", "with_images"), [(32, True), (64, False)])
def test_photographs_are_placed_where_the_model_has_their_width(plan, monkeypatch, width, with_images):
    checked = []
    monkeypatch.setattr(acai_search.datasets, "check_cifar10", lambda *args, **options: checked.append(options))
    plan = dataclasses.replace(plan, model_config={"width": width, "colours": 3})
    assert acai_search.check_search(plan, "a folder") is with_images
    assert checked == [{"download": False}]


def test_without_photographs_only_a_folder_that_was_named_is_refused(plan, monkeypatch):
    def refuse(data_dir, download):
        raise InputError("no CIFAR-10")

    monkeypatch.setattr(acai_search.datasets, "check_cifar10", refuse)
    plan = dataclasses.replace(plan, model_config={"width": 32, "colours": 3})
    assert acai_search.check_search(plan, None) is False
    with pytest.raises(InputError, match="no CIFAR-10"):
        acai_search.check_search(plan, "a folder")


def test_photographs_are_all_training_images_of_both_classes(plan, monkeypatch):
    loaded = []

    def load(*args, **options):
        loaded.append((args, options))
        return make_dataset()

    monkeypatch.setattr(acai_search.datasets, "load_cifar10", load)
    monkeypatch.setattr(inference, "bundled_wing_classifier", LightClassifier)
    for with_images, source in ((False, "reconstructions"), (True, "images")):
        found = acai_search.run_search(plan, MODEL, "a folder", with_images)
        assert found.drawn["parents"] == source and found.request.count == 4
    expected = ("a folder", "train", ("horse", "bird")), {"hold_out": False, "download": False}
    assert loaded == [expected]
