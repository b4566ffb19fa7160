"""Run directories: config.json, checkpoints/, metrics.jsonl, TensorBoard events, pictures/, release/."""

import contextlib
import json
import os
import shlex
import time
from pathlib import Path

import numpy as np
from absl import logging

from common import lock
from common.errors import InputError
from common.files import UNFINISHED, digest, remove_unfinished, write_atomically
from configs.earlier_configs import in_current_fields
from configs.fields import INTERVAL_ENDING, WITHOUT_EFFECT, flatten
from training import rewind
from training.checkpoints import NAME, Checkpoints

MAY_CHANGE = (*WITHOUT_EFFECT, "train.total_kimg", "train.start_from", "data.image_folder")  # when a run resumes
MAY_CHANGE_ENDINGS = (INTERVAL_ENDING, "_from_kimg")
PRECISION = "train.precision"
RECORDED = ("runs_on", "images")  # sections of config.json that a training adds
NUM_IN_FINGERPRINT = 4096
SCHEDULES = ("train.schedule", "train.critic_schedule")  # of learning rates; "cosine" ones depend on total_kimg


class RunDirectory:
    """The folder of a training run. It is locked against other trainings until `close`, or as a context.

    Incomplete files of a killed training are removed. An error within the context and before `record`, as by a
    check of the images, leaves the folder as it was, or none.

    Args:
        path: str; the folder is created if missing.
        config: nested dict of plain values. It must equal that of an existing run, except for fields that do not
            affect steps (train.total_kimg does if a learning rate depends on it) and starts, `_from_kimg`.
        keep_checkpoints: number of checkpoints to keep.

    Attributes:
        path: as given.
        config: as given, except that a precision of "auto" is replaced by that of the existing run.
        checkpoints: training.checkpoints.Checkpoints in `checkpoints/`.
        started: `time.monotonic()` when it was opened, from which train.max_minutes counts.

    Raises:
        InputError: the folder is not writable, contains another run or other files, or is in use by a training.
    """

    def __init__(self, path, config, keep_checkpoints=3):
        self.started = time.monotonic()
        self.path, self.lock, self.config = path, None, json.loads(json.dumps(config))
        self.recorded, self.replaced, self.new_files = False, None, []  # for `withdraw`
        self.new_folders = [folder for folder in (path, *Path(path).parents) if not os.path.lexists(folder)]
        had_lock = os.path.lexists(self.file(lock.NAME))
        try:
            self._check_is_a_run()
            os.makedirs(path, exist_ok=True)
            self.lock = lock.FolderLock(path)
            self.new_files += [] if had_lock else [lock.NAME]
            checkpoints = self.file("checkpoints")
            self.new_folders[:0] = [] if os.path.lexists(checkpoints) else [checkpoints]
            remove_unfinished(path)
            self._check_config()
            self.checkpoints = Checkpoints(checkpoints, keep_checkpoints)
        except BaseException as error:
            self.withdraw()
            if not isinstance(error, OSError):
                raise
            raise InputError(
                f"--workdir must be a writable folder. Received: {path} ({error.strerror})."
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error and not self.recorded:
            self.withdraw()
        self.close()

    def close(self):
        """Releases the lock."""
        if self.lock:
            self.lock.release()

    def withdraw(self):
        """Restores config.json as it was, removes what this object has made, and releases the lock."""
        if self.replaced:
            write_atomically(self.file("config.json"), self.replaced)
        for name in self.new_files:
            with contextlib.suppress(OSError):
                os.remove(self.file(name))
        for folder in self.new_folders:
            with contextlib.suppress(OSError):  # it has files of others, or was never made
                os.rmdir(folder)
        self.close()

    def file(self, *names):
        """Returns the path of a file in the folder."""
        return os.path.join(self.path, *names)

    def record(self, precision, runs_on):
        """Writes the resolved precision and a description of the machine to config.json: the first step is near.

        Args:
            precision: Keras dtype policy, which a resumed run keeps.
            runs_on: {name: plain value}. A change since the last start of the run, by another machine or strategy,
                gives a warning, because it changes the bits of the steps.
        """
        before = self.config.get("runs_on", {})
        changed = [f"{n} {before[n]} to {now}" for n, now in runs_on.items() if n in before and before[n] != now]
        if changed:
            logging.warning("the bits of further steps differ from those before: %s", ", ".join(changed))
        self.recorded = True
        train = self.config["train"] | {"precision": precision}
        self._write_config(self.config | {"train": train, "runs_on": runs_on})

    def check_classes(self, class_names):
        """Raises InputError if the run was trained on images of other classes, or of these in another order."""
        before, now = self.config.get("images", {}).get("class_names"), list(class_names)
        if before not in (None, now):
            raise InputError(
                f"The images must be of the classes of the run to resume, {self.path}: {', '.join(before)}. "
                f"Received: {', '.join(now)}; pass another --workdir for a new run."
            )

    def record_images(self, facts):
        """Writes what the images are to config.json.

        Args:
            facts: of `describe_images`. A change since the last start of the run gives a warning.

        Raises:
            InputError: they are of other classes than before.
        """
        self.check_classes(facts["class_names"])
        before = self.config.get("images", facts)
        if before != facts:
            numbers = before["counts"].items() - facts["counts"].items()
            changed = [f"{number} of {name} are {facts['counts'][name]} now" for name, number in sorted(numbers)]
            reason = ", ".join(changed[:10]) or "other pixels or another order"
            logging.warning("the images are not those on which the run was trained before: %s", reason)
        self._write_config(self.config | {"images": facts})

    def rewind(self, step, batch_size):
        """Removes logs after `step`, so that a resumed run logs each step once.

        Args:
            step: number of the last step.
            batch_size: images per step; TensorBoard's events are numbered by images.
        """
        if os.path.exists(self.file("metrics.jsonl")):
            rewind.rewind_metrics(self.file("metrics.jsonl"), step)
        for name in sorted(os.listdir(self.path)):
            if name.startswith("events.out.tfevents"):
                rewind.rewind_events(self.file(name), step * batch_size)

    def _check_is_a_run(self):
        """Raises InputError for a folder with other files; changes nothing."""
        if os.path.exists(self.file("config.json")) or has_checkpoints(self.file("checkpoints")):
            return
        if os.path.isdir(self.path) and any(
            not n.startswith((lock.NAME, UNFINISHED)) for n in os.listdir(self.path)
        ):
            raise InputError(
                f"--workdir must be a new folder or that of a run. Received: {self.path}, which has other files; "
                "pass another folder."
            )

    def _write_config(self, config):
        """Sets `config` and writes config.json unless it is up to date."""
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        path = self.file("config.json")
        if not os.path.exists(path):
            self.new_files.append("config.json")
            write_atomically(path, text.encode())
        elif config != self.config:
            if self.replaced is None and "config.json" not in self.new_files:
                self.replaced = Path(path).read_bytes()
            write_atomically(path, text.encode())
        self.config = json.loads(text)

    def _check_config(self):
        """Merges config.json and the given config; raises InputError if they are of different trainings."""
        given, self.config = self.config, self._stored_config()
        if self.config is None:
            self._write_config(given)
            return
        now = flatten(given)
        before = in_current_fields(flatten(self.config), now.keys())
        if now.get(PRECISION) == "auto" and before.get(PRECISION):
            given["train"]["precision"] = now[PRECISION] = before[PRECISION]
        changed = [
            name
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name) and not may_change(name, before)
        ]
        if changed:
            name = changed[0]
            why = ", on which its learning rate depends" if name in MAY_CHANGE else ""
            start = (
                f", perhaps with --config.train.start_from={shlex.quote(self.path)}"
                if why and "train.start_from" in now
                else ""
            )
            raise InputError(
                f"The config must be that of the run to resume, {self.path}. Received: {name}={now.get(name)!r} "
                f"where it has {before.get(name)!r}{why}; pass another --workdir for a new run{start}."
            )
        self._write_config(given | {name: self.config[name] for name in RECORDED if name in self.config})

    def _stored_config(self):
        """Returns the content of config.json, or None if it is missing or the run has no step yet."""
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
                f"config.json must be readable to resume. Received: {self.file('config.json')} ({error}); delete "
                "that file to write it again from --config."
            ) from error
        return stored


def describe_images(dataset):
    """Describes what must stay the same when a run resumes.

    Args:
        dataset: `common.data.datasets.ImageDataset` of the training set.

    Returns:
        {"class_names": list, "counts": {class: images}, "channels": int, "fingerprint": str of 16 digits}. The
        fingerprint is that of the pixels and labels of at most NUM_IN_FINGERPRINT images, evenly spaced.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, NUM_IN_FINGERPRINT).astype(int))
    names, counts = dataset.class_names, np.bincount(dataset.labels, minlength=len(dataset.class_names))
    return {
        "class_names": list(names),
        "counts": dict(zip(names, counts.tolist(), strict=True)),
        "channels": dataset.images.shape[-1],
        "fingerprint": digest(dataset.images[rows].tobytes() + dataset.labels[rows].tobytes()),
    }


def may_change(name, flat):
    """Whether a resumed run may change the field `name` of its flat config {"a.b": value}."""
    if name == "train.total_kimg":  # a classifier's rate always depends on it
        return "train.warmup" not in flat and "cosine" not in [flat.get(schedule) for schedule in SCHEDULES]
    if name == PRECISION:  # earlier versions did not record what "auto" meant
        return flat.get(name) == "auto"
    return name.split(".")[0] in RECORDED or name in MAY_CHANGE or name.endswith(MAY_CHANGE_ENDINGS)


def has_checkpoints(folder):
    """Whether a folder has files that are named as checkpoints."""
    return os.path.isdir(folder) and any(NAME.fullmatch(name) for name in os.listdir(folder))
