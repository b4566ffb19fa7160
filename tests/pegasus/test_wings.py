"""What a search takes for wings: drawn by hand, against sums by hand and a slow plain filter."""

import numpy as np
import pytest
import tensorflow as tf

from pegasus import wings

SIZE = 32


def test_light_wings_are_a_light_quarter_of_what_is_high():
    """Of 16x16 pixels the rows 0 to 5 and the columns 2 to 13 count: 72, of which 18 are the quarter."""
    picture = np.full((16, 16, 3), -0.5, np.float32)
    picture[6:] = picture[:, :2] = picture[:, 14:] = 1  # below and beside: of no matter
    dark, light, blob = picture, picture.copy(), picture.copy()
    light[2:5, 4:10] = [0.6, 0.3, 0.0]  # 18 pixels of brightness 0.3
    blob[:, 2:8] = 0.4  # half of what counts
    found = wings.light(tf.constant([dark, light, blob]))
    np.testing.assert_allclose(found, [0, 0.3 + 0.5, 0.4 - (18 * 0.4 - 36 * 0.5) / 54], atol=1e-6)


def vee(foot, slope=0.75, arms=("left", "right"), background=-0.5, light=0.7):
    """A picture of a V of two lines three pixels wide with its foot at (row, column)."""
    picture = np.full((SIZE, SIZE, 3), background, np.float32)
    for up in range(10):
        for side in arms:
            column = foot[1] + round(slope * up) * (-1 if side == "left" else 1)
            picture[foot[0] - up, column - 1 : column + 2] = light
    return picture


def plain(picture):
    """The filter in loops over pixels, from what its docstring says."""
    grey, best = picture.mean(axis=2), -np.inf
    for foot in range(11, SIZE // 2 + 1):  # the row under the V; 11 rows above it count
        for column in range(13, SIZE - 13):
            for slope in wings.SLOPES:
                found = {"left": [], "right": [], "between": [], "beside": []}
                for row in range(foot - 11, foot):
                    for at in range(column - 13, column + 14):
                        up, across = foot - row, at - column
                        away = abs(across) - slope * up
                        if away > 2:
                            found["beside"].append(grey[row, at])
                        elif up <= 9 and away < -2:
                            found["between"].append(grey[row, at])
                        elif up <= 9 and across and away >= -2:
                            found["left" if across < 0 else "right"].append(grey[row, at])
                means = {name: np.mean(values) for name, values in found.items()}
                least = min(means["left"], means["right"]) - max(means["between"], means["beside"])
                best = max(best, least)
    return best


def test_raised_wings_are_those_of_the_plain_filter():
    noise = np.random.default_rng(0).uniform(-1, 1, size=(3, SIZE, SIZE, 3)).astype(np.float32)
    pictures = np.stack([*noise, vee((13, 16)), vee((12, 14), arms=("left",))])
    np.testing.assert_allclose(wings.raised(tf.constant(pictures)), [plain(p) for p in pictures], atol=1e-5)


def test_two_wings_are_more_than_one_or_a_light_sky():
    sky = np.full((SIZE, SIZE, 3), 0.7, np.float32)
    blob = np.full((SIZE, SIZE, 3), -0.5, np.float32)
    blob[3:14, 8:24] = 0.7
    pictures = [vee((13, 16)), vee((13, 16), arms=("left",)), vee((13, 16), arms=()), sky, blob]
    pictures.append(np.roll(vee((13, 16)), SIZE // 2, axis=0))  # legs
    two, *others = np.asarray(wings.raised(tf.constant(np.stack(pictures))))
    assert two > 0.5 > 0.25 > max(others)


@pytest.mark.parametrize("foot", [(11, 14), (13, 16), (15, 17)])
def test_wherever_they_are_raised(foot):
    assert wings.raised(tf.constant(vee(foot)[None]))[0] > 0.5


def test_mirrored_wings_are_as_good():
    pictures = np.random.default_rng(1).uniform(-1, 1, size=(4, SIZE, SIZE, 3)).astype(np.float32)
    pictures = np.pad(pictures, ((0, 0), (0, 0), (0, 1), (0, 0)))[:, :, : SIZE - 1]  # feet stand on pixels
    found = [wings.raised(tf.constant(side)) for side in (pictures, pictures[:, :, ::-1].copy())]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_an_outline_is_of_raised_wings_and_a_body_before_dark_sides():
    """Of 32x32 pixels the body is the rows 16 to 27 of the columns 6 to 25, the sides are four columns each."""
    plain, body, sides, elsewhere = np.full((4, SIZE, SIZE, 3), -0.5, np.float32)
    body[16:28, 6:16] = [0.4, 0.2, 0.0]  # half of it
    sides[:16, :4] = sides[:8, 28:] = 0.1  # three quarters of them
    elsewhere[28:] = elsewhere[16:, :6] = elsewhere[16:, 26:] = 1
    pictures = tf.constant([plain, body, sides, elsewhere])
    found = wings.outline(pictures) - 2 * wings.raised(pictures)
    expected = np.array([-0.5, -0.5 + 0.7 / 2, -0.5, -0.5]) - 0.5 * np.array([-0.5, -0.5, -0.5 + 0.6 * 0.75, -0.5])
    np.testing.assert_allclose(found, expected, atol=1e-6)
