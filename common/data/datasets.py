"""Loads image datasets: CIFAR-10, a folder of the user's own images, or rendered lines.

Every tenth image of each class is held out: the 10th, the 20th, ... in the order of `ids`. In CIFAR-10 these are
500 of the 5,000 training images of a class. Only wing classifiers train on some of them. Large datasets are stored
on disk.

TensorFlow is imported where it is used, so that entry points can check their input first.
"""

import dataclasses
import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from common.backend import memory
from common.data import folders, lines
from common.data.cifar10 import CIFAR10_CLASSES, check_cifar10, read_cifar10
from common.data.disk_cache import StoredImages, load_or_build
from common.errors import InputError
from common.files import cache_folder, digest
from common.images import read_picture

HOLD_OUT_EVERY = 10  # images of a class
MAX_HOLDOUT = 1000  # images per class: measuring more would take longer than training
DECODED_AHEAD = 1024  # files of a folder that are decoded at a time


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Decoded images of one split, ordered by id.

    Attributes:
        images: uint8 [N, H, W, C], an array or a `common.data.disk_cache.StoredImages`.
        labels: int32 [N], indices into `class_names`.
        ids: int64 [N]. CIFAR-10: the number in the TFDS id (`train_01234`). A folder: the index among its
            readable files in sorted order.
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
        """Returns the images of `classes`, with labels that index into `classes`.

        Raises:
            InputError: a name is unknown or repeated, or there is none.
        """
        classes = check_classes(classes, self.class_names)
        new_labels = np.array([classes.index(c) if c in classes else -1 for c in self.class_names], np.int32)
        labels = new_labels[self.labels]
        return dataclasses.replace(self, labels=labels, class_names=classes)._keep(labels >= 0)

    def select_ids(self, ids):
        """Returns the images whose ids are among `ids`; those that this split lacks are left out."""
        return self._keep(np.isin(self.ids, ids))

    def limit_per_class(self, count):
        """Returns at most `count` images of each class, evenly spaced in the order of the class."""
        kept = np.zeros(len(self), bool)
        for label in range(len(self.class_names)):
            rows = np.flatnonzero(self.labels == label)
            limited = min(count, len(rows))
            kept[rows[np.arange(limited) * len(rows) // max(1, limited)]] = True
        return self._keep(kept)

    def _keep(self, rows):
        images = self.images.keep(rows) if isinstance(self.images, StoredImages) else self.images[rows]
        return dataclasses.replace(self, images=images, labels=self.labels[rows], ids=self.ids[rows])


def load(
    source,
    width,
    classes=CIFAR10_CLASSES,
    image_folder="",
    hold_out=True,
    memory_limit=None,
    cache=None,
    data_dir=None,
):
    """Loads the images of a training and its hold-out.

    Args:
        source: "cifar10", "folder" or "lines". Training on lines uses `common.data.lines.batches`, which never
            end; the 256 lines of each split loaded here are for the bank and the pictures.
        width: height and width in pixels.
        classes: names of the CIFAR-10 classes to load.
        image_folder: with "folder", the folder described at `load_folder`.
        hold_out: False leaves the held-out images in the training set, too.
        memory_limit: bytes of decoded images to keep in memory; larger datasets are stored on disk. While images
            are loaded, they take three times as much. None: a quarter of the machine's memory.
        cache: folder for datasets on disk; None or "": `pegasus-acai` in the user's cache folder.
        data_dir: see `check_cifar10`.

    Returns:
        (training set, hold-out), two ImageDatasets. The hold-out has at most MAX_HOLDOUT images per class.

    Raises:
        InputError: the data cannot be loaded, or a class has too few images to hold any out.
    """
    if source == "lines":
        return _line_images("train", 0, width), _line_images("holdout", 0.5, width)
    memory_limit = memory.total_bytes() / 4 if memory_limit is None else memory_limit
    cache = cache or cache_folder()
    if source == "folder":
        dataset = load_folder(image_folder, width, memory_limit, cache)
    else:
        dataset = load_cifar10(data_dir, classes=classes, hold_out=False)
        if dataset.images.nbytes > memory_limit:
            dataset = move_to_disk(dataset, cache)
    train, holdout = split_holdout(dataset)
    counts = np.bincount(holdout.labels, minlength=len(holdout.class_names))
    if not counts.all():
        name = holdout.class_names[counts.argmin()]
        raise InputError(
            f"Each class must have at least ten images: every tenth is held out. Received: fewer of {name}"
        )
    return train if hold_out else dataset, holdout.limit_per_class(MAX_HOLDOUT)


def load_cifar10(data_dir=None, split="train", classes=CIFAR10_CLASSES, hold_out=True, download=True):
    """Loads CIFAR-10 (Krizhevsky 2009) through tensorflow-datasets.

    The hold-out is positions 9, 19, 29, ... (from 0) of each class's training images, ordered by id.

    Args:
        data_dir, download: see `check_cifar10`.
        split: "train", "holdout" or "test".
        classes: names to load, in the order of their labels.
        hold_out: False makes "train" all training images, including the hold-out.

    Returns:
        ImageDataset with images [N, 32, 32, 3].

    Raises:
        InputError: the split or a class is unknown, or the data is damaged or cannot be obtained.
    """
    if split not in ("train", "holdout", "test"):
        raise InputError(f"split must be one of train, holdout, test. Received: {split}.")
    classes = check_classes(classes)
    stored_split = "test" if split == "test" else "train"
    images, labels, ids = read_cifar10(*check_cifar10(data_dir, download), stored_split, classes)
    order = np.argsort(ids, kind="stable")
    dataset = ImageDataset(images[order], labels[order], ids[order], CIFAR10_CLASSES, stored_split)
    dataset = dataset.select(classes)
    if split == "test" or (split == "train" and not hold_out):
        return dataset
    return split_holdout(dataset)[split == "holdout"]


def load_folder(folder, width=32, memory_limit=math.inf, cache=None):
    """Loads the user's own images from a folder that has one sub-folder per class, named after it.

    Classes are sorted, and so are the files of a class, including those in sub-folders and in folders to which
    links lead. A warning names and counts unreadable files and files outside any class, which are skipped. Hidden
    files and what operating systems leave are ignored.

    Args:
        folder: path.
        width: height and width in pixels to which images are cropped and resized.
        memory_limit: bytes. If decoding all files could take more, images are decoded once into the folder
            `cache` and read from there, until the name, size or time of a file changes.
        cache: see `common.data.disk_cache`.

    Returns:
        ImageDataset with images [N, width, width, 3], including those that `split_holdout` holds out.

    Raises:
        InputError: the folder does not exist or has no class, a class has no readable image, or the cache cannot
            be written.
    """
    folder = Path(os.path.expanduser(folder))
    files, skipped = folders.list_classes(folder)
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(paths) for paths in files.values()])
    paths = list(itertools.chain.from_iterable(files.values()))

    def read(path):
        try:
            return read_picture(path, width)
        except InputError:
            return None

    def decode():
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), DECODED_AHEAD):
                yield from pool.map(read, paths[start : start + DECODED_AHEAD])

    shape = width, width, 3
    if len(paths) * math.prod(shape) > memory_limit:
        images, readable = load_or_build(cache, _content_key(folder, paths, width), decode, len(paths), shape)
    else:
        images = list(decode())
        readable = np.array([picture is not None for picture in images], bool)
        images = [picture for picture in images if picture is not None]
    counts = np.bincount(labels[readable], minlength=len(files))
    if not counts.all():
        raise InputError(
            "image_folder must be a folder with one sub-folder of images per class. Received: "
            f"{folder}, where {[*files][counts.argmin()]} has no readable image. Remove it."
        )
    images = np.stack(images) if isinstance(images, list) else images
    skipped += [path for path, whole in zip(paths, readable, strict=True) if not whole]
    folders.warn_of(folder, "skipped {} files (unreadable, or outside a class folder)", skipped)
    return ImageDataset(images, labels[readable], np.arange(len(images)), tuple(files), "train")


def _content_key(folder, paths, width):
    """Digest of `width` and of the files' names below `folder`, sizes and times."""
    parts = [f"folder {width}\n".encode()]
    for path in paths:
        status = os.stat(path) if os.path.exists(path) else None
        facts = (path.relative_to(folder), *((status.st_size, status.st_mtime_ns) if status else ()))
        parts.append(os.fsencode("/".join(map(str, facts))) + b"\n")
    return digest(b"".join(parts))


def _line_images(split, shift, width, count=256):
    """ImageDataset of `count` lines at evenly spaced angles, turned by `shift` of that spacing."""
    angles = (np.arange(count) + shift) * 2 * np.pi / count
    images = np.rint(127.5 * lines.render(angles, width) + 127.5).astype(np.uint8)
    return ImageDataset(images, np.zeros(count, np.int32), np.arange(count), ("line",), split)


def move_to_disk(dataset, cache):
    """Returns the same ImageDataset with its images in the folder `cache` instead of in memory."""
    key = digest(str(dataset.images.shape).encode() + dataset.images.tobytes())
    images, _ = load_or_build(cache, key, lambda: dataset.images, len(dataset), dataset.images.shape[1:])
    return dataclasses.replace(dataset, images=images)


def split_holdout(dataset):
    """Splits a dataset of all images into (train, holdout)."""
    held_out = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        held_out[np.flatnonzero(dataset.labels == label)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]] = True
    return dataset._keep(~held_out), dataclasses.replace(dataset._keep(held_out), split="holdout")


def check_classes(classes, valid=CIFAR10_CLASSES):
    """Returns `classes` as a tuple; raises InputError unless they are one or more different names from `valid`."""
    classes = tuple(classes)
    if not classes or not all(name in valid and classes.count(name) == 1 for name in classes):
        raise InputError(f"classes must be different names from {', '.join(valid)}. Received: {classes}.")
    return classes
