"""Checkpoints that survive a kill: one file each, named by step and content digest, written atomically."""

import contextlib
import hashlib
import io
import os
import re
import zipfile

import numpy as np
from absl import logging

from common.command import InputError, one_line

FORMAT = 1  # of the file; a reader refuses a newer one
NAME = re.compile(r"(?P<step>\d{9})-(?P<digest>[0-9a-f]{16})\.npz")
UNFINISHED = ".unfinished-"  # begins the names of files that are being written


class Checkpoints:
    """The last `keep` checkpoints of a run in `folder`, as `000012800-0123456789abcdef.npz`.

    A file is written under a temporary name, flushed to the disk and renamed, so a kill at any moment leaves
    only whole checkpoints. The digest in the name tells a damaged one.
    """

    def __init__(self, folder, keep=3):
        self.folder, self.keep = folder, keep
        os.makedirs(folder, exist_ok=True)

    def save(self, step, state):
        """Writes {name: variable or array} as of `step`, then deletes all but the newest `keep`."""
        data = pack(state | {"format": np.int64(FORMAT)})
        path = os.path.join(self.folder, f"{step:09d}-{digest(data)}.npz")
        write_atomically(path, data)
        before = [old for at, old in self._files() if at < step]  # later ones are damaged: step was resumed
        for old in before[: max(0, len(before) + 1 - self.keep)]:
            os.remove(old)
        return path

    def load_latest(self):
        """(step, {name: array}) of the newest undamaged checkpoint; (0, None) when there is none at all.

        Raises:
            InputError: when there are checkpoints and all are damaged, or one is of a newer format.
        """
        files = self._files()
        for step, path in reversed(files):
            try:
                with open(path, "rb") as file:
                    data = file.read()
                if digest(data) != NAME.fullmatch(os.path.basename(path))["digest"]:
                    raise ValueError("its content does not match the digest in its name")
                return step, unpack(data, path)
            except InputError:
                raise
            except (OSError, ValueError) as error:
                logging.warning("checkpoint %s is damaged (%s); trying the one before it", path, error)
        if files:
            raise InputError(
                f"An undamaged checkpoint is required to resume. Received: {len(files)} damaged in "
                f"{self.folder}; move that folder away to start anew."
            )
        return 0, None

    def _files(self):
        names = sorted(name for name in os.listdir(self.folder) if NAME.fullmatch(name))
        return [(int(NAME.fullmatch(name)["step"]), os.path.join(self.folder, name)) for name in names]


def restore(state, arrays, source):
    """Assigns {name: array} to the variables {name: variable}, all of them or none.

    Raises:
        InputError: naming the first difference, when names or shapes differ (another architecture's), or what is
            there is no numbers.
    """
    missing, surplus = sorted(state.keys() - arrays.keys()), sorted(arrays.keys() - state.keys())
    shared = sorted(state.keys() & arrays.keys())
    shapes = [n for n in shared if tuple(state[n].shape) != arrays[n].shape]
    shapes += [n for n in shared if arrays[n].dtype.kind not in "biuf"]
    if missing or surplus or shapes:
        name = (shapes or missing or surplus)[0]
        ours = tuple(state[name].shape) if name in state else "nothing"
        theirs = f"{arrays[name].dtype} {arrays[name].shape}" if name in arrays else "nothing"
        raise InputError(
            f"Weights of the configured architecture are required. Received: {source} with {theirs} for "
            f"{name} where the config makes {ours}; use the config that trained it."
        )
    for name, variable in state.items():
        variable.assign(arrays[name])


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
