"""Pictures of all colour modes and bit depths are read with the right colours, or refused by name.

Each test writes a picture of four pixels, most of them byte by byte because Pillow writes few of the modes, and
compares the four colours that `read_picture` returns.
"""

import numpy as np
import pytest
from PIL import Image, ImageCms

from common.errors import InputError
from common.images import read_picture
from tests.support.hostile_files import BLUE, GREEN, RED, WHITE, chunk, encode, png, quarters, tiff

COLOURS = [RED, GREEN, BLUE, WHITE]
GREYS = [(level, level, level) for level in (0, 255, 102, 204)]


def read_colours(tmp_path, content):
    """Colours of the four pixels, row by row, that are read from the bytes of a picture file."""
    (tmp_path / "picture").write_bytes(content)
    return [tuple(colour.tolist()) for colour in read_picture(tmp_path / "picture", width=2).reshape(4, 3)]


def packed_rows(samples, depth):
    """The two rows of four samples or tuples of samples as bytes: `depth` bits each, the highest bit first."""
    bits = (np.asarray(samples).reshape(2, -1, 1) >> np.arange(depth)[::-1]) & 1
    return [row.tobytes() for row in np.packbits(bits.reshape(2, -1), axis=1)]


# PNG

GREY, RGB, PALETTE = 0, 2, 3  # colour types of PNG


def png_of(depth, colour_type, samples, palette=None, transparent=None):
    """PNG of four samples or tuples of samples; `palette` and `transparent` are the bodies of PLTE and tRNS."""
    extra = chunk(b"PLTE", palette) if palette else b""
    extra += chunk(b"tRNS", transparent) if transparent is not None else b""
    rows = b"".join(b"\0" + row for row in packed_rows(samples, depth))
    return png(2, 2, depth, colour_type, rows, extra=extra)


def two_bytes_each(levels):
    return np.array(levels, ">u2").tobytes()


@pytest.mark.parametrize(
    ("depth", "stored", "read"),
    [
        (1, [0, 1, 0, 1], [0, 255, 0, 255]),
        (2, [0, 1, 2, 3], [0, 85, 170, 255]),
        (4, [0, 1, 14, 15], [0, 17, 238, 255]),
        (8, [0, 1, 254, 255], [0, 1, 254, 255]),
        (16, [0, 1, 257 * 102, 65535], [0, 0, 102, 255]),
    ],
)
def test_grey_levels_of_png_are_scaled_and_one_can_be_transparent(tmp_path, depth, stored, read):
    greys = [(level, level, level) for level in read]
    assert read_colours(tmp_path, png_of(depth, GREY, stored)) == greys
    for transparent in (0, 1):
        content = png_of(depth, GREY, stored, transparent=two_bytes_each([transparent]))
        expected = [WHITE if level == transparent else grey for level, grey in zip(stored, greys, strict=True)]
        assert read_colours(tmp_path, content) == expected


@pytest.mark.parametrize(("depth", "low", "high"), [(8, 0x99, 0xFF), (16, 0x9900, 0xFFFF)])
def test_one_colour_of_png_can_be_transparent(tmp_path, depth, low, high):
    """Of 16 bits the upper 8 are read."""
    red, green, blue = (high, low, low), (low, high, low), (low, low, high)
    content = png_of(depth, RGB, [red, green, blue, (low, low, low)], transparent=two_bytes_each(green))
    assert read_colours(tmp_path, content) == [(255, 153, 153), WHITE, (153, 153, 255), (153, 153, 153)]


@pytest.mark.parametrize("depth", [2, 4, 8])
@pytest.mark.parametrize(
    ("alpha", "expected"),  # alpha: a byte for each colour of the palette, 255 where bytes are missing
    [
        (None, [RED, GREEN, BLUE, WHITE]),
        (bytes([0]), [WHITE, GREEN, BLUE, WHITE]),
        (bytes([255, 0, 0, 255]), [RED, WHITE, WHITE, WHITE]),
        (bytes([255, 255, 102]), [RED, GREEN, (153, 153, 255), WHITE]),  # 102 / 255 blue, 153 / 255 white
        (bytes(300), [RED, GREEN, BLUE, WHITE]),  # more than a palette can have colours: ignored
    ],
)
def test_colours_of_a_png_palette_can_be_transparent(tmp_path, depth, alpha, expected):
    palette = np.uint8(COLOURS).tobytes()
    assert read_colours(tmp_path, png_of(depth, PALETTE, [0, 1, 2, 3], palette, alpha)) == expected


# TIFF

WHITE_IS_0, BLACK_IS_0, RGB_COLOURS, COLOUR_MAP, CMYK, YCBCR = 0, 1, 2, 3, 5, 6  # photometric interpretations
NO_MEANING, ASSOCIATED, ALPHA = ({"extra": meaning} for meaning in (0, 1, 2))  # of the last channel
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats
NOT_SUBSAMPLED = {"t530": (3, 2, [1, 1])}
RED_GREEN_BLUE_WHITE = {  # 256 levels of red, then of green, then of blue, of 16 bits
    "t320": (3, 768, [257 * level for channel in zip(*COLOURS, strict=True) for level in [*channel, *[0] * 252]])
}


def tiff_of(order, bits, photometric, samples, extra=None, sample_format=UNSIGNED, **tags):
    """TIFF of four samples or tuples of samples.

    Args:
        order: "<" or ">", the order of bytes.
        extra: meaning of the last channel, see above; None: it is a colour.
        tags: further ones, see `tiff`.
    """
    samples = np.asarray(samples)
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if bits in (4, 12):
        pixels = b"".join(packed_rows(samples, bits))
    else:
        letter = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}[sample_format]
        pixels = samples.astype(f"{order}{letter}{bits // 8}").tobytes()
    tags |= {"t256": (4, 1, 2), "t257": (4, 1, 2), "t262": (3, 1, photometric), "t277": (3, 1, channels)}
    tags |= {"t258": (3, channels, [bits] * channels), "t339": (3, channels, [sample_format] * channels)}
    if extra is not None:
        tags["t338"] = (3, 1, extra)
    return tiff(pixels, order, **tags)


def with_fifth(first_three, last):
    """Samples of three opaque pixels and of a last one with an alpha of 255 / 5, of 8 bits."""
    return np.column_stack([[*first_three, last], [255, 255, 255, 51]])


# A fifth of grey 100 over white is 100 / 5 + 255 * 4 / 5 = 224. Associated alpha has multiplied the 100 to 20.
COLOURS_AND_FIFTH, GREYS_AND_FIFTH = [RED, GREEN, BLUE, (224, 224, 224)], [*GREYS[:3], (224, 224, 224)]
CMYK_SAMPLES = np.array([(0, 255, 255, 0), (255, 0, 255, 0), (255, 255, 0, 0), (0, 0, 0, 0)])
YCBCR_SAMPLES = [(76, 85, 255), (150, 44, 21), (29, 255, 107), (255, 128, 128)]  # by ITU-R 601
TIFFS = {  # bits, photometric interpretation, samples, further arguments of tiff_of, what is read
    "grey of 4 bits": (4, BLACK_IS_0, [0, 15, 6, 12], {}, GREYS),
    "grey of 8 bits": (8, BLACK_IS_0, [0, 255, 102, 204], {}, GREYS),
    "grey of 8 bits, 0 is white": (8, WHITE_IS_0, [255, 0, 153, 51], {}, GREYS),
    "grey of 16 bits": (16, BLACK_IS_0, [0, 65535, 257 * 102, 257 * 204], {}, GREYS),
    "grey, alpha": (8, BLACK_IS_0, with_fifth([0, 255, 102], 100), ALPHA, GREYS_AND_FIFTH),
    "grey, associated alpha": (8, BLACK_IS_0, with_fifth([0, 255, 102], 20), ASSOCIATED, GREYS_AND_FIFTH),
    "grey, channel without meaning": (8, BLACK_IS_0, with_fifth([0, 255, 102], 204), NO_MEANING, GREYS),
    "colours of 16 bits": (16, RGB_COLOURS, 257 * np.array(COLOURS), {}, COLOURS),
    "colours, alpha": (8, RGB_COLOURS, with_fifth(COLOURS[:3], [100] * 3), ALPHA, COLOURS_AND_FIFTH),
    "colours, associated alpha of 16 bits": (
        16, RGB_COLOURS, 257 * with_fifth(COLOURS[:3], [20] * 3), ASSOCIATED, COLOURS_AND_FIFTH
    ),
    "colours, channel without meaning": (8, RGB_COLOURS, with_fifth(COLOURS[:3], WHITE), NO_MEANING, COLOURS),
    "palette": (8, COLOUR_MAP, [0, 1, 2, 3], RED_GREEN_BLUE_WHITE, COLOURS),
    "palette, alpha": (  # the last pixel is a fifth of green over white
        8, COLOUR_MAP, with_fifth([0, 1, 2], 1), RED_GREEN_BLUE_WHITE | ALPHA, [RED, GREEN, BLUE, (204, 255, 204)]
    ),
    "CMYK of 8 bits": (8, CMYK, CMYK_SAMPLES, {}, COLOURS),
    "CMYK of 16 bits": (16, CMYK, 257 * CMYK_SAMPLES, {}, COLOURS),
    "YCbCr": (8, YCBCR, YCBCR_SAMPLES, NOT_SUBSAMPLED, COLOURS),
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", TIFFS)
def test_tiffs_of_all_modes_are_read(tmp_path, name, order):
    *arguments, options, expected = TIFFS[name]
    np.testing.assert_allclose(read_colours(tmp_path, tiff_of(order, *arguments, **options)), expected, atol=1)


def test_tiffs_of_depths_that_pillow_reads_in_one_order_only_are_read(tmp_path):
    grey_of_16_bits = tiff_of("<", 16, WHITE_IS_0, [65535, 0, 257 * 153, 257 * 51])
    assert read_colours(tmp_path, grey_of_16_bits) == GREYS
    grey_of_12_bits = tiff_of("<", 12, BLACK_IS_0, [0, 4095, 4095 * 2 // 5, 4095 * 4 // 5])
    assert read_colours(tmp_path, grey_of_12_bits) == GREYS


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("bits", "sample_format", "samples", "reason"),
    [
        (32, FLOAT, [0, 1, 0.4, 0.8], "at most 16 bits per channel, without sign"),
        (32, SIGNED, [0, 65536, 0, 0], "at most 16 bits per channel, without sign"),
        (16, SIGNED, [0, -1, 0, 0], "at most 16 bits per channel, without sign"),
        (16, FLOAT, [0, 1, 0.4, 0.8], "unreadable header or depth"),
    ],
)
def test_tiffs_of_other_depths_are_refused(tmp_path, order, bits, sample_format, samples, reason):
    with pytest.raises(InputError, match=reason) as error:
        read_colours(tmp_path, tiff_of(order, bits, BLACK_IS_0, samples, sample_format=sample_format))
    assert str(tmp_path / "picture") in str(error.value) and "\n" not in str(error.value)


# Written by Pillow: what the formats above do not have, and other formats


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_palettes_are_read(tmp_path, kind):
    assert read_colours(tmp_path, encode(quarters(2).quantize(4), kind)) == COLOURS


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_black_and_white_is_read(tmp_path, kind):
    picture = Image.fromarray(np.array([[False, True], [True, False]]))
    black = (0, 0, 0)
    assert read_colours(tmp_path, encode(picture, kind)) == [black, WHITE, WHITE, black]


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_grey_is_read(tmp_path, kind):
    picture = Image.fromarray(np.uint8([[0, 255], [102, 204]]))
    assert read_colours(tmp_path, encode(picture, kind)) == GREYS


def test_alpha_of_webp_is_read(tmp_path):
    picture = Image.fromarray(np.uint8(with_fifth(COLOURS[:3], [100] * 3)).reshape(2, 2, 4))
    assert read_colours(tmp_path, encode(picture, "WEBP", lossless=True)) == COLOURS_AND_FIFTH


def test_lab_of_tiff_is_read(tmp_path):
    """Its colours are rounded coarsely."""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(quarters(2), srgb, lab, outputMode="LAB")
    np.testing.assert_allclose(read_colours(tmp_path, encode(picture, "TIFF")), COLOURS, atol=25)
