"""Images: CIFAR-10, or a folder of the user's own; in memory or, where they would not fit, on disk.

Every tenth image of each class is held out of all training: the 10th, the 20th, ... in the order of `ids`, so
500 of the 5,000 training images of a CIFAR-10 class. TensorFlow is imported where it is used, not with this
module, so that entry points can check their input first.
"""

import dataclasses
import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from absl import logging

from common.data.cifar10 import CIFAR10_CLASSES, check_cifar10, read_cifar10
from common.data.disk_cache import StoredImages, load_or_build
from common.errors import InputError
from common.files import digest
from common.images import read_picture

HOLD_OUT_EVERY = 10  # images of a class
DECODED_AHEAD = 1024  # files of a folder at a time
NAMED_FILES = 10  # of the files that a folder's warning lists


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Decoded images of one split in the order of their ids.

    Attributes:
        images: uint8 [N, H, W, C], an array or a common.data.disk_cache.StoredImages.
        labels: int32 [N], indices into `class_names`.
        ids: int64 [N]. CIFAR-10: the number in the TFDS id (`train_01234`). A folder: the running number of
            the readable files in sorted order.
        class_names: tuple of str.
        split: "train", "holdout" or "test".
    """

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple
    split: str

    def __len__(self):
        return len(self.images)

    def select(self, classes):
        """Returns the images of `classes` only, labels renumbered to index into `classes`.

        Raises:
            InputError: a name is unknown or given twice, or none is given.
        """
        classes = check_classes(classes, self.class_names)
        renumbered = np.array([classes.index(c) if c in classes else -1 for c in self.class_names], np.int32)
        labels = renumbered[self.labels]
        return dataclasses.replace(self, labels=labels, class_names=classes)._keep(labels >= 0)

    def limit_per_class(self, per_class):
        """Returns at most `per_class` images of each class, at even distances in its order."""
        places = np.zeros(len(self), bool)
        for label in range(len(self.class_names)):
            own = np.flatnonzero(self.labels == label)
            count = min(per_class, len(own))
            places[own[np.arange(count) * len(own) // max(1, count)]] = True
        return self._keep(places)

    def _keep(self, rows):
        images = self.images.keep(rows) if isinstance(self.images, StoredImages) else self.images[rows]
        return dataclasses.replace(self, images=images, labels=self.labels[rows], ids=self.ids[rows])


def load_cifar10(data_dir=None, split="train", classes=CIFAR10_CLASSES, hold_out=True, download=True):
    """Loads CIFAR-10 (Krizhevsky 2009) through tensorflow-datasets, decoded once.

    The hold-out is positions 9, 19, 29, ... (from 0) of each class's training images in the order of their
    ids.

    Args:
        data_dir, download: see `check_cifar10`.
        split: "train", "holdout" or "test".
        classes: names to keep, in the order of their labels.
        hold_out: False makes "train" all training images, the hold-out included.

    Returns:
        ImageDataset with images [N, 32, 32, 3].

    Raises:
        InputError: an unknown split or class; data absent and not to be downloaded; data damaged.
    """
    _check_choice("split", split, ("train", "holdout", "test"))
    classes = check_classes(classes)
    stored = "test" if split == "test" else "train"
    images, labels, ids = read_cifar10(*check_cifar10(data_dir, download), stored, classes)
    order = np.argsort(ids, kind="stable")
    dataset = ImageDataset(images[order], labels[order], ids[order], CIFAR10_CLASSES, stored)
    dataset = dataset.select(classes)
    return dataset if split == "test" else _choose(dataset, split, hold_out)


def load_folder(folder, split="train", width=32, hold_out=True, memory_limit=math.inf, cache=None):
    """Loads the user's own images: one sub-folder a class, named after it.

    Classes and, within a class, files (sub-folders included) come in sorted order. Files that cannot be read
    are skipped, named and counted in a warning, as are files outside any class. Hidden files do not count.

    Args:
        folder: path of the folder that holds the classes.
        split: "train" or "holdout": positions 9, 19, 29, ... (from 0) of each class's readable files.
        width: height and width in pixels that the images are cropped and resized to.
        hold_out: False makes "train" all images, the hold-out included.
        memory_limit: bytes. Where as many images as there are files would be larger, they are decoded once into
            the folder `cache` and read from there (see common.data.disk_cache), until a file's name, size or
            time changes.

    Returns:
        ImageDataset with images [N, width, width, 3].

    Raises:
        InputError: an unknown split; no such folder; no class; a class without a readable image; a cache that
            cannot be written.
    """
    _check_choice("split", split, ("train", "holdout"))
    folder = Path(os.path.expanduser(folder))
    required = f"image_folder must be a folder with one sub-folder of images a class. Received: {folder}"
    if not os.path.isdir(folder):
        raise InputError(f"{required}, which is not a folder. Check the path.")

    def visible(paths):
        return sorted(p for p in paths if not any(n.startswith(".") for n in p.relative_to(folder).parts))

    def read(path):
        try:
            return read_picture(path, width)
        except InputError:
            return None

    entries = visible(folder.glob("*"))
    class_folders = [p for p in entries if p.is_dir()]
    if not class_folders:
        raise InputError(f"{required}, which has no sub-folder. Move the images into one folder a class.")
    files = [[p for p in visible(class_folder.rglob("*")) if not p.is_dir()] for class_folder in class_folders]
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(paths) for paths in files])
    paths = list(itertools.chain.from_iterable(files))

    def decoded():
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), DECODED_AHEAD):
                yield from pool.map(read, paths[start : start + DECODED_AHEAD])

    if len(paths) * width * width * 3 > memory_limit:
        images, kept = load_or_build(
            cache, _content_key(folder, paths, width), decoded, len(paths), (width, width, 3)
        )
    else:
        images = list(decoded())
        kept = np.array([picture is not None for picture in images], bool)
        images = [picture for picture in images if picture is not None]
    counts = np.bincount(labels[kept], minlength=len(files))
    if not counts.all():
        name = class_folders[counts.argmin()].name
        raise InputError(f"{required}, where {name} has no readable image. Remove it.")
    images = np.stack(images) if isinstance(images, list) else images
    skipped = [p for p in entries if not p.is_dir()]
    skipped += [path for path, whole in zip(paths, kept, strict=True) if not whole]
    if skipped:
        named = ", ".join(str(p.relative_to(folder)) for p in skipped[:NAMED_FILES])
        more = f" and {len(skipped) - NAMED_FILES} more" if len(skipped) > NAMED_FILES else ""
        reason = "no readable image in a class's folder"
        logging.warning("%s: skipped %d files (%s): %s%s", folder, len(skipped), reason, named, more)
    names = tuple(p.name for p in class_folders)
    dataset = ImageDataset(images, labels[kept], np.arange(len(images)), names, "train")
    return _choose(dataset, split, hold_out)


def _content_key(folder, paths, width):
    """Changes with a file's name below the folder, its size or its time, and with the width."""
    parts = [f"folder {width}\n".encode()]
    for path in paths:
        status = os.stat(path) if os.path.exists(path) else None
        facts = (path.relative_to(folder), *((status.st_size, status.st_mtime_ns) if status else ()))
        parts.append(os.fsencode("/".join(map(str, facts))) + b"\n")
    return digest(b"".join(parts))


def move_to_disk(dataset, cache):
    """The same ImageDataset with its images in the folder `cache` in place of memory; see
    common.data.disk_cache."""
    key = digest(str(dataset.images.shape).encode() + dataset.images.tobytes())
    images, _ = load_or_build(cache, key, lambda: dataset.images, len(dataset), dataset.images.shape[1:])
    return dataclasses.replace(dataset, images=images)


def split_holdout(dataset):
    """Divides a whole training set (loaded with `hold_out=False`) into ("train", "holdout")."""
    held_out = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        held_out[np.flatnonzero(dataset.labels == label)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]] = True
    return dataset._keep(~held_out), dataclasses.replace(dataset._keep(held_out), split="holdout")


def _choose(dataset, split, hold_out):
    if split == "train" and not hold_out:
        return dataset
    return split_holdout(dataset)[split == "holdout"]


def check_groups(groups, classes):
    """Raises InputError unless `groups`, two of class names, share out `classes`."""
    names = [name for group in groups if isinstance(group, tuple | list) for name in group]
    if len(groups) != 2 or not all(groups) or sorted(map(str, names)) != sorted(classes):
        raise InputError(f"groups must share out {', '.join(classes)} between two groups. Received: {groups}.")


def _check_choice(name, value, choices):
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}. Received: {value}.")


def check_classes(classes, valid=CIFAR10_CLASSES):
    """`classes` as a tuple; InputError unless they are different names from `valid`, at least one."""
    classes = tuple(classes)
    if not classes or len(set(classes)) < len(classes) or not set(classes) <= set(valid):
        raise InputError(f"classes must be different names from {', '.join(valid)}. Received: {classes}.")
    return classes
