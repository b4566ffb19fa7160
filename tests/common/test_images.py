"""Grey levels worked by hand, grids cell by cell, and PNG files that are complete or absent."""

import os

import numpy as np
import pytest
from PIL import Image

from common import images
from common.images import enlarge, grid, to_float, to_uint8, write_png

# Ranges


def test_grey_levels_by_hand():
    # -1 + 2 k / 255 is level k; -0.5 lies at 63.75; out of range is clipped.
    values = np.array([-1, 1, -1 + 2 * 40 / 255, -0.5, -1.7, 1.2, -np.inf], np.float32)
    np.testing.assert_array_equal(to_uint8(values), [0, 255, 40, 64, 0, 255, 0])
    assert to_uint8(values).dtype == np.uint8


def test_zero_goes_to_the_even_level():
    assert to_uint8(np.zeros(1, np.float32)) == 128  # 127.5, the only half that a binary number can hit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_level_survives_the_round_trip(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(4, 4, 16)
    floats = to_float(levels)
    assert floats.dtype == np.float32
    assert floats.min() == -1 and floats.max() == 1
    np.testing.assert_allclose(np.diff(floats.ravel()), 2 / 255, atol=1e-7)
    np.testing.assert_array_equal(to_uint8(floats.astype(dtype)), levels)


def test_ranges_refuse_what_they_would_spoil():
    with pytest.raises(ValueError, match="Received: 2 NaN values"):
        to_uint8(np.array([0, np.nan, np.nan], np.float32))
    with pytest.raises(ValueError, match="floats in .-1, 1.. Received: uint8"):
        to_uint8(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="images must be uint8. Received: float32"):
        to_float(np.zeros(3, np.float32))


# Grids


def test_grid_by_hand():
    one, two, three = (np.array([[[k], [k + 1]]], np.uint8) for k in (10, 20, 30))  # [1, 2, 1]
    expected = [[10, 11, 20, 21], [30, 31, 255, 255]]
    np.testing.assert_array_equal(grid(np.stack([one, two, three]), columns=2)[:, :, 0], expected)


def test_grid_places_every_cell():
    cells = np.random.default_rng(0).integers(0, 256, (11, 3, 5, 3), dtype=np.uint8)
    result = grid(cells, columns=4, scale=2)
    assert result.shape == (3 * 3 * 2, 4 * 5 * 2, 3)
    assert result.dtype == np.uint8
    for k, cell in enumerate(cells):
        row, column = divmod(k, 4)
        for dy in (0, 1):
            for dx in (0, 1):
                pixels = result[row * 6 + dy : row * 6 + 6 : 2, column * 10 + dx : column * 10 + 10 : 2]
                np.testing.assert_array_equal(pixels, cell)
    assert (result[12:, 30:] == 255).all()


def test_grid_defaults_to_eight_columns():
    assert grid(np.zeros((64, 32, 32, 3), np.uint8)).shape == (256, 256, 3)
    assert grid(np.zeros((1, 32, 32, 1), np.uint8)).shape == (32, 256, 1)


def test_enlarge_repeats_pixels():
    image = np.array([[[1], [2]], [[3], [4]]], np.uint8)
    expected = [[1, 1, 1, 2, 2, 2]] * 3 + [[3, 3, 3, 4, 4, 4]] * 3
    np.testing.assert_array_equal(enlarge(image, 3)[:, :, 0], expected)
    np.testing.assert_array_equal(enlarge(image, 1), image)


def test_grid_errors():
    cells = np.zeros((2, 4, 4, 3), np.uint8)
    for wrong in (cells[0], cells[:0], cells.astype(np.float32)):
        with pytest.raises(ValueError, match="N, H, W, C., N >= 1. Received"):
            grid(wrong)
    with pytest.raises(ValueError, match="columns must be at least 1. Received: 0"):
        grid(cells, columns=0)
    with pytest.raises(ValueError, match="scale must be at least 1. Received: 0"):
        grid(cells, scale=0)


# PNG files


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_keeps_every_pixel(tmp_path, channels, mode):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    path = tmp_path / "picture.png"
    assert write_png(path, image) == path
    with Image.open(path) as file:
        assert (file.format, file.mode) == ("PNG", mode)
        np.testing.assert_array_equal(np.asarray(file).reshape(image.shape), image)
    assert os.listdir(tmp_path) == ["picture.png"]
    same = tmp_path / "same.png"
    write_png(str(same), image)
    assert same.read_bytes() == path.read_bytes()


def test_png_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write_png(tmp_path / "picture.png", np.zeros((2, 2, 3), np.uint8))
    assert (tmp_path / "picture.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_write_leaves_the_old_picture(tmp_path, monkeypatch):
    path = write_png(tmp_path / "picture.png", np.zeros((2, 2, 3), np.uint8))
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(images.os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_png(path, np.ones((2, 2, 3), np.uint8))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["picture.png"]


@pytest.mark.parametrize(("shape", "dtype"), [((2, 2, 3), float), ((2, 2), np.uint8), ((2, 2, 4), np.uint8)])
def test_png_errors(tmp_path, shape, dtype):
    with pytest.raises(ValueError, match="image must be .*. Received"):
        write_png(tmp_path / "picture.png", np.zeros(shape, dtype))
    assert os.listdir(tmp_path) == []
