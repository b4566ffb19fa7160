"""Converts, arranges, writes and reads images, with numpy and Pillow only.

Images of models are float32 in [-1, 1]; files and grids hold uint8 in [0, 255]. One grey level is 1 / 127.5.
"""

import contextlib
import io
import logging
import os
import stat
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import InputError
from common.files import write_atomically
from common.picture_metadata import is_known, without_metadata
from common.streams import silence_stderr

MAX_PIXELS = 50_000_000  # a file with more is refused by its header
MAX_BYTES = 256_000_000  # file size; some decoders read the whole file first
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # none that runs programs (EPS) or nests others
TOO_LARGE = f"have at most {MAX_PIXELS:,} pixels"
STDERR_LOCK = threading.Lock()  # file descriptor 2 is shared by all threads
BITS, PHOTOMETRIC, ORIENTATION, TILE_WIDTH, TILE_LENGTH = 258, 262, 274, 322, 323  # EXIF and TIFF tags
KEY_LEVELS = {  # of a PNG's transparent level or colour among the levels to which Pillow converts the picture
    "L;2": lambda level: 85 * level,
    "L;4": lambda level: 17 * level,
    "RGB;16B": lambda colour: tuple(level >> 8 for level in colour),
}
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_uint8(images):
    """Converts float images in [-1, 1], of any shape, to uint8 in [0, 255]: clipped, then rounded half to even.

    Raises:
        ValueError: the images are not floats or contain NaN.
    """
    images = np.asarray(images)
    if images.dtype.kind in "iub":
        raise ValueError(f"images must be floats in [-1, 1]. Received: {images.dtype}")
    images = images.astype(np.float64)
    if np.isnan(images).any():
        raise ValueError(f"images must not contain NaN. Received: {np.isnan(images).sum()} NaN values")
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def to_float(images):
    """Converts uint8 images, of any shape, to float32 in [-1, 1]; `to_uint8` is the exact inverse.

    Raises:
        ValueError: the images are not uint8.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8. Received: {images.dtype}")
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def grid(images, columns=8, scale=1, resample="nearest"):
    """Arranges images in a grid, row by row, without borders. Empty cells of the last row are white.

    Args:
        images: uint8 [N, H, W, C], N >= 1.
        columns: images per row, >= 1.
        scale, resample: see `enlarge`.

    Returns:
        uint8 [ceil(N / columns) * H * scale, columns * W * scale, C].

    Raises:
        ValueError: an argument is out of range or of another shape or dtype.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.dtype != np.uint8:
        raise ValueError(f"images must be uint8 [N, H, W, C], N >= 1. Received: {images.dtype} {images.shape}")
    if columns < 1:
        raise ValueError(f"columns must be at least 1. Received: {columns}")
    images = np.stack([enlarge(image, scale, resample) for image in images])
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height, width, channels), 255, np.uint8)
    cells[:count] = images
    cells = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)  # [rows, H, columns, W, C]
    return cells.reshape(rows * height, columns * width, channels)


def enlarge(image, scale, resample="nearest"):
    """Enlarges an image, uint8 [H, W, 3] or [H, W, 1], to [H * scale, W * scale, C].

    Args:
        image: the image.
        scale: integer >= 1.
        resample: a key of RESAMPLING; "bicubic" is smooth, "nearest" shows the pixels as squares.

    Raises:
        ValueError: scale is below 1, or resample is unknown.
    """
    if scale < 1:
        raise ValueError(f"scale must be at least 1. Received: {scale}")
    if resample not in RESAMPLING:
        raise ValueError(f"resample must be one of {', '.join(RESAMPLING)}. Received: {resample}")
    image = np.asarray(image)
    if scale == 1:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    size = (image.shape[1] * scale, image.shape[0] * scale)
    return np.asarray(picture.resize(size, RESAMPLING[resample])).reshape(*size[::-1], image.shape[2])


def encode_png(image):
    """Encodes an image, uint8 [H, W, 3] or grey [H, W, 1], as a PNG file; the same image gives the same bytes.

    Raises:
        ValueError: the image has another shape or dtype.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"image must be uint8 [H, W, 1] or [H, W, 3]. Received: {image.dtype} {image.shape}")
    content = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(content, format="PNG")
    return content.getvalue()


def write_png(path, image):
    """Writes an image, uint8 [H, W, 3] or grey [H, W, 1], as a PNG file; atomically, see `common.files`.

    Returns:
        `path`.

    Raises:
        ValueError: the image has another shape or dtype.
        OSError: the folder does not exist or is not writable.
    """
    write_atomically(path, encode_png(image))
    return path


def read_picture(path, width=32, channels=3):
    """Reads a picture and fits it to a model: upright, cropped to its central square, resized (Lanczos).

    Reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM in all modes that Pillow reads with at most 16 bits per channel.
    Applies the EXIF orientation, composites transparent parts over white, and reads the first frame of an
    animation. Ignores colour profiles and damaged metadata. MAX_PIXELS and MAX_BYTES bound the memory.

    Args:
        path: of the file.
        width: height and width of the result in pixels.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

    Returns:
        uint8 [width, width, channels].

    Raises:
        InputError: the picture cannot be used; the message names the file and the reason.
        ValueError: channels is not 1 or 3.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3. Received: {channels}")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # avoids a second line on stderr
    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked, and metadata is not needed
            square = _decode(path, width)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _refusal(path, "far more pixels", TOO_LARGE) from None
    except Image.UnidentifiedImageError:
        raise _refusal(path, "another kind of file", f"be one of {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow raises many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refusal(path, f"damaged or of an unknown kind ({reason})", "be undamaged") from None
    return np.asarray(square.convert("RGB" if channels == 3 else "L")).reshape(width, width, channels)


def _refusal(path, received, required="be a picture file"):
    return InputError(f"A picture must {required}. Received: {str(path)!r}, {received}")


def _check_file(path):
    """Raises InputError unless `path` is a readable, regular, non-empty file of at most MAX_BYTES."""
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):  # reading a pipe would block
            raise _refusal(path, "a folder" if stat.S_ISDIR(kind) else "neither a file nor a folder")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _refusal(path, (error.strerror or "cannot be opened").lower()) from None
    if size == 0:
        raise _refusal(path, "an empty file")
    if size > MAX_BYTES:
        raise _refusal(path, f"{size:,} bytes", f"have at most {MAX_BYTES:,} bytes")


def _decode(path, width):
    """Returns `_square` of a file; where Pillow fails, of the file without metadata, which may be the reason."""
    try:
        return _square(path, path, width)
    except (InputError, Image.DecompressionBombError):
        raise
    except Exception as error:
        content = Path(path).read_bytes()
        with contextlib.suppress(Exception):  # then the pixels are the reason
            return _square(io.BytesIO(without_metadata(content)), path, width)
        if isinstance(error, Image.UnidentifiedImageError) and is_known(content):
            raise ValueError("unreadable header or depth") from None
        raise


def _square(file, path, width):
    """Returns the picture in a file as an upright RGB, RGBA or L picture of width x width; errors name `path`."""
    with Image.open(file, formats=FORMATS) as picture:
        tags = getattr(picture, "tag_v2", {})  # a tile of a TIFF can be larger than the picture
        for size in (picture.size, (tags.get(TILE_WIDTH, 0), tags.get(TILE_LENGTH, 0))):
            if size[0] * size[1] > MAX_PIXELS:
                raise _refusal(path, f"{size[0]:,} x {size[1]:,}", TOO_LARGE)
        raw_mode = picture.tile[0].args if picture.format == "PNG" else None  # how the samples are stored
        if picture.format == "PNG" and picture.tile[0].extents != (0, 0, *picture.size):
            raise ValueError("an animation with a damaged first frame")
        if picture.format == "TIFF":  # libtiff prints every defect to stderr, from C
            with STDERR_LOCK, silence_stderr():
                picture.load()
        picture.load()
        full = _full_size(picture, raw_mode, path)
        turn = None
        with contextlib.suppress(Exception):  # damaged EXIF
            turn = UPRIGHT.get(picture.getexif().get(ORIENTATION))
    # Flips and rotations keep a centred box in place, so they are applied to the small picture.
    side = min(full.size)
    left, top = (full.width - side) / 2, (full.height - side) / 2
    small = full.resize((width, width), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    if small.mode == "F":
        small = Image.fromarray(np.rint(np.clip(np.asarray(small) / 257, 0, 255)).astype(np.uint8))
    elif small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small if turn is None else small.transpose(turn)


def _full_size(picture, raw_mode, path):
    """Returns a loaded picture as RGB, RGBA or, for 16-bit grey, F with levels in [0, 65535]."""
    key = picture.info.get("transparency")  # of a PNG: the grey level or colour that is transparent, as stored
    if picture.mode == "F" or picture.mode.startswith("I"):
        levels = np.asarray(picture)
        lowest, highest = levels.min(), levels.max()
        if picture.mode == "F" or lowest < 0 or highest > 65535:
            received = f"{levels.dtype} from {lowest} to {highest}"
            raise _refusal(path, received, "have at most 16 bits per channel, without sign")
        tags = getattr(picture, "tag_v2", {})
        levels = levels * np.float32(65535 / 4095 if tags.get(BITS) == (12,) else 1)
        if tags.get(PHOTOMETRIC) == 0:  # 0 is white
            levels = 65535 - levels
        if key is None:
            return Image.fromarray(levels)
        channels = [np.rint(levels / 257), np.where(levels == key, 0, 255)]
        return Image.merge("LA", [Image.fromarray(c.astype(np.uint8)) for c in channels]).convert("RGBA")
    if key is not None and raw_mode in KEY_LEVELS:
        picture.info["transparency"] = KEY_LEVELS[raw_mode](key)
    if picture.mode == "La":  # Pillow converts it to LA only
        picture = picture.convert("LA")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
