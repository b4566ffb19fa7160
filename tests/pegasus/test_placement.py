"""Placement: against an affine map worked out pixel by pixel, by hand where it is simple, and invariants."""

import numpy as np
import pytest
from scipy import ndimage

from common.errors import InputError
from pegasus.placement import Placement, place

HEIGHT, WIDTH = 6, 9
PLACEMENTS = [
    Placement(0.7, 2.5, -1.25, 33, True),
    Placement(1.6, -3, 2, -110),
    Placement(1, 0.5, 0, 0, True),
    Placement(0.3),
]


def slow_place(image, placement, fill):
    """Follows each output pixel back with a 3 x 3 matrix, and sums bilinear weights over all input pixels.

    Beyond the edge, the blurred image takes over within three pixels.
    """
    blurred = image
    for axis in (0, 1) * 12:
        blurred = ndimage.convolve1d(blurred, [0.25, 0.5, 0.25], axis, mode="nearest")
    height, width = image.shape[:2]
    angle = np.radians(placement.rotation)
    to_centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])  # of (x, y, 1)
    mirror = np.diag([-1 if placement.mirror else 1, 1, 1])
    # y points down, so a counter-clockwise turn takes (1, 0) to (cos, -sin)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    scale = np.diag([placement.scale, placement.scale, 1])
    move = np.array([[1, 0, placement.right], [0, 1, placement.down], [0, 0, 1]])
    forward = move @ np.linalg.inv(to_centre) @ scale @ turn @ mirror @ to_centre
    output = np.zeros(image.shape)
    for y, x in np.ndindex(height, width):
        from_x, from_y, _ = np.linalg.solve(forward, [x, y, 1])
        source = image
        if fill == "edge":
            beyond = max(-from_x, from_x - width + 1, -from_y, from_y - height + 1, 0)
            share = min(beyond / 3, 1)
            source = (1 - share) * image + share * blurred
            from_x, from_y = np.clip(from_x, 0, width - 1), np.clip(from_y, 0, height - 1)
        for v, u in np.ndindex(height, width):
            output[y, x] += max(0, 1 - abs(u - from_x)) * max(0, 1 - abs(v - from_y)) * source[v, u]
    return output


@pytest.mark.parametrize("fill", ["edge", "zero"])
def test_a_placement_is_an_affine_map(fill):
    images = np.random.default_rng(0).uniform(-1, 1, (len(PLACEMENTS), HEIGHT, WIDTH, 3))
    placed = place(images, PLACEMENTS, fill)
    assert placed.dtype == np.float32 and placed.shape == images.shape
    for image, placement, result in zip(images, PLACEMENTS, placed, strict=True):
        np.testing.assert_allclose(result, slow_place(image, placement, fill), atol=1e-5)


def test_the_default_changes_nothing():
    image = np.random.default_rng(1).uniform(-1, 1, (1, 5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(place(image, [Placement()]), image)


def test_simple_placements_by_hand():
    image = np.arange(9.0).reshape(1, 3, 3, 1)

    def placed(fill="edge", **fields):
        return place(image, [Placement(**fields)], fill)[0, :, :, 0]

    np.testing.assert_allclose(placed(mirror=True), [[2, 1, 0], [5, 4, 3], [8, 7, 6]], atol=1e-6)
    np.testing.assert_allclose(placed(down=1)[1:], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_allclose(placed(right=1, fill="zero"), [[0, 0, 1], [0, 3, 4], [0, 6, 7]])
    np.testing.assert_allclose(placed(right=0.5, fill="zero"), [[0, 0.5, 1.5], [1.5, 3.5, 4.5], [3, 6.5, 7.5]])
    np.testing.assert_allclose(placed(rotation=90), [[2, 5, 8], [1, 4, 7], [0, 3, 6]], atol=1e-5)  # left is down
    np.testing.assert_allclose(placed(scale=2), [[2, 2.5, 3], [3.5, 4, 4.5], [5, 5.5, 6]])
    mirrored_then_moved = placed(mirror=True, right=1)
    np.testing.assert_allclose(mirrored_then_moved[:, 1:], [[2, 1], [5, 4], [8, 7]], atol=1e-6)


def test_stripes_beyond_the_edge_fade():
    """Columns of -1 and 1 continue upwards, but from three pixels above the edge they have the mean colour, 0."""
    stripes = np.tile([-1.0, 1.0], (12, 30))[None, ..., None]
    placed = np.abs(place(stripes, [Placement(down=6)])[0, :, 20:40, 0])
    np.testing.assert_allclose(placed.T, [np.repeat([0, 1 / 3, 2 / 3, 1], [4, 1, 1, 6])] * 20, atol=1e-6)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_target_is_the_inverse_of_source(placement):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    back = placement.target((HEIGHT, WIDTH), *placement.source((HEIGHT, WIDTH), rows, columns))
    np.testing.assert_allclose(back, [rows, columns], atol=1e-9)


@pytest.mark.parametrize(
    "fields",
    [{"scale": 0.0}, {"scale": np.nan}, {"down": np.inf}, {"rotation": 400}, {"mirror": 1}, {"right": "1"}],
)
def test_placements_are_checked(fields):
    with pytest.raises(InputError, match=f"^--{next(iter(fields))} must be "):
        Placement(**fields)


def test_as_many_placements_as_images():
    with pytest.raises(ValueError, match="placements must be 2. Received: 1"):
        place(np.zeros((2, 3, 3, 1)), [Placement()])
    with pytest.raises(ValueError, match="fill must be edge or zero. Received: wrap"):
        place(np.zeros((1, 3, 3, 1)), [Placement()], "wrap")
