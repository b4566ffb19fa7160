"""Removes metadata from picture files, because damage in it makes Pillow refuse pictures with whole pixels."""

import re
import struct
import zlib

TIFF_PIXEL_TAGS = {254, *range(256, 260), 262, 266, 273, 274, *range(277, 280), 284, 292, 293, 317, 320}
TIFF_PIXEL_TAGS |= {*range(322, 326), 332, 334, 338, 339, 347, *range(512, 522), *range(529, 533)}
PNG_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
WEBP_KEPT = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")


def is_known(content):
    """Whether a file begins like a PNG, JPEG, GIF, WebP or TIFF."""
    return any(re.match(signature, content, re.DOTALL) for signature in REMOVERS)


def without_metadata(content):
    """Returns the bytes of a picture file with what its pixels, transparency and orientation depend on.

    An animation of PNG becomes its first picture.

    Args:
        content: bytes of a file.

    Raises:
        ValueError, IndexError or struct.error: the file is of another format than PNG, JPEG, GIF, WebP and TIFF,
            or its structure is damaged.
    """
    for signature, remove in REMOVERS.items():
        if re.match(signature, content, re.DOTALL):
            return remove(content)
    raise ValueError("the format has no metadata")


def _png(content):
    key_lengths = {0: (2,), 2: (6,), 3: range(1, 257)}.get(content[25], ())  # of tRNS, by the colour type
    kept, at = [content[:8]], 8
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + length + 12]
        whole = chunk[-4:] == struct.pack(">I", zlib.crc32(chunk[4:-4]))
        if kind in PNG_KEPT or whole and (kind == b"eXIf" or kind == b"tRNS" and length in key_lengths):
            kept.append(chunk)
        at += length + 12
    return b"".join(kept)


def _jpeg(content):
    """Keeps the headers of JFIF, EXIF, XMP and Adobe, which are of 12 bytes at least."""
    kept, at = [content[:2]], 2
    while True:
        at = content.index(b"\xff", at)
        marker = content[at + 1]
        if marker == 0xDA:  # the pixels begin
            return b"".join(kept) + content[at:]
        if marker in (0, 0xFF):  # no marker
            at += 1
            continue
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_metadata or marker in (0xE0, 0xE1, 0xEE) and end - at >= 16:
            kept.append(content[at:end])
        at = end


def _gif(content):
    at = 13 + (6 << (content[10] & 7) if content[10] & 128 else 0)  # behind the header and its palette
    kept = [content[:at]]
    while content[at] != ord(","):  # the first picture
        end = at
        if content[at] == ord("!"):
            end = at + 2
            while content[end]:
                end += content[end] + 1
            if content[at + 1] == 0xF9 and content[at + 2] == 4:  # transparency
                kept.append(content[at : end + 1])
        at = end + 1
    return b"".join(kept) + content[at:]


def _webp(content):
    kept, at = [], 12
    while at + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length + length % 2
        if kind in WEBP_KEPT or kind == b"EXIF" and end <= len(content):
            kept.append(content[at:end])
        at = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff(content):
    order = "<" if content[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, start)
    entries = [content[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in TIFF_PIXEL_TAGS]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)  # no further page
    return content[:start] + directory + content[start + len(directory) :]


REMOVERS = {
    rb"\x89PNG": _png,
    rb"\xff\xd8\xff": _jpeg,
    rb"GIF8": _gif,
    rb"RIFF....WEBP": _webp,
    rb"II\*\0|MM\0\*": _tiff,
}
