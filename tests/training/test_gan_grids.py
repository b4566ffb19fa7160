"""The pictures of a GAN's training, with a generator of flat images whose levels are known."""

import numpy as np
import pytest

from training.gan_grids import COLUMNS, STRIP_STEPS, training_pictures


def noise(count):
    """Row k is (k, 0) / 256."""
    return np.arange(count, dtype=np.float32)[:, None] * np.float32([1, 0]) / 256


def flat(noise, class_weights=None):
    """Images 4x4x3 of the level of the noise and, in the second channel, of the mean class (in eighths)."""
    images = np.zeros((len(noise), 4, 4, 3), np.float32)
    images[..., 0] = noise[:, 0, None, None]
    if class_weights is not None:
        images[..., 1] = (class_weights @ np.arange(class_weights.shape[1]) / 8)[:, None, None]
    return images


def level(picture, row, column, channel):
    """The level in [-1, 1] of a cell, which has to be flat."""
    cell = picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, channel]
    assert cell.shape == (4, 4) and cell.min() == cell.max()
    return cell[0, 0] / 127.5 - 1


def test_without_classes_there_are_64_samples_and_no_morphs():
    drawn = training_pictures(flat, noise)
    assert drawn.keys() == {"samples"}
    assert drawn["samples"].shape == (8 * 4, 8 * 4, 3) and drawn["samples"].dtype == np.uint8
    for k in range(64):
        assert level(drawn["samples"], k // 8, k % 8, 0) == pytest.approx(k / 256, abs=1 / 250)


@pytest.mark.parametrize(
    ("classes", "of_rows"),
    [
        (2, [0, 0, 0, 0, 1, 1, 1, 1]),
        (3, [0, 0, 0, 1, 1, 1, 2, 2]),
        (4, [0, 0, 1, 1, 2, 2, 3, 3]),
        (10, list(range(10))),
    ],
)
def test_each_class_fills_its_rows(classes, of_rows):
    picture = training_pictures(flat, noise, classes)["samples"]
    assert picture.shape == (len(of_rows) * 4, COLUMNS * 4, 3)
    for row, of_row in enumerate(of_rows):
        for column in (0, 7):
            place = COLUMNS * row + column
            assert level(picture, row, column, 0) == pytest.approx(place / 256, abs=1 / 250)
            assert level(picture, row, column, 1) == pytest.approx(np.clip(of_row / 8, -1, 1), abs=1 / 250)


def test_morphs_keep_the_noise_and_move_the_class():
    picture = training_pictures(flat, noise, 4, first=3, second=1)["morphs"]
    assert picture.shape == (COLUMNS * 4, STRIP_STEPS * 4, 3)
    for row in range(COLUMNS):
        for step in range(STRIP_STEPS):
            assert level(picture, row, step, 0) == pytest.approx(row / 256, abs=1 / 250)
            assert level(picture, row, step, 1) == pytest.approx((3 - 2 * step / 8) / 8, abs=1 / 250)
