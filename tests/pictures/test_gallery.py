"""The files of a gallery: every cell of the grids, and only our own files are removed."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from pictures import gallery
from pictures.request import Blend, Interpolate, Reconstruct, Sample

STRIPS = Blend(scale=1, strip=3)


def write(folder, rendered, entries=None, request=None):
    """Writes pictures for a request, by default of small blends, with empty entries."""
    count = len(next(iter(rendered.values())))
    entries = [{}] * count if entries is None else entries
    return gallery.write(folder, request or Blend(scale=1), {"rows": []}, rendered, entries)


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
    paths = write(tmp_path, rendered_levels(10, 3), notes, Blend(strip=3, scale=2))
    assert [os.path.basename(path) for path in paths] == "grid.png parents.png strips.png manifest.json".split()
    grid, parents, strips = (read(path) for path in paths[:3])
    assert grid.shape == (16, 40, 3) and parents.shape == (24, 64, 3) and strips.shape == (80, 24, 3)
    entries = json.loads((tmp_path / "manifest.json").read_text())["pictures"]
    for k, entry in enumerate(entries):
        cell = grid[k // 5 * 8 :, k % 5 * 8 :][:8, :8]
        assert (cell == k).all() and (read(tmp_path / entry["file"]) == cell).all()
        row, column = divmod(2 * k, 8)
        pair = parents[row * 8 :, column * 8 :][:8, :16]
        assert (pair[:, :8] == 50 + 2 * k).all() and (pair[:, 8:] == 51 + 2 * k).all()
        strip = strips[k * 8 :][:8]
        assert (strip == 100 + 3 * k + np.repeat(np.arange(3), 8)[None, :, None]).all()
        assert (read(tmp_path / entry["strip"]) == strip).all()
        assert {name: entry[name] for name in notes[k]} == notes[k]
    assert (parents[16:, 32:] == 255).all(), "what an incomplete row lacks"
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {path.name for path in tmp_path.iterdir()} == {*listed, "manifest.json"}


@pytest.mark.parametrize(
    ("count", "columns", "pairs"), [(1, 1, 1), (3, 3, 3), (8, 8, 4), (9, 5, 3), (11, 6, 4), (16, 8, 4), (64, 8, 4)]
)
def test_a_grid_of_few_pictures_has_few_empty_cells(count, columns, pairs):
    """Nine pictures leave one cell of 2 x 5 empty, and none of 3 x 3 pairs."""
    assert gallery.choose_columns(count) == columns and gallery.choose_columns(count, 4) == pairs


def test_a_smaller_run_removes_what_the_older_one_wrote_and_nothing_else(tmp_path):
    write(tmp_path, rendered_levels(4, 3), request=STRIPS)
    others = ["mine.png", "blend-099.png", "blend-1.png", "notes.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    few = {"pictures": rendered_levels(2, 3)["pictures"]}
    write(tmp_path, few, request=Reconstruct(scale=1))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"grid.png", "reconstruct-000.png", "reconstruct-001.png", "manifest.json", *others}


def test_a_hostile_older_manifest_removes_nothing_of_others(tmp_path):
    out = tmp_path / "out"
    for name in ("strips.png", "below"):
        (out / name).mkdir(parents=True)
    kept = [tmp_path / "grid.png", out / "below" / "grid.png", out / "mine.png", out / "blend-001.png.bak"]
    for path in kept:
        path.write_text("mine")
    (out / "blend-777.png").write_text("listed and of our pattern")
    (out / "parents.png").symlink_to(tmp_path / "grid.png")  # the link may go, what it leads to may not
    listed = [
        "../grid.png",
        str(tmp_path / "grid.png"),
        "./../grid.png",
        "below/grid.png",
        "mine.png",
        "strips.png",
    ]
    listed += [
        "blend-001.png.bak",
        "blend-001.png\n",
        "grid.png\0",
        "..",
        ".",
        "",
        3,
        None,
        ["grid.png"],
        {"a": 1},
    ]
    (out / "manifest.json").write_text(json.dumps({"files": [*listed, "blend-777.png", "parents.png"]}))
    few = {"pictures": rendered_levels(1, 3)["pictures"]}
    write(out, few, request=Sample(scale=1))
    assert all(path.read_text() == "mine" for path in kept)
    left = ["below", "blend-001.png.bak", "grid.png", "manifest.json", "mine.png", "sample-000.png", "strips.png"]
    assert sorted(path.name for path in out.iterdir()) == left


@pytest.mark.parametrize("text", ["", "[]", "3", '{"files": 3}', "\xff", "[" * 100_000, '{"files": null}'])
def test_a_broken_older_manifest_is_replaced(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    few = {"pictures": rendered_levels(1, 3)["pictures"]}
    write(tmp_path, few, request=Sample(scale=1))
    assert json.loads((tmp_path / "manifest.json").read_text())["files"] == ["grid.png", "sample-000.png"]


def test_diagrams_are_files_of_their_own(tmp_path):
    levels = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    diagrams = np.broadcast_to(level(levels)[..., None, None, None], (2, 3, 5, 4, 4, 3))
    write(tmp_path, rendered_levels(2, 3), request=STRIPS)
    paths = write(
        tmp_path,
        {"diagrams": diagrams},
        [{"parents": [1]}, {}],
        Interpolate(layout="j", strip=5, scale=2, count=2),
    )
    assert [os.path.basename(path) for path in paths] == ["diagram-000.png", "diagram-001.png", "manifest.json"]
    for k in range(2):
        cells = read(tmp_path / f"diagram-{k:03d}.png")[..., 0]
        np.testing.assert_array_equal(cells, levels[k].repeat(8, 0).repeat(8, 1))
    entries = json.loads((tmp_path / "manifest.json").read_text())["pictures"]
    assert entries == [{"diagram": "diagram-000.png", "parents": [1]}, {"diagram": "diagram-001.png"}]
    write(tmp_path, rendered_levels(1, 3), request=STRIPS)
    assert not (tmp_path / "diagram-001.png").exists()
