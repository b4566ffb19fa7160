"""The lock of a run directory: the error names its holder, and it ends with the holder's process."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from common.lock import FolderLock
from training.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
HOLD = "import sys, time; from common.lock import FolderLock; FolderLock(sys.argv[1]); print('held', flush=True); "


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path."""
    command = [sys.executable, "-c", HOLD + "time.sleep(600)", tmp_path]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_error_of_a_second_process_names_the_holder(tmp_path, holder):
    with pytest.raises(InputError) as error:
        FolderLock(tmp_path)
    message = str(error.value)
    assert f"{tmp_path}, in use by process {holder.pid} on {socket.gethostname()} since " in message
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; ", message) and "\n" not in message
    assert "--workdir" in message


def test_command_refuses_a_locked_folder_and_changes_nothing(tmp_path, holder):
    (tmp_path / "tensorflow.py").write_text("import os; os._exit(99)")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / ".unfinished-1").write_text("a file that the holder is about to rename")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "train.py", "--config=configs/acai.py:lines", f"--workdir={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert f"process {holder.pid} on" in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_lock_ends_when_its_holder_is_killed(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lock").read_text().startswith(f"process {holder.pid} ")  # the file keeps its text
    lock = FolderLock(tmp_path)
    assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} ")
    lock.release()
    assert (tmp_path / ".lock").read_text() == ""
    lock.release()
    FolderLock(tmp_path).release()


def test_child_process_does_not_keep_the_lock(tmp_path):
    """The file is not inherited by programs that a training starts."""
    lock = FolderLock(tmp_path)
    child = subprocess.Popen(["sleep", "600"])
    lock.release()
    try:
        FolderLock(tmp_path).release()
    finally:
        child.kill()
        child.wait()


def test_refused_config_releases_the_lock(tmp_path):
    with RunDirectory(str(tmp_path / "run"), {"a": 1}) as run:
        run.checkpoints.save(1, {})
    with pytest.raises(InputError, match="a=2") as error:
        RunDirectory(str(tmp_path / "run"), {"a": 2})
    RunDirectory(str(tmp_path / "run"), {"a": 1}).close()
    assert error  # its traceback still refers to the refused one


@pytest.mark.parametrize("kind", [errno.ENOLCK, errno.ENOTSUP])
def test_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog, kind):
    def refuse(*_):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(fcntl, "flock", refuse)
    FolderLock(tmp_path).release()
    (record,) = caplog.records
    assert str(tmp_path) in record.getMessage() and "run only one training there" in record.getMessage()
