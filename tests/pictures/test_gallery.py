"""The gallery: full batches, pictures between pairs, and files that are ours alone."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from common.inference import in_batches
from common.release import record_or_verify_digest
from pictures import gallery


def recipe(**changes):
    return dict(action="blend", count=6, mix=0.5, strip=0, scale=1, layout="strip") | changes


def written(folder, rendered, entries=None, **changes):
    count = len(next(iter(rendered.values())))
    return gallery.write(folder, recipe(**changes), rendered, [{}] * count if entries is None else entries)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 130])
def test_batches_are_full_and_in_order(count):
    sizes = []

    def double(inputs):
        sizes.append(len(inputs))
        return 2 * inputs

    inputs = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    np.testing.assert_array_equal(in_batches(double, inputs), 2 * inputs)
    assert sizes == [64] * -(-count // 64)


def test_between_pairs_each_share_is_taken_once():
    asked = []

    def pictures_at(mixes):
        asked.append(mixes)
        return [np.full((2, 1, 1, 3), mix) for mix in mixes]

    rendered = gallery.between(recipe(mix=0.25, strip=3), pictures_at)
    assert asked == [[0.0, 0.25, 0.5, 1.0]]
    assert {name: array.shape[:-3] for name, array in rendered.items()} == dict(
        parents=(2, 2), pictures=(2,), strips=(2, 3)
    )
    assert (rendered["pictures"] == 0.25).all()
    np.testing.assert_array_equal(rendered["strips"][1, :, 0, 0, 0], [0, 0.5, 1])
    np.testing.assert_array_equal(rendered["parents"][0, :, 0, 0, 0], [0, 1])
    assert set(gallery.between(recipe(action="interpolate", strip=2), pictures_at)) == {"parents", "strips"}
    assert set(gallery.between(recipe(), pictures_at)) == {"parents", "pictures"}


@pytest.mark.parametrize(("layout", "strip", "side", "gap"), [("j", 2, 2, 1), ("j", 9, 2, 8), ("mine", 9, 5, 2)])
def test_places_of_a_diagram(layout, strip, side, gap):
    assert gallery.map_side(recipe(layout=layout, strip=strip)) == (side, gap)
    assert (side - 1) * gap + 1 == strip


@pytest.mark.parametrize("strip", [2, 4])
def test_mine_grids_have_odd_sides(strip):
    with pytest.raises(InputError, match=f"an odd --strip of at least 3.*strip={strip}"):
        gallery.map_side(recipe(layout="mine", strip=strip))
    assert gallery.map_side(recipe(layout="mine", strip=3)) == (2, 2)


def test_a_digest_is_noted_or_has_to_be_the_same():
    noted = {}
    record_or_verify_digest(noted, "weights_digest", "a", "here")
    record_or_verify_digest(noted, "weights_digest", "a", "here")
    assert noted == {"weights_digest": "a"}
    with pytest.raises(InputError, match=r"weights of the manifest \(a\). Received: here with b"):
        record_or_verify_digest(noted, "weights_digest", "b", "here")


# Files


def level(grey):
    return grey / 127.5 - 1


def rendered_levels(count, strip):
    """Pictures of one grey level each: picture k is k, parents 50 + 2 k and 51 + 2 k, strips 100 + step + 3 k."""
    k = np.arange(count)
    levels = {"pictures": k, "parents": 50 + 2 * k[:, None] + [0, 1]}
    levels["strips"] = 100 + 3 * k[:, None] + np.arange(strip)
    return {n: np.broadcast_to(level(v)[..., None, None, None], (*v.shape, 4, 4, 3)) for n, v in levels.items()}


def read(path):
    return np.asarray(Image.open(path)).astype(int)


def test_every_cell_of_the_grids(tmp_path):
    notes = [{"critic_score": k, "parents": [k]} for k in range(10)]
    paths = written(tmp_path, rendered_levels(10, 3), notes, strip=3, scale=2)
    assert [os.path.basename(path) for path in paths] == "grid.png parents.png strips.png manifest.json".split()
    grid, parents, strips = (read(path) for path in paths[:3])
    assert grid.shape == (16, 64, 3) and parents.shape == (24, 64, 3) and strips.shape == (80, 24, 3)
    entries = json.loads((tmp_path / "manifest.json").read_text())["pictures"]
    for k, entry in enumerate(entries):
        cell = grid[k // 8 * 8 :, k % 8 * 8 :][:8, :8]
        assert (cell == k).all() and (read(tmp_path / entry["file"]) == cell).all()
        row, column = divmod(2 * k, 8)
        pair = parents[row * 8 :, column * 8 :][:8, :16]
        assert (pair[:, :8] == 50 + 2 * k).all() and (pair[:, 8:] == 51 + 2 * k).all()
        strip = strips[k * 8 :][:8]
        assert (strip == 100 + 3 * k + np.repeat(np.arange(3), 8)[None, :, None]).all()
        assert (read(tmp_path / entry["strip"]) == strip).all()
        assert {name: entry[name] for name in notes[k]} == notes[k]
    assert (grid[8:, 16:] == 0).all(), "what an incomplete row lacks"
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {path.name for path in tmp_path.iterdir()} == {*listed, "manifest.json"}


def test_a_smaller_run_removes_what_the_older_one_wrote_and_nothing_else(tmp_path):
    written(tmp_path, rendered_levels(4, 3), strip=3)
    mine = ["mine.png", "blend-099.png", "blend-1.png", "notes.txt"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    few = {"pictures": rendered_levels(2, 3)["pictures"]}
    written(tmp_path, few, action="reconstruct")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"grid.png", "reconstruct-000.png", "reconstruct-001.png", "manifest.json", *mine}


def test_a_hostile_older_manifest_removes_nothing_of_others(tmp_path):
    out = tmp_path / "out"
    (out / "strips.png").mkdir(parents=True)
    listed = [
        "../grid.png",
        "mine.png",
        "blend-001.png.bak",
        str(tmp_path / "grid.png"),
        "strips.png",
        "a/grid.png",
    ]
    listed += ["blend-001.png\n", ".", "", 3, None, ["grid.png"], "blend-777.png"]
    (out / "manifest.json").write_text(json.dumps({"files": listed}))
    (out / "blend-777.png").write_text("listed and of our pattern")
    kept = [tmp_path / "grid.png", out / "mine.png", out / "blend-001.png.bak", out / "strips.png"]
    for path in kept[:3]:
        path.write_text("mine")
    few = {"pictures": rendered_levels(1, 3)["pictures"]}
    written(out, few, action="sample")
    assert all(path.exists() for path in kept) and not (out / "blend-777.png").exists()


@pytest.mark.parametrize("text", ["", "[]", "3", '{"files": 3}', "\xff", "[" * 100_000, '{"files": null}'])
def test_a_broken_older_manifest_is_replaced(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    few = {"pictures": rendered_levels(1, 3)["pictures"]}
    written(tmp_path, few, action="sample")
    assert json.loads((tmp_path / "manifest.json").read_text())["files"] == ["grid.png", "sample-000.png"]


def test_diagrams_are_files_of_their_own(tmp_path):
    levels = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    diagrams = np.broadcast_to(level(levels)[..., None, None, None], (2, 3, 5, 4, 4, 3))
    written(tmp_path, rendered_levels(2, 3), strip=3)
    paths = written(
        tmp_path, {"diagrams": diagrams}, [{"parents": [1]}, {}], action="interpolate", strip=5, scale=2
    )
    assert [os.path.basename(path) for path in paths] == ["diagram-000.png", "diagram-001.png", "manifest.json"]
    for k in range(2):
        cells = read(tmp_path / f"diagram-{k:03d}.png")[..., 0]
        np.testing.assert_array_equal(cells, levels[k].repeat(8, 0).repeat(8, 1))
    entries = json.loads((tmp_path / "manifest.json").read_text())["pictures"]
    assert entries == [{"diagram": "diagram-000.png", "parents": [1]}, {"diagram": "diagram-001.png"}]
    written(tmp_path, rendered_levels(1, 3), strip=3)
    assert not (tmp_path / "diagram-001.png").exists()
