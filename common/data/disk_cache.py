"""Images on disk instead of in memory: decoded once into a TFRecord file, then read row by row in any order.

A cache folder holds, for each data set, KEY/images.tfrecord and KEY/index.npz. The TFRecord file is not compressed
and every record holds the H * W * C bytes of one image, so record r begins at byte r * (H * W * C + 16): a length,
its checksum, the bytes, theirs. So the shuffle of images in memory serves for these as well, and any TFRecord
reader can read them. A folder KEY is there whole or not at all; what a killed writer left is removed by the next.
TensorFlow is imported where it is used, not with this module.
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

HEADER, FOOTER = 12, 4  # bytes of a record before and after its content
IMAGES, INDEX = "images.tfrecord", "index.npz"


class StoredImages:
    """Read-only uint8 images [N, H, W, C] of a TFRecord file; an index gives numpy arrays, read at that moment.

    Args:
        path: the file.
        shape: (H, W, C).
        rows: int64 [N], the records that they are.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, path, shape, rows):
        self.path, self.rows = str(path), np.asarray(rows, np.int64)
        self.shape = (len(self.rows), *shape)
        self.size = int(np.prod(shape))

    def __len__(self):
        return len(self.rows)

    def keep(self, rows):
        """Some of these images, as numpy would choose them by int or bool [...]; reads nothing."""
        return StoredImages(self.path, self.shape[1:], self.rows[rows])

    def __getitem__(self, rows):
        """The images, uint8 [..., H, W, C], that numpy would give for an int, a slice, ints or bools.

        Raises:
            InputError: the file is gone or too short. Checksums are looked at by `gather` alone.
        """
        chosen = self.rows[rows]
        images = np.empty((chosen.size, *self.shape[1:]), np.uint8)
        record = HEADER + self.size + FOOTER
        try:
            with open(self.path, "rb", buffering=0) as file:
                for image, row in zip(images, chosen.ravel().tolist(), strict=True):
                    content = os.pread(file.fileno(), HEADER + self.size, row * record)
                    if len(content) < HEADER + self.size or struct.unpack_from("<Q", content)[0] != self.size:
                        raise OSError(errno.EIO, f"record {row} is damaged")
                    image[...] = np.frombuffer(content, np.uint8, offset=HEADER).reshape(image.shape)
        except OSError as error:
            raise self._unreadable(error.strerror) from error
        return images.reshape(*np.shape(chosen), *self.shape[1:])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)

    def gather(self, rows):
        """The images of `rows`, a tensor int64 [B]: uint8 [B, H, W, C]; for use in a tf.data.Dataset's map.

        Raises:
            tf.errors.OpError: a record is damaged or missing, see `explain_read_errors`.
        """
        import tensorflow as tf

        record = HEADER + self.size + FOOTER

        def read(row):
            found = tf.raw_ops.TFRecordDatasetV2(
                filenames=[self.path], compression_type="", buffer_size=0, byte_offsets=row[None] * record
            )
            content = tf.data.experimental.from_variant(found, tf.TensorSpec([], tf.string))
            content = tf.io.decode_raw(content.take(1).get_single_element(), tf.uint8)
            return tf.reshape(content, self.shape[1:])

        with tf.device("CPU"):
            records = tf.gather(tf.constant(self.rows), rows)
            return tf.map_fn(read, records, fn_output_signature=tf.TensorSpec(self.shape[1:], tf.uint8))

    def _unreadable(self, reason):
        return InputError(
            f"Decoded images are required where they were stored. Received: {self.path} ({one_line(reason)}); the "
            "same command decodes them anew."
        )


@contextlib.contextmanager
def explain_read_errors(images):
    """Context in which a training reads from `images`: a record that cannot be read becomes an InputError.

    And the store is given up, so that the next training decodes anew. Does nothing where they are in memory.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
        gone = isinstance(error, tf.errors.DataLossError | tf.errors.NotFoundError)
        if not isinstance(images, StoredImages) or not (gone or "Dataset was empty" in str(error)):
            raise
        with contextlib.suppress(OSError):
            os.remove(Path(images.path).with_name(INDEX))
        raise images._unreadable(str(error).splitlines()[0][:200]) from error


def load_or_build(cache, key, pictures, count, shape):
    """The images of a data set from the cache, written there first where it does not have them whole.

    Args:
        cache: a folder, made where it is missing.
        key: name of the data set: another content needs another name.
        pictures: function -> iterable of `count` uint8 arrays of `shape`, or None for what cannot be read.
        count: how many at most.
        shape: (H, W, C).

    Returns:
        (StoredImages of those that can be read, in order; bool [count], which these are).

    Raises:
        InputError: the cache cannot be written or the disk has too little room.
    """
    folder = Path(os.path.expanduser(cache)) / key
    found = _read(folder, shape)
    if found is None:
        try:
            _write(folder, pictures, count, shape)
        except OSError as error:
            raise _no_room(folder.parent, error.strerror or error) from error
        found = _read(folder, shape)
    if found is None:
        raise _no_room(folder.parent, f"what was written to {key} is not there")
    return found


def _read(folder, shape):
    """(StoredImages, kept) of a whole store, else None; record by record nothing is checked."""
    try:
        kept = unpack((folder / INDEX).read_bytes(), folder / INDEX)["kept"]
        record = HEADER + int(np.prod(shape)) + FOOTER
        if os.path.getsize(folder / IMAGES) != np.count_nonzero(kept) * record:
            raise ValueError(f"{IMAGES} is cut")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        logging.warning("%s is damaged (%s): it is written anew", folder, error)
        return None
    return StoredImages(folder / IMAGES, shape, np.arange(np.count_nonzero(kept))), kept


def _write(folder, pictures, count, shape):
    import tensorflow as tf

    os.makedirs(folder.parent, exist_ok=True)
    _remove_unfinished(folder.parent)
    needed = count * (HEADER + int(np.prod(shape)) + FOOTER)
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise _no_room(folder.parent, f"{free / 1e9:.1f} GB free where up to {needed / 1e9:.1f} are needed")
    unfinished = folder.with_name(f"{UNFINISHED}{folder.name}-{secrets.token_hex(4)}")
    os.makedirs(unfinished)
    lock = FolderLock(unfinished)  # tells others that we live
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
        if _read(folder, shape) is None:  # or else another training was faster
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.rename(unfinished, folder)
    except tf.errors.OpError as error:  # what TensorFlow makes of a full disk
        raise _no_room(folder.parent, error.message) from error
    finally:
        lock.release()
        shutil.rmtree(unfinished, ignore_errors=True)


def _remove_unfinished(cache):
    for path in cache.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(InputError, OSError):  # somebody writes there
            FolderLock(path).release()
            shutil.rmtree(path)


def _no_room(cache, reason):
    return InputError(
        "Images beyond --config.data.memory_limit_gib are decoded into --config.data.cache_folder: a folder with "
        f"room that can be written is required. Received: {cache} ({one_line(reason)}); name another or raise the "
        "limit."
    )
