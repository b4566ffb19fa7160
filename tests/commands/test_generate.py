"""generate.py through the real command: the pictures of a tiny ACAI with random weights.

What the pictures must show is computed with the model that the release was made of.
"""

import shutil

import numpy as np
import pytest
from PIL import Image

from pegasus.placement import Placement, place
from pictures import manifest
from pictures.request import Blend
from tests.support.generated_pictures import GeneratedPictures, assert_shows, tiny_acai, write_tiny_acai

IMAGES = "--first_image=a.png --second_image=b.png"
PLACED = f"{IMAGES} --second_mask=m.png --second_placement=mirror=true,right=4"
RUNS = {
    "blend": "--blend --source=run --count=10 --strip=5 --scale=2 --mix=0.25 --resample=nearest",
    "few": "--blend --source=run --count=3 --scale=1 --mix=0.25",
    "again": "--from_manifest=blend/manifest.json --source=copy",
    "first": "--blend --source=run --count=2 --mix=0 --scale=1 --path=slerp",
    "pixel": "--blend --source=run --count=4 --strip=3 --scale=1 --mix=0.3 --path=pixel",
    "query": "--blend --source=run --first_image=a.png --second_image=b.png --strip=3 --scale=1",
    "query_again": "--from_manifest=query/manifest.json --first_image=moved.png",
    "placed": f"--blend --source=run --scale=1 {PLACED}",
    "placed_again": "--from_manifest=placed/manifest.json --second_mask=m.png",
    "smooth": f"--blend --source=run {IMAGES} --scale=2",
    "reconstruct": "--reconstruct --source=run --count=5 --scale=1",
    "interpolate": "--interpolate --source=run --count=2 --scale=1",
    "sample": "--sample --source=run --count=5 --scale=1",
    "j": "--interpolate --layout=j --source=run --strip=3 --scale=1",
    "j_again": "--from_manifest=j/manifest.json --source=copy",
    "masked": "--blend --source=run --count=3 --strip=3 --scale=1 --mask=top",
    "masked_again": "--from_manifest=masked/manifest.json",
    "handwritten": "--from_manifest=handwritten.json",
}


MASK = np.zeros((32, 32), bool)
MASK[:16, 4:20] = True


@pytest.fixture(scope="module")
def tiny():
    return tiny_acai()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """The pictures of all RUNS."""
    folder = tmp_path_factory.mktemp("generate")
    write_tiny_acai(folder / "run" / "release", tiny)
    shutil.copytree(folder / "run" / "release", folder / "copy")
    random = np.random.default_rng(1)
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{name}.png")
    shutil.copyfile(folder / "a.png", folder / "moved.png")
    Image.fromarray(np.uint8(255 * MASK)).save(folder / "m.png")
    request = Blend(source="run", first="horse", second="bird", count=2, scale=1)
    text = manifest.as_text(request, {"rows": [[1, 3], [0, 10]]}, [], [])
    (folder / "handwritten.json").write_text(text)
    return GeneratedPictures(folder, RUNS)


@pytest.mark.parametrize("run", RUNS)
def test_a_manifest_lists_what_was_written(made, run):
    made.assert_lists_its_files(run)


def test_prints_the_pictures_to_open(made):
    names = ("grid.png", "parents.png", "strips.png", "manifest.json")
    assert made.printed("blend") == [f"blend/{name}" for name in names]
    assert all((made.path / line).is_file() for line in made.printed("blend"))


def test_pixel_blends_are_cross_fades_of_the_parents(made, tiny):
    model, arrays, _ = tiny
    pairs = made.rows("pixel")
    parents = np.asarray(model.decoder(arrays["latents"][pairs.ravel()])).reshape(4, 2, 32, 32, 3)
    assert_shows(made.singles("pixel"), 0.7 * parents[:, 0] + 0.3 * parents[:, 1])
    cells = made.pixels("pixel", "parents.png").reshape(32, 8, 32, 3).swapaxes(0, 1)
    assert_shows(cells, parents.reshape(8, 32, 32, 3))


def test_blends_are_decoded_slerps(made, tiny):
    """Pair by pair, from the angle between the normalised latents."""
    model, arrays, _ = tiny
    for pair, picture in zip(made.rows("few"), made.singles("few"), strict=True):
        a, b = arrays["latents"][pair].astype(np.float64).reshape(2, -1)
        omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        code = (np.sin(0.75 * omega) * a + np.sin(0.25 * omega) * b) / np.sin(omega)
        assert_shows(picture, np.asarray(model.decoder(code.reshape(1, 4, 4, 2).astype(np.float32)))[0])


def test_parents_are_of_the_classes_asked_for(made):
    for entry in made.manifest("blend")["pictures"]:
        assert [parent["class"] for parent in entry["parents"]] == ["horse", "bird"]
        for parent in entry["parents"]:
            assert parent["id"] == 500 + parent["row"]
            assert parent["split"] == ("train" if parent["row"] < 8 else "holdout")


def test_grid_and_strips_hold_the_single_pictures(made):
    grid, pictures = made.pixels("blend", "grid.png"), made.singles("blend")
    assert grid.shape == (2 * 64, 5 * 64, 3)
    for k, picture in enumerate(pictures):
        np.testing.assert_array_equal(grid[k // 5 * 64 :, k % 5 * 64 :][:64, :64], picture)
    parents = made.pixels("blend", "parents.png")
    for k in range(10):
        strip = made.pixels("blend", f"strip-{k:03d}.png")
        row, column = divmod(2 * k, 8)
        ends = parents[row * 64 :, column * 64 :][:64, :128]
        np.testing.assert_array_equal(np.concatenate([strip[:, :64], strip[:, -64:]], axis=1), ends)
        np.testing.assert_array_equal(strip[:, 64:128], pictures[k])  # shares 0, 1/4, ...; --mix=0.25


def test_picture_k_does_not_depend_on_what_else_is_made(made):
    np.testing.assert_array_equal(made.singles("blend")[:3, ::2, ::2], made.singles("few"))


def test_a_manifest_makes_the_same_bytes_from_a_copied_release(made):
    made.assert_same_files("blend", "again")
    assert len(list(made.folder("again").iterdir())) == 24
    before, after = made.manifest("blend"), made.manifest("again")
    assert before["request"].pop("source") == "run" and after["request"].pop("source") == "copy"
    assert before == after


def test_query_images_make_one_blend(made, tiny):
    model = tiny[0]
    query = np.stack([np.asarray(Image.open(made.path / name)) for name in ("a.png", "b.png")]) / 127.5 - 1
    parents = np.asarray(model.decoder(model.encoder(query.astype(np.float32))))
    assert len(made.manifest("query")["pictures"]) == 1
    assert made.pixels("query", "grid.png").shape == (32, 32, 3)
    assert_shows(made.pixels("query", "parents.png")[:, :64], np.concatenate(list(parents), axis=1))
    strip = made.pixels("query", "strip-000.png")
    assert strip.shape == (32, 96, 3)
    np.testing.assert_array_equal(strip[:, 32:64], made.singles("query")[0])


def test_a_placed_image_covers_the_other_where_its_mask_is(made, tiny):
    """Mirrored and moved by 4 pixels to the right, columns 4 to 19 become 16 to 31, two cells of 8 pixels."""
    model = tiny[0]
    first, second = (np.asarray(Image.open(made.path / name)) / 127.5 - 1 for name in ("a.png", "b.png"))
    placed = place(second[None], [Placement(right=4, mirror=True)])
    latents = [np.asarray(model.encoder(x.astype(np.float32))) for x in (first[None], placed)]
    expected = latents[0].copy()
    expected[:, :2, 2:] = latents[1][:, :2, 2:]
    assert_shows(made.singles("placed"), np.asarray(model.decoder(expected)))
    shares = made.manifest("placed")["drawn"]["blends"][0]["shares"]
    np.testing.assert_array_equal(shares, [[0, 0, 1, 1]] * 2 + [[0, 0, 0, 0]] * 2)
    made.assert_same_files("placed", "placed_again")


def test_pictures_are_enlarged_smoothly_by_default(made):
    small, large = made.pixels("query", "blend-000.png"), made.pixels("smooth", "blend-000.png")
    expected = Image.fromarray(small.astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(large, np.asarray(expected))


def test_query_images_may_have_moved(made):
    made.assert_same_files("query", "query_again")


def test_reconstructions_are_decoded_latents(made, tiny):
    model, arrays, _ = tiny
    rows = made.rows("reconstruct")[:, 0]
    assert_shows(made.singles("reconstruct"), model.decoder(arrays["latents"][rows]))
    assert not (made.folder("reconstruct") / "parents.png").exists()


def test_strips_end_in_decoded_latents(made, tiny):
    model, arrays, _ = tiny
    strips = made.pixels("interpolate", "strips.png")
    assert strips.shape == (2 * 32, 9 * 32, 3) and not (made.folder("interpolate") / "grid.png").exists()
    ends = np.asarray(model.decoder(arrays["latents"][made.rows("interpolate").ravel()]))
    assert_shows(np.stack([strips[:32, :32], strips[:32, -32:], strips[32:, :32], strips[32:, -32:]]), ends)


def test_rows_may_be_written_by_hand(made):
    assert made.rows("handwritten").tolist() == [[1, 3], [0, 10]]


@pytest.mark.parametrize("run", ["reconstruct", "first"])  # pictures of the first parent's latents
def test_critic_scores_are_the_critics_guess(made, tiny, run):
    model, arrays, _ = tiny
    scores = [entry["critic_score"] for entry in made.manifest(run)["pictures"]]
    expected = np.asarray(model.adversaries[0].network(model.decoder(arrays["latents"][made.rows(run)[:, 0]])))
    np.testing.assert_allclose(scores, expected, atol=2e-4)
    assert np.ptp(expected) > 0.01


def test_j_diagrams_have_three_images_and_their_analogy_in_the_corners(made, tiny):
    model, arrays, _ = tiny
    assert made.manifest("j")["request"]["count"] == 4 == len(made.rows("j"))
    for k, (a, b, c) in enumerate(arrays["latents"][made.rows("j")].astype(np.float32)):
        cells = made.pixels("j", f"diagram-{k:03d}.png").reshape(3, 32, 3, 32, 3).swapaxes(1, 2)
        expected = np.asarray(model.decoder(np.stack([a, b, c, b + c - a])))
        assert_shows(cells[::2, ::2].reshape(4, 32, 32, 3), expected)
    made.assert_same_files("j", "j_again")


def test_masked_blends_lead_through_the_picture(made, tiny):
    model, arrays, _ = tiny
    assert made.manifest("masked")["drawn"]["blends"][0]["shares"] == [[1] * 4] * 2 + [[0] * 4] * 2
    for k, (first, second) in enumerate(arrays["latents"][made.rows("masked")].astype(np.float32)):
        code = np.concatenate([second[:2], first[2:]])
        expected = np.asarray(model.decoder(np.stack([first, code, second])))
        strip = made.pixels("masked", f"strip-{k:03d}.png").reshape(32, 3, 32, 3).swapaxes(0, 1)
        assert_shows(strip, expected)


def test_masked_blends_are_made_again(made):
    made.assert_same_files("masked", "masked_again")
    entry = made.manifest("masked_again")["pictures"][2]
    assert (entry["mix"], entry["mask"]) == (0.5, "top") and not entry.keys() & {"score", "mirrored"}
