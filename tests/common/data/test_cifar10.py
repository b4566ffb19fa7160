"""CIFAR-10 through TFDS: a small imitation in its file format, errors, and the real data if present."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests

from common.data import datasets
from common.errors import InputError
from tests.support.folders import assert_one_line

ROOT = Path(__file__).parents[3]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def prepare_stand_in(folder, train=200, test=13):
    """Writes a prepared "CIFAR-10": image n is filled with n, label n % 10; two shards, stored backwards."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = tfds.builder("cifar10", data_dir=folder).info.features
    version_folder = Path(folder) / "cifar10" / "3.0.2"
    version_folder.mkdir(parents=True)
    splits = []
    for split, count in (("train", train), ("test", test)):
        numbers = np.arange(count)[::-1]
        shards = np.array_split(numbers, 2)
        for i, shard in enumerate(shards):
            name = f"cifar10-{split}.tfrecord-{i:05}-of-00002"
            with tf.io.TFRecordWriter(str(version_folder / name)) as writer:
                for n in shard:
                    record = {
                        "id": f"{split}_{n}",
                        "image": np.full((32, 32, 3), n, np.uint8),
                        "label": n % 10,
                    }
                    writer.write(features.serialize_example(features.encode_example(record)))
        splits.append({
            "name": split, "numBytes": "1", "shardLengths": [str(len(shard)) for shard in shards],
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        })  # fmt: skip
    features.save_config(version_folder)
    info = {"name": "cifar10", "version": "3.0.2", "fileFormat": "tfrecord", "splits": splits}
    (version_folder / "dataset_info.json").write_text(json.dumps(info))
    return version_folder


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tensorflow_datasets")
    prepare_stand_in(folder)
    return folder


def test_cifar10_hold_out_goes_by_the_number_of_the_id(stand_in):
    """Class c holds the ids c, c + 10, ..., c + 190; its 10th is c + 90 and its 20th c + 190."""
    train, holdout = (datasets.load_cifar10(stand_in, split) for split in ("train", "holdout"))
    held_out = [*range(90, 100), *range(190, 200)]
    np.testing.assert_array_equal(holdout.ids, held_out)
    np.testing.assert_array_equal(train.ids, np.setdiff1d(np.arange(200), held_out))
    for dataset in (train, holdout):
        np.testing.assert_array_equal(dataset.labels, dataset.ids % 10)
        np.testing.assert_array_equal(dataset.images, np.tile(dataset.ids[:, None, None, None], (32, 32, 3)))
        assert dataset.class_names == CLASSES
        assert (dataset.images.dtype, dataset.labels.dtype, dataset.ids.dtype) == ("uint8", "int32", "int64")
    assert (train.split, holdout.split) == ("train", "holdout")


def test_cifar10_chosen_classes_and_splits(stand_in, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(stand_in))
    holdout = datasets.load_cifar10(split="holdout", classes=("horse", "bird"))
    np.testing.assert_array_equal(holdout.ids, [92, 97, 192, 197])
    np.testing.assert_array_equal(holdout.labels, [1, 0, 1, 0])
    assert holdout.class_names == ("horse", "bird")
    everything = datasets.load_cifar10(hold_out=False)
    np.testing.assert_array_equal(everything.ids, np.arange(200))
    test = datasets.load_cifar10(split="test", classes=("airplane",))
    np.testing.assert_array_equal(test.ids, [0, 10])
    assert test.split == "test"
    with pytest.raises(InputError, match="split must be one of"):
        datasets.load_cifar10(split="valid")


def test_mocked_tfds(stand_in):
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=60):
        train, holdout = (datasets.load_cifar10(stand_in, split) for split in ("train", "holdout"))
    assert len(train) + len(holdout) == 60 and train.images.shape[1:] == (32, 32, 3)
    counts = np.bincount(train.labels, minlength=10) + np.bincount(holdout.labels, minlength=10)
    np.testing.assert_array_equal(np.bincount(holdout.labels, minlength=10), counts // 10)


def test_a_download_is_prepared_by_tfds(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(requests, "head", lambda *args, **options: requests.Response.__new__(requests.Response))
    monkeypatch.setattr(requests.Response, "raise_for_status", lambda self: None)
    with tfds.testing.mock_data(num_examples=30):
        assert len(datasets.load_cifar10(tmp_path, hold_out=False)) == 30

    def full_disk(*args, **options):
        raise OSError("No space left\non device")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", full_disk)
    with pytest.raises(InputError) as error:
        datasets.load_cifar10(tmp_path)
    assert_one_line(error, tmp_path, "No space left on device", "--config=configs/acai.py:lines")


def remove_shard(folder):
    (folder / "cifar10-train.tfrecord-00001-of-00002").unlink()


def cut_shard(folder):
    shard = folder / "cifar10-train.tfrecord-00001-of-00002"
    shard.write_bytes(shard.read_bytes()[:-50])


def lose_records(folder):
    (folder / "cifar10-train.tfrecord-00001-of-00002").write_bytes(b"")


def flip_byte(folder):
    shard = folder / "cifar10-train.tfrecord-00000-of-00002"
    content = bytearray(shard.read_bytes())
    content[300] ^= 255
    shard.write_bytes(content)


def remove_info(folder):
    (folder / "dataset_info.json").unlink()


def cut_info(folder):
    info = folder / "dataset_info.json"
    info.write_text(info.read_text()[:-30])


def empty_info(folder):
    (folder / "dataset_info.json").write_text("[]")


@pytest.mark.parametrize(
    "damage", [remove_shard, cut_shard, lose_records, flip_byte, remove_info, cut_info, empty_info]
)
def test_damaged_data_gets_one_line(tmp_path, damage):
    version_folder = prepare_stand_in(tmp_path, train=20, test=2)
    damage(version_folder)
    with pytest.raises(InputError) as error:
        datasets.load_cifar10(tmp_path)
    assert_one_line(error, version_folder, "damaged or incomplete", "--config=configs/acai.py:lines")


def test_a_preparation_that_was_interrupted_counts_as_absent(tmp_path):
    (tmp_path / "cifar10" / "3.0.2.incompleteABC").mkdir(parents=True)
    with pytest.raises(InputError, match="nothing prepared there"):
        datasets.check_cifar10(tmp_path, download=False)


def test_absent_data_names_the_folder_and_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    absent = tmp_path / "tensorflow_datasets"
    with pytest.raises(InputError) as error:
        datasets.load_cifar10(download=False)
    assert_one_line(error, absent, "tfds.load('cifar10'", "--data_dir", "--config=configs/acai.py:lines")
    assert not absent.exists()

    def offline(*args, **options):
        raise requests.ConnectionError("no\nnetwork" + 1000 * "!")

    monkeypatch.setattr(requests, "head", offline)
    with pytest.raises(InputError) as error:
        datasets.load_cifar10("~/elsewhere")
    assert_one_line(error, tmp_path / "elsewhere", "no network", "--config=configs/acai.py:lines")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_no_data_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        datasets.check_cifar10(tmp_path / "file")
    assert_one_line(error, tmp_path / "file", "--data_dir")


def test_the_check_is_quick_and_imports_no_tensorflow(tmp_path):
    """A new process uses a proxy that refuses connections, as if there were no network."""
    program = (
        "import sys; from common.data import datasets as data, lines\n"
        f"try: data.check_cifar10({str(tmp_path)!r})\n"
        "except data.InputError as error: print(error)\n"
        "print([name for name in ('tensorflow', 'tensorflow_datasets') if name in sys.modules])"
    )
    environment = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)
    message, modules = result.stdout.splitlines()
    assert str(tmp_path) in message and modules == "[]" and not result.stderr


# CIFAR-10 itself


@pytest.fixture(scope="module")
def cifar10_dir():
    places = [os.environ.get("TFDS_DATA_DIR"), ROOT.parent / "shared" / "tensorflow_datasets"]
    for place in filter(None, places):
        if (Path(place) / "cifar10").is_dir():
            return place
    pytest.skip("no prepared CIFAR-10 beside the project or in TFDS_DATA_DIR")


@pytest.mark.slow
def test_cifar10_holds_out_500_of_a_class(cifar10_dir):
    whole = datasets.load_cifar10(cifar10_dir, hold_out=False)
    assert len(whole) == 50_000
    np.testing.assert_array_equal(whole.ids, np.arange(50_000))
    channel_means = whole.images.mean(axis=(0, 1, 2), dtype=np.float64) / 255
    np.testing.assert_allclose(channel_means, [0.4914, 0.4822, 0.4465], atol=1e-4)  # as published

    train, holdout = datasets.split_holdout(whole)
    np.testing.assert_array_equal(np.bincount(train.labels), [4500] * 10)
    np.testing.assert_array_equal(np.bincount(holdout.labels), [500] * 10)
    assert not np.isin(holdout.ids, train.ids).any()
    for label in range(10):
        ids = whole.ids[whole.labels == label]
        held_out = holdout.ids[holdout.labels == label]
        np.testing.assert_array_equal(np.searchsorted(ids, held_out), 10 * np.arange(1, 501) - 1)


def test_cifar10_test_split(cifar10_dir):
    horses = datasets.load_cifar10(cifar10_dir, "test", classes=("horse",))
    assert 90 < len(horses) <= 1000 and horses.images.shape[1:] == (32, 32, 3)
