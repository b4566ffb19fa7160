"""Each term of the score catches a planted picture."""

import numpy as np
import pytest

from pegasus import scores
from pegasus.candidates import Composition
from tests.pegasus.winged_horses import SKY, WHITE, bird_mask, horse_mask, paint

DARK = (-0.8, -0.8, -0.8)
WINGS = np.zeros((32, 32), bool)
WINGS[1:14] = bird_mask()[10:23]  # a V whose lower end is on the back, row 13


def compose(wings=WINGS, at_head=None, bird=WHITE, behind_bird=SKY, horse=None, **fields):
    """One composition [1, ...] of a drawn horse with wings."""
    first = paint(horse_mask(), noise=0) if horse is None else horse
    back = np.where(horse_mask().any(axis=0), np.argmax(horse_mask(), axis=0), 99)
    values = {
        "first": first,
        "second": paint(wings, behind=behind_bird, colour=bird, noise=0),
        "horses": np.float32(horse_mask()),
        "wings": np.float32(wings),
        "at_head": np.zeros((32, 32), np.float32) if at_head is None else np.float32(at_head),
        "back": back,
        "head_end": 4.0,
        "joint_column": 15.5,
    }
    return Composition(**{name: np.asarray(value)[None] for name, value in (values | fields).items()})


def join(composition):
    """The picture of a composition, without any loss."""
    return np.where(composition.wings[..., None] > 0.5, composition.second, composition.first)


def measure(composition, picture=None):
    picture = join(composition) if picture is None else picture
    terms = scores.picture_terms(composition, picture, composition.first)
    return {name: value[0] for name, value in terms.items()}


GOOD = measure(compose())


def test_a_perfect_winged_horse_loses_nothing():
    assert set(GOOD) < set(scores.TERM_WEIGHTS)
    for name in ("horse_seen", "head_seen", "wings_seen", "background", "whole", "head_free"):
        assert GOOD[name] == pytest.approx(0, abs=1e-6)
    contrast = np.subtract(WHITE, SKY)
    assert GOOD["changed"] == GOOD["outline"] == scores.MAX_DIFFERENCE < np.sqrt(np.square(contrast).mean())
    assert GOOD["light"] == scores.MAX_LIGHT < contrast.mean()
    assert GOOD["size"] == pytest.approx(WINGS.sum() / scores.LARGE_WINGS) and GOOD["joined"] == 1


def test_a_horse_of_the_colour_behind_it_or_behind_its_head():
    assert GOOD["contrast"] == scores.MAX_DIFFERENCE
    for part in (np.s_[:, :], np.s_[:, :10]):
        composition = compose()
        picture = join(composition)
        hidden = np.zeros((32, 32), bool)
        hidden[part] = horse_mask()[part]
        picture[0, hidden] = np.add(SKY, 0.1)
        assert measure(composition, picture)["contrast"] == pytest.approx(0.1, abs=0.06)


def test_a_bird_s_body_is_no_wing():
    """Its middle is four pixels from what is around it; the arms of the V are not much thicker than two."""
    body, wing = np.zeros((2, 32, 32), bool)
    body[6:13, 12:19], wing[1:13, 14:18] = True, True
    assert measure(compose(body))["slender"] == pytest.approx(1 - (4 - scores.THICK))
    assert measure(compose(wing))["slender"] == pytest.approx(scores.LONG)  # 12 to 4 is more
    assert scores.measure_slenderness(wing & False) == 0


def test_a_rider_sits_upright():
    """Above the joint at column 15.5, or swept back by half a pixel per row."""
    rider, wing = np.zeros((2, 32, 32), bool)
    rider[2:13, 13:19] = True
    for row in range(2, 13):
        wing[row, 15 + (13 - row) : 20 + (13 - row)] = True
    assert measure(compose(rider))["spread"] == pytest.approx(1.5 / scores.WIDE)
    assert measure(compose(wing))["spread"] == 1 > GOOD["spread"] > 0.5


def test_coloured_fringes():
    """Ten pixels whose highest and lowest colours differ by 1.7, where those of both parents differ by 0.7."""
    composition = compose()
    picture = join(composition)
    picture[0, 0, :10] = (0.9, -0.8, 0)
    assert measure(composition, picture)["colours"] == pytest.approx(-10 * (1 - scores.COLOURFUL) / 50, abs=1e-4)
    assert GOOD["colours"] == 0


def test_wings_that_are_not_seen():
    terms = measure(compose(), compose().first)
    assert terms["wings_seen"] < -0.5 and terms["changed"] == 0 and abs(terms["outline"]) < 0.1


def test_a_horse_without_a_head():
    composition = compose()
    picture = join(composition)
    picture[0, 5:13, 3:12] = SKY
    terms = measure(composition, picture)
    assert terms["head_seen"] < 4 * terms["horse_seen"] < -0.1


def test_dark_wings_or_a_rider():
    terms = measure(compose(bird=DARK))
    assert terms["light"] < -0.5 and terms["outline"] > 0.5


def test_wings_of_the_colour_behind_them():
    terms = measure(compose(bird=tuple(np.add(SKY, 0.1))))
    assert terms["outline"] == pytest.approx(0.1, abs=0.02) and terms["light"] == pytest.approx(0.1, abs=0.02)


def test_floating_wings():
    assert measure(compose(np.pad(WINGS[6:], ((1, 5), (0, 0)))))["joined"] == 0  # five rows above the back


def test_wings_that_are_cut_off():
    wings = np.zeros((32, 32), bool)
    wings[:13, 15:19] = True
    assert measure(compose(wings))["whole"] == -1  # four pixels in the uppermost row
    wings = np.zeros((32, 32), bool)
    wings[10:14, 15:] = True
    assert measure(compose(wings))["whole"] == -1


def test_small_wings():
    small = WINGS & (np.arange(32)[:, None] >= 11)
    assert measure(compose(small))["size"] == pytest.approx(small.sum() / scores.LARGE_WINGS)
    assert small.sum() < WINGS.sum() / 3


def test_a_neck_beside_the_head():
    neck = np.zeros((32, 32))
    neck[:10, 5:7] = 1
    assert measure(compose(at_head=neck))["head_free"] == -1


def test_backgrounds_that_differ():
    assert measure(compose(behind_bird=tuple(np.add(SKY, 0.4))))["background"] == pytest.approx(-0.4, abs=0.01)


def test_networks_see_a_horse_wings_and_seams():
    probabilities = np.array([[0.5, 1e-9], [1, 0.25]])
    terms = scores.network_terms(probabilities, np.array([-2.0, 1.0]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(terms["horse"], [np.log(0.5), 0])
    np.testing.assert_allclose(terms["wings"], [scores.LOWEST_LOG_PROBABILITY, np.log(0.25)])
    np.testing.assert_array_equal(terms["seam"], [-2, 0])
    assert scores.network_terms(probabilities, None, None).keys() == {"horse", "wings"}


def test_the_score_is_the_weighted_sum_of_its_terms():
    terms = {"wings": np.array([2.0, 0.0]), "light": np.array([0.0, 3.0])}
    expected = [2 * scores.TERM_WEIGHTS["wings"], 3 * scores.TERM_WEIGHTS["light"]]
    np.testing.assert_allclose(scores.weighted_sum(terms), expected)


def test_what_is_not_worth_decoding():
    """Wings that are small, cut off, or mostly at the head."""
    cut, at_head = np.zeros((32, 32)), np.zeros((32, 32))
    cut[:8, 10:22], at_head[:10, :8] = 1, 1
    small = WINGS & (np.arange(32)[:, None] >= 12)
    expected = {True: [compose()], False: [compose(small), compose(cut), compose(at_head=at_head)]}
    for value, compositions in expected.items():
        for composition in compositions:
            assert scores.is_plausible(composition).tolist() == [value]


def test_means_and_differences_by_hand():
    pictures = np.zeros((1, 2, 2, 3), np.float32)
    pictures[0, 0] = [[1, 2, 3], [3, 2, 1]]
    weights = np.array([[[1, 3], [0, 0]]])
    np.testing.assert_allclose(scores.weighted_mean(pictures, weights), [[2.5, 2, 1.5]])
    np.testing.assert_allclose(scores.mean_difference(pictures, pictures - 2, weights), [2])
    np.testing.assert_array_equal(scores.weighted_mean(pictures, 0 * weights), [[0, 0, 0]])
