"""benchmarks/scale.py: growth, the table, and one real point in its own process."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scale():
    """The script as a module. Its flags are removed again, because other scripts define some of the same names."""
    before = set(flags.FLAGS)
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)


def row(at, seconds, what="step"):
    return {"part": "batch", "at": at, "seconds": seconds, "what": what, "peak_mib": at}


def test_growth_is_the_power_between_neighbours_of_a_kind(scale):
    rows = [row(8, 1.0), row(8, 1.0, "other"), row(16, 2.0), row(32, 8.0), row(32, 1.0, "other")]
    rows.append({"part": "batch", "at": 64, "what": "failed with status 1"})
    powers = [found.get("growth") for found in scale.add_growth(rows)]
    assert powers[:2] == [None, None] and powers[5] is None
    assert powers[2:5] == [pytest.approx(1), pytest.approx(2), pytest.approx(0)]


def test_the_table_leaves_empty_what_a_row_lacks(scale):
    lines = scale.format_table(
        [row(8, 1.25), {"part": "depth", "at": 64, "what": "failed with status 1"}]
    ).splitlines()
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| batch | 8 | step | 1.25 |  |")
    assert lines[3].startswith("| depth | 64 | failed with status 1 |  |")


def test_the_plot_has_a_panel_a_part(scale, tmp_path):
    from PIL import Image

    rows = [
        row(8, 1.0),
        row(16, 2.0),
        row(8, 3.0) | {"part": "depth"},
        {"part": "depth", "at": 9, "what": "failed"},
    ]
    scale.draw(rows, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.size == (1200, 320)  # of one row


def run(*words):
    command = [sys.executable, "benchmarks/scale.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
@pytest.mark.parametrize(("part", "value", "kinds"), [("disk", 32, 2), ("decode", 64, 1)])
def test_a_point_gives_seconds_and_peak_memory(part, value, kinds):
    made = run(f"--point={json.dumps([part, value, True])}")
    assert made.returncode == 0, made.stderr
    rows = json.loads(made.stdout.splitlines()[-1])
    assert len(rows) == kinds and len({found["what"] for found in rows}) == kinds
    for found in rows:
        assert found["part"] == part and found["at"] == value and found["seconds"] > 0
        assert 100 < found["peak_mib"] < 100_000


def test_an_unknown_part_gets_one_line():
    made = run("--parts=batch,speed")
    assert made.returncode == 2 and made.stdout == "" and "Received: speed" in made.stderr.splitlines()[-1]


@pytest.mark.slow
def test_all_of_it_quickly(tmp_path):
    made = run("--quick", f"--plot={tmp_path / 'plot.png'}")
    assert made.returncode == 0, made.stderr
    assert "failed" not in made.stdout and (tmp_path / "plot.png").stat().st_size > 1000
    for part in ("batch", "depth", "width", "disk", "candidates", "decode"):
        assert made.stdout.count(f"| {part} |") >= 2, made.stdout
