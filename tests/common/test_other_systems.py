"""What Linux has and macOS or Windows lacks is hidden: nothing needs it."""

import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from common import lock, release
from common.backend import memory, towers
from common.data.disk_cache import FOOTER, HEADER, StoredImages
from common.errors import InputError
from common.files import write_atomically
from common.lock import FolderLock
from configs.acai import get_config
from training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[2]


def test_without_any_locks_a_warning_is_given(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "msvcrt", None)
    first = FolderLock(tmp_path)
    FolderLock(tmp_path).release()
    first.release()
    assert len(caplog.messages) == 2 and "run only one training there" in caplog.messages[0]


def test_windows_locks_hold_and_name_the_holder(tmp_path, monkeypatch):
    """A stand-in for msvcrt, which locks bytes from the position of the file on, until it is closed."""
    locked = {}

    def locking(file, mode, count):
        status, position = os.fstat(file), os.lseek(file, 0, os.SEEK_CUR)
        assert (mode, count) == (2, 1) and position > 10**6  # others can read what the file says
        if locked.setdefault(status.st_ino, file) != file:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    first = FolderLock(tmp_path)
    with pytest.raises(InputError, match=f"in use by process {os.getpid()} on"):
        FolderLock(tmp_path)
    locked.clear()
    first.release()
    FolderLock(tmp_path).release()
    assert (tmp_path / ".lock").read_bytes() == b""


def test_images_on_disk_are_read_without_pread(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pread")
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 1), np.uint8)
    records = [
        len(i.tobytes()).to_bytes(8, "little") + bytes(HEADER - 8) + i.tobytes() + bytes(FOOTER) for i in images
    ]
    (tmp_path / "images").write_bytes(b"".join(records))
    stored = StoredImages(tmp_path / "images", images.shape[1:], np.arange(5))
    np.testing.assert_array_equal(stored[[3, 0, 4]], images[[3, 0, 4]])


@pytest.mark.parametrize(("cores", "expected"), [(2, 2), (1, 1), (None, 1)])
def test_cores_are_counted_without_sched_getaffinity(monkeypatch, cores, expected):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert towers.towers_per_cores(64) == expected


@pytest.mark.parametrize(
    "library",
    [
        TypeError("LoadLibrary() argument 1 must be str, not None"),  # Windows
        OSError("no such library"),
        types.SimpleNamespace(),  # macOS: without mallopt
    ],
)
def test_memory_settings_are_left_out_without_mallopt(monkeypatch, library):
    def load(name):
        if isinstance(library, Exception):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    memory.keep_freed_memory()


def test_memory_is_measured_without_sysconf(monkeypatch):
    expected = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.delattr(os, "sysconf")
    assert 2**28 < memory.total_bytes() <= expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [("open", errno.EACCES), ("open", errno.EISDIR), ("fsync", errno.EINVAL), ("fsync", errno.EBADF)],
)
def test_files_are_written_where_folders_cannot_be_flushed(tmp_path, monkeypatch, name, kind):
    """Windows opens no folders; some network file systems refuse to flush them."""
    function = getattr(os, name)

    def refuse(target, *arguments):
        if os.path.isdir(target):
            raise OSError(kind, os.strerror(kind))
        return function(target, *arguments)

    monkeypatch.setattr(os, name, refuse)
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"new"


def test_two_containers_with_processes_of_one_number_do_not_share_a_file(tmp_path, monkeypatch):
    """A second process writes into the same folder while the first is about to rename its file."""
    replace = os.replace

    def replace_after_another(source, target):
        monkeypatch.setattr(os, "replace", replace)
        write_atomically(tmp_path / "b", b"another's")
        replace(source, target)

    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "replace", replace_after_another)
    write_atomically(tmp_path / "a", b"own")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"own", "b": b"another's"}


HIDDEN = """
import ctypes, os, signal, sys
sys.modules["fcntl"] = None
for name in ("pread", "sched_getaffinity"):
    delattr(os, name)
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"):
    delattr(signal, name)
class CDLL(ctypes.CDLL):
    def __init__(self, name, *arguments, **options):
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        super().__init__(name, *arguments, **options)
ctypes.CDLL = CDLL
def open_file(path, *arguments, open=os.open, **options):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return open(path, *arguments, **options)
os.open = open_file
"""


def run_with_everything_hidden(tmp_path, *flags):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDDEN)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "hidden")}
    command = [sys.executable, ROOT / "train.py", *flags, f"--workdir={tmp_path / 'run'}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800)


def test_command_looks_at_a_finished_run_with_everything_hidden(tmp_path):
    config = get_config("lines")
    config.train.total_kimg = 64.0
    Checkpoints(tmp_path / "run" / "checkpoints").save(4000, {"step": np.int64(4000)})
    (tmp_path / "run" / "config.json").write_text(json.dumps(json.loads(config.to_json())))
    release.write(tmp_path / "run" / "release", {"family": "acai"}, {}, {})
    result = run_with_everything_hidden(
        tmp_path, f"--config={ROOT}/configs/acai.py:lines", "--config.train.total_kimg=64"
    )
    assert result.returncode == 0 and "finished at 64.0 kimg" in result.stdout, result.stderr
    assert "run only one training there" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.slow
def test_command_trains_with_everything_hidden(tmp_path):
    from tests.support.running_commands import FLAGS, newest_step

    result = run_with_everything_hidden(tmp_path, *FLAGS, "--config.train.total_kimg=0.04")
    assert result.returncode == 0, result.stderr
    assert newest_step(tmp_path / "run") == 10 and hasattr(signal, "SIGTERM")
