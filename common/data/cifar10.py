"""Finds CIFAR-10 as stored by tensorflow-datasets, without importing TensorFlow, and reads it."""

import contextlib
import json
import os
import re
from pathlib import Path

import numpy as np
from absl import logging

from common.errors import InputError
from common.files import expand_path

CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"  # what TFDS downloads


def find_cifar10(data_dir=None):
    """Finds the prepared CIFAR-10 without a network.

    Args:
        data_dir: as of `check_cifar10`.

    Returns:
        (folder, a `Path`; the newest version prepared in it, or None; what is damaged in that version, or None).

    Raises:
        InputError: the folder is a file.
    """
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    folder = Path(expand_path(folder, "The data folder"))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f"The data folder must be a folder. Received a file: {folder}. Pass another --data_dir.")
    names = [path.name for path in folder.glob("cifar10/*")]
    versions = [name for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name)]
    if not versions:
        return folder, None, None
    newest = max(versions, key=lambda name: [int(number) for number in name.split(".")])
    return folder, newest, _damage(folder / "cifar10" / newest)


def check_cifar10(data_dir=None, download=True):
    """Finds the prepared CIFAR-10, or checks that a download can start; does not import TensorFlow.

    Args:
        data_dir: folder that contains or gets `cifar10/<version>/`. None: the environment variable
            TFDS_DATA_DIR or, if unset, TFDS's default, `~/tensorflow_datasets`.
        download: whether an absent CIFAR-10 may be downloaded (170 MB).

    Returns:
        (folder, a `Path`; the newest version prepared in it, such as "3.0.2", or None).

    Raises:
        InputError: the folder is a file, or the data is damaged, or absent and cannot be downloaded.
    """
    folder, newest, reason = find_cifar10(data_dir)
    if newest is None:
        reason = _unreachable(ARCHIVE) if download else "downloading is off"
    if reason:
        raise unusable(folder, newest, reason)
    return folder, newest


def read_cifar10(folder, version, split, classes):
    """Reads and decodes the images of `classes`. If version is None, downloads and prepares the data first.

    Args:
        folder, version: as `check_cifar10` returns them.
        split: "train" or "test", as TFDS stores them.
        classes: some of CIFAR10_CLASSES.

    Returns:
        In stored order: images uint8 [N, 32, 32, 3]; labels int32 [N], indices into CIFAR10_CLASSES; ids int64
        [N], the numbers in `train_01234`. If an id has no number, as in TFDS's mock data, they are 0 to N - 1.

    Raises:
        InputError: the download failed or the data is damaged.
    """
    try:
        parts = list(_records(folder, version, split, classes).batch(1000).as_numpy_iterator())
    except Exception as error:  # TFDS raises many different types
        raise unusable(folder, version, error) from error
    if not parts:
        raise unusable(folder, version, f"no image of {', '.join(classes)}")
    images, labels, ids = (np.concatenate([part[key] for part in parts]) for key in ("image", "label", "id"))
    matches = [re.search(rb"\d+$", name) for name in ids]
    numbers = [int(match[0]) for match in matches] if all(matches) else np.arange(len(ids))
    return images, labels.astype(np.int32), np.array(numbers, np.int64)


def _records(folder, version, split, classes):
    """Returns a tf.data.Dataset of {"image", "label", "id"} that decodes only images of the wanted classes."""
    import tensorflow as tf

    with _quiet_tfds() as tfds:
        builder = tfds.builder(f"cifar10:{version}" if version else "cifar10", data_dir=folder)
        builder.download_and_prepare()  # returns at once if the data is prepared
        records = builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(interleave_cycle_length=1),  # file by file, which is less work in total
            shuffle_files=False,
        )
    wanted = tf.constant([CIFAR10_CLASSES.index(name) for name in classes], tf.int64)
    decode = builder.info.features["image"].decode_example
    plain = tf.autograph.experimental.do_not_convert  # which would need a folder for temporary files
    records = records.filter(plain(lambda record: tf.reduce_any(record["label"] == wanted)))
    function = plain(lambda record: {**record, "image": decode(record["image"])})
    return records.map(function, num_parallel_calls=tf.data.AUTOTUNE)


@contextlib.contextmanager
def _quiet_tfds():
    """Yields tensorflow_datasets with its logging turned off; the progress bar of a download remains."""
    import tensorflow_datasets as tfds

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield tfds
    finally:
        logging.set_verbosity(verbosity)


def unusable(folder, version, reason):
    """Returns the InputError for absent (`version` is None) or damaged data; `reason` is an exception or str."""
    if isinstance(reason, Exception):
        reason = f"{type(reason).__name__}: {reason}"
    reason = " ".join(reason.split())
    reason = reason if len(reason) <= 200 else reason[:197] + "..."
    if version is None:
        return InputError(
            f"CIFAR-10 must be in {folder} or downloadable. Received: nothing prepared there, and the download "
            f'fails ({reason}). On a computer with a network, run `python -c "import tensorflow_datasets as tfds; '
            "tfds.load('cifar10', data_dir='DIR')\"`, copy DIR here and pass --data_dir=DIR; "
            "--config=configs/acai.py:lines needs no data."
        )
    return InputError(
        f"CIFAR-10 must be complete. Received: damaged or incomplete data in "
        f"{folder / 'cifar10' / version} ({reason}). Delete that folder and run again, or prepare the data "
        "elsewhere and pass another --data_dir; --config=configs/acai.py:lines needs no data."
    )


def _damage(version_folder):
    """Returns what is missing from the folder of a prepared dataset, or None."""
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
    """Returns why a download from `url` cannot start, or None. TFDS itself would retry for minutes."""
    import requests

    try:
        requests.head(url, timeout=10).raise_for_status()
    except requests.RequestException as error:
        return error
    return None
