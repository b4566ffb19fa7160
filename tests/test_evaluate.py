"""The real command: the lines suite from start to end, and bad input in one line, with status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acai.model import ACAI
from common import release

ROOT = Path(__file__).resolve().parent.parent
SIZES = dict(width=32, latent_width=2, latent_channels=2, depth=2, critic_depth=2)


def evaluate(*words, cwd=ROOT, **environment):
    environment = {name: value for name, value in os.environ.items() if name != "TFDS_DATA_DIR"} | environment
    command = [sys.executable, ROOT / "evaluate.py", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Releases of an untrained ACAI of lines, of one of horses and birds, and of another family."""
    folder = tmp_path_factory.mktemp("runs")
    state = ACAI(**SIZES, colours=1, classes=1).release_state()
    for name, source in (("lines", "lines"), ("animals", "cifar10")):
        config = {"family": "acai", "data": {"source": source}, "model": SIZES | {"colours": 1}}
        release.write(folder / name, config, state, {"latents": np.zeros(1)})
    release.write(folder / "judge", {"family": "classifier", "data": {"source": "cifar10"}}, state)
    return folder


def test_lines_from_start_to_end(runs, tmp_path):
    result = evaluate(f"--source={runs}/lines", f"--out={tmp_path}/out")
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    names = list(found["sections"]["Lines"]["figures"])
    assert "lines_mean_distance_256" in names and "lines_smoothness_256" in names
    for name in names:
        assert name in result.stdout
    assert result.stdout.splitlines()[-2:] == [f"{tmp_path}/out/metrics.json", f"{tmp_path}/out/report.html"]


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        ("--source=nowhere", ["--source", "nowhere"]),
        ("--source={runs}/judge --suite=blend", ["--suite=judge", "--suite=blend"]),
        ("--source={runs}/animals --suite=lines", ["--suite=blend", "--suite=lines"]),
        ("--source={runs}/animals --features=eyes", ["eyes", "inception"]),
        ("--source={runs}/animals --samples=5", ["samples", "100"]),
        ("--source={runs}/animals --features={runs}/judge --data_dir=/dev/null", ["/dev/null"]),
        ("--source={runs}/lines --out=/dev/null/out", ["--out", "/dev/null"]),
        ("--sauce=acai", ["sauce"]),
    ],
)
def test_bad_input_gets_one_line(runs, words, mentioned):
    result = evaluate(*words.format(runs=runs).split())
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr, result.stderr
    for word in mentioned:
        assert word in result.stderr
