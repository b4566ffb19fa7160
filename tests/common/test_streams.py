"""common.cli.run with streams that are closed, full or of another encoding, and without a temporary folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORK = """
import os, sys
from common import cli
def main():
    for stream in (sys.stdout, sys.stderr):
        for _ in range(3):
            print("\\u99ac \\xe9 " + "x" * 10_000, file=stream, flush=True)
    with open("out-\\u99ac", "w") as file:
        file.write("done")
        print(file.name, file.fileno() > 2)
    if len(sys.argv) > 1:
        raise cli.InputError("flags that fail")
sys.argv[1:], arguments = [], sys.argv[1:]
cli.parse_flags = lambda *_: sys.argv.extend(arguments)
cli.run(main)
"""


def run_work(tmp_path, redirections, argument="", **environment):
    """Runs WORK by bash with redirections; returns (status, what it wrote to the file "stderr", if any)."""
    (tmp_path / "work.py").write_text(WORK)
    command = f'"{sys.executable}" work.py {argument} {redirections}; exit ${{PIPESTATUS[0]}}'
    options = dict(cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, timeout=300)
    status = subprocess.run(["bash", "-c", command], stdout=subprocess.DEVNULL, **options).returncode
    stderr = tmp_path / "stderr"
    return status, stderr.read_text(errors="replace") if stderr.exists() else ""


@pytest.mark.parametrize(
    ("redirections", "status"),
    [
        ("2>&-", 0),
        (">&- 2>stderr", 0),
        ("<&- >&- 2>&-", 0),
        ("<&- 2>stderr", 0),
        ("2>/dev/full", 0),
        (">/dev/full 2>stderr", 2),
        (">/dev/full 2>/dev/full", 2),
        ("2>stderr | true", 0),
        ("2>&1 | true", 0),
        ("2>&1 | head -c 5", 0),
        ("1</dev/null 2>stderr", 2),
    ],
)
def test_the_work_is_done_and_the_status_is_right(tmp_path, redirections, status):
    received, stderr = run_work(tmp_path, redirections)
    assert (tmp_path / "out-馬").read_text() == "done"
    assert received == status, stderr
    assert "Traceback" not in stderr and "Exception" not in stderr
    assert stderr.count("error: stdout must be writable. Received: ") == (
        status == 2 and "2>stderr" in redirections
    )


@pytest.mark.parametrize(
    "redirections", ["2>&-", "2>/dev/full", ">&- 2>stderr", ">/dev/full 2>stderr", "2>&1 | true"]
)
def test_an_error_keeps_its_status(tmp_path, redirections):
    status, stderr = run_work(tmp_path, redirections, "fail")
    assert status == 2
    if "2>stderr" in redirections:
        assert stderr.endswith("\nerror: flags that fail\n")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_other_encodings_of_terminal_and_locale(tmp_path, environment):
    """Names of files are UTF-8 all the same."""
    status, stderr = run_work(tmp_path, "2>stderr", **environment)
    assert (status, (tmp_path / "out-馬").read_text()) == (0, "done"), stderr
    assert len(stderr.splitlines()) == 3 and "Traceback" not in stderr


NO_FOLDER = """
import os, sys, tempfile
def fail():
    raise FileNotFoundError(2, "No usable temporary directory found")
tempfile._get_default_tempdir = fail
from common import cli, files
def main():
    with cli._hold_stderr():
        os.write(2, b"chatter")
    print(files.make_folder("out"))
sys.argv[1:] = []
cli.run(main)
"""


def test_no_temporary_folder_is_needed(tmp_path):
    options = dict(cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    result = subprocess.run([sys.executable, "-c", NO_FOLDER], timeout=300, **options)
    assert (result.returncode, result.stdout, result.stderr) == (0, "out\n", "")
