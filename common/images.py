"""Converts, arranges, writes and reads images, with numpy and Pillow only.

Images of models are float32 in [-1, 1]; files and grids hold uint8 in [0, 255]. One grey level is 1 / 127.5.
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

MAX_PIXELS = 50_000_000  # a file with more is refused by its header
MAX_BYTES = 256_000_000  # file size; some decoders read the whole file first
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # none that runs programs (EPS) or nests others
TOO_LARGE = f"have at most {MAX_PIXELS:,} pixels"
STDERR_LOCK = threading.Lock()  # file descriptor 2 is shared by all threads
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
    """Arranges images in a grid, row by row, without borders. Empty cells of the last row are black.

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
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
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


def write_png(path, image):
    """Writes an image, uint8 [H, W, 3] or grey [H, W, 1], as a PNG file; atomically, see `common.files`.

    Returns:
        `path`.

    Raises:
        ValueError: the image has another shape or dtype.
        OSError: the folder does not exist or is not writable.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"image must be uint8 [H, W, 1] or [H, W, 3]. Received: {image.dtype} {image.shape}")
    content = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(content, format="PNG")
    write_atomically(path, content.getvalue())
    return path


def read_picture(path, width=32, channels=3):
    """Reads a picture and fits it to a model: upright, cropped to its central square, resized (Lanczos).

    Reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM in RGB, RGBA, grey with or without alpha, palette, 16-bit grey
    and CMYK. Applies the EXIF orientation, composites transparent parts over white, and reads the first frame of
    an animation. MAX_PIXELS and MAX_BYTES bound the memory.

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
            warnings.simplefilter("ignore")  # sizes are checked below, and metadata is not needed
            with Image.open(path, formats=FORMATS) as picture:
                tags = getattr(picture, "tag_v2", {})  # a tile of a TIFF can be larger than the picture
                for size in (picture.size, (tags.get(TILE_WIDTH, 0), tags.get(TILE_LENGTH, 0))):
                    if size[0] * size[1] > MAX_PIXELS:
                        raise _refusal(path, f"{size[0]:,} x {size[1]:,}", TOO_LARGE)
                if picture.format == "TIFF":  # libtiff prints every defect to stderr, from C
                    with STDERR_LOCK, silence_stderr():
                        picture.load()
                picture.load()
                square = _square(picture, width)
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


def check_picture(path):
    """Checks quickly that `read_picture` can read a picture.

    Raises:
        InputError: as `read_picture`.
    """
    read_picture(path, width=1)


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


def _square(picture, width):
    """Returns a loaded picture as an upright RGB, RGBA or L picture of width x width."""
    if picture.mode.startswith("I") or picture.mode == "F":
        lowest, highest = picture.getextrema()
        if picture.mode == "F" or lowest < 0 or highest > 65535:
            raise ValueError("more than 16 bits per channel")
        full = picture.convert("F")  # 16-bit grey
    else:
        full = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    # Flips and rotations keep a centred box in place, so they are applied to the small picture.
    side = min(full.size)
    left, top = (full.width - side) / 2, (full.height - side) / 2
    small = full.resize((width, width), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    if small.mode == "F":
        small = Image.fromarray(np.rint(np.clip(np.asarray(small) / 257, 0, 255)).astype(np.uint8))
    elif small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    turn = UPRIGHT.get(picture.getexif().get(ORIENTATION))
    return small if turn is None else small.transpose(turn)
