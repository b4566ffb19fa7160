"""Recipes: rows as pure functions of (seed, k), blends in closed form, diagrams."""

import json

import numpy as np
import pytest

from acai.latent_bank import LatentBank
from common import interpolation
from common.errors import InputError
from pictures import acai_recipes, decoding, gallery

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
    return plain | dict(seed=0, first_image=None, second_image=None, scale=1, layout="strip") | changes


def drawn(bank, **changes):
    result = recipe(**changes)
    acai_recipes.draw(result, bank)
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
    first, second = acai_recipes.parents(recipe(rows=[[1, 0], [3, 9]]), bank)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, bank.latents[[1, 3]])
    np.testing.assert_array_equal(second, bank.latents[[0, 9]])
    first, second = acai_recipes.parents(recipe(action="reconstruct", rows=[[4], [5]]), bank)
    np.testing.assert_array_equal(first, bank.latents[[4, 5]])
    assert second is None


def test_samples_without_a_bandwidth_are_codes_of_the_two_classes(bank):
    def sample(**changes):
        return acai_recipes.parents(drawn(bank, action="sample", **changes), bank)[0]

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
        pictures = decoding.decoded(recipe(path=path, mix=mix), Squares(), first, second)["pictures"]
        expected = np.square(a * first + b * second).repeat(3, -1)
        np.testing.assert_allclose(pictures, expected, atol=1e-6)
    pictures = decoding.decoded(recipe(path="pixel", mix=mix), Squares(), first, second)["pictures"]
    faded = (1 - mix) * np.square(first) + mix * np.square(second)  # of the decoded ends
    np.testing.assert_allclose(pictures, faded.repeat(3, -1), atol=1e-6)


@pytest.mark.parametrize("path", gallery.PATHS)
@pytest.mark.parametrize("count", [1, 64, 70])
def test_strips_lead_from_parent_to_parent_through_the_picture(path, count):
    first, second = np.random.default_rng(0).normal(size=(2, count, 2, 2, 3)).astype(np.float32)
    rendered = decoding.decoded(recipe(path=path, strip=5, mix=0.75), Squares(), first, second)
    assert rendered["strips"].shape == (count, 5, 2, 2, 3) and rendered["parents"].shape == (count, 2, 2, 2, 3)
    np.testing.assert_array_equal(rendered["strips"][:, [0, 4]], rendered["parents"])
    np.testing.assert_array_equal(rendered["strips"][:, 3], rendered["pictures"])
    for side, codes in enumerate((first, second)):
        expected = np.square(codes).mean(-1, keepdims=True).repeat(3, -1)
        np.testing.assert_array_equal(rendered["parents"][:, side], expected)


def test_each_action_renders_its_own(bank):
    first, second = pair()
    assert set(decoding.decoded(recipe(), Squares(), first, second)) == {"parents", "pictures"}
    assert set(decoding.decoded(recipe(action="interpolate", strip=3), Squares(), first, second)) == {
        "parents",
        "strips",
    }
    assert set(decoding.decoded(recipe(action="sample"), Squares(), first, None)) == {"pictures"}


# Diagrams


def test_corners_are_three_codes_of_both_classes_and_the_fourth_by_analogy(bank):
    made = drawn(bank, action="interpolate", layout="j", path="slerp", strip=3, count=20)
    rows = np.array(made["rows"])
    assert rows.shape == (20, 3) and 4 not in rows
    assert all(len(set(entry)) == 3 for entry in rows.tolist())
    assert drawn(bank, action="interpolate", layout="j", strip=3, count=5)["rows"] == made["rows"][:5]
    pictures = decoding.diagrams(made, Squares(), bank)
    assert pictures.shape == (20, 3, 3, 2, 2, 3)
    a, b, c = (bank.latents[column].astype(np.float32) for column in rows.T)
    for place, codes in (((0, 0), a), ((0, 2), b), ((2, 0), c), ((2, 2), b + c - a)):
        np.testing.assert_allclose(pictures[:, *place], Squares.decode(None, pad(codes))[:20], atol=1e-5)
    middle = Squares.decode(None, pad(interpolation.slerp(a, b, 0.5)))[:20]
    np.testing.assert_allclose(pictures[:, 0, 1], middle, atol=1e-5)


def pad(codes):
    return np.concatenate([codes, np.zeros((64 - len(codes), *codes.shape[1:]), codes.dtype)])


def test_a_mine_grid_has_the_nearest_codes_at_every_second_place(bank):
    made = drawn(bank, action="interpolate", layout="mine", path="slerp", strip=3, count=6)
    pictures = decoding.diagrams(made, Squares(), bank)
    flat = bank.latents.astype(float).reshape(10, -1)
    for entry, picture in zip(made["rows"], pictures, strict=True):
        from_each = np.linalg.norm(flat[entry][:, None] - flat[None], axis=-1)
        from_each[:, 4] = np.inf  # of neither class
        assert any(set(np.argsort(distances)[:4]) == set(entry) for distances in from_each)
        expected = Squares.decode(None, pad(bank.latents[entry]))[:4]
        np.testing.assert_allclose(picture[::2, ::2].reshape(4, 2, 2, 3), expected, rtol=1e-5)
    assert drawn(bank, action="interpolate", layout="mine", strip=3, count=2)["rows"] == made["rows"][:2]


def test_a_diagram_has_the_path_that_is_asked_for(bank):
    made = drawn(bank, action="interpolate", layout="j", path="lerp", strip=3, count=1)
    a, b, c = bank.latents[made["rows"][0]].astype(np.float32)
    centre = Squares.decode(None, pad(((b + c) / 2)[None]))[0]  # of a, b, c and b + c - a
    np.testing.assert_allclose(decoding.diagrams(made, Squares(), bank)[0, 1, 1], centre, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(layout="mine", strip=4), "an odd --strip of at least 3"),
        (dict(layout="mine", strip=7), "16 codes of both classes are required. Received: 9"),
        (dict(layout="j", strip=4, path="pixel"), "without --path=pixel"),
    ],
)
def test_layouts_that_cannot_be(bank, changes, words):
    with pytest.raises(InputError, match=words):
        drawn(bank, action="interpolate", **changes)


def test_rows_of_a_diagram_are_checked(bank):
    with pytest.raises(InputError, match="1 lists of 3 numbers"):
        drawn(bank, action="interpolate", layout="j", strip=4, count=1, rows=[[1, 2]])
