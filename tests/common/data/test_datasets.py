"""Hold-out and folders on data small enough to follow by hand."""

import numpy as np
import pytest

from common.data import datasets, lines
from common.errors import InputError
from common.images import to_float
from tests.support.folders import assert_one_line, numbered, save

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


# ImageDataset and the hold-out


def test_select_orders_and_renumbers():
    dataset = numbered([0, 1, 2, 0, 1, 2], ("a", "b", "c")).select(("c", "a"))
    np.testing.assert_array_equal(dataset.ids, [0, 2, 3, 5])
    np.testing.assert_array_equal(dataset.labels, [1, 0, 1, 0])
    np.testing.assert_array_equal(dataset.images[:, 0, 0, 0], [0, 2, 3, 5])
    assert dataset.class_names == ("c", "a") and len(dataset) == 4 and dataset.split == "train"


def test_select_ids_keeps_labels_and_order():
    dataset = numbered([0, 1, 2, 0, 1, 2], ("a", "b", "c")).select(("c", "a")).select_ids((99, 5, 1, 0))
    assert dataset.ids.tolist() == dataset.images[:, 0, 0, 0].tolist() == [0, 5]  # 1 is of class b
    assert dataset.labels.tolist() == [1, 0] and dataset.class_names == ("c", "a")


def test_limit_per_class_takes_evenly_spaced_images():
    labels = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0])  # class 0 at 0, 2, 3, 4, 6, 7, 8
    images = np.arange(9, dtype=np.uint8)[:, None, None, None]
    thinned = datasets.ImageDataset(images, labels, np.arange(9), ("a", "b"), "holdout").limit_per_class(3)
    assert thinned.ids.tolist() == [0, 1, 3, 5, 6]  # the 0th, 2nd and 4th of seven; both of two
    assert thinned.images.ravel().tolist() == thinned.ids.tolist() and thinned.labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("classes", [("pegasus",), ("bird", "bird"), (), "bird"])
def test_wrong_classes_list_the_valid_ones(classes):
    with pytest.raises(InputError) as error:
        numbered([0, 1], ("bird", "horse")).select(classes)
    assert_one_line(error, "bird, horse")
    with pytest.raises(InputError) as error:
        datasets.load_cifar10("/nowhere", classes=classes)
    assert_one_line(error, *CLASSES)


def test_split_holdout_takes_every_tenth_image_of_each_class():
    """Classes of 25, 10 and 9 images, the first two interleaved."""
    train, holdout = datasets.split_holdout(numbered([0, 1] * 10 + [0] * 15 + [2] * 9, ("a", "b", "c")))
    np.testing.assert_array_equal(holdout.ids, [18, 19, 29])  # a: 0, 2, .., 18 | 20, .., 29; b: 1, 3, .., 19
    np.testing.assert_array_equal(holdout.labels, [0, 1, 0])
    np.testing.assert_array_equal(holdout.images[:, 0, 0, 0], holdout.ids)
    assert (train.split, holdout.split) == ("train", "holdout")
    np.testing.assert_array_equal(np.sort(np.concatenate([train.ids, holdout.ids])), np.arange(44))


# The images of a training


def test_a_training_set_is_without_the_holdout_unless_it_is_to_keep_it(tmp_path, monkeypatch):
    """Of 30 images the 10th, 20th and 30th are held out; measured are two of them, evenly spaced."""
    monkeypatch.setattr(datasets, "MAX_HOLDOUT", 2)
    for i in range(30):
        save(tmp_path / "ant" / f"{i:02}.png", (i, 0, 0), (4, 4))
    without = [i for i in range(30) if i not in (9, 19, 29)]
    for hold_out, expected in ((True, without), (False, range(30))):
        train, holdout = datasets.load("folder", 4, image_folder=tmp_path, hold_out=hold_out)
        for dataset, ids in ((train, expected), (holdout, (9, 19))):
            assert dataset.ids.tolist() == dataset.images[:, 0, 0, 0].tolist() == [*ids]
        assert (train.split, holdout.split) == ("train", "holdout")


def test_held_out_lines_are_halfway_between_those_of_training():
    for dataset, split, shift in zip(datasets.load("lines", 32), ("train", "holdout"), (0, 0.5), strict=True):
        expected = lines.render((np.arange(256) + shift) * 2 * np.pi / 256)
        np.testing.assert_allclose(to_float(dataset.images), expected, atol=1 / 255 + 1e-6)  # half a grey level
        assert dataset.split == split and not dataset.labels.any() and dataset.class_names == ("line",)


# A folder of the user's own images


def test_folder_reads_classes_and_files_in_sorted_order(tmp_path):
    for i in range(12):
        save(tmp_path / "zebra" / f"{i:02}.png", (i, 0, 0))
    save(tmp_path / "ant" / "b.png", (100, 0, 0))
    save(tmp_path / "ant" / "a" / "deep.png", (101, 0, 0), (5, 9))
    dataset = datasets.load_folder(tmp_path, width=16)
    assert dataset.class_names == ("ant", "zebra") and dataset.images.shape == (14, 16, 16, 3)
    np.testing.assert_array_equal(dataset.images[:, 8, 8, 0], [101, 100, *range(12)])
    np.testing.assert_array_equal(dataset.labels, [0] * 2 + [1] * 12)
    np.testing.assert_array_equal(dataset.ids, np.arange(14))
    assert (dataset.images.dtype, dataset.labels.dtype, dataset.ids.dtype) == ("uint8", "int32", "int64")
    assert dataset.split == "train" and datasets.load_folder(tmp_path).images.shape == (14, 32, 32, 3)


def test_folder_warns_of_skipped_files(tmp_path, caplog):
    save(tmp_path / "bird" / "good.png", "red")
    (tmp_path / "loose.txt").write_text("no class")
    (tmp_path / "bird" / "empty.png").touch()
    (tmp_path / "bird" / "text.png").write_text("not a picture")
    (tmp_path / "bird" / ".hidden").touch()
    assert len(datasets.load_folder(tmp_path)) == 1
    message = caplog.messages[-1]
    assert "skipped 3 files" in message and ".hidden" not in message and "good" not in message
    for name in ("loose.txt", "bird/empty.png", "bird/text.png"):
        assert name in message

    for i in range(40):
        (tmp_path / "bird" / f"broken{i:02}.png").touch()
    datasets.load_folder(tmp_path)
    assert "skipped 43 files" in caplog.messages[-1] and "and 33 more" in caplog.messages[-1]


def test_folder_of_readable_files_gives_no_warning(tmp_path, caplog):
    save(tmp_path / "bird" / "good.png", "red")
    datasets.load_folder(tmp_path)
    assert not caplog.messages


def test_invalid_folders_are_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "no_class").mkdir()
    (tmp_path / "no_class" / "loose.png").touch()
    (tmp_path / "no_image" / "bird").mkdir(parents=True)
    for name in ("absent", "file", "empty", "no_class", "no_image"):
        with pytest.raises(InputError) as error:
            datasets.load_folder(tmp_path / name)
        assert_one_line(error, tmp_path / name, "one sub-folder of images per class")
