"""Saves and loads checkpoints: one file each, named by step and content digest, written atomically."""

import os
import re

import numpy as np
from absl import logging

from common.errors import InputError
from common.files import FORMAT, digest, pack, unpack, write_atomically

NAME = re.compile(r"(?P<step>\d{9})-(?P<digest>[0-9a-f]{16})\.npz")


class Checkpoints:
    """The newest `keep` checkpoints of a run, in files such as `000012800-0123456789abcdef.npz`.

    A file is written under a temporary name, flushed to the disk and renamed, so a kill at any time leaves only
    complete checkpoints. The digest in the name reveals damage.

    Args:
        folder: created if missing.
        keep: number of checkpoints to keep.
    """

    def __init__(self, folder, keep=3):
        self.folder, self.keep = folder, keep
        os.makedirs(folder, exist_ok=True)

    def save(self, step, state):
        """Writes a checkpoint, deletes all but the newest `keep`, and returns the path.

        Args:
            step: number of steps taken.
            state: {name: variable or array}, of a model its `state()`: all networks, optimizers and averages.
        """
        data = pack(state | {"format": np.int64(FORMAT)})
        path = os.path.join(self.folder, f"{step:09d}-{digest(data)}.npz")
        write_atomically(path, data)
        before = [old for at, old in self._files() if at < step]  # later ones are damaged: the run resumed before
        for old in before[: max(0, len(before) + 1 - self.keep)]:
            os.remove(old)
        return path

    def load_latest(self):
        """Returns (step, {name: array}) of the newest undamaged checkpoint, or (0, None) if there is none.

        Raises:
            InputError: all checkpoints are damaged, or one has a newer format.
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
                f"A run must have an undamaged checkpoint to resume. Received: {len(files)} damaged in "
                f"{self.folder}; move that folder away to start without it."
            )
        return 0, None

    def _files(self):
        names = sorted(name for name in os.listdir(self.folder) if NAME.fullmatch(name))
        return [(int(NAME.fullmatch(name)["step"]), os.path.join(self.folder, name)) for name in names]
