"""Depths and modes: pictures of each, made by hand or by Pillow, have the right pixels or are refused by name."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from common.errors import InputError
from common.images import read_picture
from tests.support.hostile_files import BLUE, GREEN, RED, WHITE, chunk, encode, png, quarters, tiff

COLOURS = np.array(quarters(4)).astype(int)  # [4, 4, 3]
LEVELS = np.repeat(np.repeat([[0, 255], [102, 204]], 2, 0), 2, 1)  # multiples of 51, whole in 2**n levels, n > 3
OPAQUE = np.repeat(np.repeat([[1, 1], [1, 0]], 2, 0), 2, 1)
GREYS = [(level,) * 3 for level in (0, 255, 102, 204)]


def read_corners(tmp_path, content):
    (tmp_path / "picture").write_bytes(content)
    picture = read_picture(tmp_path / "picture", width=4)
    return [tuple(picture[row, column].tolist()) for row in (0, -1) for column in (0, -1)]


def pack(levels, depth):
    """Rows of levels, int [4, 4], as bytes: `depth` bits each, from the highest bit of a byte on."""
    bits = (levels[..., None] >> np.arange(depth)[::-1]) & 1
    return [row.tobytes() for row in np.packbits(bits.reshape(4, -1), axis=1)]


def png_of(depth, colour, samples, key=None, palette=None):
    """PNG of int samples [4, 4] or [4, 4, channels]; `key` is the body of its tRNS."""
    wide = np.asarray(samples).reshape(4, -1)
    rows = [row.astype(">u2").tobytes() for row in wide] if depth == 16 else pack(wide, depth)
    extra = chunk(b"PLTE", palette) if palette else b""
    extra += chunk(b"tRNS", key) if key is not None else b""
    return png(4, 4, depth, colour, b"".join(b"\0" + row for row in rows), extra=extra)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("key", [None, 0, 1])
def test_grey_levels_of_png_are_scaled_and_one_can_be_transparent(tmp_path, depth, key):
    top = 2**depth - 1
    samples = np.repeat(np.repeat([[0, top], [1, top - 1]], 2, 0), 2, 1)
    expected = [(round(level * 255 / top),) * 3 if level != key else WHITE for level in (0, top, 1, top - 1)]
    content = png_of(depth, 0, samples, None if key is None else struct.pack(">H", key))
    assert read_corners(tmp_path, content) == expected


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("level", [0x1234, 0x9900])  # of 16 bits; their lower half is not their upper half
def test_one_colour_of_png_can_be_transparent(tmp_path, depth, level):
    levels = {0: level >> (16 - depth), 255: (1 << depth) - 1}
    samples = np.where(COLOURS == 255, levels[255], levels[0])
    other = level >> 8
    content = png_of(depth, 2, samples, struct.pack(">HHH", levels[0], levels[255], levels[0]))
    assert read_corners(tmp_path, content) == [(255, other, other), WHITE, (other, other, 255), WHITE]


@pytest.mark.parametrize("depth", [2, 4, 8])
@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (None, [RED, GREEN, BLUE, WHITE]),
        (b"\0", [WHITE, GREEN, BLUE, WHITE]),
        (b"\xff\0\0\xff", [RED, WHITE, WHITE, WHITE]),
        (b"\xff\xff\x66", [RED, GREEN, (153, 153, 255), WHITE]),
        (b"\0" * 300, [RED, GREEN, BLUE, WHITE]),  # more than there can be colours: ignored
    ],
)
def test_palettes_of_png_can_be_transparent(tmp_path, depth, alpha, expected):
    indices = np.repeat(np.repeat([[0, 1], [2, 3]], 2, 0), 2, 1)
    palette = bytes([*RED, *GREEN, *BLUE, *WHITE])
    assert read_corners(tmp_path, png_of(depth, 3, indices, alpha, palette)) == expected


def tiff_of(bits, photometric, samples, order, extra=None, kind=1, **tags):
    """TIFF of int samples [4, 4] or [4, 4, channels]; `extra` and `kind` are ExtraSamples and SampleFormat."""
    samples = np.asarray(samples)
    channels = samples.shape[2] if samples.ndim == 3 else 1
    wide = samples.reshape(4, -1)
    code = {1: "u", 2: "i", 3: "f"}[kind]
    pixels = b"".join(pack(wide, bits)) if bits in (4, 12) else wide.astype(f"{order}{code}{bits // 8}").tobytes()
    tags |= {"t262": (3, 1, photometric), "t277": (3, 1, channels)}
    tags |= {"t258": (3, channels, [bits] * channels), "t339": (3, channels, [kind] * channels)}
    if extra is not None:
        tags["t338"] = (3, 1, extra)
    return tiff(pixels, order, **tags)


def with_alpha(samples, top=255):
    return np.dstack([samples * OPAQUE[..., None] if samples.ndim == 3 else samples * OPAQUE, OPAQUE * top])


COLOUR_MAP = (
    3,
    768,
    [c * 257 for k in range(3) for c in [colour[k] for colour in (RED, GREEN, BLUE, WHITE)] + [0] * 252],
)
INDICES = np.repeat(np.repeat([[0, 1], [2, 3]], 2, 0), 2, 1)
INVERTED = [(255 - level,) * 3 for level, *_ in GREYS]
QUARTERS = [RED, GREEN, BLUE, WHITE]
OPAQUE_GREYS = [*GREYS[:3], WHITE]
TIFFS = {  # bits, photometric interpretation, samples, further arguments of tiff_of; corners
    "grey of 4 bits": ((4, 1, LEVELS // 17), {}, GREYS),
    "grey of 8 bits": ((8, 1, LEVELS), {}, GREYS),
    "grey of 8 bits, 0 is white": ((8, 0, LEVELS), {}, INVERTED),
    "grey of 16 bits": ((16, 1, LEVELS * 257), {}, GREYS),
    "grey and alpha": ((8, 1, with_alpha(LEVELS)), {"extra": 2}, OPAQUE_GREYS),
    "grey and associated alpha": ((8, 1, with_alpha(LEVELS)), {"extra": 1}, OPAQUE_GREYS),
    "grey and a channel without meaning": ((8, 1, with_alpha(LEVELS)), {"extra": 0}, [*GREYS[:3], (0, 0, 0)]),
    "colours of 16 bits": ((16, 2, COLOURS * 257), {}, QUARTERS),
    "colours and alpha": ((8, 2, with_alpha(COLOURS)), {"extra": 2}, QUARTERS),
    "colours and associated alpha of 16 bits": ((16, 2, with_alpha(COLOURS) * 257), {"extra": 1}, QUARTERS),
    "palette": ((8, 3, INDICES), {"t320": COLOUR_MAP}, QUARTERS),
    "palette and alpha": ((8, 3, with_alpha(INDICES)), {"extra": 2, "t320": COLOUR_MAP}, QUARTERS),
    "CMYK": ((8, 5, np.dstack([255 - COLOURS, 0 * INDICES])), {}, QUARTERS),
    "CMYK of 16 bits": ((16, 5, np.dstack([255 - COLOURS, 0 * INDICES]) * 257), {}, QUARTERS),
    "YCbCr": ((8, 6, np.array(quarters(4).convert("YCbCr"))), {"t530": (3, 2, [1, 1])}, QUARTERS),
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", TIFFS)
def test_tiffs_of_all_depths_are_read(tmp_path, name, order):
    arguments, options, expected = TIFFS[name]
    corners = read_corners(tmp_path, tiff_of(*arguments, order, **options))
    np.testing.assert_allclose(corners, expected, atol=1)


def test_tiffs_of_depths_that_pillow_reads_in_one_order_only_are_read(tmp_path):
    assert read_corners(tmp_path, tiff_of(16, 0, LEVELS * 257, "<")) == INVERTED
    assert read_corners(tmp_path, tiff_of(12, 1, (LEVELS * 4095 + 127) // 255, "<")) == GREYS


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("bits", "kind", "samples", "reason"),
    [
        (32, 3, LEVELS / 255, "at most 16 bits per channel, without sign"),
        (32, 2, LEVELS * 257 * 65536, "at most 16 bits per channel, without sign"),
        (16, 2, LEVELS - 100, "at most 16 bits per channel, without sign"),
        (64, 3, LEVELS / 255, "unreadable header or depth"),
        (16, 3, LEVELS / 255, "unreadable header or depth"),
        (32, 1, COLOURS * 257, "unreadable header or depth"),
    ],
)
def test_other_depths_are_refused(tmp_path, bits, kind, samples, reason, order):
    with pytest.raises(InputError, match=reason) as error:
        read_corners(tmp_path, tiff_of(bits, 2 if np.ndim(samples) == 3 else 1, samples, order, kind=kind))
    assert str(tmp_path / "picture") in str(error.value) and "\n" not in str(error.value)


def lab(image):
    profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    return ImageCms.profileToProfile(image, *profiles, outputMode="LAB")


WRITTEN = {
    "PNG": "1 L LA P RGB RGBA",
    "TIFF": "1 L LA P PA RGB RGBA RGBX CMYK YCbCr LAB",
    "GIF": "1 L LA P RGB RGBA",
    "BMP": "1 L P RGB RGBA",
    "WEBP": "1 L LA P PA RGB RGBA RGBX CMYK YCbCr LAB HSV",
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in WRITTEN for mode in WRITTEN[kind].split()])
def test_pictures_of_all_modes_that_pillow_writes_are_read(tmp_path, kind, mode):
    picture = quarters(4)
    if mode == "LAB":
        picture = lab(picture)
    elif mode in ("P", "PA"):
        picture = picture.quantize(4).convert(mode)
    else:
        picture = picture.convert(mode, dither=Image.Dither.NONE)
    content = encode(picture, kind, **({"lossless": True} if kind == "WEBP" else {}))
    greys = [(round(0.299 * red + 0.587 * green + 0.114 * blue),) * 3 for red, green, blue in QUARTERS]
    expected = {"L": greys, "LA": greys, "1": [(255 * (level > 127),) * 3 for level, *_ in greys]}
    tolerance = 25 if mode == "LAB" else 1  # its colours are rounded coarsely
    np.testing.assert_allclose(read_corners(tmp_path, content), expected.get(mode, QUARTERS), atol=tolerance)
