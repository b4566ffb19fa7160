"""The filters for wings, on drawn pictures, against hand-computed sums and a slow plain implementation."""

import numpy as np
import pytest
import tensorflow as tf

from pegasus import wings

SIZE = 32


def test_upper_lightness_compares_the_lightest_quarter_with_the_rest():
    """In 16x16 pixels, rows 0 to 5 of columns 2 to 13 count: 72 pixels, of which 18 are the quarter."""
    picture = np.full((16, 16, 3), -0.5, np.float32)
    picture[6:] = picture[:, :2] = picture[:, 14:] = 1  # below and beside, which is ignored
    dark, light, blob = picture, picture.copy(), picture.copy()
    light[2:5, 4:10] = [0.6, 0.3, 0.0]  # 18 pixels of brightness 0.3
    blob[:, 2:8] = 0.4  # half of the pixels that count
    lightness = wings.upper_lightness(tf.constant([dark, light, blob]))
    np.testing.assert_allclose(lightness, [0, 0.3 + 0.5, 0.4 - (18 * 0.4 - 36 * 0.5) / 54], atol=1e-6)


def draw_v(foot, slope=0.75, arms=("left", "right"), background=-0.5, light=0.7):
    """Draws a V of two lines, three pixels wide, with its foot at (row, column)."""
    picture = np.full((SIZE, SIZE, 3), background, np.float32)
    for up in range(10):
        for side in arms:
            column = foot[1] + round(slope * up) * (-1 if side == "left" else 1)
            picture[foot[0] - up, column - 1 : column + 2] = light
    return picture


def plain_score(picture):
    """`raised_wings_score` of one picture as loops over pixels."""
    grey, best = picture.mean(axis=2), -np.inf
    for foot in range(11, SIZE // 2 + 1):  # the row below the V; the 11 rows above it count
        for column in range(13, SIZE - 13):
            for slope in wings.SLOPES:
                areas = {"left": [], "right": [], "between": [], "beside": []}
                for row in range(foot - 11, foot):
                    for x in range(column - 13, column + 14):
                        up, across = foot - row, x - column
                        offset = abs(across) - slope * up
                        if offset > 2:
                            areas["beside"].append(grey[row, x])
                        elif up <= 9 and offset < -2:
                            areas["between"].append(grey[row, x])
                        elif up <= 9 and across and offset >= -2:
                            areas["left" if across < 0 else "right"].append(grey[row, x])
                means = {name: np.mean(values) for name, values in areas.items()}
                response = min(means["left"], means["right"]) - max(means["between"], means["beside"])
                best = max(best, response)
    return best


def test_raised_wings_score_matches_the_plain_implementation():
    noise = np.random.default_rng(0).uniform(-1, 1, size=(3, SIZE, SIZE, 3)).astype(np.float32)
    pictures = np.stack([*noise, draw_v((13, 16)), draw_v((12, 14), arms=("left",))])
    np.testing.assert_allclose(
        wings.raised_wings_score(tf.constant(pictures)), [plain_score(picture) for picture in pictures], atol=1e-5
    )


def test_two_raised_wings_score_above_one_wing_sky_body_and_legs():
    sky = np.full((SIZE, SIZE, 3), 0.7, np.float32)
    blob = np.full((SIZE, SIZE, 3), -0.5, np.float32)
    blob[3:14, 8:24] = 0.7
    pictures = [draw_v((13, 16)), draw_v((13, 16), arms=("left",)), draw_v((13, 16), arms=()), sky, blob]
    pictures.append(np.roll(draw_v((13, 16)), SIZE // 2, axis=0))  # legs
    two, *others = np.asarray(wings.raised_wings_score(tf.constant(np.stack(pictures))))
    assert two > 0.5 > 0.25 > max(others)


@pytest.mark.parametrize("foot", [(11, 14), (13, 16), (15, 17)])
def test_raised_wings_score_finds_any_position(foot):
    assert wings.raised_wings_score(tf.constant(draw_v(foot)[None]))[0] > 0.5


def test_raised_wings_score_of_a_mirrored_picture_is_equal():
    pictures = np.random.default_rng(1).uniform(-1, 1, size=(4, SIZE, SIZE, 3)).astype(np.float32)
    pictures = np.pad(pictures, ((0, 0), (0, 0), (0, 1), (0, 0)))[
        :, :, : SIZE - 1
    ]  # an odd width: columns mirror onto columns
    scores = [wings.raised_wings_score(tf.constant(x)) for x in (pictures, pictures[:, :, ::-1].copy())]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_outline_score_adds_a_light_body_and_dark_sides():
    """In 32x32 pixels the body is rows 16 to 27 of columns 6 to 25, and each side is four columns wide."""
    plain, body, sides, elsewhere = np.full((4, SIZE, SIZE, 3), -0.5, np.float32)
    body[16:28, 6:16] = [0.4, 0.2, 0.0]  # half of it
    sides[:16, :4] = sides[:8, 28:] = 0.1  # three quarters of them
    elsewhere[28:] = elsewhere[16:, :6] = elsewhere[16:, 26:] = 1
    pictures = tf.constant([plain, body, sides, elsewhere])
    difference = wings.outline_score(pictures) - 2 * wings.raised_wings_score(pictures)
    expected = np.array([-0.5, -0.5 + 0.7 / 2, -0.5, -0.5]) - 0.5 * np.array([-0.5, -0.5, -0.5 + 0.6 * 0.75, -0.5])
    np.testing.assert_allclose(difference, expected, atol=1e-6)
