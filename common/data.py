"""Images in memory and endless, seekable batches of them: CIFAR-10, or a folder of the user's own.

Every tenth image of each class is held out of all training: the 10th, the 20th, ... in the order of `ids`, so
500 of the 5,000 training images of a CIFAR-10 class. TensorFlow is imported where it is used, not with this
module, so that entry points can check their input first.
"""

import contextlib
import dataclasses
import json
import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from absl import logging

from common.command import InputError

CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR10_ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"  # what TFDS downloads
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
        classes = _check_classes(classes, self.class_names)
        renumbered = np.array([classes.index(c) if c in classes else -1 for c in self.class_names], np.int32)
        labels = renumbered[self.labels]
        return dataclasses.replace(self._keep(labels >= 0, labels), class_names=classes)

    def _keep(self, rows, labels=None, split=None):
        labels = self.labels if labels is None else labels
        return ImageDataset(
            self.images[rows], labels[rows], self.ids[rows], self.class_names, split or self.split
        )


def check_cifar10(data_dir=None, download=True):
    """Finds the prepared CIFAR-10 without importing TensorFlow, or makes sure that a download can start.

    Args:
        data_dir: the folder that holds (or gets) `cifar10/<version>/`. None: the environment variable
            TFDS_DATA_DIR, else TFDS's default, `~/tensorflow_datasets`.
        download: whether CIFAR-10 may be downloaded (162 MB) where it is absent.

    Returns:
        The folder, a `Path`, and the name TFDS knows the data set by: with its version where it is prepared.

    Raises:
        InputError: the folder is a file, the data is damaged, or it is absent and cannot be downloaded.
    """
    folder = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--data_dir must be a folder. Received a file: {folder}. Pass the folder it is in.")
    prepared = [d for d in folder.glob("cifar10/*") if re.fullmatch(r"\d+\.\d+\.\d+", d.name)]
    if prepared:
        newest = max(prepared, key=lambda d: [int(n) for n in d.name.split(".")])
        if reason := _damage(newest):
            raise _damaged(newest, reason)
        return folder, f"cifar10:{newest.name}"
    if not download:
        raise _absent(folder, "downloading is off")
    if reason := _unreachable(CIFAR10_ARCHIVE):
        raise _absent(folder, f"no way to download it: {reason}")
    return folder, "cifar10"


def load_cifar10(data_dir=None, split="train", classes=CIFAR10_CLASSES, hold_out=True, download=True):
    """Loads CIFAR-10 (Krizhevsky 2009) through tensorflow-datasets, decoded once.

    The hold-out is positions 9, 19, 29, ... (from 0) of each class's training images in the order of their
    ids. Ids without a number (TFDS's mocked data) give way to the place in the stored order.

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
    classes = _check_classes(classes, CIFAR10_CLASSES)
    folder, name = check_cifar10(data_dir, download)
    wanted = np.isin(CIFAR10_CLASSES, classes)
    images, labels, ids = [], [], []
    try:
        with _quiet_tfds() as tfds:
            builder = tfds.builder(name, data_dir=folder)
            builder.download_and_prepare()  # returns at once where the data is prepared
            records = builder.as_dataset(split="test" if split == "test" else "train", shuffle_files=False)
            for record in records.batch(1000).as_numpy_iterator():
                rows = wanted[record["label"]]
                images.append(record["image"][rows])
                labels.append(record["label"][rows].astype(np.int32))
                ids.append(record["id"][rows])
    except Exception as error:  # TFDS raises a different kind for every kind of damage
        raise _damaged(folder / "cifar10", error) from error
    labels = np.concatenate(labels)
    numbers = _id_numbers(np.concatenate(ids))
    order = np.argsort(numbers, kind="stable")
    dataset = ImageDataset(
        np.concatenate(images)[order], labels[order], numbers[order], CIFAR10_CLASSES, split
    )
    return _split(dataset, split, hold_out).select(classes)


def load_folder(folder, split="train", width=32, hold_out=True):
    """Loads the user's own images: one sub-folder a class, named after it.

    Classes and, within a class, files (sub-folders included) come in sorted order. Files that cannot be read
    are skipped, named and counted in a warning, as are files outside any class; hidden files are not looked at.

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
    from common.images import read_picture

    _check_choice("split", split, ("train", "holdout"))
    folder = Path(folder).expanduser()
    required = f"image_folder must be a folder with one sub-folder of images a class. Received: {folder}"
    if not folder.is_dir():
        raise InputError(f"{required}, which is not a folder. Check the path.")

    def visible(paths):
        return sorted(p for p in paths if not any(s.startswith(".") for s in p.relative_to(folder).parts))

    def read(path):
        try:
            return read_picture(path, width)
        except InputError:
            return None

    class_folders = [p for p in visible(folder.iterdir()) if p.is_dir()]
    if not class_folders:
        raise InputError(f"{required}, which has no sub-folder. Move the images into one folder a class.")
    images, labels = [], []
    skipped = [p for p in visible(folder.iterdir()) if not p.is_dir()]
    with ThreadPoolExecutor() as pool:
        for label, class_folder in enumerate(class_folders):
            paths = [p for p in visible(class_folder.rglob("*")) if not p.is_dir()]
            pictures = list(pool.map(read, paths))
            skipped += [path for path, picture in zip(paths, pictures, strict=True) if picture is None]
            images += (pictures := [picture for picture in pictures if picture is not None])
            labels += [label] * len(pictures)
            if not pictures:
                raise InputError(f"{required}, where {class_folder.name} has no readable image. Remove it.")
    if skipped:
        named = ", ".join(str(p.relative_to(folder)) for p in skipped[:NAMED_FILES])
        more = f" and {len(skipped) - NAMED_FILES} more" if len(skipped) > NAMED_FILES else ""
        logging.warning("%s: skipped %d files that are no readable image of a class: %s%s",
                        folder, len(skipped), named, more)  # fmt: skip
    names = tuple(p.name for p in class_folders)
    dataset = ImageDataset(
        np.stack(images), np.array(labels, np.int32), np.arange(len(images)), names, split
    )
    return _split(dataset, split, hold_out)


def batches(dataset, batch_size, seed, start_step=0, flip=False, across=None):
    """An endless stream of shuffled batches.

    Element k is a pure function of (seed, start_step + k): a resumed training seeks to its place. Each epoch
    is a permutation of its own by (seed, epoch); epochs follow each other without dropping a remainder, so
    every image comes once an epoch, also where N is smaller than the batch.

    ACAI mixes row i with row B-1-i, the batch reversed. With `across=(first, second)` rows 0 to B/2-1 come from
    the first group's classes and rows B/2 to B-1 from the second's, each with epochs of its own: so every
    image is mixed with one of the other group. None is the paper's pairing, whatever the shuffle brings.

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


def _shuffled(rows, key, batch_size, start_step):
    """Dataset of int64 [batch_size]: `rows` in a new order every epoch, from batch `start_step` on."""
    import tensorflow as tf

    epoch, offset = divmod(start_step * batch_size, len(rows))

    def shuffled_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.constant(rows, tf.int64), [key, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    stream = steps_from(epoch).flat_map(shuffled_epoch).skip(offset)
    return stream.batch(batch_size, drop_remainder=True)


def _group_rows(dataset, across):
    names = [name for group in across for name in group]
    if len(across) != 2 or sorted(names) != sorted(dataset.class_names):
        raise InputError(
            f"across must share out {', '.join(dataset.class_names)} between two groups. Received: {across}."
        )
    labels = [[dataset.class_names.index(name) for name in group] for group in across]
    return [np.flatnonzero(np.isin(dataset.labels, group)) for group in labels]


def _split(dataset, split, hold_out):
    """All but every tenth image of each class for "train", these for "holdout"."""
    if split == "test" or (split == "train" and not hold_out):
        return dataset
    held_out = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        held_out[np.flatnonzero(dataset.labels == label)[HOLD_OUT_EVERY - 1 :: HOLD_OUT_EVERY]] = True
    return dataset._keep(held_out if split == "holdout" else ~held_out)


def _id_numbers(ids):
    matches = [re.search(rb"\d+$", name) for name in ids]
    if all(matches):
        return np.array([int(match[0]) for match in matches], np.int64)
    return np.arange(len(ids))


def _check_choice(name, value, choices):
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}. Received: {value}.")


def _check_classes(classes, valid):
    classes = tuple(classes)
    if not classes or len(set(classes)) < len(classes) or not set(classes) <= set(valid):
        raise InputError(f"classes must be different names from {', '.join(valid)}. Received: {classes}.")
    return classes


@contextlib.contextmanager
def _quiet_tfds():
    import tensorflow_datasets as tfds

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield tfds
    finally:
        logging.set_verbosity(verbosity)


def _damage(version_folder):
    """What is missing in a prepared data set's folder, or None."""
    try:
        info = json.loads((version_folder / "dataset_info.json").read_text())
        shards = {split["name"]: len(split["shardLengths"]) for split in info["splits"]}
        files = [
            version_folder / f"cifar10-{split}.{info['fileFormat']}-{i:05}-of-{shards[split]:05}"
            for split in ("train", "test")
            for i in range(shards[split])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return error
    missing = [file.name for file in files if not file.is_file()]
    return f"no {missing[0]}" if missing else None


def _unreachable(url):
    """Why a download from `url` cannot start, or None: TFDS itself retries for minutes."""
    import requests

    try:
        requests.head(url, timeout=10).raise_for_status()
    except requests.RequestException as error:
        return error
    return None


def _absent(folder, reason):
    return InputError(
        f"CIFAR-10 is required. Looked in: {folder}; nothing is prepared there and {_one_line(reason)}. "
        "Elsewhere run `python -c \"import tensorflow_datasets as tfds; tfds.load('cifar10', data_dir='DIR')\"`, "
        "bring DIR here and pass --data_dir=DIR; --config=configs/acai.py:lines needs no data."
    )


def _damaged(folder, reason):
    return InputError(
        f"A complete CIFAR-10 is required. Received in {folder}: damaged or half-prepared "
        f"({_one_line(reason)}). Delete that folder and run again to prepare it anew, or pass another "
        "--data_dir; --config=configs/acai.py:lines needs no data."
    )


def _one_line(reason):
    text = f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else reason
    text = " ".join(text.split())
    return text if len(text) <= 160 else text[:157] + "..."
