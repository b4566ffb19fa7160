"""Checkpoints are complete or absent, and damage is detected."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from common import files
from common.errors import InputError
from training import checkpoints
from training.checkpoints import Checkpoints

STATE = {
    "step": np.int64(7),
    "encoder/00_kernel": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "critic/flags": np.array([True, False]),
    "empty": np.zeros((0, 4), np.float16),
}


class Variable:
    """The part of a Keras variable that `pack` uses."""

    def __init__(self, value):
        self.value = np.asarray(value)

    def __array__(self, dtype=None, copy=None):
        return self.value


def assert_same(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, value in expected.items():
        assert arrays[name].dtype == value.dtype and arrays[name].shape == value.shape
        np.testing.assert_array_equal(arrays[name], value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "checkpoints"


def test_save_and_load_round_trip_with_digest_in_the_name(folder):
    path = Checkpoints(folder).save(7, STATE | {"encoder/00_kernel": Variable(STATE["encoder/00_kernel"])})
    step, arrays = Checkpoints(folder).load_latest()  # as a new process would
    assert step == 7
    assert_same(arrays, STATE)
    content = Path(path).read_bytes()
    assert names(folder) == [f"000000007-{hashlib.sha256(content).hexdigest()[:16]}.npz"]


def test_load_latest_without_checkpoints_returns_step_0(folder):
    assert Checkpoints(folder).load_latest() == (0, None)
    assert folder.is_dir()


def test_save_keeps_only_the_newest_files(folder):
    saved = Checkpoints(folder, keep=2)
    for step in (5, 10, 100_000, 200_000):
        saved.save(step, STATE)
        assert len(names(folder)) <= 2
    assert [int(name[:9]) for name in names(folder)] == [100_000, 200_000]
    assert saved.load_latest()[0] == 200_000


def test_unfinished_files_are_removed_and_other_files_kept(folder):
    Checkpoints(folder).save(1, STATE)
    (folder / ".unfinished-000000002-0123456789abcdef.npz").write_bytes(b"half of")
    (folder / "notes.txt").write_text("mine")
    files.remove_unfinished(folder.parent)
    (folder / "000000009-copy.npz").write_bytes(b"not ours")
    assert Checkpoints(folder, keep=1).load_latest()[0] == 1
    kept = names(folder)
    assert len(kept) == 3 and {"notes.txt", "000000009-copy.npz"} < set(kept)


def truncate(content):
    return content[: len(content) // 2]


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [truncate, flip, lambda content: b""], ids=["truncated", "bit", "empty"])
def test_damaged_newest_checkpoint_is_reported_and_the_previous_one_loaded(folder, damage, caplog):
    saved = Checkpoints(folder, keep=3)
    saved.save(10, STATE)
    saved.save(20, STATE | {"step": np.int64(20)})
    newest = saved.save(30, STATE)
    content = Path(newest).read_bytes()
    Path(newest).write_bytes(damage(content))
    step, arrays = Checkpoints(folder).load_latest()
    assert step == 20
    assert_same(arrays, STATE | {"step": np.int64(20)})
    (record,) = caplog.records
    assert record.levelname == "WARNING" and newest in record.getMessage()


@pytest.mark.parametrize("keep", [1, 2])
def test_new_checkpoints_are_kept_after_a_damaged_later_one(folder, keep):
    """The damaged checkpoint is of a later step than the next one, and must not displace it."""
    saved = Checkpoints(folder, keep)
    damaged = saved.save(30, STATE)
    Path(damaged).write_bytes(b"")
    saved.save(10, STATE)
    saved.save(20, STATE)
    assert Checkpoints(folder, keep).load_latest()[0] == 20


def test_only_damaged_checkpoints_are_an_error(folder):
    saved = Checkpoints(folder)
    for step in (1, 2):
        Path(saved.save(step, STATE)).write_bytes(b"")
    with pytest.raises(InputError, match="2 damaged") as error:
        saved.load_latest()
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    assert len(names(folder)) == 2


def test_newer_format_is_refused_instead_of_skipped(folder, monkeypatch):
    saved = Checkpoints(folder)
    saved.save(1, STATE)
    monkeypatch.setattr(files, "FORMAT", files.FORMAT + 1)
    monkeypatch.setattr(checkpoints, "FORMAT", files.FORMAT)
    path = saved.save(2, STATE)
    monkeypatch.undo()
    with pytest.raises(InputError, match="update this project") as error:
        saved.load_latest()
    assert path in str(error.value) and f"format {files.FORMAT + 1}" in str(error.value)


def test_file_without_a_format_is_read():
    arrays = files.pack({"a": np.ones(2)})
    assert_same(files.unpack(arrays, "x"), {"a": np.ones(2)})


def test_pack_is_deterministic(monkeypatch):
    first = files.pack(STATE)
    monkeypatch.setattr("time.time", lambda: 2e9)  # the archive must not hold the time
    assert files.pack({name: Variable(value) for name, value in STATE.items()}) == first
    other = STATE | {"empty": np.zeros((0, 5), np.float16)}
    assert files.digest(files.pack(other)) != files.digest(first)


# write_atomically


def test_write_atomically_replaces_the_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_atomically("a", b"old")  # relative: a path without a folder
    files.write_atomically(str(tmp_path / "a"), b"new")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_write_leaves_the_old_content(folder, monkeypatch, failing):
    saved = Checkpoints(folder)
    old = saved.save(1, STATE)
    before = Path(old).read_bytes()

    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, failing, full_disk)
    with pytest.raises(OSError, match="No space"):
        saved.save(2, STATE)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(old, b"new")
    monkeypatch.undo()
    assert Path(old).read_bytes() == before
    assert Checkpoints(folder).load_latest()[0] == 1
    assert names(folder) == [os.path.basename(old)]


def test_content_is_flushed_before_the_rename(tmp_path, monkeypatch):
    """fsync of the whole file, then the rename, then fsync of the folder."""
    events = []
    fsync, replace = os.fsync, os.replace

    def log_fsync(descriptor):
        fsync(descriptor)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        events.append(("fsync", os.path.basename(path), os.path.isfile(path) and os.path.getsize(path)))

    def log_replace(source, target):
        replace(source, target)
        events.append(("replace", os.path.basename(source), os.path.basename(target)))

    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    files.write_atomically(str(tmp_path / "a"), b"content")
    kinds = [event[0] for event in events]
    assert kinds == ["fsync", "replace", "fsync"]
    assert events[0][2] == 7 and events[0][1] == events[1][1] != "a"
    assert events[1][2] == "a" and events[2][1] == tmp_path.name
