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


def test_file_and_backend_of_the_user_have_no_effect(tmp_path):
    """The file is in the working folder, and matplotlib does not know the backend."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nno.such.field: 1\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "nonsense"}
    options = dict(cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    result = subprocess.run([sys.executable, "-c", DRAW], **options)
    assert result.stdout.strip() == hashlib.sha256(draw()).hexdigest(), result.stderr
