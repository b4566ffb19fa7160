"""Foreground of made-up pictures, where the animal's pixels are known; its outline by hand."""

import numpy as np
import pytest

from composites.colour_model import colour_model_foreground
from pegasus import foreground

SKY, GROUND, WHITE = (-0.2, 0.2, 0.8), (-0.4, 0.1, -0.5), (0.8, 0.8, 0.7)


def picture(noise=0.03):
    """A sky over a ground, and a white animal [32, 32] with a body, a head and legs; returns (image, mask)."""
    image = np.empty((32, 32, 3))
    image[:20], image[20:] = SKY, GROUND
    mask = np.zeros((32, 32), bool)
    mask[12:20, 8:24] = mask[6:13, 5:10] = mask[20:28, 9:12] = mask[20:28, 20:23] = True
    image[mask] = WHITE
    return (image + noise * np.random.default_rng(0).normal(size=image.shape)).astype(np.float32), mask


def overlap(found, mask):
    return np.sum((found > 0.5) & mask) / np.sum((found > 0.5) | mask)


@pytest.mark.parametrize("method", [foreground.border_foreground, colour_model_foreground])
def test_an_animal_before_sky_and_ground_is_found(method):
    image, mask = picture()
    found = method(image)
    assert found.shape == (32, 32) and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert overlap(found, mask) > 0.9
    mirrored = method(image[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], found, atol=0.02)


def test_an_animal_that_touches_the_border_is_not_taken_for_background():
    image, mask = picture()
    image[6:10, :6] = WHITE  # a nose that leaves the picture
    mask[6:10, :6] = True
    assert overlap(foreground.border_foreground(image), mask) > 0.85


def test_what_is_apart_from_the_animal_is_left_out():
    image, mask = picture()
    image[2:5, 27:30] = WHITE
    found = foreground.border_foreground(image)
    assert overlap(found, mask) > 0.85 and found[2:5, 27:30].max() < 0.5


def test_a_plain_picture_has_no_foreground():
    assert foreground.border_foreground(np.full((32, 32, 3), 0.3, np.float32)).max() == 0


def test_otsus_threshold_lies_between_two_groups():
    values = np.concatenate([np.linspace(0, 1, 300), np.linspace(7, 8, 100)])
    assert 0.9 < foreground.otsu_threshold(values) < 7


def test_smoothing_by_hand():
    array = np.zeros((3, 4))
    array[1, 1] = 32
    np.testing.assert_array_equal(foreground.smooth(array), [[2, 4, 2, 0], [4, 8, 4, 0], [2, 4, 2, 0]])
    np.testing.assert_allclose(foreground.smooth(np.full((4, 5, 2), 0.3)), 0.3)
    corner = np.zeros((3, 3))
    corner[0, 0] = 16
    np.testing.assert_array_equal(foreground.smooth(corner), [[9, 3, 0], [3, 1, 0], [0, 0, 0]])


def test_the_central_part_with_its_soft_rim_is_kept():
    mask = np.zeros((9, 9))
    mask[4, 3:6], mask[3, 4], mask[4, 6], mask[0, :4] = 1, 0.3, 0.2, 1
    expected = mask.copy()
    expected[0] = 0
    np.testing.assert_array_equal(foreground.central_part(mask), expected)


def test_outline_by_hand():
    mask = np.array(
        [[0, 0, 0, 0, 0], [0, 0.9, 0, 0.4, 0], [0, 1, 0.6, 0, 0], [0, 0, 0.7, 0, 0], [0, 0, 0, 0.5, 0]]
    )
    found = foreground.outline(mask)
    np.testing.assert_array_equal(found.back, [5, 1, 2, 5, 5])
    assert (found.left, found.right, found.feet) == (1, 2, 3)
    assert foreground.outline(0 * mask) is None
