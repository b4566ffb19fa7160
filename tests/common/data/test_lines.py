"""The line renderer against hand-computed values, a plain version and the official images; its stream."""

import math
from pathlib import Path

import numpy as np
import pytest

from common.data import lines

OFFICIAL = Path(__file__).parents[4] / "shared" / "lines" / "official_lines.npz"


def coverage(angle, width=32):
    return (lines.render(np.array([angle]), width)[0, :, :, 0] + 1) / 2


def plain_render(angle):
    """The geometry cell by cell, in [0, 1]."""
    image = np.zeros((32, 32))
    row, column = 16 - 15 * math.sin(angle), 16 + 15 * math.cos(angle)
    transposed = abs(column - 16) < abs(row - 16)
    ends = sorted([(16, 16), (row, column) if transposed else (column, row)])
    (start, start_minor), (stop, stop_minor) = ends
    slope = (stop_minor - start_minor) / (stop - start)
    for p in range(math.floor(start), math.ceil(stop)):
        weight = math.ceil(start) - start if p < start else 1
        middle = start_minor + slope * (p - start - 0.5)
        for q in range(32):
            share = max(0, min(middle + 1, q + 1) - max(middle - 1, q))
            image[(p, q) if transposed else (q, p)] = weight * share
    return image


@pytest.mark.parametrize(
    "angle, rows, columns",
    [
        (0, slice(15, 17), slice(16, 31)),
        (np.pi / 2, slice(1, 16), slice(15, 17)),
        (np.pi, slice(15, 17), slice(1, 16)),
        (3 * np.pi / 2, slice(16, 31), slice(15, 17)),
    ],
    ids=["right", "up", "left", "down"],
)
def test_upright_lines_are_rectangles_two_pixels_wide(angle, rows, columns):
    expected = np.zeros((32, 32))
    expected[rows, columns] = 1
    np.testing.assert_allclose(coverage(angle), expected, atol=1e-6)


def test_diagonal_to_the_upper_right_by_hand():
    """Just below 45 degrees: columns 16 to 26 (the end, 26.6, is in the last), one row up per column."""
    expected = np.zeros((32, 32))
    for column in range(16, 27):
        expected[[31 - column, 32 - column, 33 - column], column] = 0.5, 1, 0.5
    np.testing.assert_allclose(coverage(np.pi / 4 - 1e-9), expected, atol=1e-6)


def test_agrees_with_a_plain_version():
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 200)
    expected = 2 * np.stack([plain_render(angle) for angle in angles]) - 1
    np.testing.assert_allclose(lines.render(angles)[..., 0], expected, atol=1e-6)


def test_agrees_with_the_official_images():
    if not OFFICIAL.exists():
        pytest.skip(f"no {OFFICIAL.name} beside the project")
    with np.load(OFFICIAL) as official:
        images = lines.render(official["angles"])
        assert images.shape == (256, 32, 32, 1)
        np.testing.assert_allclose(images[..., 0], official["images"], rtol=0, atol=1e-6)


def test_one_turn_further_is_the_same_line():
    angles = np.linspace(0.01, 6.2, 50)
    np.testing.assert_allclose(lines.render(angles + 2 * np.pi), lines.render(angles), atol=1e-5)


def test_other_widths_and_no_line():
    expected = np.zeros((64, 64))
    expected[31:33, 32:63] = 1
    np.testing.assert_allclose(coverage(0, width=64), expected, atol=1e-6)
    assert lines.render(np.zeros(0)).shape == (0, 32, 32, 1)


def test_type_and_range():
    images = lines.render(np.linspace(0, 6.28, 500))
    assert images.dtype == np.float32
    assert images.min() == -1 and images.max() == 1


# The stream


def take(count, *args, **options):
    return list(lines.batches(*args, **options).take(count).as_numpy_iterator())


def test_stream_shapes_are_static():
    spec = lines.batches(6, seed=0, width=64).element_spec
    assert spec["image"].shape == (6, 64, 64, 1) and spec["image"].dtype == "float32"
    assert spec["label"].shape == (6,) and spec["label"].dtype == "int32"


def test_stream_is_a_function_of_seed_and_step():
    stream = take(6, 4, seed=3)
    for start in (1, 4):
        for batch, expected in zip(take(2, 4, seed=3, start_step=start), stream[start:], strict=False):
            np.testing.assert_array_equal(batch["image"], expected["image"])
    assert not np.array_equal(stream[0]["image"], stream[1]["image"])
    assert not np.array_equal(stream[0]["image"], take(1, 4, seed=4)[0]["image"])


def test_stream_draws_what_render_draws():
    """Each streamed image equals `render` of the angle measured from its pixels."""
    grid = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    images = take(1, 12, seed=1)[0]["image"]
    for image in images:
        mass = (image[..., 0] + 1) / (image + 1).sum()
        up, right = 15.5 - mass.sum(1) @ np.arange(32), mass.sum(0) @ np.arange(32) - 15.5
        rough = np.arctan2(up, right)
        near = grid[np.abs(np.angle(np.exp(1j * (grid - rough)))) < 0.08]
        closest = np.abs(lines.render(near) - image).mean(axis=(1, 2, 3)).min()
        assert closest < 1e-4
    assert np.unique(images, axis=0).shape[0] == 12


def test_stream_angles_are_uniform_and_labels_zero():
    batch = take(1, 4096, seed=0)[0]
    mass = batch["image"][..., 0] + 1
    rows = mass.sum(2) @ np.arange(32) / mass.sum((1, 2)) - 15.5
    columns = mass.sum(1) @ np.arange(32) / mass.sum((1, 2)) - 15.5
    counts = np.histogram(np.arctan2(-rows, columns), bins=16, range=(-np.pi, np.pi))[0]
    assert np.abs(counts - 256).max() < 5 * 16  # five standard deviations
    np.testing.assert_array_equal(batch["label"], np.zeros(4096))
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
