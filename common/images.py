"""Pictures in and out: pixel ranges, grids, PNG files and the user's own pictures. numpy and Pillow only.

Inside the models images are float32 in [-1, 1]; in files and grids they are uint8 in [0, 255]. One grey level
is 1 / 127.5.
"""

import io
import logging
import os
import stat
import threading
import warnings

import numpy as np
from PIL import Image

from common.cli import silence_stderr
from common.errors import InputError
from common.files import write_atomically

MAX_PIXELS = 50_000_000  # decoded; a file that announces more is refused from its header
MAX_BYTES = 256_000_000  # on disk; some decoders read the whole file first
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # no format that runs programs (EPS) or nests
LESS_PIXELS = f"at most {MAX_PIXELS:,} pixels"
HUSHING = threading.Lock()  # file descriptor 2 belongs to all threads
ORIENTATION, TILE_WIDTH, TILE_LENGTH = 274, 322, 323  # EXIF and TIFF tags
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
    """Float images in [-1, 1], any shape -> uint8 in [0, 255]: clipped, scaled by 127.5, half to even.

    Raises:
        ValueError: the input is not floating or holds a NaN.
    """
    images = np.asarray(images)
    if images.dtype.kind in "iub":
        raise ValueError(f"images: floats in [-1, 1] required. Received: {images.dtype}")
    images = images.astype(np.float64)
    if np.isnan(images).any():
        raise ValueError(f"images: numbers required. Received: {np.isnan(images).sum()} NaN values")
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def to_float(images):
    """uint8 images, any shape -> float32 in [-1, 1]; `to_uint8` gives the same uint8 back.

    Raises:
        ValueError: the input is not uint8.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"images: uint8 required. Received: {images.dtype}")
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def grid(images, columns=8, scale=1):
    """Images side by side, row by row, without a border; the cells an incomplete last row lacks are black.

    Args:
        images: uint8 [N, H, W, C], N >= 1.
        columns: cells in a row.
        scale: nearest-neighbour enlargement, an integer >= 1.

    Returns:
        uint8 [ceil(N / columns) * H * scale, columns * W * scale, C].

    Raises:
        ValueError: images of another shape or dtype, or columns or scale below 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.dtype != np.uint8:
        raise ValueError(f"images: uint8 [N, H, W, C] required. Received: {images.dtype} {images.shape}")
    if columns < 1:
        raise ValueError(f"columns: at least 1 required. Received: {columns}")
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:count] = images
    cells = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)  # [rows, H, columns, W, C]
    return enlarge(cells.reshape(rows * height, columns * width, channels), scale)


def enlarge(image, scale):
    """Nearest-neighbour enlargement of [H, W, C] to [H * scale, W * scale, C], scale an integer >= 1.

    Raises:
        ValueError: scale below 1.
    """
    if scale < 1:
        raise ValueError(f"scale: at least 1 required. Received: {scale}")
    return np.asarray(image).repeat(scale, axis=0).repeat(scale, axis=1)


def write_png(path, image):
    """Writes uint8 [H, W, 3] or grey [H, W, 1] as a PNG, atomically: the file is whole or as it was before.

    Returns:
        `path`, as given.

    Raises:
        ValueError: an image of another shape or dtype.
        OSError: the folder does not exist or cannot be written to.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"image: uint8 [H, W, 1] or [H, W, 3] required. Received: {image.dtype} {image.shape}")
    content = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(content, format="PNG")
    write_atomically(path, content.getvalue())
    return path


def read_picture(path, width=32, channels=3):
    """The user's own picture, made to fit a model: upright, centre-cropped to a square, resized (Lanczos).

    Takes PNG, JPEG, GIF, BMP, WebP, TIFF and PPM in RGB, RGBA, grey with or without alpha, palette, 16-bit
    grey and CMYK. Transparent parts are composited over white, the EXIF orientation is applied, and of an
    animation the first frame counts. Memory is bounded: see MAX_PIXELS and MAX_BYTES.

    Args:
        path: the file.
        width: side of the result in pixels.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

    Returns:
        uint8 [width, width, channels].

    Raises:
        InputError: one line that names the file and says why it cannot be used.
        ValueError: channels other than 1 or 3.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels: 1 or 3 required. Received: {channels}")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # not a second line on stderr
    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked below; broken metadata does not matter
            with Image.open(path, formats=FORMATS) as picture:
                tags = getattr(picture, "tag_v2", {})  # TIFF: a tile may be larger than the picture
                for size in (picture.size, (tags.get(TILE_WIDTH, 0), tags.get(TILE_LENGTH, 0))):
                    if size[0] * size[1] > MAX_PIXELS:
                        raise _refusal(path, f"{size[0]:,} x {size[1]:,}", LESS_PIXELS)
                if picture.format == "TIFF":  # libtiff tells stderr of each damage, in C
                    with HUSHING, silence_stderr():
                        picture.load()
                picture.load()
                square = _square(picture, width)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _refusal(path, "far more pixels", LESS_PIXELS) from None
    except Image.UnidentifiedImageError:
        raise _refusal(path, "not a picture of these kinds", f"one of {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow raises many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refusal(path, f"damaged or of an unknown kind ({reason})", "a whole picture") from None
    return np.asarray(square.convert("RGB" if channels == 3 else "L")).reshape(width, width, channels)


def check_picture(path):
    """Reads the picture once to see that `read_picture` will take it; quick, no TensorFlow.

    Raises:
        InputError: as `read_picture`.
    """
    read_picture(path, width=1)


def _refusal(path, received, required="a picture file"):
    return InputError(f"Picture: {required} required. Received: {str(path)!r}, {received}")


def _check_file(path):
    """Raises InputError unless `path` is a readable, regular, non-empty file of at most MAX_BYTES."""
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):  # a pipe would keep us waiting
            raise _refusal(path, "a folder" if stat.S_ISDIR(kind) else "neither file nor folder")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _refusal(path, (error.strerror or "cannot be opened").lower()) from None
    if size == 0:
        raise _refusal(path, "an empty file")
    if size > MAX_BYTES:
        raise _refusal(path, f"{size:,} bytes", f"a file of at most {MAX_BYTES:,} bytes")


def _square(picture, width):
    """Loaded picture -> upright RGB, RGBA or L picture of width x width."""
    if picture.mode.startswith("I") or picture.mode == "F":
        lowest, highest = picture.getextrema()
        if picture.mode == "F" or lowest < 0 or highest > 65535:
            raise ValueError("more than 16 bits per channel")
        full = picture.convert("F")  # 16-bit grey
    else:
        full = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    # A centred box, to half a pixel, stays in place under flips and turns: those can wait until it is small.
    side = min(full.size)
    left, top = (full.width - side) / 2, (full.height - side) / 2
    small = full.resize((width, width), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    if small.mode == "F":
        small = Image.fromarray(np.rint(np.clip(np.asarray(small) / 257, 0, 255)).astype(np.uint8))
    elif small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    turn = UPRIGHT.get(picture.getexif().get(ORIENTATION))
    return small if turn is None else small.transpose(turn)
