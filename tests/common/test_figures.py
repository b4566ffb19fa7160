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
DRAW = """
import hashlib
from evaluation.report import plots
print(hashlib.sha256(plots.draw_curves([1, 2], {"a": ([1, 2], None, None)}, "x", "y")).hexdigest())
"""


def draw():
    return plots.draw_curves([1, 2], {"a": ([1, 2], None, None)}, "x", "y")


@pytest.mark.parametrize("settings", [{"text.usetex": True}, {"savefig.dpi": 30, "figure.dpi": 30}], ids=str)
def test_settings_of_the_user_have_no_effect_and_are_kept(settings):
    expected = draw()
    with matplotlib.rc_context(settings):
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


@pytest.mark.parametrize("pipe", [False, True])
def test_files_and_backend_of_the_user_have_no_effect(tmp_path, pipe):
    """Also a style in the folder of settings, and, in the working folder, a pipe that nobody writes to."""
    for folder in ("here", "stylelib"):
        (tmp_path / folder).mkdir()
    for name in ("matplotlibrc", "file", "stylelib/a.mplstyle"):
        (tmp_path / name).write_bytes(b"font.size: 30\n\xff")
    path = tmp_path / "here" / "matplotlibrc"
    os.mkfifo(path) if pipe else path.write_bytes(b"font.size: 30\n\xff")
    variables = {"MATPLOTLIBRC": str(tmp_path / "file"), "MPLCONFIGDIR": str(tmp_path), "MPLBACKEND": "nonsense"}
    assert run(tmp_path / "here", **variables) == hashlib.sha256(draw()).hexdigest()


def test_plots_need_no_folder_that_can_be_written_to(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import tempfile; tempfile.tempdir = '/proc/none'")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    assert run(tmp_path, PYTHONPATH=path, HOME="/proc/none", XDG_CACHE_HOME="/proc/none") == (
        hashlib.sha256(draw()).hexdigest()
    )
