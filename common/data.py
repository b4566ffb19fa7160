"""Images in memory and endless, seekable batches of them: CIFAR-10, or a folder of the user's own.

Every tenth image of each class is held out of all training: the 10th, the 20th, ... in the order of `ids`, so
500 of the 5,000 training images of a CIFAR-10 class. TensorFlow is imported where it is used, not with this
module, so that entry points can check their input first.
"""

import dataclasses
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from absl import logging

from common.cifar10 import CIFAR10_CLASSES, check_cifar10, read_cifar10
from common.command import InputError
from common.images import read_picture

HOLD_OUT_EVERY = 10  # images of a class
NAMED_FILES = 10  # of the files that a folder's warning lists


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Decoded images of one split, in memory, in the order of their ids.

    Attributes:
        images: uint8 [N, H, W, C].
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

    def _keep(self, rows):
        return dataclasses.replace(self, images=self.images[rows], labels=self.labels[rows], ids=self.ids[rows])


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


def load_folder(folder, split="train", width=32, hold_out=True):
    """Loads the user's own images: one sub-folder a class, named after it.

    Classes and, within a class, files (sub-folders included) come in sorted order. Files that cannot be read
    are skipped, named and counted in a warning, as are files outside any class. Hidden files do not count.

    Args:
        folder: path of the folder that holds the classes.
        split: "train" or "holdout": positions 9, 19, 29, ... (from 0) of each class's readable files.
        width: height and width in pixels that the images are cropped and resized to.
        hold_out: False makes "train" all images, the hold-out included.

    Returns:
        ImageDataset with images [N, width, width, 3].

    Raises:
        InputError: an unknown split; no such folder; no class; a class without a readable image.
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
    images, labels = [], []
    skipped = [p for p in entries if not p.is_dir()]
    with ThreadPoolExecutor() as pool:
        for label, class_folder in enumerate(class_folders):
            paths = [p for p in visible(class_folder.rglob("*")) if not p.is_dir()]
            pictures = list(pool.map(read, paths))
            skipped += [path for path, picture in zip(paths, pictures, strict=True) if picture is None]
            pictures = [picture for picture in pictures if picture is not None]
            if not pictures:
                raise InputError(f"{required}, where {class_folder.name} has no readable image. Remove it.")
            images += pictures
            labels += [label] * len(pictures)
    if skipped:
        named = ", ".join(str(p.relative_to(folder)) for p in skipped[:NAMED_FILES])
        more = f" and {len(skipped) - NAMED_FILES} more" if len(skipped) > NAMED_FILES else ""
        reason = "no readable image in a class's folder"
        logging.warning("%s: skipped %d files (%s): %s%s", folder, len(skipped), reason, named, more)
    names = tuple(p.name for p in class_folders)
    dataset = ImageDataset(np.stack(images), np.array(labels, np.int32), np.arange(len(images)), names, "train")
    return _choose(dataset, split, hold_out)


def divide(dataset):
    """Divides a whole training set (loaded with `hold_out=False`) into ("train", "holdout")."""
    held_out = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        held_out[np.flatnonzero(dataset.labels == label)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]] = True
    return dataset._keep(~held_out), dataclasses.replace(dataset._keep(held_out), split="holdout")


def batches(dataset, batch_size, seed, start_step=0, flip=False, across=None):
    """An endless stream of shuffled batches.

    Element k is a pure function of (seed, start_step + k): a resumed training seeks to its place. Each epoch
    is a permutation of its own by (seed, epoch); epochs follow each other without dropping a remainder, so
    every image comes once an epoch, also where N is smaller than the batch.

    ACAI mixes row i with row B-1-i, the batch reversed. With `across=(first, second)` rows 0 to B/2-1 come
    from the first group's classes and rows B/2 to B-1 from the second's, each with epochs of its own: so
    every image is mixed with one of the other group. None is the paper's pairing, by the shuffle alone.

    Args:
        dataset: ImageDataset.
        batch_size: images per element, B; even with `across`.
        seed: any non-negative integer.
        start_step: the first step of the stream.
        flip: mirror each image left to right with probability one half.
        across: two groups of class names that share out the dataset's classes.

    Returns:
        A `tf.data.Dataset` of {"image": float32 [B, H, W, C] in [-1, 1], "label": int32 [B]}.

    Raises:
        InputError: a size, a seed or a group that does not fit, or no image.
    """
    import tensorflow as tf

    groups = [np.arange(len(dataset))]
    if across is not None:
        groups = _group_rows(dataset, across)
    share, remainder = divmod(batch_size, len(groups))
    if share < 1 or remainder:
        raise InputError(f"batch_size must be {'even' if across else 'positive'}. Received: {batch_size}.")
    if not all(len(rows) for rows in groups):
        raise InputError(f"Each group must hold images. Received: {[len(rows) for rows in groups]} images.")

    with tf.device("CPU"):
        images, labels = tf.constant(dataset.images), tf.constant(dataset.labels, tf.int32)
    flip_key = stream_key(seed, "flip")
    streams = [
        _shuffled(rows, stream_key(seed, f"shuffle {i}"), share, start_step) for i, rows in enumerate(groups)
    ]

    def batch(step, *rows):
        rows = tf.concat(rows, 0)  # [B]
        image = tf.gather(images, rows)
        if flip:
            mirrored = tf.random.stateless_uniform([batch_size, 1, 1, 1], [flip_key, step]) < 0.5
            image = tf.where(mirrored, tf.reverse(image, [2]), image)
        return {"image": tf.cast(image, tf.float32) / 127.5 - 1, "label": tf.gather(labels, rows)}

    return tf.data.Dataset.zip((steps_from(start_step), *streams)).map(batch).prefetch(tf.data.AUTOTUNE)


def steps_from(start_step):
    """An endless `tf.data.Dataset` of int64 steps."""
    import tensorflow as tf

    return tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)


def stream_key(seed, stream):
    """First word of a stateless seed (int64) for the named stream of randomness: streams are independent.

    Raises:
        InputError: `seed` is negative.
    """
    if seed < 0:
        raise InputError(f"seed must be 0 or more. Received: {seed}.")
    words = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(stream.encode()),))
    return words.generate_state(1, np.uint64).view(np.int64)[0]


def _choose(dataset, split, hold_out):
    if split == "train" and not hold_out:
        return dataset
    return divide(dataset)[split == "holdout"]


def _shuffled(rows, key, batch_size, start_step):
    """Dataset of int64 [batch_size]: `rows` in a new order every epoch, from batch `start_step` on."""
    import tensorflow as tf

    epoch, offset = divmod(start_step * batch_size, len(rows))

    rows = tf.constant(rows, tf.int64)

    def shuffled_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(rows, [key, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    stream = steps_from(epoch).flat_map(shuffled_epoch).skip(offset)
    return stream.batch(batch_size, drop_remainder=True)


def _group_rows(dataset, across):
    check_groups(across, dataset.class_names)
    labels = [[dataset.class_names.index(name) for name in group] for group in across]
    return [np.flatnonzero(np.isin(dataset.labels, group)) for group in labels]


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
