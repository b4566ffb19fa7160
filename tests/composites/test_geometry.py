"""Where the parts of composites lie: heads, the points of backs, single wings, and what is fitted to wings."""

import copy
import dataclasses

import numpy as np
import pytest

from composites import parts
from composites.drawing import Composites
from composites.ranges import RANGES
from pegasus import labels
from pegasus.placement import place
from tests.support.photographs import labelled_images


@pytest.fixture(scope="module")
def source():
    return Composites(labelled_images(), fold=0, ranges=RANGES["wing_classifier"], seed=3)


def with_ranges(source, **ranges):
    changed = copy.copy(source)
    changed.ranges = dataclasses.replace(source.ranges, **ranges)
    return changed


def lower_end_height_and_centre(mask):
    rows, columns = np.nonzero(mask > 0.5)
    return rows.max(), np.ptp(rows) + 1, columns.mean()


def test_a_mirrored_horse_faces_the_other_side(source):
    source, found = copy.copy(source), set()
    for row in source.rows["placed horse"]:
        head = labels.horse_side_views()[int(source.dataset.ids[row])].head
        source.rows = {"placed horse": [row]}
        for seed in range(10):
            _, placement, faces_left = source._draw_horse(np.random.default_rng(seed))
            found.add((head, placement.mirror, faces_left))
    assert found == {("left", False, True), ("left", True, False), ("right", False, False), ("right", True, True)}


def test_wings_are_joined_at_a_share_of_the_back_from_the_front(source):
    """A horse in columns 4 to 20 whose back is in row 10, and in row 14 from column 12 on."""
    horse = np.zeros((32, 32, 4))
    horse[10:25, 4:12, -1] = horse[14:25, 12:21, -1] = 1
    source = with_ranges(source, along=(0.25, 0.25))
    assert source._choose_joint(np.random.default_rng(0), horse, True) == (10, 8)
    assert source._choose_joint(np.random.default_rng(0), horse, False) == (14, 16)


def test_a_single_wing_rises_from_the_point_to_its_own_side(source):
    """The mask is a bar of 24 x 4 pixels, so one half of it, turned by 20 to 70 degrees, is 12 pixels long."""
    bar = np.zeros((32, 32), np.float32)
    bar[20:24, 2:26] = 1
    fixed = dict(one_wing=1.0, recoloured=0.0, wings_rotation=(0.0, 0.0), wings_size=(24.0, 24.0))
    source = with_ranges(source, stretch=(1.0, 1.0), shear=(0.0, 0.0), **fixed)
    source.foreground = lambda row: bar
    sides = set()
    for seed in range(24):
        image, placement = source._draw_bird(np.random.default_rng(seed), "flat wings", (18.0, 15.0))
        kept_right = image[..., 16:, -1].sum() > image[..., :12, -1].sum()
        placed = place(image[None], [placement], "zero")[0, ..., -1]
        rows, columns = np.nonzero(placed > 0.5)
        assert 1 < 18 - rows.mean() < 6.5 and rows.max() <= 21, "12 pixels are 2 to 5.6 high in the mean"
        assert (columns.mean() > 15) == (kept_right != placement.mirror)
        assert placed[18, 15] > 0.5, "the joint is at the point"
        sides.add((kept_right, placement.mirror))
    assert len(sides) == 4


def test_what_is_fitted_has_the_lower_end_the_height_and_the_centre_of_the_wings():
    """Twice as high, for soft edges one row less."""
    mask, wings = np.zeros((32, 32)), np.zeros((32, 32))
    mask[3:9, 20:25], wings[10:22, 4:14] = 1, 1
    placed = place(mask[None, ..., None], [parts.fit_to(mask, wings)], "zero")[0, ..., 0]
    assert lower_end_height_and_centre(placed) == (21, 11, 8.5)


def test_folded_birds_in_the_shape_of_the_wings_are_fitted_to_them(source):
    (scene,) = source.scenes([0])
    end, height, centre = lower_end_height_and_centre(scene.opacity)
    drawn = [source._draw_folded_bird(np.random.default_rng(seed), scene) for seed in range(40)]
    fitted = [overlay[..., -1] for overlay, opacity in drawn if opacity is scene.opacity]
    assert 5 < len(fitted) < 25, "0.7 * 0.5 of 40 are 14"
    for mask in fitted:
        assert lower_end_height_and_centre(mask) == pytest.approx((end, height, centre), abs=1.5)
