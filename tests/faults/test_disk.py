"""train.py on full, read-only, deleted and damaged files: one line, status 2, and no data lost."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from common import files
from common.files import write_atomically
from tests.support.folders import save_noise
from tests.support.running_commands import FLAGS, count_events, newest_step
from tests.support.small_disks import small_disk
from training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[2]
PATIENCE = 1800


def train(workdir, steps, *flags, **options):
    command = [sys.executable, ROOT / "train.py", *FLAGS, f"--config.train.total_kimg={steps * 4 / 1000}"]
    options |= dict(cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    return subprocess.run([*command, *flags, f"--workdir={workdir}"], **options)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def assert_refused(result, *words):
    """Status 2; of the lines on stderr the last is the error, others are progress and what was logged before."""
    *before, last = result.stderr.splitlines()
    assert result.returncode == 2, result.stderr
    assert last.startswith("error: ") and "Received: " in last, result.stderr
    assert "Traceback" not in result.stderr and not [line for line in before if line.startswith("error")]
    for word in words:
        assert str(word) in last


# without TensorFlow


@pytest.mark.parametrize("room", [0, 100, 4000])
def test_full_disk_leaves_the_old_content_and_no_temporary_file(tmp_path, room):
    """A limit on the size of a file stands in for the disk."""
    saved = Checkpoints(tmp_path)
    saved.save(1, {"a": np.arange(3)})
    before = contents(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError) as error:
            saved.save(2, {"a": np.arange(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.errno == errno.EFBIG
    assert contents(tmp_path) == before


def test_repeated_writes_to_a_full_disk_leave_the_old_content(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        write_atomically(disk / "a", b"old")
        (disk / "filler").write_bytes(bytes(56_000))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                write_atomically(disk / "a", bytes(30_000))
        assert (disk / "a").read_bytes() == b"old"
        assert sorted(os.listdir(disk)) == ["a", "filler"]


UNFORESEEN = """
import errno, os, sys
from common import cli
sys.argv[1:] = []
def main():
    number = getattr(errno, {name!r})
    raise OSError(number, os.strerror(number), "metrics.json")
cli.run(main)
"""


@pytest.mark.parametrize(("name", "status"), [("ENOSPC", 2), ("EROFS", 2), ("EDQUOT", 2), ("ENOENT", 1)])
def test_disk_errors_are_reported_in_one_line(name, status):
    """A missing file is a bug of the program instead, and keeps its traceback."""
    program = UNFORESEEN.format(name=name)
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == status
    if status == 2:
        assert result.stderr.startswith("error: ") and "metrics.json" in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.fixture
def small_run(tmp_path):
    """A run of a few bytes that has a checkpoint, as far as the command looks before TensorFlow."""
    from configs.acai import get_config

    (tmp_path / "stand-in").mkdir()
    (tmp_path / "stand-in" / "tensorflow.py").write_text("import os; os._exit(99)")
    run = tmp_path / "run"
    Checkpoints(run / "checkpoints").save(5, {"step": np.int64(5)})
    (run / "config.json").write_text(json.dumps(json.loads(get_config("lines").to_json())))
    return run


def start(run):
    environment = os.environ | {"PYTHONPATH": str(run.parent / "stand-in")}
    command = [sys.executable, "train.py", "--config=configs/acai.py:lines", f"--workdir={run}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "newer"])
def test_damaged_checkpoints_are_refused(small_run, damage):
    (path,) = (small_run / "checkpoints").iterdir()
    data = bytearray(path.read_bytes())
    if damage == "newer":
        os.remove(path)
        data = files.pack({"step": np.int64(5), "format": np.int64(2)})
        path = path.with_name(f"000000005-{files.digest(data)}.npz")
    elif damage == "bit":
        data[len(data) // 2] ^= 4
    else:
        del data[len(data) // 2 if damage == "cut" else 0 :]
    path.write_bytes(data)
    before = contents(small_run)
    assert_refused(start(small_run), "format 2" if damage == "newer" else "1 damaged")
    assert contents(small_run) == before


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_damaged_config_is_refused(small_run, damage):
    path = small_run / "config.json"
    text = path.read_text()
    path.write_text(text[:50] if damage == "cut" else text.replace("depth", "depti", 1))
    before = contents(small_run)
    assert_refused(start(small_run), "depth" if damage == "bit" else path)
    assert contents(small_run) == before


def test_read_only_run_folder_is_refused(small_run, tmp_path):
    """A file system mounted read-only, since permissions do not hold root back."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        shutil.copytree(small_run, disk / "run")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        before = contents(disk)
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "stand-in")}
        command = [sys.executable, "train.py", "--config=configs/acai.py:lines", f"--workdir={disk / 'run'}"]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert_refused(result, "writable", disk / "run", "Read-only")
        assert contents(disk) == before


# the whole command


@pytest.mark.slow
def test_training_resumes_after_the_disk_was_full(tmp_path):
    """It stops with one line. With free space, the same command ends like an undisturbed run."""
    with small_disk(tmp_path / "disk", "3m") as disk:
        filler = disk / "filler"
        filler.write_bytes(bytes(1_500_000))  # room for some checkpoints of 420 kB, not for keep + 1 of them
        result = train(disk / "run", 60)
        assert_refused(result, "with free space", disk / "run", "No space left")
        assert 0 < newest_step(disk / "run") < 60
        assert not [path for path in (disk / "run").rglob("*") if "unfinished" in path.name]
        step, arrays = Checkpoints(disk / "run" / "checkpoints").load_latest()
        assert step == newest_step(disk / "run") == int(arrays["step"])
        filler.unlink()
        result = train(disk / "run", 60)
        assert result.returncode == 0, result.stderr
        logged = [json.loads(line)["step"] for line in (disk / "run" / "metrics.jsonl").read_text().splitlines()]
        assert logged == list(range(3, 61, 3))
        _, arrays = Checkpoints(disk / "run" / "checkpoints").load_latest()
    result = train(tmp_path / "straight", 60)
    assert result.returncode == 0, result.stderr
    _, expected = Checkpoints(tmp_path / "straight" / "checkpoints").load_latest()
    assert all(array.tobytes() == expected[name].tobytes() for name, array in arrays.items())


@pytest.mark.slow
def test_image_folder_is_needed_only_at_the_start_of_a_training(tmp_path):
    folder = save_noise(tmp_path / "images", bird=20, horse=20)
    flags = ["--config.data.source=folder", f"--config.data.image_folder={folder}"]
    command = [sys.executable, ROOT / "train.py", *FLAGS, *flags, "--config.train.total_kimg=0.4"]
    run = tmp_path / "run"
    with subprocess.Popen([*command, f"--workdir={run}"], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE
        while not newest_step(run) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        shutil.rmtree(folder)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr  # the images are in memory
    assert newest_step(run) == 100
    before = contents(run)
    assert_refused(train(run, 200, *flags), "image_folder", folder)
    assert contents(run) == before


@pytest.mark.slow
def test_damaged_newest_checkpoint_resumes_from_the_previous_one(tmp_path):
    """It resumes from the previous one, logs no step twice and ends like an undisturbed run."""
    run, straight = tmp_path / "run", tmp_path / "straight"
    constant = "--config.train.schedule=constant"  # the runs differ in length
    assert train(run, 22, constant).returncode == 0
    before, last = sorted((run / "checkpoints").iterdir())[-2:]
    last.write_bytes(last.read_bytes()[:-1])
    result = train(run, 40, constant)
    assert result.returncode == 0 and f"{last} is damaged" in result.stderr, result.stderr
    assert before.name.startswith("000000020") and "resuming" in result.stderr and "0.1 kimg" in result.stderr
    assert train(straight, 40, constant).returncode == 0
    (step, arrays), (other, expected) = (Checkpoints(r / "checkpoints").load_latest() for r in (run, straight))
    assert step == other == 40 and arrays.keys() == expected.keys()
    assert all(array.tobytes() == expected[name].tobytes() for name, array in arrays.items())
    for folder in (run, straight):
        logged = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert logged == [*range(3, 40, 3), 40]
        assert set(count_events(folder).values()) == {1}


@pytest.mark.slow
def test_other_architecture_and_deleted_run_folder_are_reported(tmp_path):
    constant = "--config.train.schedule=constant"  # one that falls would not let the end change
    result = train(tmp_path / "run", 10, constant)
    assert result.returncode == 0, result.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["model"]["depth"] = 4
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    before = contents(tmp_path / "run" / "checkpoints")
    assert_refused(
        train(tmp_path / "run", 20, constant, "--config.model.depth=4"), "configured architecture", "checkpoints"
    )
    assert contents(tmp_path / "run" / "checkpoints") == before

    command = [sys.executable, ROOT / "train.py", *FLAGS, f"--workdir={tmp_path / 'gone'}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + PATIENCE
        while not newest_step(tmp_path / "gone") and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.rename(tmp_path / "gone", tmp_path / "elsewhere")
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2 and "Traceback" not in stderr, stderr
    assert str(tmp_path / "gone") in stderr.splitlines()[-1]


@pytest.mark.slow
def test_figures_are_measured_in_a_read_only_working_folder(tmp_path):
    """The cache folder cannot be made, either."""
    with small_disk(tmp_path / "here", "64k") as folder:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        command = [sys.executable, ROOT / "evaluate.py", "--source=acai_lines", "--samples=100"]
        options = dict(cwd=folder, env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}, timeout=PATIENCE)
        result = subprocess.run([*command, f"--out={tmp_path / 'out'}"], capture_output=True, text=True, **options)
    assert result.returncode == 0 and "Traceback" not in result.stderr, result.stderr
    assert {"metrics.json", "report.html"} <= {*os.listdir(tmp_path / "out")}
