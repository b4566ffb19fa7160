"""Recipes: rows as pure functions of (seed, k), blends in closed form, files that are ours alone."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from acai import recipes
from acai.bank import LatentBank
from common.command import InputError

NAMES = ("bird", "cow", "horse", "ghost")  # no code is of a ghost, one is of a cow
LABELS = np.array([0, 2, 0, 2, 1, 2, 0, 2, 2, 0], np.int32)


@pytest.fixture
def bank():
    latents = np.random.default_rng(3).normal(size=(10, 2, 2, 3)).astype(np.float16)
    return LatentBank(latents, LABELS, np.arange(100, 110), np.array(["train", "holdout"] * 5), np.array(NAMES))


class Squares:
    """A decoder that is not linear: each latent's mean over the channels, squared, as a 2x2 image."""

    def decode(self, latents):
        assert latents.shape[0] == 64, "full batches only"
        return np.square(np.asarray(latents, np.float32)).mean(-1, keepdims=True).repeat(3, -1)


def recipe(**changes):
    plain = dict(
        action="blend", first="horse", second="bird", count=6, mix=0.5, strip=0, path="lerp", bandwidth=0.3
    )
    return plain | dict(seed=0, first_image=None, second_image=None, scale=1) | changes


def drawn(bank, **changes):
    result = recipe(**changes)
    recipes.draw(result, bank)
    return result


# Rows


def test_blends_pair_the_first_class_with_the_second(bank):
    rows = np.array(drawn(bank, count=300)["rows"])
    assert set(rows[:, 0]) == {1, 3, 5, 7, 8} and set(rows[:, 1]) == {0, 2, 6, 9}


def test_interpolations_pair_any_two_of_both_and_reconstructions_take_one(bank):
    rows = np.array(drawn(bank, action="interpolate", count=400)["rows"])
    assert set(rows[:, 0]) == set(rows[:, 1]) == {0, 1, 2, 3, 5, 6, 7, 8, 9}
    assert (rows[:, 0] != rows[:, 1]).all()
    assert np.array(drawn(bank, action="reconstruct", count=5)["rows"]).shape == (5, 1)
    assert drawn(bank, action="sample")["rows"] == []
    assert drawn(bank, first_image="a.png", second_image="b.png", first="none such", count=1)["rows"] == []


def test_a_class_with_itself_pairs_different_rows_while_it_can(bank):
    rows = np.array(drawn(bank, second="horse", count=200)["rows"])
    assert (rows[:, 0] != rows[:, 1]).all()
    assert drawn(bank, first="cow", second="cow", count=2)["rows"] == [[4, 4], [4, 4]]


@pytest.mark.parametrize("action", ["blend", "interpolate", "reconstruct"])
def test_row_k_depends_on_the_seed_and_k_alone(bank, action):
    rows = drawn(bank, action=action, count=40, seed=7)["rows"]
    assert drawn(bank, action=action, count=9, seed=7)["rows"] == rows[:9]
    assert drawn(bank, action=action, count=40, seed=8)["rows"] != rows
    assert len({tuple(entry) for entry in rows[:8]}) > 1
    json.dumps(rows)  # plain numbers


def test_rows_of_a_manifest_stay(bank):
    assert drawn(bank, count=2, rows=[[9, 0], [0, 0]])["rows"] == [[9, 0], [0, 0]]


BAD_ROWS = [None, "01", {}, 3, [[1, 2]], [[1, 2]] * 3, [[1, 2], [1]], [[1, 2], [1, 2, 3]], [[1, 2], "12"]]
BAD_ROWS += [[[1, 2], [1, bad]] for bad in (-1, 10, 2.0, True, "2", None, [2], 10**30)]


@pytest.mark.parametrize("rows", BAD_ROWS, ids=str)
def test_other_rows_are_refused(bank, rows):
    with pytest.raises(InputError, match="required to be 2 lists of 2 numbers from 0 to 9"):
        drawn(bank, count=2, rows=rows)
    with pytest.raises(InputError, match="required to be 0 lists"):
        drawn(bank, action="sample", rows=[[1]])


def test_classes_without_codes_are_refused(bank):
    with pytest.raises(InputError, match="bird, cow, horse, ghost. Received: unicorn"):
        drawn(bank, second="unicorn")
    with pytest.raises(InputError, match="Received: ghost"):
        drawn(bank, first="ghost")
    with pytest.raises(InputError, match="Received: ghost"):
        drawn(bank, action="sample", second="ghost")


# Codes and images


def test_parents_are_the_codes_of_the_rows(bank):
    first, second = recipes.parents(recipe(rows=[[1, 0], [3, 9]]), bank)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, bank.latents[[1, 3]])
    np.testing.assert_array_equal(second, bank.latents[[0, 9]])
    first, second = recipes.parents(recipe(action="reconstruct", rows=[[4], [5]]), bank)
    np.testing.assert_array_equal(first, bank.latents[[4, 5]])
    assert second is None


def test_samples_without_a_bandwidth_are_codes_of_the_two_classes(bank):
    def sample(**changes):
        return recipes.parents(drawn(bank, action="sample", **changes), bank)[0]

    codes = sample(bandwidth=0.0, count=100)
    nearest = [int(np.abs(bank.latents.astype(float) - code).sum((1, 2, 3)).argmin()) for code in codes]
    np.testing.assert_array_equal(codes, bank.latents[nearest])
    assert set(nearest) == set(range(10)) - {4}
    np.testing.assert_array_equal(sample(count=3), sample(count=20)[:3])
    assert not np.array_equal(sample(seed=1), sample())


def pair():
    """Perpendicular codes of length 2, two pairs of them."""
    first, second = np.zeros((2, 2, 2, 1), np.float32), np.zeros((2, 2, 2, 1), np.float32)
    first[0, 0, 0], second[0, 1, 1] = 2, 2
    first[1, 1, 0], second[1, 0, 0] = 2, 2
    return first, second


@pytest.mark.parametrize("mix", [0.0, 0.25, 0.5, 1.0])
def test_blends_in_closed_form(mix):
    first, second = pair()
    weights = {"lerp": (1 - mix, mix), "slerp": (np.cos(np.pi / 2 * mix), np.sin(np.pi / 2 * mix))}
    for path, (a, b) in weights.items():
        pictures = recipes.render(recipe(path=path, mix=mix), Squares(), first, second)["pictures"]
        expected = np.square(a * first + b * second).repeat(3, -1)
        np.testing.assert_allclose(pictures, expected, atol=1e-6)
    pictures = recipes.render(recipe(path="pixel", mix=mix), Squares(), first, second)["pictures"]
    faded = (1 - mix) * np.square(first) + mix * np.square(second)  # of the decoded ends
    np.testing.assert_allclose(pictures, faded.repeat(3, -1), atol=1e-6)


@pytest.mark.parametrize("path", recipes.PATHS)
@pytest.mark.parametrize("count", [1, 64, 70])
def test_strips_lead_from_parent_to_parent_through_the_picture(path, count):
    first, second = np.random.default_rng(0).normal(size=(2, count, 2, 2, 3)).astype(np.float32)
    rendered = recipes.render(recipe(path=path, strip=5, mix=0.75), Squares(), first, second)
    assert rendered["strips"].shape == (count, 5, 2, 2, 3) and rendered["parents"].shape == (count, 2, 2, 2, 3)
    np.testing.assert_array_equal(rendered["strips"][:, [0, 4]], rendered["parents"])
    np.testing.assert_array_equal(rendered["strips"][:, 3], rendered["pictures"])
    for side, codes in enumerate((first, second)):
        expected = np.square(codes).mean(-1, keepdims=True).repeat(3, -1)
        np.testing.assert_array_equal(rendered["parents"][:, side], expected)


def test_each_action_renders_its_own(bank):
    first, second = pair()
    assert set(recipes.render(recipe(), Squares(), first, second)) == {"parents", "pictures"}
    assert set(recipes.render(recipe(action="interpolate", strip=3), Squares(), first, second)) == {
        "parents",
        "strips",
    }
    assert set(recipes.render(recipe(action="sample"), Squares(), first, None)) == {"pictures"}


@pytest.mark.parametrize("count", [1, 63, 64, 65, 130])
def test_batches_are_full_and_in_order(count):
    sizes = []

    def double(inputs):
        sizes.append(len(inputs))
        return 2 * inputs

    inputs = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    np.testing.assert_array_equal(recipes.in_batches(double, inputs), 2 * inputs)
    assert sizes == [64] * -(-count // 64)


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


def test_every_cell_of_the_grids(tmp_path, bank):
    made = drawn(bank, count=10, strip=3, scale=2)
    paths = recipes.write(tmp_path, made, bank, rendered_levels(10, 3), np.linspace(0, 0.45, 10))
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
        assert entry["critic_score"] == pytest.approx(0.05 * k, abs=1e-4)
        assert [p["row"] for p in entry["parents"]] == made["rows"][k]
        assert [p["id"] for p in entry["parents"]] == [100 + row for row in made["rows"][k]]
        assert [p["class"] for p in entry["parents"]] == ["horse", "bird"]
    assert (grid[8:, 16:] == 0).all(), "what an incomplete row lacks"
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {path.name for path in tmp_path.iterdir()} == {*listed, "manifest.json"}


def test_a_smaller_run_removes_what_the_older_one_wrote_and_nothing_else(tmp_path, bank):
    write = recipes.write
    write(tmp_path, drawn(bank, count=4, strip=3), bank, rendered_levels(4, 3), np.zeros(4))
    mine = ["mine.png", "blend-099.png", "blend-1.png", "notes.txt"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    few = {"pictures": rendered_levels(2, 3)["pictures"]}
    write(tmp_path, drawn(bank, action="reconstruct", count=2), bank, few, np.zeros(2))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"grid.png", "reconstruct-000.png", "reconstruct-001.png", "manifest.json", *mine}


def test_a_hostile_older_manifest_removes_nothing_of_others(tmp_path, bank):
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
    recipes.write(out, drawn(bank, action="sample", count=1), bank, few, np.zeros(1))
    assert all(path.exists() for path in kept) and not (out / "blend-777.png").exists()


@pytest.mark.parametrize("text", ["", "[]", "3", '{"files": 3}', "\xff", "[" * 100_000, '{"files": null}'])
def test_a_broken_older_manifest_is_replaced(tmp_path, bank, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    few = {"pictures": rendered_levels(1, 3)["pictures"]}
    recipes.write(tmp_path, drawn(bank, action="sample", count=1), bank, few, np.zeros(1))
    assert json.loads((tmp_path / "manifest.json").read_text())["files"] == ["grid.png", "sample-000.png"]
