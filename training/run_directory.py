"""A run directory explains itself: config.json, checkpoints/, metrics.jsonl, events, pictures/, release/."""

import json
import os

from absl import logging

from common import lock
from common.errors import InputError
from common.files import UNFINISHED, remove_unfinished, write_atomically
from training.checkpoints import NAME, Checkpoints

MAY_CHANGE = (
    "train.total_kimg",
    "data.image_folder",
    "data.memory_limit_gib",
    "data.cache_folder",
    "train.strategy",
    "train.deterministic",
    "train.towers",
    "train.start_from",
)  # and all that ends as below
MAY_CHANGE_ENDINGS = ("_every_kimg", "_from_kimg", "keep_checkpoints")
PRECISION = "train.precision"
SCHEDULES = ("train.schedule", "train.critic_schedule")  # of learning rates: "cosine" ones fall up to total_kimg


class RunDirectory:
    """The folder of one training run, locked: a second training in it is refused until `close`.

    As a context it closes itself. What a killed training has left unfinished is removed.

    Attributes:
        path: the folder; made when absent.
        config: the config in force, a nested dict: the one that is given but for a precision of "auto", which is
            the one that the run began with.
        checkpoints: training.checkpoints.Checkpoints in `checkpoints/`.

    Args:
        path: str.
        config: nested dict of plain values. A directory that holds another config is refused, but for fields
            that do not change what a step does; train.total_kimg does where a learning rate falls up to it.
        keep_checkpoints: how many.

    Raises:
        InputError: when the folder cannot be made, belongs to another config or to something else, or another
            training runs in it.
    """

    def __init__(self, path, config, keep_checkpoints=3):
        self.path, self.lock, self.config = path, None, json.loads(json.dumps(config))
        try:
            self._check_is_a_run()
            os.makedirs(path, exist_ok=True)
            self.lock = lock.FolderLock(path)
            remove_unfinished(path)
            self._check_config()
            self.checkpoints = Checkpoints(self.file("checkpoints"), keep_checkpoints)
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError):
                raise
            raise InputError(
                f"--workdir is required to be a folder that can be written. Received: {path} ({error.strerror})."
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.lock:
            self.lock.release()

    def file(self, *names):
        return os.path.join(self.path, *names)

    def record(self, precision, runs_on):
        """Writes config.json with the precision that "auto" means and a description of what the training runs on.

        Args:
            precision: the Keras dtype policy; a resumed run keeps it.
            runs_on: {name: plain value}. A warning says what of it another machine or strategy has changed since
                the run's last start, as the bits of the steps change then.
        """
        before = self.config.get("runs_on", {})
        kept = before.keys() & runs_on.keys()
        changed = [f"{n} {before[n]} to {now}" for n, now in runs_on.items() if n in kept and before[n] != now]
        if changed:
            logging.warning("from here on the steps' bits differ from those before: %s", ", ".join(changed))
        train = self.config["train"] | {"precision": precision}
        self._write_config(self.config | {"train": train, "runs_on": runs_on})

    def rewind(self, step):
        """Drops whatever was logged after `step`, so that after a resume each step stands once."""
        if os.path.exists(self.file("metrics.jsonl")):
            with open(self.file("metrics.jsonl"), encoding="utf-8", errors="replace") as file:
                lines = [line for line in file if _step_of(line) <= step]
            write_atomically(self.file("metrics.jsonl"), "".join(lines).encode())
        for name in sorted(os.listdir(self.path)):
            if name.startswith("events.out.tfevents"):
                rewind_events(self.file(name), step)

    def _check_is_a_run(self):
        """Raises InputError for a folder that holds something else; changes nothing."""
        if os.path.exists(self.file("config.json")) or has_checkpoints(self.file("checkpoints")):
            return
        if os.path.isdir(self.path) and any(
            not n.startswith((lock.NAME, UNFINISHED)) for n in os.listdir(self.path)
        ):
            raise InputError(
                f"--workdir is required to be a new folder or a run's. Received: {self.path}, which holds "
                "other things; name another folder."
            )

    def _write_config(self, config):
        """Writes config.json and takes it for the config in force; does nothing where it is both already."""
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        if config != self.config or not os.path.exists(self.file("config.json")):
            write_atomically(self.file("config.json"), text.encode())
        self.config = json.loads(text)

    def _check_config(self):
        """Brings config.json and the config that is given together; InputError where it is of another training."""
        given, self.config = self.config, self._stored_config()
        if self.config is None:
            self._write_config(given)
            return
        before, now = flatten(self.config), flatten(given)
        if now.get(PRECISION) == "auto" and before.get(PRECISION):
            given["train"]["precision"] = now[PRECISION] = before[PRECISION]
        changed = [
            name
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name) and not may_change(name, before)
        ]
        if changed:
            name = changed[0]
            why = ", up to which its learning rate falls" if name in MAY_CHANGE else ""
            raise InputError(
                f"The config that {self.path} began with is required to resume it. Received: {name}="
                f"{now.get(name)!r} where it has {before.get(name)!r}{why}; name another --workdir for a new run."
            )
        runs_on = {"runs_on": self.config["runs_on"]} if "runs_on" in self.config else {}
        self._write_config(given | runs_on)

    def _stored_config(self):
        """What config.json holds, a nested dict; None where there is none, or one that never trained a step."""
        if not os.path.exists(self.file("config.json")):
            return None
        if os.path.isdir(self.file("checkpoints")) and not os.listdir(self.file("checkpoints")):
            return None
        try:
            with open(self.file("config.json"), encoding="utf-8") as file:
                stored = json.load(file)
            flatten(stored)
        except (ValueError, AttributeError, RecursionError) as error:
            raise InputError(
                f"A readable config.json is required to resume. Received: {self.file('config.json')} ({error}); "
                "delete that file to write it anew from --config."
            ) from error
        return stored


def may_change(name, flat):
    """Whether a resumed run may have another value of the field `name` than its flat config {"a.b": value}."""
    if name == "train.total_kimg":  # a classifier's rate rises over its warmup and always falls then
        return "train.warmup" not in flat and "cosine" not in [flat.get(schedule) for schedule in SCHEDULES]
    if name == PRECISION:  # runs of earlier versions do not say what "auto" meant
        return flat.get(name) == "auto"
    return name.startswith("runs_on.") or name in MAY_CHANGE or name.endswith(MAY_CHANGE_ENDINGS)


def has_checkpoints(folder):
    return os.path.isdir(folder) and any(NAME.fullmatch(name) for name in os.listdir(folder))


def flatten(tree, prefix=""):
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat = {}
    for name, value in tree.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def rewind_events(path, step):
    """Rewrites a TensorBoard event file without the events after `step`, and without a torn end.

    A file without any step is removed, as is one of a training that begins anew, at step 0.
    """
    import tensorflow as tf

    with open(path, "rb") as file:
        content = file.read()
    kept, last_step, start = [], 0, 0
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            at, end = tf.compat.v1.Event.FromString(record).step, start + 16 + len(record)
            if at <= step:
                kept.append(content[start:end])  # with its length and two checksums
                last_step = max(last_step, at)
            start = end
    except tf.errors.DataLossError:
        pass  # the torn end of a killed run
    kept = b"".join(kept)
    if not last_step:
        os.remove(path)
    elif kept != content:
        write_atomically(path, kept)
        logging.info("dropped what %s held after step %d", path, step)


def _step_of(line):
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")  # the torn last line of a killed run
