"""Folders of images: links, loops, what systems leave, names of splits and names that are not valid."""

import os
from pathlib import Path

import numpy as np
import pytest

from common.data import datasets, folders
from common.errors import InputError
from tests.support.folders import assert_one_line, save


def count(folder):
    """Returns {class: number of its images} of a folder."""
    dataset = datasets.load_folder(folder, width=4)
    return dict(zip(dataset.class_names, np.bincount(dataset.labels).tolist(), strict=True))


def save_pictures(folder, number):
    for k in range(number):
        save(folder / f"{k:02}.png", (k, 0, 0), (4, 4))


@pytest.fixture
def folder(tmp_path):
    """A folder of three ants and two bees. Beside it, `more` has four pictures and, in `deep`, five."""
    save_pictures(tmp_path / "images" / "ant", 3)
    save_pictures(tmp_path / "images" / "bee", 2)
    save_pictures(tmp_path / "more", 4)
    save_pictures(tmp_path / "more" / "deep", 5)
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("links", "ants", "left_out"),
    [
        ({"ant/x": "more"}, 3 + 9, []),
        ({"ant/x": "more/deep"}, 3 + 5, []),
        ({"ant/a/b/x": "more"}, 3 + 9, []),
        ({"ant/x": "link", "../link": "more"}, 3 + 9, []),  # a link to a link
        ({"ant/x": "more/deep", "../more/deep/y": "other"}, 3 + 5 + 1, []),  # a link behind a link
        ({"ant/x": "images/bee"}, 3 + 2, []),  # another class
        ({"ant/x": "more", "ant/y": "more"}, 3 + 9, ["ant/y"]),
        ({"ant/x": "more", "ant/y": "more/deep"}, 3 + 9, ["ant/y"]),
        ({"ant/x": "more/deep", "ant/y": "more"}, 3 + 9, ["ant/y/deep"]),
        ({"ant/x": "images/ant"}, 3, ["ant/x"]),
        ({"ant/x": "images"}, 3, ["ant/x"]),
        ({"ant/x": ""}, 3, ["ant/x"]),  # the folder that has the images' folder
        ({"ant/x": "more", "../more/deep/y": "more"}, 3 + 9, ["ant/x/deep/y"]),
        ({"ant/x": "more", "../more/y": ""}, 3 + 9, ["ant/x/y"]),
        ({"ant/a/x": "images/ant/b", "ant/b/y": "images/ant/a"}, 3, ["ant/a/x", "ant/b/y"]),
    ],
)
def test_links_to_folders_are_followed_once_and_without_loops(folder, caplog, links, ants, left_out):
    save_pictures(folder.parent / "other", 1)
    for name, target in links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(folder.parent / target)
    assert count(folder) == {"ant": ants, "bee": 2}
    if left_out:
        (message,) = caplog.messages
        assert f"left out {len(left_out)} folders" in message and message.endswith(": " + ", ".join(left_out))
    else:
        assert not caplog.messages


def test_relative_links_and_links_as_classes_are_followed(folder, caplog):
    (folder / "ant" / "x").symlink_to("../../more")
    (folder / "cat").symlink_to("../more")
    folder.with_name("link").symlink_to(folder)
    assert count(folder.with_name("link")) == {"ant": 3 + 9, "bee": 2, "cat": 9}
    assert not caplog.messages


def test_files_behind_links_are_in_sorted_order_and_only_named_folders_change(folder):
    """A linked file keeps its place among the files, in memory and in the disk cache's key."""
    (folder / "ant" / "00a").symlink_to(folder.parent / "more" / "deep")
    images = datasets.load_folder(folder, width=4).images[:8, 0, 0, 0]
    assert images.tolist() == [0, *range(5), 1, 2]  # 00.png, 00a/00.png to 00a/04.png, 01.png, 02.png


def test_a_class_that_links_to_the_folder_itself_has_no_images(folder, caplog):
    (folder / "all").symlink_to(folder)
    with pytest.raises(InputError) as error:
        count(folder)
    assert_one_line(error, "all has no readable image")
    assert "left out 1 folders" in caplog.text


def test_broken_links_and_unreadable_folders_are_named(folder, caplog, monkeypatch):
    (folder / "ant" / "gone").symlink_to("nowhere")
    (folder / "ant" / "p").symlink_to("q")
    (folder / "ant" / "q").symlink_to("p")
    (folder / "cat").symlink_to("nowhere")
    save_pictures(folder / "bee" / "closed", 2)
    scandir = os.scandir

    def deny(path="."):
        if Path(os.fspath(path)).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    assert count(folder) == {"ant": 3, "bee": 2}
    left_out, skipped = caplog.messages
    assert left_out.endswith(": bee/closed") and "left out 1 folders (unreadable" in left_out
    assert skipped.endswith(": cat, ant/gone, ant/p, ant/q") and "skipped 4 files" in skipped


@pytest.mark.parametrize("name", ["__MACOSX", ".ipynb_checkpoints"])
def test_folders_that_systems_leave_are_ignored(folder, caplog, name):
    save_pictures(folder / name / "ant", 2)
    save_pictures(folder / "ant" / name, 2)
    assert count(folder) == {"ant": 3, "bee": 2}
    assert not caplog.messages


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "00.png:Zone.Identifier"])
def test_files_that_systems_leave_are_ignored(folder, caplog, name):
    for place in (folder, folder / "ant"):
        (place / name).write_bytes(b"no picture")
    assert count(folder) == {"ant": 3, "bee": 2}
    assert not caplog.messages


@pytest.mark.parametrize("names", [("Train", "Valid"), ("test",)])
def test_classes_named_like_splits_are_warned_of(tmp_path, caplog, names):
    for name in (*names, "zebra"):
        save_pictures(tmp_path / name / "ant", 1)
    assert count(tmp_path) == dict.fromkeys(sorted((*names, "zebra")), 1)
    (message,) = caplog.messages
    assert f"{', '.join(sorted(names))} are taken for classes" in message and "zebra" not in message


def test_names_that_are_not_valid_unicode_are_refused_and_others_taken(tmp_path):
    for name in ("한글", "café", "a b", "1"):
        save_pictures(tmp_path / name, 1)
    assert set(count(tmp_path)) == {"한글", "café", "a b", "1"}
    save_pictures(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")), 1)
    with pytest.raises(InputError) as error:
        count(tmp_path)
    assert_one_line(error, r"'caf\udce9' is not valid Unicode")


def test_warnings_are_of_one_line(folder, caplog):
    (folder / "ant" / "two\nlines.png").touch()
    count(folder)
    assert "\n" not in caplog.messages[0] and "lines.png" in caplog.messages[0]


@pytest.mark.parametrize("method", ["iterdir", "is_dir"])
def test_a_folder_that_cannot_be_read_is_refused(folder, monkeypatch, method):
    """Its entries cannot be listed, or not be looked at."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refuse)
    for function in (folders.list_class_names, folders.list_classes):
        with pytest.raises(InputError) as error:
            function(folder)
        assert_one_line(error, "image_folder must be a folder", folder, "cannot be read (Permission denied)")


@pytest.mark.parametrize("names", [[], ["a.png"], [".hidden/a.png"]])
def test_names_of_classes_are_those_of_the_dataset_or_refused_alike(folder, names):
    assert folders.list_class_names(folder) == ["ant", "bee"]
    (empty := folder.parent / "empty").mkdir()
    for name in names:
        save(empty / name, (0, 0, 0))
    for function in (folders.list_class_names, folders.list_classes):
        with pytest.raises(InputError) as error:
            function(empty)
        assert_one_line(error, "which has no sub-folder")
