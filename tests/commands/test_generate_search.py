"""generate.py through the real command: a small search, its results made again and bundled with a release."""

import numpy as np
import pytest

from acai.latent_bank import LatentBank
from pegasus.blending import blend_cells
from pictures.acai_plan import draw_rows
from pictures.request import Blend
from tests.support.generated_pictures import GeneratedPictures, assert_shows, tiny_acai, write_tiny_acai

SEARCH = "--candidates=12 --keep=4 --mask=learned --resample=nearest --bundle --save_latents=saved.npz"
RUNS = {
    "search": f"--blend --source=winners {SEARCH} --scale=1",
    "again": "--from_manifest=search/manifest.json",
    "bare": "--blend --source=winners",
    "seeded": "--blend --source=winners --seed=0 --count=2 --scale=1",
}


@pytest.fixture(scope="module")
def tiny():
    return tiny_acai()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """The pictures of all RUNS."""
    folder = tmp_path_factory.mktemp("generate_search")
    write_tiny_acai(folder / "winners", tiny)
    return GeneratedPictures(folder, RUNS)


@pytest.mark.parametrize("run", RUNS)
def test_a_manifest_lists_what_was_written(made, run):
    made.assert_lists_its_files(run)


def test_a_search_keeps_its_best(made):
    names = made.manifest("search")["files"]
    assert {"grid.png", "best.png", "manifest.npz"} < set(names) and len(made.singles("search")) == 4


@pytest.mark.parametrize("run", ["again", "bare"])
def test_a_search_is_made_again_with_its_scores(made, run):
    made.assert_same_files("search", run)
    assert made.manifest(run)["pictures"] == made.manifest("search")["pictures"]
    assert made.manifest(run) == made.manifest("search")


def test_a_search_is_bundled_with_the_release(made):
    """And not the latents that it saves, too."""
    for kind in ("json", "npz"):
        bundled = (made.path / "winners" / f"pegasus.{kind}").read_bytes()
        assert bundled == (made.folder("search") / f"manifest.{kind}").read_bytes()


def test_other_flags_do_not_show_the_bundled_search(made, tiny):
    request = Blend(first="horse", second="bird", count=2)
    expected = draw_rows(request, LatentBank.from_arrays(tiny[1]))
    assert made.manifest("seeded")["drawn"]["rows"] == made.rows("seeded").tolist() == expected
    assert "blends" not in made.manifest("seeded")["drawn"]


def test_scores_are_sums_of_their_terms_and_pictures_are_described(made):
    manifest = made.manifest("search")
    assert manifest["request"]["search"] == {"candidates": 12, "keep": 4, "mask": "learned"}
    assert manifest["request"]["count"] == 4 and manifest["drawn"]["rows"] == []
    for entry, blend in zip(manifest["pictures"], manifest["drawn"]["blends"], strict=True):
        assert {name: entry[name] for name in blend} == blend and blend.keys() == {"mirrored", "mask", "shares"}
        assert [parent["class"] for parent in entry["parents"]] == ["horse", "bird"]
        assert entry["mix"] == pytest.approx(np.mean(entry["shares"]), abs=1e-4)
        assert entry["score"] == pytest.approx(sum(entry["terms"].values()), abs=1e-3)


def test_the_best_stands_beside_its_parents_and_the_nearest_other_image(made, tiny):
    model, arrays, _ = tiny
    best = made.pixels("search", "best.png")
    assert best.shape == (96, 128, 3)
    np.testing.assert_array_equal(best[::3, :96:3], made.singles("search")[0])
    parents = made.pixels("search", "parents.png")
    np.testing.assert_array_equal(best[:64, 96:], np.concatenate([parents[:32, :32], parents[:32, 32:64]]))
    entry = made.manifest("search")["pictures"][0]
    with np.load(made.folder("search") / "manifest.npz") as file:
        first, second = file["parents"].astype(np.float32)[:1].swapaxes(0, 1)
    code = blend_cells(first, second, np.array([entry["shares"]]))[0]
    distances = np.square(arrays["latents"].astype(float) - code).sum((1, 2, 3))
    distances[[parent["row"] for parent in entry["parents"]]] = np.inf
    assert_shows(best[64:, 96:], np.asarray(model.decoder(arrays["latents"][[distances.argmin()]]))[0])
