"""Stores images on disk instead of in memory: decodes them once into a TFRecord file and reads any row of it.

A cache folder contains KEY/images.tfrecord and KEY/index.npz for each dataset. The TFRecord file is uncompressed,
and every record has the H * W * C bytes of one image. With the length and two checksums, record r starts at byte
r * (H * W * C + 16). This random access allows the same shuffle as in memory. A folder KEY is either complete or
absent; the next writer removes what a killed one left.

TensorFlow is imported where it is used.
"""

import contextlib
import errno
import os
import secrets
import shutil
import struct
from pathlib import Path

import numpy as np
from absl import logging

from common import progress
from common.errors import InputError, one_line
from common.files import UNFINISHED, pack, unpack, write_atomically
from common.lock import FolderLock

HEADER, FOOTER = 12, 4  # bytes before and after the content of a record
IMAGES, INDEX = "images.tfrecord", "index.npz"


class StoredImages:
    """Read-only uint8 images [N, H, W, C] in a TFRecord file. Indexing reads them and returns numpy arrays.

    Args:
        path: of the file.
        shape: (H, W, C).
        rows: int64 [N], indices of their records.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, path, shape, rows):
        self.path, self.rows = str(path), np.asarray(rows, np.int64)
        self.shape = (len(self.rows), *shape)
        self.size = int(np.prod(shape))

    def __len__(self):
        return len(self.rows)

    def keep(self, rows):
        """Returns the images that numpy would select by `rows`, int or bool [...], without reading them."""
        return StoredImages(self.path, self.shape[1:], self.rows[rows])

    def __getitem__(self, rows):
        """Reads the images, uint8 [..., H, W, C], that numpy would select by an int, a slice, ints or bools.

        Raises:
            InputError: the file is missing or too short. Only `gather` verifies checksums.
        """
        chosen = self.rows[rows]
        images = np.empty((chosen.size, *self.shape[1:]), np.uint8)
        record = HEADER + self.size + FOOTER
        try:
            with open(self.path, "rb", buffering=0) as file:
                for image, row in zip(images, chosen.ravel().tolist(), strict=True):
                    file.seek(row * record)  # Windows has no os.pread
                    content = file.read(HEADER + self.size)
                    if len(content) < HEADER + self.size or struct.unpack_from("<Q", content)[0] != self.size:
                        raise OSError(errno.EIO, f"record {row} is damaged")
                    image[...] = np.frombuffer(content, np.uint8, offset=HEADER).reshape(image.shape)
        except OSError as error:
            raise self._unreadable(error.strerror) from error
        return images.reshape(*np.shape(chosen), *self.shape[1:])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)

    def gather(self, rows):
        """Reads the images of `rows`, a tensor int64 [B], as uint8 [B, H, W, C]; for the map of a tf.data.Dataset.

        Raises:
            tf.errors.OpError: a record is damaged or missing, see `explain_read_errors`.
        """
        import tensorflow as tf

        record = HEADER + self.size + FOOTER

        def read(row):
            variant = tf.raw_ops.TFRecordDatasetV2(
                filenames=[self.path], compression_type="", buffer_size=0, byte_offsets=row[None] * record
            )
            content = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
            content = tf.io.decode_raw(content.take(1).get_single_element(), tf.uint8)
            return tf.reshape(content, self.shape[1:])

        with tf.device("CPU"):
            records = tf.gather(tf.constant(self.rows), rows)
            return tf.map_fn(read, records, fn_output_signature=tf.TensorSpec(self.shape[1:], tf.uint8))

    def _unreadable(self, reason):
        return InputError(
            f"Stored images must remain readable during training. Received: {self.path} ({one_line(reason)}); the "
            "same command decodes them again."
        )


@contextlib.contextmanager
def explain_read_errors(images):
    """Turns read errors of `images` within the context into an InputError; does nothing for images in memory.

    It also invalidates the store, so that the next training decodes the images again.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        unreadable = isinstance(error, tf.errors.DataLossError | tf.errors.NotFoundError)
        if not isinstance(images, StoredImages) or not (unreadable or "Dataset was empty" in str(error)):
            raise
        with contextlib.suppress(OSError):
            os.remove(Path(images.path).with_name(INDEX))
        raise images._unreadable(str(error).splitlines()[0][:200]) from error


def load_or_build(cache, key, pictures, count, shape):
    """Returns the images of a dataset from the cache, after writing them if the cache lacks them.

    Args:
        cache: folder, created if missing.
        key: name of the dataset, which must change with its content.
        pictures: function that returns an iterable of `count` uint8 arrays of `shape`, None for unreadable ones.
        count: number of pictures, including unreadable ones.
        shape: (H, W, C).

    Returns:
        (StoredImages of the readable pictures, in order; bool [count], which ones are readable).

    Raises:
        InputError: the cache cannot be written, or the disk has too little space.
    """
    folder = Path(os.path.expanduser(cache)) / key
    stored = _read(folder, shape)
    if stored is None:
        try:
            _write(folder, pictures, count, shape)
        except OSError as error:
            raise _unwritable(folder.parent, error.strerror or error) from error
        stored = _read(folder, shape)
    if stored is None:
        raise _unwritable(folder.parent, f"what was written to {key} is missing")
    return stored


def _read(folder, shape):
    """Returns (StoredImages, readable) of a complete store, or None. Does not verify records."""
    try:
        kept = unpack((folder / INDEX).read_bytes(), folder / INDEX)["kept"]
        record = HEADER + int(np.prod(shape)) + FOOTER
        if os.path.getsize(folder / IMAGES) != np.count_nonzero(kept) * record:
            raise ValueError(f"{IMAGES} is truncated")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        logging.warning("%s is damaged (%s); writing it again", folder, error)
        return None
    return StoredImages(folder / IMAGES, shape, np.arange(np.count_nonzero(kept))), kept


def _write(folder, pictures, count, shape):
    import tensorflow as tf

    os.makedirs(folder.parent, exist_ok=True)
    _remove_unfinished(folder.parent)
    needed = count * (HEADER + int(np.prod(shape)) + FOOTER)
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise _unwritable(folder.parent, f"{free / 1e9:.1f} GB free, up to {needed / 1e9:.1f} needed")
    unfinished = folder.with_name(f"{UNFINISHED}{folder.name}-{secrets.token_hex(4)}")
    os.makedirs(unfinished)
    lock = FolderLock(unfinished)  # tells other processes that it is in use
    try:
        kept = np.zeros(count, bool)
        with (
            progress.show(f"decoding images into {folder.parent}", count) as advance,
            tf.io.TFRecordWriter(str(unfinished / IMAGES)) as file,
        ):
            for number, picture in enumerate(pictures()):
                if picture is not None:
                    file.write(np.ascontiguousarray(picture, np.uint8).tobytes())
                    kept[number] = True
                advance()
        with open(unfinished / IMAGES, "rb") as file:
            os.fsync(file.fileno())
        write_atomically(unfinished / INDEX, pack({"kept": kept}))
        if _read(folder, shape) is None:  # otherwise another training was faster
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.rename(unfinished, folder)
    except tf.errors.OpError as error:  # TensorFlow's error for a full disk
        raise _unwritable(folder.parent, error.message) from error
    finally:
        lock.release()
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_unfinished(cache):
    for path in cache.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(InputError, OSError):  # another process is writing there
            FolderLock(path).release()
            shutil.rmtree(path)


def _unwritable(cache, reason):
    return InputError(
        "--config.data.cache_folder must be a writable folder with free space for images beyond "
        f"--config.data.memory_limit_gib. Received: {cache} ({one_line(reason)}); pass another folder or "
        "raise the limit."
    )
