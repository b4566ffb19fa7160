"""Damaged or exotic metadata does not refuse or change a picture: its pixels alone decide."""

import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from common.images import read_picture
from common.picture_metadata import TIFF_PIXEL_TAGS
from tests.support.hostile_files import BLUE, GREEN, RED, WHITE, chunk, encode, png_with, quarters, tiff

ANIMATION = encode(quarters(), "PNG", save_all=True, append_images=[Image.new("RGB", (64, 64), "pink")])
WRONG = b"\0\1\2\3"  # checksum


def read_corners(tmp_path, content):
    (tmp_path / "picture").write_bytes(content)
    picture = read_picture(tmp_path / "picture", width=16)
    return [tuple(picture[row, column].tolist()) for row in (0, -1) for column in (0, -1)]


def assert_reads_quarters(tmp_path, content):
    np.testing.assert_allclose(read_corners(tmp_path, content), [RED, GREEN, BLUE, WHITE], atol=3)


def png_behind(added):
    """PNG with `added` behind its pixels."""
    whole = encode(quarters(), "PNG")
    return whole[:-12] + added + whole[-12:]


def raw_profile(text):
    return png_with(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n    10\n" + text))


KINDS = b"tRNS eXIf iCCP zTXt fcTL".split()
PNGS = {f"{kind.decode()}, {len(body)} bytes": png_with(kind, body) for kind in KINDS for body in (b"", b"\7")}
PNGS |= {
    f"{kind.decode()}, checksum": png_with(kind, b"k\0\0xx")[: 33 + 13] + WRONG + encode(quarters(), "PNG")[33:]
    for kind in KINDS
}
PNGS |= {f"{kind.decode()} behind": png_behind(chunk(kind, b"\7")) for kind in KINDS}
PNGS |= {
    f"text of the key {key}": png_with(b"tEXt", key.encode() + b"\0text")
    for key in ("exif", "xmp", "transparency", "bbox", "interlace", "icc_profile", "disposal")
}
PNGS |= {
    "EXIF text without digits": raw_profile(b"zzqqzz"),
    "EXIF text of an odd length": raw_profile(b"4578696600000"),
    "EXIF text of noise": raw_profile(b"ff" * 50),
    "XMP that is not UTF-8": png_with(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0\xff tiff:Orientation="x"'),
    "more text than Pillow takes": encode(quarters(), "PNG")[:33]
    + b"".join(chunk(b"tEXt", b"k\0" + bytes(1_000_000)) for _ in range(70)) + encode(quarters(), "PNG")[33:],
    "profile of an unknown compression": png_with(b"iCCP", b"k\0\5x"),
    "name of a chunk": png_with(b"\xff\xfe\xfd\xfc", b"x"),
    "text that is longer than the file": png_behind(struct.pack(">I", 5000) + b"tEXt"),
    "no end": encode(quarters(), "PNG")[:-12],
    "frame of an animation": ANIMATION.replace(b"fcTL\0\0\0\0\0\0\0\x40", b"fcTL\0\0\0\0\0\0\0\x10", 1),
    "end of an animation": ANIMATION[: ANIMATION.index(b"fdAT") + 30],
}  # fmt: skip


@pytest.mark.parametrize("name", PNGS)
def test_damaged_chunks_of_png(tmp_path, name):
    assert_reads_quarters(tmp_path, PNGS[name])


def jpeg_with(marker, body):
    whole = encode(quarters(), "JPEG", quality=100, subsampling=0)
    return whole[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + whole[2:]


def gif_with(block):
    whole = encode(quarters(), "GIF")
    start = 13 + (6 << (whole[10] & 7))
    return whole[:start] + block + whole[start:]


def webp_with(kind, body, length=None):
    whole = encode(quarters(), "WEBP", lossless=True, xmp=b"<x/>")
    pixels = whole[12 : whole.index(b"XMP ")].replace(b"\x04\0\0\0", b"\x0c\0\0\0", 1)  # EXIF and XMP follow
    pixels += struct.pack("<4sI", kind, len(body) if length is None else length) + body
    return b"RIFF" + struct.pack("<I", len(pixels) + 4) + b"WEBP" + pixels


OTHERS = {
    "JPEG: short JFIF": jpeg_with(0xE0, b"JFIF\0"),
    "JPEG: short Adobe": jpeg_with(0xEE, b"Adobe\0"),
    "JPEG: cut Photoshop": jpeg_with(0xED, b"Photoshop 3.0\08BIM\3\xed"),
    "JPEG: short profile": jpeg_with(0xE2, b"ICC_PROFILE\0"),
    "JPEG: EXIF of noise": jpeg_with(0xE1, b"Exif\0\0" + b"\xff" * 50),
    "JPEG: several pictures of noise": jpeg_with(0xE2, b"MPF\0" + b"\xff" * 40),
    "JPEG: comment like an end": jpeg_with(0xFE, b"\xff\xd9\xff"),
    "GIF: short transparency": gif_with(b"!\xf9\1\1\0"),
    "GIF: no transparency": gif_with(b"!\xf9\0"),
    "GIF: no application": gif_with(b"!\xff\0"),
    "GIF: no loop": gif_with(b"!\xff\x0bNETSCAPE2.0\0"),
    "GIF: unknown extension": gif_with(b"!\x77\2ab\0"),
    "WebP: EXIF of noise": webp_with(b"EXIF", b"\xff" * 20),
    "WebP: cut EXIF": webp_with(b"EXIF", b"Exif", 50),
    "WebP: EXIF of 2 GB": webp_with(b"EXIF", b"Exif", 2**31),
    "WebP: XMP of noise": webp_with(b"XMP ", b"\xff" * 20),
}


@pytest.mark.parametrize("name", OTHERS)
def test_damaged_metadata_of_other_formats(tmp_path, name):
    assert_reads_quarters(tmp_path, OTHERS[name])


TAGS = {
    "orientation 99": {"t274": (3, 1, 99)},
    "orientation as text": {"t274": (2, 4, 0x414141)},
    "one resolution as text": {"t282": (2, 4, 0x414141), "t283": (3, 1, 1), "t296": (3, 1, 3)},
    "description beyond the file": {"t270": (2, 5000, 99_999)},
    "XMP as a number": {"t700": (3, 1, 5)},
    "EXIF beyond the file": {"t34665": (4, 1, 99_999)},
    "EXIF as a loop": {"t34665": (4, 1, 24)},
    "an unknown type": {"t40000": (99, 4, 0)},
    "2**32 values": {"t40000": (12, 2**32 - 1, 0)},
}


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_damaged_tags_of_tiff(tmp_path, name, order):
    levels = np.repeat(np.repeat(np.array([[0, 255], [100, 200]], np.uint8), 2, 0), 2, 1)
    corners = read_corners(tmp_path, tiff(levels.tobytes(), order, **TAGS[name]))
    np.testing.assert_allclose(corners, [(level,) * 3 for level in (0, 255, 100, 200)], atol=20)  # it is enlarged


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_survives_damage_elsewhere(tmp_path, order):
    """Of a picture that is stored as if turned to the left, with a damaged text or profile beside its EXIF."""
    turned = quarters().transpose(Image.Transpose.ROTATE_90)
    marks = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 274, 3, 1, 6, 0, 0)
    png = encode(turned, "PNG")
    assert_reads_quarters(tmp_path, png[:33] + chunk(b"eXIf", marks) + chunk(b"zTXt", b"k\0\5") + png[33:])
    assert_reads_quarters(tmp_path, png[:33] + chunk(b"zTXt", b"k\0\5") + png[33:-12] + chunk(b"eXIf", marks))
    jpeg = encode(turned, "JPEG", quality=100, subsampling=0, exif=b"Exif\0\0" + marks)
    assert_reads_quarters(tmp_path, jpeg[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + jpeg[2:])
    webp = encode(turned, "WEBP", lossless=True, exif=b"Exif\0\0" + marks, xmp=b"<x/>")
    assert_reads_quarters(tmp_path, webp[:-3])


def metadata_of(kind, content):
    """Yields (start, end) of the bytes of metadata in a PNG, WebP or TIFF, without what gives their lengths."""
    if kind == "TIFF":
        (start,) = struct.unpack_from("<I", content, 4)
        for at in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
            if struct.unpack_from("<H", content, at)[0] not in TIFF_PIXEL_TAGS:
                yield at + 2, at + 12
        return
    at = {"PNG": 8, "WEBP": 12}[kind]
    while at < len(content):
        if kind == "PNG":
            length, name = struct.unpack_from(">I4s", content, at)
            padding = 4
        else:
            name, length = struct.unpack_from("<4sI", content, at)
            padding = length % 2
        if name in (b"EXIF", b"XMP ", b"ICCP") or kind == "PNG" and name[0] & 32:
            yield at + 8, at + 8 + length
        at += 8 + length + padding


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_random_damage_in_metadata_changes_no_colour(tmp_path, kind):
    """Some of the damage is another orientation, so only the set of the corners is compared."""
    exif = Image.Exif()
    exif[274], exif[270], exif[282] = 1, "text", 72.0
    options = {"WEBP": {"lossless": True, "xmp": b"<x/>"}, "TIFF": {"dpi": (72, 72)}}.get(kind, {"dpi": (72, 72)})
    content = encode(quarters(), kind, exif=exif, icc_profile=b"profile" * 9, **options)
    places = list(metadata_of(kind, content))
    assert len(places) >= 3
    rng = random.Random(0)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 2, 5, 40))):
            damaged[rng.randrange(*rng.choice(places))] = rng.choice((0, 255, rng.randrange(256)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            corners = read_corners(tmp_path, damaged)
        assert sorted(corners) == sorted([RED, GREEN, BLUE, WHITE])
