"""The command that draws logged figures: reading logs, drawing and errors."""

import json
import shutil
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
    """Two run directories that logged "loss" at 1, 2 and 3 kimg and "error" at some of these."""
    for name, errors in (("long", {1: 0.5, 3: 0.1}), ("short", {1: 0.4})):
        (tmp_path / name).mkdir()
        records = [{"kimg": k, "loss": 1.0} | ({"error": errors[k]} if k in errors else {}) for k in (1, 2, 3)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return tmp_path


def test_read_figure_skips_records_without_the_figure(runs):
    assert curve.read_figure([runs / "long"], "error") == {1: 0.5, 3: 0.1}


def test_a_run_goes_on_where_the_one_before_ended(runs):
    """Both runs end at 3 kimg, also that which logged "error" only at 1."""
    assert curve.read_figure([runs / "short", runs / "long"], "error") == {1: 0.4, 4: 0.5, 6: 0.1}
    chain = curve.draw("error", [f"{runs}/short+{runs}/long"])
    expected = plots.draw_curves([1, 4, 6], {"long": ([0.4, 0.5, 0.1], None, None)}, "kimg", "error", log=True)
    np.testing.assert_array_equal(chain, expected)


def test_missing_values_are_gaps(runs):
    expected = plots.draw_curves(
        [1, 3],
        {"long": ([0.5, 0.1], None, None), "short": ([0.4, np.nan], None, None)},
        "kimg",
        "error",
        log=True,
    )
    np.testing.assert_array_equal(curve.draw("error", [runs / "long", f"{runs}/short/"]), expected)


def test_runs_of_equal_names_are_named_by_their_paths(runs, monkeypatch):
    shutil.copytree(runs / "short", runs / "second" / "long")
    monkeypatch.chdir(runs)
    lines = {"long": ([0.5, 0.1], None, None), "second/long": ([0.4, np.nan], None, None)}
    expected = plots.draw_curves([1, 3], lines, "kimg", "error", log=True)
    np.testing.assert_array_equal(curve.draw("error", ["long", "second/long"]), expected)


def test_an_unknown_figure_is_refused_with_the_known_ones(runs):
    with pytest.raises(InputError, match=r"\(error, kimg, loss\). Received: distance"):
        curve.read_figure([runs / "long"], "distance")


def test_the_command_stacks_its_plots(runs):
    arguments = [runs / "stacked.png", "error,loss", runs / "long", runs / "short"]
    subprocess.run([sys.executable, "-m", "evaluation.report.curve", *arguments], cwd=ROOT, check=True)
    picture = np.asarray(Image.open(runs / "stacked.png"))
    np.testing.assert_array_equal(picture[900:], curve.draw("loss", arguments[2:]))
    assert picture.shape == (1800, 1600, 3)


def test_the_folder_of_the_picture_is_made_or_refused(runs):
    curve.main([f"{runs}/new/loss.png", "loss", runs / "long"])
    assert np.asarray(Image.open(runs / "new" / "loss.png")).shape == (900, 1600, 3)
    with pytest.raises(InputError, match="The folder of OUT.png must be .*. Received: /dev/null"):
        curve.main(["/dev/null/loss.png", "loss", runs / "long"])


@pytest.mark.parametrize("arguments", [["a.png", "loss"], ["a.png", "loss", "nowhere"]])
def test_bad_arguments_get_one_line(arguments):
    result = subprocess.run(
        [sys.executable, "-m", "evaluation.report.curve", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1
