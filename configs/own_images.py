"""Fits a config to a folder of the user's own images: its classes and, in configs/acai.py:folder, its sizes."""

import json
import os
from pathlib import Path

from common.data import folders
from common.data.cifar10 import CIFAR10_CLASSES
from common.errors import InputError

DEFAULT_NAMES = {*CIFAR10_CLASSES, "line"}  # classes that a config names unless its fields are set


def fit(config, workdir=None):
    """Sets fields of a config by the folder of its images. Other sources, and a missing folder, change nothing.

    "data.first" and "data.second" that are CIFAR-10's, and not in the folder, become the folder's first and second
    class, in the order of names. With pairs across, "data.groups" of CIFAR-10's names become the folder's two
    classes. "auto" and 0 in the fields of `choose_sizes` become what that returns, or, when a run
    resumes, what the run has.

    Args:
        config: as parsed; not yet checked.
        workdir: the run directory, or None.

    Raises:
        InputError: the folder has no class, or its classes are not those of groups, first and second.
    """
    data = config.data
    if data.source != "folder" or not os.path.isdir(data.image_folder):
        return
    names = folders.list_class_names(data.image_folder)
    if unset := unset_fields(config):
        stored = stored_fields(workdir)
        sizes = choose_sizes(sum(folders.count_files(data.image_folder).values()), len(names))
        for section, field in unset:
            config[section][field] = stored.get(section, {}).get(field) or sizes[f"{section}.{field}"]
    if names and "first" in data:
        fit_pictures(data, names)
    if data.get("pairing") == "across":
        fit_groups(data, names)


def choose_sizes(images, classes):
    """Chooses the sizes of a training on `images` images of `classes` classes, {"section.field": value}.

    Depth 8 suffices for fewer than 1,000 images, 16 for fewer than 10,000. Each image is seen 100 times, but at
    least 20 and at most 170 kimg are trained. The bank has at most 2,000 latents of training images in all. Two
    classes are paired across.
    """
    bank = max(1, min(400, 2000 // max(1, classes)))
    return {
        "data.pairing": "across" if classes == 2 else "shuffled",
        "model.depth": 8 if images < 1_000 else 16 if images < 10_000 else 32,
        "train.total_kimg": min(max(100 * images / 1000, 20.0), 170.0),
        "train.bank_per_class": (bank, max(1, bank // 4)),
    }


def unset_fields(config):
    """Returns [(section, field)] of `choose_sizes` whose value is "auto", 0 or (0, 0)."""
    fields = [name.split(".") for name in choose_sizes(0, 0)]
    return [(s, f) for s, f in fields if f in config[s] and config[s][f] in ("auto", 0, (0, 0))]


def stored_fields(workdir):
    """Returns the config of a run with checkpoints as a nested dict, {} for a new or unreadable one."""
    folder = Path(workdir or "")
    if not workdir or not any(folder.glob("checkpoints/*.npz")):
        return {}
    try:
        stored = json.loads((folder / "config.json").read_bytes())
        return {section: dict(stored[section]) for section in ("data", "model", "train")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # RunDirectory says what is wrong with it
        return {}


def fit_pictures(data, names):
    """Sets `first` and `second` of the data section, which must be classes of the folder."""
    for field, other in (("first", "second"), ("second", "first")):
        if data[field] in names:
            continue
        if data[field] not in DEFAULT_NAMES:
            known = ", ".join(names)
            raise InputError(f"--config.data.{field} must be one of {known}. Received: {data[field]!r}")
        free = [name for name in names if name != data[other]] or names
        data[field] = free[0]


def fit_groups(data, names):
    """Sets the `groups` of the data section, which must divide the folder's classes."""
    given = [name for group in data.groups if isinstance(group, tuple | list) for name in group]
    if len(data.groups) == 2 and all(data.groups) and sorted(map(str, given)) == names:
        return
    if len(names) == 2 and {*given} <= DEFAULT_NAMES:
        data.groups = tuple((name,) for name in names)
    else:
        form = f'''"(('{names[0]}',),({",".join(repr(name) for name in names[1:])},))"''' if len(names) > 1 else ""
        raise InputError(
            f"--config.data.groups must divide the classes {', '.join(names)} between two groups"
            f"{form and ', as in --config.data.groups=' + form}. Received: {data.groups}; or pass "
            "--config.data.pairing=shuffled"
        )
