"""common.figures: settings of the user's matplotlib have no effect on plots."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from evaluation.report import plots

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "font": {"font.size": 30},
    "LaTeX": {"text.usetex": True},  # which need not be installed
    "lines": {"lines.linewidth": 9, "lines.marker": "o"},
    "colours": {"axes.facecolor": "red", "text.color": "white"},
    "resolution": {"savefig.dpi": 30, "figure.dpi": 30},
    "ticks": {"axes.formatter.use_locale": True, "xtick.top": True},
}
DRAW = """
import hashlib
from evaluation.report import plots
print(hashlib.sha256(plots.draw_curves([1, 2], {"a": ([1, 2], None, None)}, "x", "y", "t")).hexdigest())
"""


def draw():
    return plots.draw_curves([1, 2], {"a": ([1, 2], None, None)}, "x", "y", "t")


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_user_have_no_effect_and_are_kept(name):
    expected = draw()
    with matplotlib.rc_context(SETTINGS[name]):
        before = dict(matplotlib.rcParams)
        assert (draw() == expected).all()
        assert dict(matplotlib.rcParams) == before


def run(folder, **variables):
    """Returns the digest of a plot that a process draws with the working folder `folder`."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    options = dict(cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    result = subprocess.run([sys.executable, "-c", DRAW], **options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("data", [b"text.usetex: True\nfont.size: 30\nno.such.field: 1\n", b"\xff", None])
def test_file_and_backend_of_the_user_have_no_effect(tmp_path, data):
    """The file is in the working folder, where None is a pipe that nobody writes to."""
    path = tmp_path / "matplotlibrc"
    os.mkfifo(path) if data is None else path.write_bytes(data)
    assert run(tmp_path, MPLBACKEND="nonsense") == hashlib.sha256(draw()).hexdigest()


def test_other_files_of_the_user_have_no_effect(tmp_path):
    """Also a style, which matplotlib reads from its folder of settings."""
    (tmp_path / "stylelib").mkdir()
    for name in ("matplotlibrc", "file", "stylelib/a.mplstyle"):
        (tmp_path / name).write_bytes(b"font.size: 30\n\xff")
    (tmp_path / "here").mkdir()
    variables = {"MATPLOTLIBRC": str(tmp_path / "file"), "MPLCONFIGDIR": str(tmp_path)}
    assert run(tmp_path / "here", **variables) == hashlib.sha256(draw()).hexdigest()


def test_plots_need_no_folder_that_can_be_written_to(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import tempfile; tempfile.tempdir = '/proc/none'")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    assert run(tmp_path, PYTHONPATH=path, HOME="/proc/none", XDG_CACHE_HOME="/proc/none") == (
        hashlib.sha256(draw()).hexdigest()
    )
