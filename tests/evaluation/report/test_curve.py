"""Curves of what runs logged: the numbers that are read, and the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from evaluation.report import curve, plots

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runs(tmp_path):
    """Two runs that logged "loss" at 1, 2, 3 kimg and "error" at some of them."""
    for name, errors in (("long", {1: 0.5, 3: 0.1}), ("short", {1: 0.4})):
        (tmp_path / name).mkdir()
        records = [{"kimg": k, "loss": 1.0} | ({"error": errors[k]} if k in errors else {}) for k in (1, 2, 3)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return tmp_path


def test_read_takes_the_intervals_that_have_the_figure(runs):
    assert curve.read(runs / "long", "error") == {1: 0.5, 3: 0.1}


def test_a_run_that_ends_early_ends_early_in_the_picture(runs):
    expected = plots.curves(
        [1, 3],
        {"long": ([0.5, 0.1], None, None), "short": ([0.4, np.nan], None, None)},
        "kimg",
        "error",
        "",
        log=True,
    )
    np.testing.assert_array_equal(curve.draw("error", [runs / "long", f"{runs}/short/"]), expected)


def test_a_figure_that_no_interval_has_names_those_there_are(runs):
    with pytest.raises(InputError, match="error, kimg, loss. Received: distance"):
        curve.read(runs / "long", "distance")


def test_the_command_stacks_its_figures(runs):
    words = [runs / "both.png", "error,loss", runs / "long", runs / "short"]
    subprocess.run([sys.executable, "-m", "evaluation.report.curve", *words], cwd=ROOT, check=True)
    picture = np.asarray(Image.open(runs / "both.png"))
    np.testing.assert_array_equal(picture[900:], curve.draw("loss", words[2:]))
    assert picture.shape == (1800, 1600, 3)


@pytest.mark.parametrize("words", [["a.png", "loss"], ["a.png", "loss", "nowhere"]])
def test_bad_words_get_one_line(words):
    result = subprocess.run(
        [sys.executable, "-m", "evaluation.report.curve", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1
