"""Hold-out, batches, pairing and folders on data small enough to follow by hand."""

import numpy as np
import pytest
from PIL import Image

from common import data
from common.command import InputError
from common.images import to_float

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def numbered(labels, class_names, shape=(2, 3, 1)):
    """A dataset in which image i is filled with the value i."""
    images = np.broadcast_to(np.arange(len(labels)).reshape(-1, 1, 1, 1), (len(labels), *shape))
    labels = np.array(labels, np.int32)
    return data.ImageDataset(images.astype(np.uint8), labels, np.arange(len(labels)), class_names, "train")


def take(count, *args, **options):
    return list(data.batches(*args, **options).take(count).as_numpy_iterator())


def rows_of(batches):
    """The numbers of `numbered` images, [batches, B]."""
    return np.stack([np.rint((batch["image"][:, 0, 0, 0] + 1) * 127.5).astype(int) for batch in batches])


def assert_one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text and len(text) < 1000
    for word in words:
        assert str(word) in text


# ImageDataset and the hold-out


def test_select_orders_and_renumbers():
    dataset = numbered([0, 1, 2, 0, 1, 2], ("a", "b", "c")).select(("c", "a"))
    np.testing.assert_array_equal(dataset.ids, [0, 2, 3, 5])
    np.testing.assert_array_equal(dataset.labels, [1, 0, 1, 0])
    np.testing.assert_array_equal(dataset.images[:, 0, 0, 0], [0, 2, 3, 5])
    assert dataset.class_names == ("c", "a") and len(dataset) == 4 and dataset.split == "train"


@pytest.mark.parametrize("classes", [("pegasus",), ("bird", "bird"), (), "bird"])
def test_wrong_classes_list_the_valid_ones(classes):
    with pytest.raises(InputError) as error:
        numbered([0, 1], ("bird", "horse")).select(classes)
    assert_one_line(error, "bird, horse")
    with pytest.raises(InputError) as error:
        data.load_cifar10("/nowhere", classes=classes)
    assert_one_line(error, *CLASSES)


def test_divide_holds_out_the_tenth_and_twentieth_of_each_class():
    """Classes of 25, 10 and 9 images, the first two interleaved."""
    train, holdout = data.divide(numbered([0, 1] * 10 + [0] * 15 + [2] * 9, ("a", "b", "c")))
    np.testing.assert_array_equal(holdout.ids, [18, 19, 29])  # a: 0, 2, .., 18 | 20, .., 29; b: 1, 3, .., 19
    np.testing.assert_array_equal(holdout.labels, [0, 1, 0])
    np.testing.assert_array_equal(holdout.images[:, 0, 0, 0], holdout.ids)
    assert (train.split, holdout.split) == ("train", "holdout")
    np.testing.assert_array_equal(np.sort(np.concatenate([train.ids, holdout.ids])), np.arange(44))


# batches


def test_element_spec_is_static():
    spec = data.batches(numbered([0] * 5, ("a",)), 4, seed=0).element_spec
    assert spec["image"].shape == (4, 2, 3, 1) and spec["image"].dtype == "float32"
    assert spec["label"].shape == (4,) and spec["label"].dtype == "int32"


def test_range_is_minus_one_to_one():
    dataset = numbered([0] * 256, ("a",))
    batch = take(1, dataset, 256, seed=0)[0]
    order = np.argsort(batch["image"][:, 0, 0, 0])
    np.testing.assert_array_equal(batch["image"][order], to_float(dataset.images))
    assert batch["image"].min() == -1 and batch["image"].max() == 1


@pytest.mark.parametrize("size, batch_size, count", [(10, 4, 5), (3, 8, 3), (1, 2, 3), (7, 7, 4)])
def test_each_image_comes_once_an_epoch(size, batch_size, count):
    rows = rows_of(take(count, numbered([0] * size, ("a",)), batch_size, seed=0)).reshape(-1)
    epochs = rows[: len(rows) // size * size].reshape(-1, size)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(size), (len(epochs), 1)))


def test_labels_stay_with_their_images():
    labels = np.random.default_rng(0).integers(0, 3, 50)
    batches = take(5, numbered(labels, ("a", "b", "c")), 16, seed=0, flip=True)
    np.testing.assert_array_equal(np.stack([b["label"] for b in batches]), labels[rows_of(batches)])


def test_epochs_and_seeds_are_shuffled_independently():
    dataset = numbered([0] * 200, ("a",))
    seeds = (0, 1, 2**31, 2**32, 2**32 + 1, 2**63 + 1, 2**64, 2**100)
    orders = np.concatenate([rows_of(take(2, dataset, 200, seed)) for seed in seeds])
    agreement = np.corrcoef(np.concatenate([orders, np.arange(200)[None]]))
    assert np.abs(agreement - np.eye(len(agreement))).max() < 0.3  # standard deviation 0.07


def test_resume_seeks_to_its_place():
    images = np.random.default_rng(0).integers(0, 256, (15, 2, 3, 1), np.uint8)  # a flip shows
    labels = np.array([0, 1, 1] * 5, np.int32)
    dataset = data.ImageDataset(images, labels, np.arange(15), ("a", "b"), "train")
    for options in ({}, {"flip": True}, {"flip": True, "across": (("b",), ("a",))}):
        stream = take(12, dataset, 4, seed=5, **options)
        for start in (0, 1, 3, 4, 9):
            resumed = take(3, dataset, 4, seed=5, start_step=start, **options)
            for batch, expected in zip(resumed, stream[start : start + 3], strict=True):
                np.testing.assert_array_equal(batch["image"], expected["image"])
                np.testing.assert_array_equal(batch["label"], expected["label"])


def test_seeks_far():
    rows = rows_of(take(5, numbered([0] * 20, ("a",)), 4, seed=0, start_step=5 * 10**9))
    np.testing.assert_array_equal(np.sort(rows.reshape(-1)), np.arange(20))


def test_flips_mirror_columns_of_half_of_the_images():
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 2), np.uint8)
    names = tuple(str(n) for n in range(50))
    dataset = data.ImageDataset(images, np.arange(50, dtype=np.int32), np.arange(50), names, "train")
    plain = take(40, dataset, 25, seed=0)
    flipped = take(40, dataset, 25, seed=0, flip=True)
    mirrored = np.zeros((40, 25), bool)
    for step, (one, other) in enumerate(zip(plain, flipped, strict=True)):
        np.testing.assert_array_equal(one["label"], other["label"])  # flips leave the order alone
        for row in range(25):
            mirrored[step, row] = not np.array_equal(one["image"][row], other["image"][row])
            expected = one["image"][row][:, ::-1] if mirrored[step, row] else one["image"][row]
            np.testing.assert_array_equal(other["image"][row], expected)
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(1000)
    assert 0 < mirrored[0].sum() < 25 and len(np.unique(mirrored, axis=0)) == 40


@pytest.mark.parametrize("batch_size", [2, 4, 10])
def test_across_pairs_each_image_with_the_other_group(batch_size):
    """Groups of 3 (c) and 5 + 1 (a, b) images; the partner of row i is row B-1-i."""
    dataset = numbered([0, 2, 0, 2, 0, 2, 0, 1, 0], ("a", "b", "c"))
    batches = take(12, dataset, batch_size, seed=1, across=(("c",), ("b", "a")))
    labels = np.stack([batch["label"] for batch in batches])
    assert ((labels == 2) != (labels[:, ::-1] == 2)).all()
    rows = rows_of(batches)
    for half, members in (
        (rows[:, : batch_size // 2], [1, 3, 5]),
        (rows[:, batch_size // 2 :], [0, 2, 4, 6, 7, 8]),
    ):
        epochs = half.reshape(-1)[: half.size // len(members) * len(members)].reshape(-1, len(members))
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(members, (len(epochs), 1)))


def test_across_shuffles_the_groups_apart():
    rows = rows_of(take(1, numbered([0] * 100 + [1] * 100, ("a", "b")), 200, seed=0, across=(("a",), ("b",))))[0]
    assert abs(np.corrcoef(rows[:100], rows[100:])[0, 1]) < 0.5


@pytest.mark.parametrize(
    "batch_size, seed, across",
    [
        (3, 0, (("a",), ("b",))),
        (0, 0, None),
        (4, -1, None),
        (4, 0, (("a",), ("pegasus",))),
        (4, 0, (("a", "b"), ("b",))),
        (4, 0, (("a",), ())),
        (4, 0, (("a", "b"), ())),
        (4, 0, (("a", "b"),)),
    ],
)
def test_wrong_sizes_seeds_and_groups(batch_size, seed, across):
    with pytest.raises(InputError) as error:
        data.batches(numbered([0, 1], ("a", "b")), batch_size, seed, across=across)
    assert_one_line(error, "Received")


def test_no_image_at_all():
    with pytest.raises(InputError, match="must hold images"):
        data.batches(numbered([], ("a",)), 4, 0)


# A folder of the user's own images


def save(path, colour, size=(40, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_folder_reads_classes_and_files_in_sorted_order(tmp_path):
    for i in range(12):
        save(tmp_path / "zebra" / f"{i:02}.png", (i, 0, 0))
    save(tmp_path / "ant" / "b.png", (100, 0, 0))
    save(tmp_path / "ant" / "a" / "deep.png", (101, 0, 0), (5, 9))
    dataset = data.load_folder(tmp_path, width=16, hold_out=False)
    assert dataset.class_names == ("ant", "zebra") and dataset.images.shape == (14, 16, 16, 3)
    np.testing.assert_array_equal(dataset.images[:, 8, 8, 0], [101, 100, *range(12)])
    np.testing.assert_array_equal(dataset.labels, [0] * 2 + [1] * 12)
    np.testing.assert_array_equal(dataset.ids, np.arange(14))
    assert (dataset.images.dtype, dataset.labels.dtype, dataset.ids.dtype) == ("uint8", "int32", "int64")

    train, holdout = (data.load_folder(tmp_path, split) for split in ("train", "holdout"))
    np.testing.assert_array_equal(holdout.ids, [11])  # the tenth zebra
    np.testing.assert_array_equal(train.ids, [*range(11), 12, 13])
    assert (train.split, holdout.split) == ("train", "holdout") and train.images.shape[1:] == (32, 32, 3)


def test_folder_names_and_counts_what_it_skips(tmp_path, caplog):
    save(tmp_path / "bird" / "good.png", "red")
    (tmp_path / "loose.txt").write_text("no class")
    (tmp_path / "bird" / "empty.png").touch()
    (tmp_path / "bird" / "text.png").write_text("not a picture")
    (tmp_path / "bird" / ".hidden").touch()
    assert len(data.load_folder(tmp_path)) == 1
    message = caplog.messages[-1]
    assert "skipped 3 files" in message and ".hidden" not in message and "good" not in message
    for name in ("loose.txt", "bird/empty.png", "bird/text.png"):
        assert name in message

    for i in range(40):
        (tmp_path / "bird" / f"broken{i:02}.png").touch()
    data.load_folder(tmp_path)
    assert "skipped 43 files" in caplog.messages[-1] and "and 33 more" in caplog.messages[-1]


def test_folder_without_trouble_warns_of_nothing(tmp_path, caplog):
    save(tmp_path / "bird" / "good.png", "red")
    data.load_folder(tmp_path)
    assert not caplog.messages


def test_wrong_folders(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "no_class").mkdir()
    (tmp_path / "no_class" / "loose.png").touch()
    (tmp_path / "no_image" / "bird").mkdir(parents=True)
    for name in ("absent", "file", "empty", "no_class", "no_image"):
        with pytest.raises(InputError) as error:
            data.load_folder(tmp_path / name)
        assert_one_line(error, tmp_path / name, "one sub-folder of images a class")
    with pytest.raises(InputError, match="train, holdout. Received: test"):
        data.load_folder(tmp_path, "test")
