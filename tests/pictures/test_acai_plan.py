"""Plans of an ACAI: rows as functions of (seed, k), drawn masks, and releases and draws that are refused."""

import dataclasses
import json

import numpy as np
import pytest

from common import release
from common.errors import InputError
from pegasus.general import masks
from pictures import acai_plan
from pictures.manifest import Manifest
from pictures.request import Blend, Diagram, Explore, Interpolate, Reconstruct, Sample
from tests.support.damaged_releases import BANK, SIZES, WEIGHTS
from tests.support.latent_banks import small_bank

PAIR = dict(first="horse", second="bird")
COWS = dict(first="cow", second="cow")


@pytest.fixture
def bank():
    return small_bank()


def drawn(bank, kind=Blend, **fields):
    """Rows of a request with small defaults."""
    return acai_plan.draw_rows(kind(**PAIR | {"count": 6} | fields), bank)


def test_blends_pair_the_first_class_with_the_second(bank):
    rows = np.array(drawn(bank, count=300))
    assert set(rows[:, 0]) == {1, 3, 5, 7, 8} and set(rows[:, 1]) == {0, 2, 6, 9}


def test_interpolations_pair_any_two_images_and_reconstructions_take_one(bank):
    rows = np.array(drawn(bank, Interpolate, count=400))
    assert set(rows[:, 0]) == set(rows[:, 1]) == {0, 1, 2, 3, 5, 6, 7, 8, 9}
    assert (rows[:, 0] != rows[:, 1]).all()
    assert np.array(drawn(bank, Reconstruct, count=5)).shape == (5, 1)


def test_samples_and_query_images_have_no_rows(bank):
    assert drawn(bank, Sample) == []
    assert drawn(bank, first="none such", count=1, first_image="a.png", second_image="b.png") == []


def test_a_class_with_itself_pairs_different_rows_where_it_can(bank):
    rows = np.array(drawn(bank, second="horse", count=200))
    assert (rows[:, 0] != rows[:, 1]).all()
    assert drawn(bank, **COWS, count=2) == [[4, 4], [4, 4]]


@pytest.mark.parametrize("kind", [Blend, Interpolate, Reconstruct])
def test_row_k_depends_on_the_seed_and_k_alone(bank, kind):
    rows = drawn(bank, kind, count=40, seed=7)
    assert drawn(bank, kind, count=9, seed=7) == rows[:9]
    assert drawn(bank, kind, count=40, seed=8) != rows
    assert len({tuple(entry) for entry in rows[:8]}) > 1
    json.dumps(rows)  # plain numbers


@pytest.mark.parametrize("layout", ["j", "mine"])
def test_rows_of_diagrams_depend_on_the_seed_and_k_alone(bank, layout):
    rows = drawn(bank, Interpolate, layout=layout, strip=3, count=20)
    assert drawn(bank, Interpolate, layout=layout, strip=3, count=5) == rows[:5]
    assert 4 not in np.array(rows)
    assert all(len(set(entry)) == len(entry) == (3 if layout == "j" else 4) for entry in rows)


def test_a_mine_grid_needs_enough_images(bank):
    with pytest.raises(InputError, match="needs 16 images of both classes. Received: 9"):
        drawn(bank, Interpolate, layout="mine", strip=7, count=1)


BAD_ROWS = [None, "01", {}, 3, [[1, 2]], [[1, 2]] * 3, [[1, 2], [1]], [[1, 2], [1, 2, 3]], [[1, 2], "12"]]
BAD_ROWS += [[[1, 2], [1, bad]] for bad in (-1, 10, 2.0, True, "2", None, [2], 10**30)]


@pytest.mark.parametrize("rows", BAD_ROWS, ids=str)
def test_rows_that_do_not_fit_are_refused(bank, rows):
    with pytest.raises(InputError, match="must be 2 lists of 2 integers from 0 to 9"):
        acai_plan.check_rows(rows, Blend(**PAIR, count=2), bank)


def test_rows_that_fit_are_taken(bank):
    acai_plan.check_rows([[9, 0], [0, 0]], Blend(**PAIR, count=2), bank)
    with pytest.raises(InputError, match="must be 0 lists"):
        acai_plan.check_rows([[1]], Sample(**PAIR), bank)
    with pytest.raises(InputError, match="1 lists of 3 integers"):
        acai_plan.check_rows([[1, 2]], Interpolate(**PAIR, layout="j", strip=4, count=1), bank)


def test_classes_without_latents_are_refused(bank):
    with pytest.raises(InputError, match="bird, cow, horse, ghost. Received: unicorn"):
        acai_plan.class_rows(Blend(first="horse", second="unicorn"), bank)
    for kind in (Blend, Sample):
        with pytest.raises(InputError, match="Received: ghost"):
            acai_plan.class_rows(kind(first="horse", second="ghost"), bank)


@pytest.mark.parametrize("kind", ["top", "random", "learned"])
def test_masks_depend_on_the_seed_and_k_alone_and_move_the_mix(bank, kind):
    many, few = (Blend(**PAIR, mask=kind, mix=0.4, count=count, seed=3) for count in (6, 2))
    rows = acai_plan.draw_rows(many, bank)
    blends = acai_plan.draw_masks(many, bank, rows)
    assert acai_plan.draw_masks(few, bank, rows[:2]) == blends[:2]
    for blend in blends:
        assert blend.keys() == {"mask", "shares"} and blend["mask"] == kind
        assert np.ptp(blend["shares"]) > 0.1 and 0 <= np.min(blend["shares"]) <= np.max(blend["shares"]) <= 1
    if kind == "top":
        np.testing.assert_allclose(
            blends[0]["shares"], masks.mix_shares(0.4, 0.5, masks.make_pattern("top", (2, 2)))
        )


def test_learned_masks_favour_the_second_parent_where_it_alone_has_evidence(bank):
    """Birds differ from horses in the cell (0, 1) alone, and the last horse is halfway between them.

    So of that horse and a bird the difference in evidence is (0, d, 0, 0): less its mean and divided by its
    standard deviation, sqrt(3) in that cell and -1 / sqrt(3) in the others.
    """
    horses, birds = bank.rows("horse"), bank.rows("bird")
    latents = np.zeros_like(bank.latents)
    latents[horses[:-1], 0, 1], latents[birds, 0, 1] = -1, 1
    bank = dataclasses.replace(bank, latents=latents)
    request = Blend(**PAIR, mask="learned", mix=0.5, count=1)
    (blend,) = acai_plan.draw_masks(request, bank, [[int(horses[-1]), int(birds[0])]])
    expected = np.full((2, 2), 0.5 - 0.5 * np.tanh(1 / np.sqrt(3)))
    expected[0, 1] = 0.5 + 0.5 * np.tanh(np.sqrt(3))
    np.testing.assert_allclose(blend["shares"], expected, atol=1e-3)


# Whole plans


@pytest.fixture
def folder(tmp_path):
    release.write(tmp_path, {"model": SIZES, "data": {"first": "deer", "second": "bird"}}, WEIGHTS, BANK)
    return tmp_path


def recorded(**drawn):
    return Manifest("here.json", "blend", {}, drawn, [{}, {}])


BLENDS = [{"mask": "top", "shares": [[0.5] * 4] * 4}] * 2


def test_a_plan_names_classes_digests_and_rows(folder):
    plan = acai_plan.make_plan(Blend(count=2), folder)
    assert (plan.request.first, plan.request.second) == ("horse", "bird")
    assert plan.drawn.keys() == {"weights_digest", "latents_digest", "rows"} and len(plan.drawn["rows"]) == 2
    again = acai_plan.make_plan(plan.request, folder, recorded(**plan.drawn))
    assert (again.request, again.drawn) == (plan.request, plan.drawn)


def test_classes_that_the_model_lacks_are_those_of_its_training(tmp_path):
    bank = BANK | {"class_names": np.array(["bird", "deer"])}
    release.write(tmp_path, {"model": SIZES, "data": {"first": "deer", "second": "bird"}}, WEIGHTS, bank)
    assert acai_plan.make_plan(Explore(), tmp_path).request.first == "deer"
    assert acai_plan.make_plan(Diagram(), tmp_path).drawn["rows"] == []


@pytest.mark.parametrize(("source", "has_labels"), [("cifar10", True), ("folder", False), (None, False)])
def test_only_ids_of_cifar10_have_labels(tmp_path, source, has_labels):
    data = {"first": "horse", "second": "bird"} | ({"source": source} if source else {})
    release.write(tmp_path, {"model": SIZES, "data": data}, WEIGHTS, BANK)
    assert acai_plan.make_plan(Explore(), tmp_path).has_labels == has_labels


def test_rows_and_blends_of_a_manifest_are_taken(folder):
    plan = acai_plan.make_plan(Blend(count=2), folder, recorded(rows=[[1, 0], [3, 2]]))
    assert plan.drawn["rows"] == [[1, 0], [3, 2]]
    masked = acai_plan.make_plan(
        Blend(count=2, mask="top"), folder, recorded(rows=[[1, 0], [3, 2]], blends=BLENDS)
    )
    assert masked.drawn["blends"] == BLENDS and masked.notes == ()


@pytest.mark.parametrize(
    ("request_", "drawn", "words"),
    [
        (Blend(count=2), dict(weights_digest="0123"), "weights must be those of the manifest, 0123"),
        (Blend(count=2), dict(latents_digest=["0"]), "latents must be those of the manifest"),
        (Blend(count=2), dict(rows=[[0, 4], [1, 2]]), "from 0 to 3"),
        (Blend(count=2), dict(rows=[[1, 0], [3, 2]], blends=BLENDS), "only --blend with a mask, placements"),
        (Reconstruct(count=2), dict(rows=[[1], [3]], blends=BLENDS), "only --blend with a mask, placements"),
        (Blend(count=2, mask="top"), dict(rows=[[1, 0], [3, 2]], blends=[]), "must have 2 blends"),
        (Blend(first="unicorn"), {}, "bird, horse"),
    ],
)
def test_what_does_not_fit_the_release_is_refused(folder, request_, drawn, words):
    with pytest.raises(InputError, match=words):
        acai_plan.make_plan(request_, folder, recorded(**drawn) if drawn else None)
