"""The data set that a config names, in memory or, where it is too large for that, on disk."""

import os

import numpy as np

from common.backend import memory
from common.data import datasets, lines
from common.errors import InputError

HELD_OUT = 1000  # images a class at most that figures, pictures and bank see: else these outweigh the training


def load(settings, width, data_dir=None):
    """(train, holdout), two common.data.datasets.ImageDataset. Of lines, which never end, some for bank and
    pictures.

    Raises:
        InputError: data that cannot be loaded, or a class of too few images to hold any out.
    """
    if settings.source == "lines":
        return line_images("train", 0, width), line_images("holdout", 0.5, width)
    if settings.source == "folder":
        limits = dict(memory_limit=memory_limit(settings), cache=cache_folder(settings))
        whole = datasets.load_folder(settings.image_folder, width=width, hold_out=False, **limits)
    else:
        whole = datasets.load_cifar10(data_dir, classes=settings.classes, hold_out=False)
        if whole.images.nbytes > memory_limit(settings):
            whole = datasets.move_to_disk(whole, cache_folder(settings))
    train, holdout = datasets.split_holdout(whole)
    counts = np.bincount(holdout.labels, minlength=len(holdout.class_names))
    if not counts.all():
        name = holdout.class_names[counts.argmin()]
        raise InputError(f"Ten images a class are required: every tenth is held out. Received: fewer of {name}")
    return train if settings.hold_out else whole, holdout.limit_per_class(HELD_OUT)


def memory_limit(settings):
    """Bytes of decoded images that may be kept in memory; while they are loaded they take three times as much."""
    gib = settings.get("memory_limit_gib", -1.0)
    return gib * 2**30 if gib >= 0 else memory.total_bytes() / 4


def cache_folder(settings):
    default = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "pegasus-acai")
    return settings.get("cache_folder") or default


def line_images(split, shift, width, count=256):
    """As many lines at even angles, turned by `shift` of the angle between two, as an ImageDataset."""
    angles = (np.arange(count) + shift) * 2 * np.pi / count
    images = np.rint(127.5 * lines.render(angles, width) + 127.5).astype(np.uint8)
    labels, ids = np.zeros(count, np.int32), np.arange(count)
    return datasets.ImageDataset(images, labels, ids, ("line",), split)
