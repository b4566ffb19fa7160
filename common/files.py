"""Paths of the user's, atomic writing of files, arrays in .npz files, and digests that reveal damage."""

import contextlib
import hashlib
import io
import os
import re
import secrets
import tempfile
import zipfile

import numpy as np

from common.errors import InputError, one_line

FORMAT = 1  # of .npz files; newer ones are refused
UNFINISHED = ".unfinished-"  # prefix of the names of files that are being written
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # not a Windows drive


def expand_path(path, name):
    """Expands `~` in a path of the user's.

    Args:
        path: str or Path.
        name: of the flag or field that holds it, for the error.

    Raises:
        InputError: the path is a URL, begins with the `~` of an unknown user, or cannot be encoded as UTF-8, which
            TensorFlow needs.
    """
    path, expanded, reason = os.fspath(path), None, None
    if SCHEME.match(path):
        reason = "a URL; copy it here first"
    elif "\0" in path or any("\ud800" <= letter <= "\udfff" for letter in path):
        reason = "with a character that is not UTF-8 or is NUL"
    elif (expanded := os.path.expanduser(path)).startswith("~"):
        reason = "which names no user of this machine; a folder of that name is ./~"
    if reason:
        raise InputError(f"{name} must be a path on this machine. Received: {path}, {reason}")
    return expanded


def make_folder(path, flag="--out"):
    """Makes the folder of a flag and returns its path; InputError if it cannot be made or written to."""
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise InputError(
            f"{flag} must be a folder that can be written to. Received: {path} ({error.strerror})"
        ) from error
    return path


def cache_folder():
    """Returns the path of this project's folder in the user's cache folder, XDG_CACHE_HOME or ~/.cache."""
    bases = os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache"), os.path.abspath(".cache")
    return os.path.join(next(filter(os.path.isabs, bases)), "pegasus-acai")


def pack(arrays):
    """Returns {name: variable or array} as the bytes of an .npz file. Equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()})
    return buffer.getvalue()


def unpack(data, source):
    """Returns the {name: array} that `pack` was given, without "format".

    It is safe for untrusted files: it refuses pickles, which could run code, and compressed members, which could
    take more memory than the file's size.

    Args:
        data: bytes.
        source: path, for messages.

    Raises:
        InputError: the format is newer than FORMAT.
        ValueError: the bytes are not those of a file that `pack` writes; the message is one line.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.infolist()):
                raise ValueError("compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("a member is not an array")  # numpy returns its bytes
        version = int(arrays.pop("format", 0))
    except Exception as error:  # zipfile and numpy raise a dozen types for a damaged file
        raise ValueError(f"not an undamaged .npz file: {one_line(error) or type(error).__name__}") from error
    if version > FORMAT:
        raise InputError(
            f"The file format must be {FORMAT} or older. Received: {source} of format {version}; "
            "update this project."
        )
    return arrays


def digest(data):
    """Returns the first 16 hexadecimal digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()[:16]


def write_atomically(path, data):
    """Writes bytes so that `path` always holds either its old or its new content in full, even after a crash."""
    folder = os.path.dirname(os.path.abspath(path))
    # TensorBoard ignores the name. It is random, because two containers can have processes of the same number.
    temporary = os.path.join(folder, f"{UNFINISHED}{secrets.token_hex(8)}")
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
    with contextlib.suppress(OSError):  # Windows opens no folders, and some file systems cannot do this
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # makes the rename durable
        finally:
            os.close(handle)


def remove_unfinished(folder):
    """Removes files that killed writers left in `folder` and below. Nobody may be writing there."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.startswith(UNFINISHED):
                os.remove(os.path.join(parent, name))
