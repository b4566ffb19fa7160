"""The pictures of an ACAI's training, with images as their own latents, so that the results are known."""

import numpy as np

from training.acai_grids import STRIP_STEPS, training_pictures


def identity(images):
    return images


def pictures():
    """16 pairs of images of one level each: the first class k / 64, the second (32 + k) / 64."""
    k = np.arange(16, dtype=np.float32)[:, None, None, None] / 64
    first, second = (np.broadcast_to(level, (16, 4, 4, 3)) for level in (k, k + 0.5))
    return training_pictures(identity, lambda latents: latents - 0.25, first, second), first, second


def cell(picture, row, column, level):
    part = picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
    return np.abs(part - (level + 1) * 127.5).max() <= 0.51


def test_originals_stand_above_their_reconstructions():
    picture = pictures()[0]["reconstructions"]
    assert picture.shape == (2 * 4 * 4, 8 * 4, 3) and picture.dtype == np.uint8
    for k in range(32):  # 16 of the first class, then 16 of the second
        level = k % 16 / 64 + (0.5 if k >= 16 else 0)
        row, column = 2 * (k // 8), k % 8
        assert cell(picture, row, column, level) and cell(picture, row + 1, column, level - 0.25)


def test_strips_lead_from_the_first_class_to_the_second():
    drawn, first, second = pictures()
    assert drawn["strips"].shape == (8 * 4, STRIP_STEPS * 4, 3)
    for k in range(1, 8):  # every other of 16 pairs; parallel latents: slerp is lerp
        for step in range(STRIP_STEPS):
            level = first[2 * k, 0, 0, 0] + step / (STRIP_STEPS - 1) * 0.5
            assert cell(drawn["strips"], k, step, level - 0.25)


def test_blends_are_halfway_between_their_parents():
    drawn = pictures()[0]
    assert drawn["blends"].shape == (2 * 4, 8 * 4, 3)
    for k in range(16):
        assert cell(drawn["blends"], k // 8, k % 8, k / 64 + 0.25 - 0.25)
