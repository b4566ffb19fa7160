"""Composites: what each kind shows, folds, functions of (seed, k), and refused data."""

import dataclasses

import numpy as np
import pytest

from common.data.cifar10 import CIFAR10_CLASSES
from common.data.datasets import ImageDataset
from common.errors import InputError
from common.images import to_uint8
from composites import parts
from composites.drawing import KINDS, SHARES, TARGETS, WHOLE, Composites
from composites.ranges import RANGES, Ranges
from pegasus import labels
from pegasus.foreground import outline
from tests.support.photographs import labelled_images

NAMES = [*KINDS]


IN_COLOUR = dataclasses.replace(RANGES["wing_classifier"], recoloured=0.0)


@pytest.fixture(scope="module")
def source():
    return Composites(labelled_images(), fold=0, ranges=IN_COLOUR, seed=3)


def draw_one(source, kind, k):
    return source.draw(1, [NAMES.index(kind)], start=k)[0][0]


def test_kinds_have_the_answers_of_their_names():
    for name, target in zip(NAMES, TARGETS, strict=True):
        horse = np.nan if name == "cross-fade" else float("horse" in name)
        wings = float("winged" in name or "spread wings" in name)
        np.testing.assert_array_equal(target, [horse, wings], err_msg=name)
    assert len(SHARES) == len(KINDS) and SHARES.sum() == pytest.approx(1) and SHARES.min() > 0


def test_a_composite_is_a_function_of_seed_and_number(source):
    images, kinds = source.draw(6)
    for k in range(6):
        image, kind = source.draw(1, start=k)
        np.testing.assert_array_equal(images[k], image[0])
        assert kinds[k] == kind[0]
    later, later_kinds = source.draw(2, start=4)
    np.testing.assert_array_equal(later, images[4:])
    np.testing.assert_array_equal(later_kinds, kinds[4:])
    other = Composites(labelled_images(), 0, IN_COLOUR, seed=4).draw(6)[0]
    assert not np.array_equal(other, images)
    assert images.dtype == np.uint8 and images.shape == (6, 32, 32, 3)


def test_kinds_are_drawn_with_their_shares(source, monkeypatch):
    monkeypatch.setattr(source, "scenes", lambda numbers: [None] * len(numbers))
    monkeypatch.setattr(source, "_draw_one", lambda *_: np.zeros((32, 32, 3)))
    kinds = source.draw(3000)[1]
    shares = np.bincount(kinds, minlength=len(KINDS)) / 3000
    assert np.all(np.abs(shares - SHARES) < 5 * np.sqrt(SHARES * (1 - SHARES) / 3000))


def test_placed_horses_without_wings_outnumber_those_with_and_bare_ones_are_the_most_frequent():
    share = dict(zip(NAMES, SHARES, strict=True))
    wingless = {name: share[name] for name in NAMES if name not in WHOLE and TARGETS[NAMES.index(name), 1] == 0}
    assert set(wingless) > {"placed horse", "horse with blob", "horse with folded bird", "horse with patch of sky"}
    assert sum(wingless.values()) >= share["winged horse"]
    assert share["placed horse"] == max(share[name] for name in NAMES if TARGETS[NAMES.index(name), 1] == 0)


@pytest.mark.parametrize("name", ["wing_classifier", "wing_referee"])
def test_all_kinds_on_a_placed_horse_have_the_same_horse_in_the_same_place(name):
    """What is not covered is equal to the bare horse: nothing but what lies on the back tells the kinds apart."""
    source = Composites(labelled_images(), 1, dataclasses.replace(RANGES[name], recoloured=0.0), seed=2)
    bare = source.draw(12, [NAMES.index("placed horse")] * 12)[0]
    scenes = source.scenes(range(12))
    for scene, image in zip(scenes, bare, strict=True):
        np.testing.assert_array_equal(to_uint8(scene.horse[..., :-1]), image)
    for kind in ("winged horse", "horse with blob", "horse with folded bird", "horse with patch of sky"):
        images = source.draw(12, [NAMES.index(kind)] * 12)[0]
        for scene, image, other in zip(scenes, images, bare, strict=True):
            legs = scene.horse[..., -1] > 0.9
            legs[: outline(scene.horse[..., -1]).back.min() + 12] = False
            np.testing.assert_array_equal(image[legs], other[legs], err_msg=kind)
            assert not np.array_equal(image, other), kind
        if kind == "winged horse":
            untouched = np.stack([scene.opacity for scene in scenes]) == 0
            np.testing.assert_array_equal(images[untouched], bare[untouched])


def test_low_placements_put_the_back_and_the_feet_where_the_ranges_say():
    """A horse with its back in row 10 and its feet in row 25. Half of the scales bring the back to rows 16 to 18
    of a frame whose feet are in row 31: scales of (31 - 18) / 21 to (31 - 16) / 21. The others are 0.9 to 1.
    """
    ranges = dataclasses.replace(
        RANGES["wing_classifier"],
        horse_scale=(0.9, 1.0),
        back=(16.0, 18.0),
        feet=(28.0, 29.0),
        horse_rotation=(0.0, 0.0),
    )
    image = np.zeros((32, 32, 4))
    image[10:26, 4:20, -1] = 1
    random = np.random.default_rng(0)
    for mirror in (False, True):
        placed = [ranges.place_low(random, image, mirror) for _ in range(40)]
        rows, columns = zip(*(p.target((32, 32), 25, (4 + 19) / 2) for p in placed), strict=True)
        assert 28 <= min(rows) < 28.3 and 28.7 < max(rows) <= 29
        assert 12.5 <= min(columns) < 14 and 17 < max(columns) <= 18.5, "within 3 columns of the middle"
        assert {p.scale == 0.9 for p in placed} == {True, False}, "what the back asks for is below 0.9"
    wide = dataclasses.replace(ranges, horse_scale=(0.1, 2.0), feet=(31.0, 31.0))
    scales = np.array([wide.place_low(random, image, False).scale for _ in range(400)])
    near = np.mean((scales >= 13 / 21) & (scales <= 15 / 21))
    assert 0.5 < near < 0.65, "a half, and 1 in 20 of the others"


def test_dyed_things_are_dark_or_of_any_colour_in_the_shape_of_their_cover():
    opacity = np.linspace(0, 1, 64).reshape(8, 8)
    for dark, brightest in ((True, 0.0), (False, 0.5)):
        means = []
        for seed in range(60):
            overlay = parts.draw_shape(np.random.default_rng(seed), opacity, dark)
            np.testing.assert_array_equal(overlay[..., -1], opacity.astype(np.float32))
            assert overlay[..., :-1].std(axis=(0, 1)).max() < 0.15, "one colour"
            means.append(overlay[..., :-1].mean())
        assert (max(means) > brightest) != dark and min(means) < -0.5


def test_only_images_of_the_fold_and_use_are_drawn():
    dataset = labelled_images()
    for fold in (0, 1):
        for use in ("train", "control"):
            source = Composites(dataset, fold, RANGES["wing_classifier"], rider_use=use)
            for rows in source.rows.values():
                assert {labels.fold(id) for id in dataset.ids[rows]} == {fold}
            uses = {labels.horse_riders()[int(id)].use for id in dataset.ids[source.rows["rider"]]}
            assert uses == {use}
            ridden = set(source.rows["horse"]) & set(source.rows["rider"])
            assert not ridden, "a plain horse has no rider that is known"


def red(image):
    return (image[..., 0].astype(int) - image[..., 1] > 60) & (image[..., 2] < 100)


def test_wings_lie_above_the_back_and_at_most_the_rows_below_it(source):
    """The dark horse is on white ground, the bird a red triangle. `below` is at most 4, and an edge is soft."""
    joined = 0
    for k in range(12):
        image = draw_one(source, "winged horse", k)
        dark = image.max(-1) < 70
        rows, columns = np.nonzero(red(image))
        assert len(rows) >= 20
        for column in np.unique(columns):
            horse = np.flatnonzero(dark[:, column])
            if len(horse):
                assert rows[columns == column].max() <= horse.min() + 5
                joined += rows[columns == column].max() >= horse.min() - 3
    assert joined > 12, "wings touch the back"
    assert not red(draw_one(source, "horse", 0)).any()


def test_below_is_the_number_of_rows_that_wings_cover_the_horse():
    """With `below` 0 nothing of the horse is hidden except where the soft edge is, with 6 rows a band is."""
    hidden = []
    for below in (0.0, 6.0):
        ranges = dataclasses.replace(IN_COLOUR, below=(below, below), joint=(0.9, 1.0), raised=1.0)
        source = Composites(labelled_images(), 0, ranges, seed=3)
        with_wings = [draw_one(source, "winged horse", k) for k in range(10)]
        hidden.append(np.mean([np.sum(image.max(-1) < 70) for image in with_wings]))
    assert hidden[1] < hidden[0]


def test_blobs_and_patches_touch_the_back_and_are_no_wings(source):
    for name in ("horse with blob", "horse with patch of sky", "horse with folded bird"):
        images, kinds = source.draw(4, [NAMES.index(name)] * 4)
        assert set(kinds) == {NAMES.index(name)} and TARGETS[kinds[0]].tolist() == [1, 0]
        assert all((image.max(-1) < 70).sum() > 30 for image in images), "the horse is still there"


def test_cross_fades_have_no_answer_to_the_first_question(source):
    images, kinds = source.draw(3, [NAMES.index("cross-fade")] * 3)
    assert np.isnan(TARGETS[kinds][:, 0]).all() and (TARGETS[kinds][:, 1] == 0).all()
    assert all((image.max(-1) < 70).sum() == 0 for image in images), "both parents are translucent"


def test_the_two_classifiers_see_other_composites():
    first, second = RANGES["wing_classifier"], RANGES["wing_referee"]
    for name in Ranges.__dataclass_fields__:
        assert getattr(first, name) != getattr(second, name), name


def test_every_kind_can_be_drawn_for_the_referee():
    source = Composites(labelled_images(), 1, RANGES["wing_referee"], seed=1)
    images, kinds = source.draw(len(KINDS), range(len(KINDS)))
    assert kinds.tolist() == [*range(len(KINDS))] and images.shape[1:] == (32, 32, 3)


def test_data_without_labelled_images_is_refused():
    count = 40
    dataset = ImageDataset(
        np.zeros((count, 32, 32, 3), np.uint8),
        np.arange(count, dtype=np.int32) % 10,
        900_000 + np.arange(count),
        CIFAR10_CLASSES,
        "train",
    )
    with pytest.raises(InputError, match="none of the group"):
        Composites(dataset, 0, RANGES["wing_classifier"])


def test_recolouring_moves_the_mean_of_the_animal_and_keeps_or_inverts_its_shading():
    shades = np.linspace(-0.2, 0.2, 64).reshape(8, 8, 1).repeat(3, axis=-1)
    signs, means = [], []
    for seed in range(60):
        image = parts.recolour(np.random.default_rng(seed), shades, np.ones((8, 8)))
        means.append(image.mean())
        signs.append(np.sign(image[-1, -1, 0] - image[0, 0, 0]))
    assert min(means) < -0.6 and max(means) > 0.7 and np.abs(means).max() < 1
    assert 5 <= np.sum(np.array(signs) < 0) <= 25 and not np.any(np.array(signs) == 0)


def test_stretching_and_shearing_move_pixels_about_the_centre():
    """With the centre at (4, 4): column 6 moves to 4 + 1.5 * 2, and row 6 by 0.5 * 2 columns."""
    image = np.zeros((9, 9, 2))
    image[4, 6], image[6, 4] = (1, 0), (0, 1)
    wide = parts.stretched(image, 1.5, 0.0)
    assert np.argwhere(wide[..., 0] > 0.9).tolist() == [[4, 7]] and wide[..., 0].sum() == pytest.approx(5 / 3)
    assert np.argwhere(wide[..., 1] > 0.9).tolist() == [[6, 4]]
    sheared = parts.stretched(image, 1.0, 0.5)
    assert np.argwhere(sheared[..., 1] > 0.9).tolist() == [[6, 5]]
    assert np.argwhere(sheared[..., 0] > 0.9).tolist() == [[4, 6]]


def test_clear_composites_by_hand():
    """A horse of 10 x 20 pixels with its back in row 16, and 6 x 10 pixels of something white above it."""
    background = np.zeros((32, 32, 4), np.float32)
    background[16:26, 6:26, -1] = 1
    overlay, opacity = np.ones((32, 32, 4), np.float32), np.zeros((32, 32), np.float32)
    opacity[10:16, 10:20] = 1
    assert parts.is_clear(background, overlay, opacity, 45)
    assert not parts.is_clear(background, overlay, opacity, 61), "60 pixels are seen"
    assert not parts.is_clear(background, overlay * 0.2, opacity, 45), "too little contrast"
    assert not parts.is_clear(background, overlay, np.roll(opacity, -5, axis=0), 45), "it floats"
    top = [np.roll(array, -10, axis=0) for array in (background, opacity)]
    assert not parts.is_clear(top[0], overlay, top[1], 45), "the upper edge cuts it"
    lower = [np.roll(array, -9, axis=0) for array in (background, opacity)]
    assert parts.is_clear(lower[0], overlay, lower[1], 45)
    large = np.zeros_like(opacity)
    large[10:21, 6:26] = 1
    assert not parts.is_clear(background, overlay, large, 45), "half the horse is covered"
    assert not parts.is_clear(background * 0, overlay, opacity, 45), "there is no horse"
