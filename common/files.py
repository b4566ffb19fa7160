"""Files that a kill leaves whole, written atomically, and arrays in them; digests that tell a damaged one."""

import contextlib
import hashlib
import io
import os
import zipfile

import numpy as np

from common.errors import InputError, one_line

FORMAT = 1  # of the file; a reader refuses a newer one
UNFINISHED = ".unfinished-"  # begins the names of files that are being written


def pack(arrays):
    """{name: variable or array} as the bytes of an .npz file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()})
    return buffer.getvalue()


def unpack(data, source):
    """The inverse of `pack`, without "format". Runs no code: pickles are refused. Memory is bounded by the file's
    size: `pack` does not compress, so nothing compressed is taken.

    Raises:
        InputError: for a newer format.
        ValueError: one line, for bytes that `pack` did not make.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.infolist()):
                raise ValueError("compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("a member is no array")  # numpy hands out its bytes
        version = int(arrays.pop("format", 0))
    except Exception as error:  # zipfile and numpy raise a dozen kinds for a damaged file
        raise ValueError(f"no whole .npz file: {one_line(error) or type(error).__name__}") from error
    if version > FORMAT:
        raise InputError(
            f"A file of format {FORMAT} or older is required. Received: {source} of format {version}; "
            "update this project."
        )
    return arrays


def digest(data):
    """The first 16 hexadecimal digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()[:16]


def write_atomically(path, data):
    """Writes bytes so that `path` holds the old content or the new, never a part, whatever happens."""
    folder = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(folder, f"{UNFINISHED}{os.getpid()}")  # no name that TensorBoard reads
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # the rename itself
    finally:
        os.close(handle)


def remove_unfinished(folder):
    """Removes what killed writers have left in `folder` and below; for one who knows that nobody writes there."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.startswith(UNFINISHED):
                os.remove(os.path.join(parent, name))
