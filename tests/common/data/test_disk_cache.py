"""Images on disk: bits and order equal those from memory; incomplete or damaged stores are detected."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from common.data import batches, datasets, disk_cache
from common.errors import InputError
from common.lock import FolderLock
from tests.support.folders import assert_one_line, save, save_noise
from tests.support.small_disks import small_disk

SHAPE = (4, 5, 3)
RECORD = 4 * 5 * 3 + 16


def noise(count=23):
    images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)
    labels = np.arange(count, dtype=np.int32) % 2
    return datasets.ImageDataset(images, labels, np.arange(count), ("a", "b"), "train")


@pytest.fixture
def both(tmp_path):
    """The same images (in memory, on disk)."""
    return noise(), datasets.move_to_disk(noise(), tmp_path / "cache")


def file_of(dataset):
    return Path(dataset.images.path)


# the same as in memory


@pytest.mark.parametrize(
    "rows", [0, -1, slice(None), slice(3, 11, 2), [5, 1, 1], np.arange(23) % 3 == 0, np.array([], np.int64)]
)
def test_indexing_equals_numpy(both, rows):
    memory, disk = both
    np.testing.assert_array_equal(disk.images[rows], memory.images[rows])
    assert disk.images[rows].dtype == np.uint8
    assert (len(disk.images), disk.images.shape, disk.images.ndim) == (23, (23, *SHAPE), 4)
    np.testing.assert_array_equal(np.asarray(disk.images), memory.images)


def test_selecting_images_reads_nothing(both):
    memory, disk = both
    os.rename(file_of(disk), file_of(disk).with_name("away"))
    train, holdout = datasets.split_holdout(disk)
    chosen = train.select(("b",))
    os.rename(file_of(disk).with_name("away"), file_of(disk))
    for actual, expected in zip((train, holdout), datasets.split_holdout(memory), strict=True):
        np.testing.assert_array_equal(actual.images[:], expected.images)
    np.testing.assert_array_equal(chosen.images[:], datasets.split_holdout(memory)[0].select(("b",)).images)


@pytest.mark.parametrize("options", [{}, {"flip": True, "shift": 1}, {"flip": True, "across": (("b",), ("a",))}])
def test_batches_from_disk_and_memory_are_bit_identical(both, options):
    memory, disk = ([*datasets.split_holdout(dataset)][0] for dataset in both)  # rows that are not the records
    for start in (0, 1, 7, 10**6):
        actual, expected = (
            list(batches.batches(d, 6, 3, start, **options).take(9).as_numpy_iterator()) for d in (disk, memory)
        )
        for one, other in zip(actual, expected, strict=True):
            assert one["image"].tobytes() == other["image"].tobytes()
            np.testing.assert_array_equal(one["label"], other["label"])


def test_iterating_in_order_equals_memory(both):
    for actual, expected in zip(*(batches.iterate_in_order(dataset, 10) for dataset in both), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_file_is_a_valid_tfrecord_file(both):
    memory, disk = both
    records = list(tf.data.TFRecordDataset(disk.images.path).as_numpy_iterator())
    assert records == [image.tobytes() for image in memory.images]


# a folder


@pytest.fixture
def folder(tmp_path):
    """A folder of twelve zebras, an ant, and a file that is not a picture."""
    folder = tmp_path / "images"
    for i in range(12):
        save(folder / "zebra" / f"{i:02}.png", (i, 0, 0))
    save(folder / "ant" / "a.png", (100, 0, 0))
    (folder / "ant" / "b.png").write_text("no picture")
    return folder


def load(folder, limit=0):
    return datasets.load_folder(folder, width=8, memory_limit=limit, cache=folder.parent / "cache")


def test_folder_from_disk_equals_memory(folder, caplog):
    loaded = datasets.load_folder(folder, width=8), load(folder)
    assert len([message for message in caplog.messages if "skipped 1 files" in message]) == 2
    for memory, disk in zip(*map(datasets.split_holdout, loaded), strict=True):
        assert isinstance(disk.images, disk_cache.StoredImages) and isinstance(memory.images, np.ndarray)
        np.testing.assert_array_equal(disk.images[:], memory.images)
        np.testing.assert_array_equal(disk.labels, memory.labels)
        np.testing.assert_array_equal(disk.ids, memory.ids)
        assert disk.class_names == memory.class_names == ("ant", "zebra")


def test_memory_limit_decides_between_memory_and_disk(folder):
    size = 14 * 8 * 8 * 3  # of as many images as there are files
    assert isinstance(load(folder, size).images, np.ndarray)
    assert isinstance(load(folder, size - 1).images, disk_cache.StoredImages)


def test_images_are_decoded_once_until_a_file_changes(folder, monkeypatch):
    read, decoded = datasets.read_picture, []
    monkeypatch.setattr(datasets, "read_picture", lambda path, width: (decoded.append(path), read(path, width))[1])
    load(folder)
    assert len(decoded) == 14
    load(folder)
    assert len(decoded) == 14
    shutil.move(folder, folder.with_name("moved"))
    load(folder.with_name("moved"))
    assert len(decoded) == 14
    save(folder.with_name("moved") / "zebra" / "03.png", (200, 0, 0), (41, 50))
    assert load(folder.with_name("moved")).images[1 + 3][4, 4, 0] == 200 and len(decoded) == 28
    os.remove(folder.with_name("moved") / "zebra" / "00.png")
    assert len(load(folder.with_name("moved")).images) == 12 and len(decoded) == 28 + 13


# faults


@pytest.mark.parametrize("damage", ["cut", "no_index", "index", "longer"])
def test_incomplete_store_is_written_again(both, damage):
    memory, disk = both
    path = file_of(disk)
    before = path.read_bytes()
    if damage in ("cut", "longer"):
        path.write_bytes(before[:-1] if damage == "cut" else before + b"\0")
    elif damage == "no_index":
        os.remove(path.with_name("index.npz"))
    else:
        path.with_name("index.npz").write_bytes(path.with_name("index.npz").read_bytes()[:50])
    again = datasets.move_to_disk(noise(), path.parents[1])
    assert path.read_bytes() == before and len(os.listdir(path.parents[1])) == 1
    np.testing.assert_array_equal(again.images[:], memory.images)


def use(dataset):
    with disk_cache.explain_read_errors(dataset.images):
        list(batches.batches(dataset, 23, 0).take(1))


@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_damage_while_training_is_an_error_and_the_next_start_repairs_it(both, damage):
    memory, disk = both
    path = file_of(disk)
    content = bytearray(path.read_bytes())
    if damage == "gone":
        os.remove(path)
    else:
        content[5 * RECORD + 20] ^= 1
        path.write_bytes(content if damage == "bit" else content[: 9 * RECORD + 30])
    with pytest.raises(InputError) as error:
        use(disk)
    assert_one_line(error, path, "decodes them again")
    again = datasets.move_to_disk(noise(), path.parents[1])
    use(again)
    np.testing.assert_array_equal(again.images[:], memory.images)


@pytest.mark.parametrize("damage", ["length", "cut", "gone"])
def test_unreadable_row_is_an_error(both, damage):
    path = file_of(both[1])
    content = bytearray(path.read_bytes())
    if damage == "gone":
        os.remove(path)
    else:
        content[5 * RECORD] ^= 1
        path.write_bytes(content if damage == "length" else content[: 5 * RECORD + 30])
    with pytest.raises(InputError) as error:
        both[1].images[[5]]
    assert_one_line(error, path)


def test_other_errors_are_not_changed(both):
    for images in (both[0].images, both[1].images):
        with pytest.raises(tf.errors.InvalidArgumentError), disk_cache.explain_read_errors(images):
            tf.reshape(tf.zeros(3), (2,))


def test_failed_writer_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros(SHAPE, np.uint8)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        disk_cache.load_or_build(tmp_path, "key", broken, 3, SHAPE)
    assert os.listdir(tmp_path) == []


def test_leftovers_of_killed_writers_are_removed_but_not_of_running_ones(tmp_path):
    for name in ("killed", "living"):
        (tmp_path / f".unfinished-{name}").mkdir()
        (tmp_path / f".unfinished-{name}" / "images.tfrecord").write_bytes(bytes(100))
    lock = FolderLock(tmp_path / ".unfinished-living")
    images, kept = disk_cache.load_or_build(tmp_path, "key", lambda: noise().images, 23, SHAPE)
    lock.release()
    assert sorted(os.listdir(tmp_path)) == [".unfinished-living", "key"] and kept.all() and len(images) == 23


def test_two_concurrent_writers_leave_one_complete_store(tmp_path):
    def slower():
        disk_cache.load_or_build(tmp_path, "key", lambda: noise().images, 23, SHAPE)  # the other one, meanwhile
        return noise().images

    images, _ = disk_cache.load_or_build(tmp_path, "key", slower, 23, SHAPE)
    np.testing.assert_array_equal(images[:], noise().images)
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.parametrize("known", [True, False])
def test_full_disk_is_an_error(tmp_path, monkeypatch, known):
    """It is detected in advance from the free space, or while writing."""
    with small_disk(tmp_path / "disk", "64k") as disk, contextlib.ExitStack() as stack:
        if not known:
            monkeypatch.setattr(disk_cache.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 10**12))
        pictures = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3), np.uint8)
        error = stack.enter_context(pytest.raises(InputError))
        disk_cache.load_or_build(disk, "key", lambda: pictures, 200, (32, 32, 3))
    assert_one_line(error, "cache_folder", disk)


def test_cache_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as error:
        datasets.move_to_disk(noise(), tmp_path / "file")
    assert_one_line(error, "cache_folder", tmp_path / "file")


# the whole command

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_training_from_disk_is_bit_identical_to_memory(tmp_path):
    """One training reads half from disk and, resumed, half from memory; the other all from memory."""
    save_noise(tmp_path / "images", bird=12, horse=12)
    sizes = "--config.model.depth=2 --config.model.critic_depth=2 --config.model.latent_channels=2 "
    sizes += "--config.train.batch_size=6 --config.data.flip=True --config.data.source=folder "
    sizes += f"--config.data.image_folder={tmp_path}/images --config.data.cache_folder={tmp_path}/cache"

    def train(name, kimg, limit):
        words = f"{sizes} --config.train.total_kimg={kimg} --config.data.memory_limit_gib={limit}".split()
        command = [sys.executable, "train.py", *words, f"--workdir={tmp_path / name}"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
        assert result.returncode == 0, result.stderr

    train("memory", 0.06, -1)
    assert not (tmp_path / "cache").exists()
    train("disk", 0.03, 0)
    assert len(list((tmp_path / "cache").glob("*/images.tfrecord"))) == 1
    train("disk", 0.06, 1)
    names = [[path.name for path in (tmp_path / run / "checkpoints").iterdir()] for run in ("memory", "disk")]
    assert max(names[0]) == max(names[1])  # the step and the digest of everything in it
