"""A run directory explains itself: config.json, checkpoints/, metrics.jsonl, events, pictures/, release/."""

import json
import os

from absl import logging

from common.checkpoints import Checkpoints, write_atomically
from common.command import InputError

MAY_CHANGE = ("train.total_kimg", "data.image_folder")  # and all that ends as below
MAY_CHANGE_ENDINGS = ("_every_kimg", "_from_kimg", "keep_checkpoints")


class RunDirectory:
    """The folder of one training run.

    Attributes:
        path: the folder; made when absent.
        checkpoints: common.checkpoints.Checkpoints in `checkpoints/`.

    Args:
        path: str.
        config: nested dict of plain values. A directory that holds another config is refused, but for fields
            that do not change what a step does.
        keep_checkpoints: how many.

    Raises:
        InputError: when the folder cannot be made or belongs to another config or to something else.
    """

    def __init__(self, path, config, keep_checkpoints=3):
        self.path = path
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        try:
            self._check(json.loads(text))
            os.makedirs(path, exist_ok=True)
            write_atomically(self.file("config.json"), text.encode())
            self.checkpoints = Checkpoints(self.file("checkpoints"), keep_checkpoints)
        except OSError as error:
            raise InputError(
                f"--workdir is required to be a folder that can be written. Received: {path} ({error.strerror})."
            ) from error

    def file(self, *names):
        return os.path.join(self.path, *names)

    def rewind(self, step):
        """Drops whatever was logged after `step`, so that after a resume each step stands once."""
        if os.path.exists(self.file("metrics.jsonl")):
            with open(self.file("metrics.jsonl"), encoding="utf-8") as file:
                lines = [line for line in file if _step_of(line) <= step]
            write_atomically(self.file("metrics.jsonl"), "".join(lines).encode())
        for name in sorted(os.listdir(self.path)):
            if name.startswith("events.out.tfevents"):
                rewind_events(self.file(name), step)

    def _check(self, config):
        if not os.path.exists(self.file("config.json")):
            if os.path.isdir(self.path) and os.listdir(self.path):
                raise InputError(
                    f"--workdir is required to be a new folder or a run's. Received: {self.path}, which holds "
                    "other things; name another folder."
                )
            return
        if os.path.isdir(self.file("checkpoints")) and not os.listdir(self.file("checkpoints")):
            return  # the config that is there never trained a step
        try:
            with open(self.file("config.json"), encoding="utf-8") as file:
                before = flatten(json.load(file))
        except ValueError as error:
            raise InputError(
                f"A readable config.json is required to resume. Received: {self.file('config.json')} ({error}); "
                "delete that file to write it anew from --config."
            ) from error
        now = flatten(config)
        changed = [
            name
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
            and name not in MAY_CHANGE
            and not name.endswith(MAY_CHANGE_ENDINGS)
        ]
        if changed:
            name = changed[0]
            raise InputError(
                f"The config that {self.path} began with is required to resume it. Received: {name}="
                f"{now.get(name)!r} where it has {before.get(name)!r}; name another --workdir for a new run."
            )


def flatten(tree, prefix=""):
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def rewind_events(path, step):
    """Rewrites a TensorBoard event file without the events after `step`, and without a torn end."""
    import tensorflow as tf

    kept = []
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            if tf.compat.v1.Event.FromString(record).step <= step:
                kept.append(record)
    except tf.errors.DataLossError:
        pass  # the torn end of a killed run
    if sum(16 + len(record) for record in kept) == os.path.getsize(path):  # length and two checksums each
        return
    temporary = os.path.join(os.path.dirname(path), ".unfinished-rewind")  # no name that TensorBoard reads
    with tf.io.TFRecordWriter(temporary) as writer:
        for record in kept:
            writer.write(record)
    os.replace(temporary, path)
    logging.info("dropped what %s held after step %d", path, step)


def _step_of(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return float("inf")  # the torn last line of a killed run
