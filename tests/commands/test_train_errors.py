"""Invalid input to train.py: status 2 and one line on stderr, before TensorFlow is imported or a file written."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from common import release
from configs.acai import get_config
from tests.support.forks import FORKS, assert_refusal
from training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[2]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LINES = f"--config={ROOT}/configs/acai.py:lines"
PAPER = f"--config={ROOT}/configs/acai.py"
CLASSIFIER = f"--config={ROOT}/configs/classifier.py"
ACROSS = "--config.data.pairing=across"


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory):
    """Environment variables with which imports of TensorFlow and Keras, and downloads, fail."""
    folder = tmp_path_factory.mktemp("stand-ins")
    for name in ("tensorflow", "keras", "tensorflow_datasets"):
        (folder / f"{name}.py").write_text('raise ImportError("TensorFlow was imported")\n')
    return {**os.environ, "PYTHONPATH": str(folder), "HTTPS_PROXY": "http://127.0.0.1:9"}


@pytest.fixture
def train(without_tensorflow, tmp_path):
    def run(*arguments):
        command = [sys.executable, ROOT / "train.py", *map(str, arguments)]
        options = dict(cwd=tmp_path, env=without_tensorflow, capture_output=True, text=True, timeout=60)
        return subprocess.run(command, **options)

    return run


def assert_refused(result, *words):
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    assert len(result.stderr) < 1000
    for word in words:
        assert str(word) in result.stderr, result.stderr


INVALID_FLAGS = [
    ([LINES, "--config.train.totl_kimg=3"], ["totl_kimg", "total_kimg"]),
    ([LINES, "--config.modle.depth=3"], ["modle", "model"]),
    ([LINES, "--config.train.total_kimg=many"], ["train.total_kimg", "'many'"]),
    ([LINES, "--config.train.strategy=all"], ["train.strategy", "mirrored, multi_worker", "all"]),
    ([LINES, "--config.train.strategy=multi_worker"], ["TF_CONFIG", "nothing"]),
    ([LINES, "--config.train.seed"], ["train.seed"]),
    (
        [f"--config={ROOT}/configs/acai.py:dragon"],
        ["acai.py:dragon: configs/acai.py has the variants paper, pegasus, small", "'dragon'"],
    ),
    (["--config=configs/none.py"], ["configs/none.py", "No such file"]),
    ([f"--config={ROOT}/common/data/lines.py"], ["file of configs/", "get_config"]),
    (["--config="], ["config"]),
    ([LINES, "--wokdir=runs/x"], ["wokdir", "workdir"]),
    ([LINES, "resume"], ["'resume'", "--name=value"]),
    ([PAPER, "--config.data.classes=('bird','pegasus')"], ["pegasus", *CLASSES]),
    ([PAPER, ACROSS, "--config.data.classes=('bird','cat')"], ["groups", "bird, cat", "deer"]),
    ([PAPER, ACROSS, "--config.data.groups=(1,2)"], ["groups", "(1, 2)"]),
    ([PAPER, ACROSS, "--config.train.batch_size=7"], ["batch_size", "even", "7"]),
    ([LINES, "--config.train.batch_size=0"], ["batch_size", "1", "0"]),
    ([LINES, "--config.train.seed=-4"], ["seed", "-4"]),
    ([PAPER, "--config.model.width=64"], ["model.width", "64", "32"]),
    ([PAPER, "--data_dir=/no/such/place"], ["/no/such/place", "--data_dir", "lines"]),
]


@pytest.fixture(scope="module")
def refusals(without_tensorflow, tmp_path_factory):
    """[(status, stdout, stderr)] of the INVALID_FLAGS, from forks of one process that has imported train.py."""
    folder = tmp_path_factory.mktemp("refusals")
    command_lines = [[f"--workdir={folder}/run", *arguments] for arguments, _ in INVALID_FLAGS]
    environment = without_tensorflow | {"PYTHONPATH": f"{without_tensorflow['PYTHONPATH']}{os.pathsep}{ROOT}"}
    options = dict(cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    command = [sys.executable, "-c", FORKS.replace("generate", "train")]
    forked = subprocess.run(command, input=json.dumps(command_lines), **options)
    assert forked.returncode == 0, forked.stderr
    assert {path.name for path in folder.iterdir()} == {"stdout", "stderr"}  # where the forks write
    return json.loads(forked.stdout)


@pytest.mark.parametrize("number", range(len(INVALID_FLAGS)))
def test_invalid_flags_are_refused_in_one_line(refusals, number):
    assert_refusal(refusals[number], *INVALID_FLAGS[number][1])


def test_errors_are_reported_before_tensorflow_is_imported(train, tmp_path):
    """It takes half a second on an idle machine; importing TensorFlow takes at least five."""
    started = time.monotonic()
    assert_refused(train(f"--workdir={tmp_path}/run", LINES, "--config.train.seed=-4"), "seed", "-4")
    assert time.monotonic() - started < 30
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "phrase"), [("--config.train.totl_kimg=3", '"total_kimg"'), ("--config.train.seed=-4", "seed")]
)
def test_without_a_config_the_fields_are_those_of_the_default_config(without_tensorflow, tmp_path, flag, phrase):
    command = [sys.executable, "train.py", f"--workdir={tmp_path}/run", flag]
    options = dict(cwd=ROOT, env=without_tensorflow, capture_output=True, text=True, timeout=60)
    assert_refused(subprocess.run(command, **options), phrase)
    assert list(tmp_path.iterdir()) == []


def test_flagfile_can_name_the_config(train, tmp_path):
    """The file sets a field that its config has and the default config does not have."""
    file = tmp_path / "classifier.flags"
    file.write_text(f"{CLASSIFIER}\n--config.model.channels=('a',2)\n")
    assert_refused(train(f"--flagfile={file}", f"--workdir={tmp_path}/run"), "model.channels", "('a', 2)")
    assert_refused(train("--flagfile=lost.flags", f"--workdir={tmp_path}/run"), "lost.flags")
    assert list(tmp_path.iterdir()) == [file]


def test_workdir_is_required(train, tmp_path):
    assert_refused(train(LINES), "--workdir", "none")
    assert_refused(train(LINES, "--workdir="), "--workdir")
    assert_refused(train(LINES, "--workdir", "--config.train.seed=1"), "--workdir", "--config.train.seed=1")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_workdir_is_refused(train, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):  # root can write anywhere else
        locked = Path("/proc")
    assert_refused(train(LINES, f"--workdir={locked}/run"), "--workdir", f"{locked}/run")


@pytest.fixture
def old_run(tmp_path):
    """A run of the lines config with a checkpoint at step 4000, 64 kimg."""
    run = tmp_path / "run"
    folder = Checkpoints(run / "checkpoints")
    folder.save(4000, {"step": np.int64(4000)})
    (run / "config.json").write_text(json.dumps(json.loads(get_config("lines").to_json())))
    return run


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_different_config_in_the_same_workdir_is_refused(train, old_run):
    before = contents(old_run)
    result = train(LINES, f"--workdir={old_run}", "--config.model.depth=8")
    assert_refused(result, old_run, "model.depth", "8", "16")
    result = train(LINES, f"--workdir={old_run}", "--config.train.batch_size=8")
    assert_refused(result, old_run, "train.batch_size", "--workdir")
    for total in (32, 64, 2000):  # before the checkpoint, at it and after the configured end
        result = train(LINES, f"--workdir={old_run}", f"--config.train.total_kimg={total}")
        assert_refused(
            result,
            old_run,
            f"train.total_kimg={total}.0 where it has 1056.0",
            "learning rate depends",
            "start_from",
        )
    assert contents(old_run) == before


def test_images_of_other_classes_than_those_of_the_run_are_refused(train, old_run, tmp_path):
    config = get_config("lines")
    config.data.source, config.data.image_folder = "folder", "moved since"
    facts = {"class_names": ["aardvark", "zebra"], "counts": {"aardvark": 9, "zebra": 9}}
    stored = json.loads(config.to_json()) | {"images": facts | {"channels": 3, "fingerprint": "0123456789abcdef"}}
    (old_run / "config.json").write_text(json.dumps(stored))
    for name in ("aardvark", "yak", "zebra", ".hidden"):
        (tmp_path / "images" / name).mkdir(parents=True)
    before = contents(old_run / "checkpoints")
    folder = f"--config.data.image_folder={tmp_path}/images"
    result = train(LINES, f"--workdir={old_run}", "--config.data.source=folder", folder)
    assert_refused(result, "aardvark, zebra", "Received: aardvark, yak, zebra;", "--workdir")
    assert contents(old_run / "checkpoints") == before


def test_finished_run_prints_a_line(train, old_run):
    config = get_config("lines")
    config.train.total_kimg = 64.0
    (old_run / "config.json").write_text(json.dumps(json.loads(config.to_json())))
    release.write(old_run / "release", {"family": "acai"}, {}, {})
    result = train(LINES, f"--workdir={old_run}", "--config.train.total_kimg=64")
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        str(old_run) in result.stdout and "finished at 64.0 kimg, the length it was started with;" in result.stdout
    )
    assert f"--config.train.start_from={old_run}" in result.stdout


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_lists_the_flags(train, tmp_path, flag):
    result = train(LINES, flag)
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("python train.py --config=", "resumes", "--workdir", "--data_dir", "--config"):
        assert word in result.stdout
    assert "Traceback" not in result.stdout and list(tmp_path.iterdir()) == []
    assert "configs/acai.py)" in "".join(result.stdout.split())
    assert flag == "--helpfull" or "python/tuple" not in result.stdout
    fields = ("lines_vqvae", "wing_referee", "data.source = 'lines'", "mirror each image with probability 1/2")
    assert all((part in result.stdout) == (flag != "--helpfull") for part in fields)
    assert ("absl.logging" in result.stdout) == (flag == "--helpfull")
