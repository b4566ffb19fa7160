"""Hostile and unusual picture files, in memory: those that are refused and those that are read."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, rows, interlace=0, extra=b""):
    """Makes a PNG of filtered rows; without any, its header alone announces the size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def encode(image, kind, **options):
    """Encodes a picture in a format of Pillow and returns the bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(width=64):
    """Makes a square picture of red and green above blue and white, which differs from its flips and turns."""
    pixels = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8).repeat(width // 2, 0).repeat(width // 2, 1)
    return Image.fromarray(np.pad(pixels, ((0, width % 2), (0, width % 2), (0, 0)), "edge"))


def adam7(pixels):
    """Returns the unfiltered rows of an interlaced PNG: the seven passes of its specification over [H, W, 3]."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    return b"".join(
        b"\0" + row.tobytes() for top, left, down, right in passes for row in pixels[top::down, left::right]
    )


def jpeg_of_size(width, height):
    whole = encode(quarters(), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def gif_of_size(width, height, frame=None):
    whole = bytearray(encode(quarters(), "GIF"))
    whole[6:10] = struct.pack("<HH", width, height)
    if frame:
        at = whole.index(b",\0\0\0\0")
        whole[at + 5 : at + 9] = struct.pack("<HH", *frame)
    return bytes(whole)


def bmp_of_size(width, height):
    whole = encode(quarters(), "BMP")
    return whole[:18] + struct.pack("<ii", width, height) + whole[26:]


def tiff(pixels=bytes(16), order="<", following=0, **changes):
    """Makes an uncompressed TIFF, by default of 4x4 black grey pixels.

    Args:
        pixels: bytes of all samples.
        order: "<" or ">", the order of the bytes of its numbers.
        following: offset of a further page; 0: none.
        changes: `t256=(type, count, value)` sets the tag 256, and so on; `value` is of 16 bits if the type is 3,
            else of 32, or a list of `count` values of 16 bits.
    """
    tags = {256: (4, 1, 4), 257: (4, 1, 4), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, 4), 279: (4, 1, len(pixels))}
    tags |= {int(name[1:]): value for name, value in changes.items()}
    pixels += bytes(len(pixels) % 2)
    behind = 8 + len(pixels) + 2 + 12 * len(tags) + 4  # of the directory: lists
    entries = lists = b""
    for tag, (kind, count, value) in sorted(tags.items()):
        if isinstance(value, list):
            field = struct.pack(f"{order}{count}H", *value)
        else:
            field = struct.pack(f"{order}H" if kind == 3 else f"{order}I", value)
        if len(field) > 4:
            lists, field = lists + field, struct.pack(f"{order}I", behind + len(lists))
        field = field.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, count) + field
    directory = struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following)
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + len(pixels))
    return start + pixels + directory + lists


def webp_of_size(width, height):
    """Makes an extended WebP (VP8X) that announces a canvas of this size and contains a small picture."""
    still = encode(quarters(), "WEBP", lossless=True)[12:]
    canvas = struct.pack("<I", 0) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + still
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_with(kind, body):
    whole = encode(quarters(), "PNG")
    return whole[:33] + chunk(kind, body) + whole[33:]


def damaged_tiff(compression):
    """Makes a TIFF of noise with 40 overwritten bytes, at which the C library libtiff writes to stderr."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    whole = encode(noise, "TIFF", compression=compression)
    middle = len(whole) // 2
    return whole[: middle - 40] + b"\xff" * 40 + whole[middle:]


zeros = zlib.compress(bytes(60_000_000), 9)  # 58 kB
REFUSED = {
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "html": b"<!doctype html><html><img src=x onerror=alert(1)></html>",
    "xml entities": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "pdf": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "postscript that runs": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/x) (w) file\n",
    "zip": b"PK\3\4" + bytes(60),
    "gzip": b"\x1f\x8b\x08\0" + bytes(30),
    "elf": b"\x7fELF" + bytes(60),
    "icon": encode(quarters(), "ICO"),
    "tga": encode(quarters(), "TGA"),
    "pcx": encode(quarters(), "PCX"),
    "one zero byte": b"\0",
    "png signature only": b"\x89PNG\r\n\x1a\n",
    "png without pixels": png(64, 64, 8, 2, b""),
    "png of no width": png(0, 4, 8, 2, b""),
    "png of no height": png(4, 0, 8, 2, b""),
    "png of depth 3": png(4, 4, 3, 2, bytes(99)),
    "png of colour type 9": png(4, 4, 8, 9, bytes(99)),
    "png of an unknown filter": png(4, 4, 8, 2, b"\x09" + bytes(51)),
    "png of a wrong checksum": encode(quarters(), "PNG")[:29] + b"\0\0\0\0" + encode(quarters(), "PNG")[33:],
    "png of a chunk beyond the file": encode(quarters(), "PNG")[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT",
    "png bomb": png(60_000, 60_000, 1, 0, b""),
    "jpeg bomb": jpeg_of_size(65_500, 65_500),
    "jpeg of no size": jpeg_of_size(0, 0),
    "gif bomb": gif_of_size(65_535, 65_535),
    "gif frame bomb": gif_of_size(64, 64, (65_535, 65_535)),
    "bmp bomb": bmp_of_size(100_000, 100_000),
    "bmp of negative width": bmp_of_size(-64, 64),
    "webp bomb": webp_of_size(16_384, 16_384),
    "webp of another size": webp_of_size(6_000, 6_000),
    "ppm bomb": b"P6 999999 999999 255\n" + bytes(99),
    "ppm of negative size": b"P6 -4 4 255\n" + bytes(99),
    "ppm of no maximum": b"P6 4 4 0\n" + bytes(99),
    "ppm of a huge number": b"P6 " + b"9" * 10_000 + b" 4 255\n",
    "ppm of words": b"P3 2 2 255\n" + b"red " * 12,
    "tiff bomb": tiff(t256=(4, 1, 100_000), t257=(4, 1, 100_000)),
    "tiff of many samples": tiff(t277=(3, 1, 65_535)),
    "tiff without pixels": tiff(t273=(4, 1, 10_000_000)),
    "tiff of an unknown compression": tiff(t259=(3, 1, 34_000)),
    "tiff of no size": tiff(t256=(4, 1, 0)),
    "tiff of damaged lzw": damaged_tiff("tiff_lzw"),
    "tiff of damaged deflate": damaged_tiff("tiff_adobe_deflate"),
    "tiff of a wild directory": b"II*\0" + struct.pack("<I", 2**32 - 8) + bytes(40),
}


def png_with_profile(profile):
    return encode(quarters(), "PNG", icc_profile=profile)


def top_down_bitmap():
    """Makes a BMP of negative height, whose first row is at the top."""
    whole = encode(quarters().transpose(Image.Transpose.FLIP_TOP_BOTTOM), "BMP")
    return whole[:22] + struct.pack("<i", -64) + whole[26:]


rgb16 = np.array(quarters(4), ">u2") * 257
READABLE = {  # pictures of `quarters`
    "interlaced png": png(16, 16, 8, 2, adam7(np.asarray(quarters(16))), interlace=1),
    "png of 16 bits": png(4, 4, 16, 2, b"".join(b"\0" + row.tobytes() for row in rgb16)),
    "png and more behind it": encode(quarters(), "PNG") + b"<script>" + bytes(99),
    "png with a colour profile": png_with_profile(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "png with a damaged profile": png_with_profile(b"no profile \xff" * 99),
    "png with a damaged exif": encode(quarters(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "png with an orientation that is none": png_with(
        b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x63\0\0\0\0\0\0\0"
    ),
    "png text bomb": png_with(b"zTXt", b"k\0\0" + zeros),
    "png international text bomb": png_with(b"iTXt", b"k\0\1\0\0\0" + zeros),
    "png with an unknown chunk": png_with(b"quXx", b"\0" * 1000),
    "progressive jpeg": encode(quarters(), "JPEG", quality=100, subsampling=0, progressive=True),
    "tiff with deflate": encode(quarters(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff with lzw": encode(quarters(), "TIFF", compression="tiff_lzw"),
    "palette of two bits": encode(quarters().quantize(4), "PNG", bits=2),
    "interlaced gif": encode(quarters(), "GIF", interlace=1),
    "bitmap from the top": top_down_bitmap(),
}
