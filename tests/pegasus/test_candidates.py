"""Candidates for winged horses: drawn from seed and number, wings above the back and not at the head."""

import dataclasses

import numpy as np
import pytest

from pegasus import candidates
from pegasus.placement import Placement
from tests.pegasus.winged_horses import SKY, WHITE, bird_mask, horse_mask, make_parents

PARENTS = make_parents()
COLUMNS = np.arange(32)


@pytest.fixture(scope="module")
def drawn():
    return [candidates.draw_candidate(PARENTS, 4, k) for k in range(60)]


@pytest.fixture(scope="module")
def composition(drawn):
    return candidates.compose(PARENTS, drawn)


def is_same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_candidate_depends_on_the_seed_and_its_number_alone(drawn):
    assert all(is_same(candidates.draw_candidate(PARENTS, 4, k), drawn[k]) for k in (0, 7, 59))
    assert not any(is_same(candidates.draw_candidate(PARENTS, 5, k), drawn[k]) for k in range(5))
    assert {c.horse for c in drawn} == {0, 1} and {c.bird for c in drawn} == {0, 1, 2}
    assert {c.placements[side].mirror for c in drawn for side in (0, 1)} == {False, True}


def test_of_some_horses_the_one_with_the_background_of_the_bird_is_taken():
    behind = np.float32([SKY, np.add(SKY, 0.5)])
    horses = dataclasses.replace(PARENTS.horses, behind=behind)
    parents = dataclasses.replace(PARENTS, horses=horses)
    assert {candidates.draw_candidate(parents, 4, k).horse for k in range(20)} == {0}


def test_the_back_of_a_placed_horse_by_hand():
    """The horse's back is row 13, its head end column 4 and its rear column 25."""
    outline = PARENTS.horses.outlines[0]
    back, joint, head_end = candidates.find_back(outline, True, Placement(), 0.5, (32, 32))
    assert joint == (13, 14.5) and head_end == 4
    np.testing.assert_array_equal(back[[3, 4, 8, 12, 25, 26]], [99, 7, 7, 13, 13, 99])
    back, joint, head_end = candidates.find_back(outline, True, Placement(0.5, 2, 3, 0, True), 0.5, (32, 32))
    assert head_end == 15.5 - 0.5 * (4 - 15.5) + 3 and joint == (15.5 + 0.5 * (13 - 15.5) + 2, 19)
    np.testing.assert_allclose(back[[14, 19]], 15.5 + 0.5 * (13 - 15.5) + 2)
    _, joint, head_end = candidates.find_back(outline, False, Placement(), 0.25, (32, 32))
    assert head_end == 25 and joint == (13, 25 - 0.25 * 21)


def test_horses_are_placed_low_with_room_above(drawn, composition):
    for candidate, mask in zip(drawn, composition.horses, strict=True):
        low, high = candidates.BACK_ROWS
        assert low - 0.1 <= candidate.joint[0] <= high + 1.1
        rows = np.flatnonzero((mask > 0.5).any(axis=1))
        assert 24 <= rows.max() <= 31
        columns = np.flatnonzero((mask > 0.5).any(axis=0))
        assert abs((columns.min() + columns.max()) / 2 - 15.5) <= 2.5
        seen = candidate.back < 90  # the back line lies on the placed mask's upper edge
        difference = np.argmax(mask > 0.5, axis=0)[seen] - candidate.back[seen]
        assert np.median(np.abs(difference)) <= 1


def test_wings_rise_from_the_joint_to_the_upper_edge(drawn, composition):
    for k, candidate in enumerate(drawn):
        rows, columns = np.nonzero(composition.wings[k] + composition.at_head[k] > 0.5)
        assert candidates.ROOM[0] - 1 <= rows.min() <= candidates.ROOM[1] + 1
        assert abs(rows.max() - candidate.joint[0]) <= candidates.OVERLAP + 2
        assert np.abs(columns[rows >= rows.max() - 1] - candidate.joint[1]).min() <= 10


def test_wings_are_above_the_back_and_not_at_the_head(drawn, composition):
    rows = np.arange(32)[:, None]
    for k, candidate in enumerate(drawn):
        below = rows >= np.minimum(candidate.back, candidate.joint[0] + 2) + candidates.OVERLAP
        assert composition.wings[k][below].max(initial=0) == 0 == composition.at_head[k][below].max(initial=0)
        length = abs(candidate.joint[1] - candidate.head_end)
        at_head = np.abs(COLUMNS - candidate.head_end) < (1 - candidates.HEAD) * length - 1.1
        assert at_head.any() and composition.wings[k][:, at_head].max() == 0


def test_a_composition_holds_the_placed_images(drawn, composition):
    for k in range(5):
        for images, mask in ((composition.first, composition.horses), (composition.second, composition.wings)):
            np.testing.assert_allclose(images[k][mask[k] > 0.95].mean(axis=0), WHITE, atol=0.1)
        empty = (composition.horses[k] == 0) & (composition.at_head[k] + composition.wings[k] == 0)
        np.testing.assert_allclose(composition.first[k][empty].mean(axis=0), SKY, atol=0.15)


def test_dark_birds_and_those_with_flat_wings_are_drawn_less_often():
    kinds = [("raised_both", "white"), ("raised_both", "dark"), ("spread", "mixed")]
    labels = [
        dataclasses.replace(label, wings=wings, shade=shade)
        for label, (wings, shade) in zip(PARENTS.birds.labels, kinds, strict=True)
    ]
    weights = candidates.bird_weights(dataclasses.replace(PARENTS.birds, labels=labels))
    expected = np.array([candidates.KINDS["raised_both"], candidates.KINDS["raised_both"] * candidates.DARK, 1])
    np.testing.assert_allclose(weights, expected / expected.sum())


def test_shares_of_a_known_mask():
    """Of 4x4 cells of 8x8 pixels: 64, 16 and 4 pixels, times the gain, at most 1."""
    wings = np.zeros((1, 32, 32))
    wings[0, :8, :8] = wings[0, 8:12, 8:12] = wings[0, 16:18, 30:] = 1
    expected = np.zeros((4, 4))
    expected[0, 0], expected[1, 1], expected[2, 3] = 1, candidates.SHARE_GAIN / 4, candidates.SHARE_GAIN / 16
    np.testing.assert_allclose(candidates.cell_shares(wings, (4, 4)), expected[None], atol=5e-4)


def test_wings_of_two_pictures_are_above_the_first_ones_back():
    bird = np.float32(bird_mask())
    seen = candidates.wings_above(np.float32(horse_mask()), bird)
    np.testing.assert_array_equal(seen[:14, 12:20], bird[:14, 12:20])
    assert seen[15:, 9:26].max() == 0 and seen[:7].sum() == bird[:7].sum()
    np.testing.assert_array_equal(candidates.wings_above(np.zeros((32, 32)), bird), bird)
