"""Shuffled, seekable, paired batches of data small enough to follow by hand."""

import numpy as np
import pytest

from common.data import batches, datasets
from common.errors import InputError
from common.images import to_float
from tests.support.folders import assert_one_line, numbered


def take(count, *args, **options):
    return list(batches.batches(*args, **options).take(count).as_numpy_iterator())


def rows_of(drawn):
    """The numbers of `numbered` images, [batches, B]."""
    return np.stack([batch["image"][:, 0, 0, 0].astype(int) for batch in drawn])


def test_element_spec_is_static():
    spec = batches.batches(numbered([0] * 5, ("a",)), 4, seed=0).element_spec
    assert spec["image"].shape == (4, 2, 3, 1) and spec["image"].dtype == "uint8"
    assert spec["label"].shape == (4,) and spec["label"].dtype == "int32"


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "XLA"])
def test_floats_are_the_same_bits_with_xla_and_without(compiled):
    import tensorflow as tf

    values = np.arange(256, dtype=np.uint8)
    floats = tf.function(batches.as_floats, jit_compile=compiled)(tf.constant(values)).numpy()
    np.testing.assert_array_equal(floats, to_float(values))
    assert floats[0] == -1 and floats[-1] == 1
    assert batches.as_floats(floats) is floats


@pytest.mark.parametrize("size, batch_size, count", [(10, 4, 5), (3, 8, 3), (1, 2, 3), (7, 7, 4)])
def test_each_image_comes_once_an_epoch(size, batch_size, count):
    rows = rows_of(take(count, numbered([0] * size, ("a",)), batch_size, seed=0)).reshape(-1)
    epochs = rows[: len(rows) // size * size].reshape(-1, size)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(size), (len(epochs), 1)))


def test_labels_stay_with_their_images():
    labels = np.random.default_rng(0).integers(0, 3, 50)
    drawn = take(5, numbered(labels, ("a", "b", "c")), 16, seed=0, flip=True)
    np.testing.assert_array_equal(np.stack([b["label"] for b in drawn]), labels[rows_of(drawn)])


def test_epochs_and_seeds_are_shuffled_independently():
    dataset = numbered([0] * 200, ("a",))
    seeds = (0, 1, 2**31, 2**32, 2**32 + 1, 2**63 + 1, 2**64, 2**100)
    orders = np.concatenate([rows_of(take(2, dataset, 200, seed)) for seed in seeds])
    agreement = np.corrcoef(np.concatenate([orders, np.arange(200)[None]]))
    assert np.abs(agreement - np.eye(len(agreement))).max() < 0.3  # standard deviation 0.07


def test_resume_seeks_to_its_place():
    images = np.random.default_rng(0).integers(0, 256, (15, 2, 3, 1), np.uint8)  # a flip shows
    labels = np.array([0, 1, 1] * 5, np.int32)
    dataset = datasets.ImageDataset(images, labels, np.arange(15), ("a", "b"), "train")
    across = {"flip": True, "across": (("b",), ("a",))}
    for options in ({}, {"flip": True}, across, {"flip": True, "alternate": True}):
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
    dataset = datasets.ImageDataset(images, np.arange(50, dtype=np.int32), np.arange(50), names, "train")
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
    drawn = take(12, dataset, batch_size, seed=1, across=(("c",), ("b", "a")))
    labels = np.stack([batch["label"] for batch in drawn])
    assert ((labels == 2) != (labels[:, ::-1] == 2)).all()
    rows = rows_of(drawn)
    for half, members in (
        (rows[:, : batch_size // 2], [1, 3, 5]),
        (rows[:, batch_size // 2 :], [0, 2, 4, 6, 7, 8]),
    ):
        epochs = half.reshape(-1)[: half.size // len(members) * len(members)].reshape(-1, len(members))
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(members, (len(epochs), 1)))


def test_alternate_takes_an_epoch_of_each_class_in_turn():
    """Batches of 4: 3 epochs of 5 images of a, 8 of b and 1 of c are 2, 2 and 1 batches each."""
    dataset = numbered([0, 1, 1, 0, 1, 0, 2, 1, 1, 0, 1, 0, 1, 1], ("a", "b", "c"))
    drawn = take(15, dataset, 4, seed=1, alternate=True)
    labels = np.stack([batch["label"] for batch in drawn])
    np.testing.assert_array_equal(labels, np.repeat([0, 0, 1, 1, 2] * 3, 4).reshape(15, 4))
    rows = rows_of(drawn)
    for label, members in enumerate(([0, 3, 5, 9, 11], [1, 2, 4, 7, 8, 10, 12, 13], [6])):
        in_order = rows[labels[:, 0] == label].reshape(-1)
        epochs = in_order[: len(in_order) // len(members) * len(members)].reshape(-1, len(members))
        assert len(epochs) >= 3
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(members, (len(epochs), 1)))


def test_alternating_epochs_are_shuffled_anew():
    dataset = numbered([0] * 100 + [1] * 100, ("a", "b"))
    rows = rows_of(take(4, dataset, 100, seed=0, alternate=True))
    assert (np.sort(rows % 100, axis=1) == np.arange(100)).all()
    assert np.abs(np.corrcoef(rows) - np.eye(4)).max() < 0.5


def test_alternating_classes_must_have_images():
    with pytest.raises(InputError, match=r"Each group must have images. Received: \[2, 0\]"):
        batches.batches(numbered([0, 0], ("a", "b")), 4, 0, alternate=True)


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
        batches.batches(numbered([0, 1], ("a", "b")), batch_size, seed, across=across)
    assert_one_line(error, "Received")


def test_no_image_at_all():
    with pytest.raises(InputError, match="must have images"):
        batches.batches(numbered([], ("a",)), 4, 0)


def test_shifts_are_windows_of_the_mirrored_image():
    """Every image is one of its 25 windows, and all of them occur, independently in rows and columns."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (500, 6, 7, 2), dtype=np.uint8)
    dataset = datasets.ImageDataset(images, np.arange(500, dtype=np.int32), np.arange(500), ("a",), "train")
    (batch,) = take(1, dataset, 500, seed=3, shift=2)
    windows = set()
    for image, row in zip(batch["image"], batch["label"], strict=True):
        padded = np.pad(images[row], ((2, 2), (2, 2), (0, 0)), mode="reflect")
        equal = {(i, j) for i in range(5) for j in range(5) if np.array_equal(padded[i : i + 6, j : j + 7], image)}
        assert len(equal) == 1
        windows |= equal
    assert len(windows) == 25
    (again,), (other,) = (take(1, dataset, 500, seed=seed, shift=2) for seed in (3, 4))
    np.testing.assert_array_equal(again["image"], batch["image"])
    assert not np.array_equal(other["image"], batch["image"])


def test_in_order_gives_every_image_once():
    parts = list(batches.iterate_in_order(numbered([0] * 7, ("a",)), batch_size=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    expected = np.arange(7) / 127.5 - 1
    np.testing.assert_allclose(np.concatenate(parts)[:, 0, 0, 0], expected, atol=1e-6)
