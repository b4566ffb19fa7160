"""Reading pictures: sizes, formats, colours and orientations, and one-line errors for what cannot be read."""

import os
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from common import images
from common.errors import InputError
from common.images import read_picture
from tests.support.hostile_files import BLUE, GREEN, RED, WHITE, png, quarters

QUARTERS = [RED, GREEN, BLUE, WHITE]  # corners of `quarters`


def save(folder, image, name="picture.png", **options):
    path = folder / name
    image.save(path, **options)
    return path


def corners(picture):
    """Returns the colours of the corners: of the upper ones, then of the lower ones."""
    return [tuple(int(value) for value in picture[row, column]) for row in (0, -1) for column in (0, -1)]


def assert_refused(path):
    """Asserts that reading fails with a line that names the file, and returns the line."""
    with pytest.raises(InputError) as error:
        read_picture(path)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    assert "must" in text and "Received" in text
    return text


# What can be read


@pytest.mark.parametrize(
    ("suffix", "size"),
    [
        *((suffix, 64) for suffix in ("png", "gif", "bmp", "tiff", "ppm", "webp")),
        ("png", 16),
        ("png", 31),
        ("png", 32),
    ],
)
def test_sizes_and_formats_can_be_read(tmp_path, suffix, size):
    options = {"lossless": True} if suffix == "webp" else {}
    picture = read_picture(save(tmp_path, quarters(size), f"picture.{suffix}", **options))
    assert picture.shape == (32, 32, 3)
    assert picture.dtype == np.uint8
    assert corners(picture) == QUARTERS


def test_jpeg_is_resized_to_the_width(tmp_path):
    path = save(tmp_path, quarters(), "picture.jpg", quality=95)
    picture = read_picture(path, width=8)
    assert picture.shape == (8, 8, 3)
    np.testing.assert_allclose(corners(picture), QUARTERS, atol=6)


def test_a_picture_of_the_right_size_is_not_changed(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_picture(save(tmp_path, Image.fromarray(pixels))), pixels)


@pytest.mark.parametrize("wide", [True, False])
def test_wide_and_tall_pictures_are_cropped_at_the_centre(tmp_path, wide):
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[:, 32:64] = 255
    pixels = pixels if wide else pixels.swapaxes(0, 1)
    assert np.all(read_picture(save(tmp_path, Image.fromarray(pixels))) == 255)


def test_resizing_is_antialiased(tmp_path):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # one pixel wide: without antialiasing the result is black or white
    picture = read_picture(save(tmp_path, Image.fromarray(stripes)))
    assert np.all(np.abs(picture[2:-2, 2:-2].astype(int) - 127.5) < 4)


def test_transparency_is_composited_over_white(tmp_path):
    pixels = np.zeros((64, 64, 4), np.uint8)  # transparent black
    pixels[:32, :32] = (*RED, 255)
    pixels[:32, 32:] = (0, 0, 0, 51)  # a fifth black over white: 204
    picture = read_picture(save(tmp_path, Image.fromarray(pixels)))
    assert corners(picture) == [RED, (204, 204, 204), WHITE, WHITE]


def test_transparent_grey_becomes_white(tmp_path):
    assert np.all(read_picture(save(tmp_path, Image.new("LA", (40, 40), (100, 0)))) == 255)


def test_cmyk_is_converted(tmp_path):
    path = save(tmp_path, Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "picture.jpg", quality=95)
    np.testing.assert_allclose(read_picture(path)[16, 16], RED, atol=6)


def test_one_channel_is_the_luma(tmp_path):
    picture = read_picture(save(tmp_path, quarters()), channels=1)
    assert picture.shape == (32, 32, 1)
    # ITU-R 601: 0.299 red + 0.587 green + 0.114 blue
    np.testing.assert_allclose([level for (level,) in corners(picture)], [76.2, 149.7, 29.1, 255], atol=1)
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert np.all(read_picture(save(tmp_path, clear), channels=1) == 255)
    with pytest.raises(ValueError, match="channels must be 1 or 3. Received: 4"):
        read_picture(tmp_path / "picture.png", channels=4)


STORED = {  # EXIF 2.3: where row 0 and column 0 of the stored picture belong
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],  # row 0 at the top, column 0 on the right
    3: [WHITE, BLUE, GREEN, RED],  # bottom, right
    4: [BLUE, WHITE, RED, GREEN],  # bottom, left
    5: [RED, BLUE, GREEN, WHITE],  # left, top
    6: [GREEN, WHITE, RED, BLUE],  # right, top
    7: [WHITE, GREEN, BLUE, RED],  # right, bottom
    8: [BLUE, RED, WHITE, GREEN],  # left, bottom
}


@pytest.mark.parametrize(
    ("suffix", "orientation"),
    [*(("png", orientation) for orientation in STORED), ("tiff", 2), ("tiff", 6), ("webp", 2), ("webp", 6)],
)
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    pixels = np.array(STORED[orientation], np.uint8).reshape(2, 2, 3).repeat(32, axis=0).repeat(32, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path, Image.fromarray(pixels), f"picture.{suffix}", exif=exif, **options)
    assert corners(read_picture(path)) == QUARTERS


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_an_animation_is_read_as_its_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path, frames[0], f"picture.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert np.all(read_picture(path) == RED)


def test_extreme_shapes_can_be_read(tmp_path):
    assert read_picture(save(tmp_path, Image.new("RGB", (1, 1), RED))).tolist() == [[list(RED)] * 32] * 32
    assert np.all(read_picture(save(tmp_path, Image.new("RGB", (20000, 1), RED))) == RED)


# What is refused


def test_missing_files_folders_pipes_and_empty_files_are_refused(tmp_path):
    assert "no such file" in assert_refused(tmp_path / "missing.png")
    assert "a folder" in assert_refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in assert_refused(tmp_path / "pipe")
    (tmp_path / "empty.png").touch()
    assert "an empty file" in assert_refused(tmp_path / "empty.png")


def test_a_file_without_read_permission_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path, quarters())

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    assert "permission denied" in assert_refused(path)


@pytest.mark.parametrize("content", [b"hi\n", bytes(5000), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_other_kinds_of_files_are_refused(tmp_path, content):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    assert "another kind of file" in assert_refused(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"])
def test_truncated_files_are_refused(tmp_path, capfd, suffix):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path = save(tmp_path, noise, f"picture.{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "must be undamaged" in assert_refused(path)
    path.write_bytes(whole[:20])
    assert_refused(path)
    assert capfd.readouterr() == ("", "")  # not even from the decoders


def test_damaged_pixels_are_refused(tmp_path):
    path = save(tmp_path, quarters())
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(content)
    assert "damaged" in assert_refused(path)


@pytest.mark.parametrize("size", [(7072, 7072), (10_000, 9_000), (20_000, 20_000)])
def test_huge_pictures_are_refused_by_their_header(tmp_path, monkeypatch, size):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("the picture was decoded"))
    path = tmp_path / "huge.png"
    path.write_bytes(png(*size, 8, 2, b""))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert "must have at most 50,000,000 pixels" in assert_refused(path)
    assert not caught  # Pillow would print a second line


def test_a_picture_of_the_maximum_size_is_not_refused_for_its_size(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png(10_000, 5_000, 8, 2, b""))  # exactly 50 million; no pixels follow
    assert "damaged" in assert_refused(path)


def test_huge_tiles_of_a_small_tiff_are_refused(tmp_path):
    tags = ((256, 32), (257, 32), (258, 8), (259, 8), (262, 1), (322, 9008), (323, 9008), (324, 8), (325, 0))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)  # 32 x 32, tiles of 9008
    path = tmp_path / "tile.tiff"
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0))
    assert "9,008 x 9,008" in assert_refused(path)


def test_a_file_of_too_many_bytes_is_refused(tmp_path):
    path = tmp_path / "large.webp"
    with open(path, "wb") as file:
        file.truncate(images.MAX_BYTES + 1)  # sparse
    assert "256,000,001 bytes" in assert_refused(path)


def test_line_breaks_in_names_and_reasons_are_escaped(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("broken\nhere")

    path = save(tmp_path, quarters())
    with pytest.raises(InputError, match=r"^.*two\\nlines.*$"):
        read_picture(tmp_path / "two\nlines.png")
    monkeypatch.setattr(images.Image, "open", fail)
    assert "(broken here)" in assert_refused(path)
