"""Paths of the user's: `~` is expanded, URLs and names that are not UTF-8 are refused, configs are found anywhere.

A stand-in for TensorFlow ends a command with status 99: its input has been accepted.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import InputError
from common.files import cache_folder, expand_path
from tests.support.forks import FORKS, assert_refusal

ROOT = Path(__file__).parents[2]
TRAIN = ["--config=configs/acai.py:lines", "--workdir=run"]
IMAGES = ["--config=configs/acai.py", "--workdir=run", "--config.data.source=folder"]
URLS = {
    "train": [
        [TRAIN[0], "--workdir=gs://bucket/run"],
        [TRAIN[0], "--workdir=file:///runs/a"],
        [*TRAIN, "--data_dir=s3://bucket/data"],
        [*TRAIN, "--config.data.cache_folder=gs://bucket/cache"],
        [*TRAIN, "--config.train.start_from=hdfs://runs/a"],
        [*IMAGES, "--config.data.image_folder=https://example.org/images"],
        ["--config=gs://bucket/acai.py", TRAIN[1]],
    ],
    "generate": [
        ["--blend", "--out=gs://bucket/out"],
        ["--blend", "--out=~no_such_user/out"],
        ["--blend", "--out=a\udcff"],
        ["--blend", "--source=gs://bucket/run"],
        ["--blend", "--first_image=s3://a.png", "--second_image=b.png"],
        ["--from_manifest=https://example.org/manifest.json"],
        ["--blend", "--candidates=99", "--data_dir=ram://data"],
    ],
    "evaluate": [
        ["--out=gs://bucket/out"],
        ["--source=gs://bucket/run"],
        ["--image_folder=s3://bucket/images"],
        ["--features=gs://bucket/classifier"],
        ["--suite=search", "--pictures=gs://bucket/pictures"],
        ["--suite=viewers", "--answers=a.json,gs://bucket/b.json"],
    ],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder whose sub-folder "stand-ins" has stand-ins for TensorFlow and Keras."""
    home = tmp_path_factory.mktemp("home")
    (home / "stand-ins").mkdir()
    (home / "here").mkdir()
    for name in ("tensorflow", "keras", "tensorflow_datasets"):
        (home / "stand-ins" / f"{name}.py").write_text("import os; os._exit(99)")
    return home


def run_all(home, command, lines, **variables):
    """Runs command lines in the folder home/here. Returns [(status, stdout, stderr)]."""
    path = f"{home / 'stand-ins'}{os.pathsep}{ROOT}"
    environment = os.environ | {"PYTHONPATH": path, "HOME": str(home)} | variables
    text = FORKS.replace("generate", command)
    options = dict(cwd=home / "here", env=environment, capture_output=True, text=True, timeout=600)
    forked = subprocess.run([sys.executable, "-c", text], input=json.dumps(lines), **options)
    assert forked.returncode == 0, forked.stderr
    return json.loads(forked.stdout)


@pytest.fixture(scope="module")
def refusals(home):
    found = {name: run_all(home, name, lines) for name, lines in URLS.items()}
    assert sorted(os.listdir(home / "here")) == ["stderr", "stdout"]  # of the forks
    return found


@pytest.mark.parametrize(
    ("name", "number"), [(name, k) for name, lines in URLS.items() for k in range(len(lines))]
)
def test_urls_and_impossible_names_are_refused(refusals, name, number):
    assert_refusal(refusals[name][number], "must be a path on this machine")


def test_home_is_expanded(home):
    assert run_all(home, "train", [[TRAIN[0], "--workdir=~/runs/a"]])[0][0] == 99
    assert (home / "runs" / "a" / "config.json").is_file()
    statuses = [outcome[0] for outcome in run_all(home, "generate", [["--blend", "--out=~/pictures"]])]
    assert statuses == [99] and (home / "pictures").is_dir()
    outcomes = run_all(home, "generate", [["--blend", "--source=~/runs/a"], ["--from_manifest=~/m.json"]])
    assert_refusal(outcomes[0], f"{home}/runs/a, a folder without a release")
    assert_refusal(outcomes[1], f"{home}/m.json")
    (outcome,) = run_all(home, "evaluate", [["--suite=search", "--pictures=~/lost"]])
    assert_refusal(outcome, f"{home}/lost, no such path")
    assert not (home / "here" / "~").exists()


def test_data_folder_of_the_environment_is_a_path_too(home):
    lines = [["--config=configs/acai.py", "--workdir=other"]]
    assert_refusal(run_all(home, "train", lines, TFDS_DATA_DIR="gs://bucket/data")[0], "The data folder must be")


def test_configs_are_found_from_any_working_folder(home):
    """Also by a flag file, and the default config; a file in the working folder comes first."""
    (home / "flags").write_text("--config=configs/classifier.py\n--config.model.channels=('a',2)\n")
    (home / "binary").write_bytes(bytes(range(128, 256)))
    lines = [
        ["--config=configs/gan.py", "--workdir=other", "--config.train.seed=-3"],
        ["--config", "configs/gan.py:cgan", "--workdir=other", "--config.train.seed=-3"],
        ["--workdir=other", "--config.train.seed=-3"],
        ["--flagfile=~/flags", "--workdir=other"],
        ["--flagfile=~/binary", "--workdir=other"],
        ["--config=configs/lost.py", "--workdir=other"],
    ]
    words = ["-3", "-3", "-3", "('a', 2)", "text in UTF-8", "configs/lost.py"]
    for outcome, word in zip(run_all(home, "train", lines), words, strict=True):
        assert_refusal(outcome, word)
    (home / "here" / "configs").mkdir()
    (home / "here" / "configs" / "gan.py").write_text("raise ValueError('this one')")
    assert_refusal(run_all(home, "train", lines[:1])[0], "this one")


def test_paths_are_expanded_or_refused(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    for path, expanded in [
        ("~/a", "/home/me/a"),
        ("a/~", "a/~"),
        ("C:/a", "C:/a"),
        ("a://b"[1:], "://b"),
        ("", ""),
    ]:
        assert expand_path(path, "--out") == expanded
    for path in ("gs://a", "S3://a", "svn+ssh://a", "~no_such_user", "a\0b", "a\ud800"):
        with pytest.raises(InputError, match="--out must be a path on this machine. Received: "):
            expand_path(path, "--out")


@pytest.mark.parametrize(
    ("value", "base"), [("/caches", "/caches"), ("caches", "/home/me/.cache"), ("gs://a", "/home/me/.cache")]
)
def test_cache_folder_is_absolute(monkeypatch, value, base):
    """The XDG specification says to ignore relative paths."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == f"{base}/pegasus-acai"
