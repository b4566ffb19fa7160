"""common.cli.run with streams that are closed, full, lost or of another encoding, without a temporary folder."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.hostile_files import damaged_tiff

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
        (">&- 2>stderr", 0),
        ("<&- >&- 2>&-", 0),
        ("2>/dev/full", 0),
        (">/dev/full 2>stderr", 2),
        ("2>&1 | true", 0),
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


@pytest.mark.parametrize("redirections", ["2>/dev/full", ">/dev/full 2>stderr"])
def test_an_error_keeps_its_status(tmp_path, redirections):
    status, stderr = run_work(tmp_path, redirections, "fail")
    assert status == 2
    if "2>stderr" in redirections:
        assert stderr.endswith("\nerror: flags that fail\n")


@pytest.mark.parametrize(("redirections", "status"), [(">/dev/full", 2), ("2>&- | true", 0)])
def test_lost_help(redirections, status):
    shell = f'"{sys.executable}" generate.py --help {redirections}; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", shell], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=300)
    assert result.returncode == status
    assert result.stderr.startswith("error: stdout must be writable. Received: ") == (status == 2)
    assert result.stderr.count("\n") == (status == 2)


LATE = """
import os, sys
from common import cli
def main():
    open("started", "w").close()
    for _ in range(3):
        print("before " * 9, flush=True)
    sys.stdin.readline()
    for stream in (sys.stdout, sys.stderr):
        print("after", file=stream, flush=True)
    open("done", "w").close()
    if len(sys.argv) > 1:
        raise cli.InputError("flags that fail")
sys.argv[1:], arguments = [], sys.argv[1:]
cli.parse_flags = lambda *_: sys.argv.extend(arguments)
cli.run(main)
"""


def start_late(tmp_path, stream, *arguments):
    """Starts LATE with its output to a file descriptor; it waits for its standard input."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = dict(cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=stream)
    return subprocess.Popen([sys.executable, "-c", LATE, *arguments], **options)


@pytest.mark.parametrize("arguments", [[], ["fail"]])
@pytest.mark.parametrize("started", [True, False])
def test_a_lost_terminal_loses_no_work(tmp_path, started, arguments):
    """Its output has no reader any more, so nothing that is read is lost, unlike on a full disk."""
    pty = pytest.importorskip("pty")
    terminal, stream = pty.openpty()
    if not started:
        os.close(terminal)
    with start_late(tmp_path, stream, *arguments) as process:
        os.close(stream)
        if started:
            assert os.read(terminal, 6) == b"before"
            os.close(terminal)
        process.communicate(b"\n", timeout=300)
    assert process.returncode == (2 if arguments else 0) and (tmp_path / "done").exists()


def test_a_pipe_that_does_not_block_is_waited_for(tmp_path):
    """Programs that share a pipe or terminal can set it so; a write then writes a part or nothing."""
    reader, stream = os.pipe()
    os.set_blocking(stream, False)
    written = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            written += os.write(stream, b" ")
    with start_late(tmp_path, stream) as process:
        os.close(stream)
        process.stdin.close()
        while not (tmp_path / "started").exists():
            assert process.poll() is None
            time.sleep(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        with open(reader, "rb") as file:
            content = file.read()
        process.wait(300)
    assert process.returncode == 0
    assert content == b" " * written + ("before " * 9 + "\n").encode() * 3 + b"after\nafter\n"


TIFF = """
import sys
from common import cli
from common.images import read_picture
def main():
    shape = read_picture("a.tiff").shape
    open("shape", "w").write(str(shape))
sys.argv[1:], within = [], len(sys.argv) > 1
cli.run(main) if within else main()
"""


@pytest.mark.parametrize("within", ["run", ""])
@pytest.mark.parametrize("redirections", ["2>&-", "2>stderr"])
def test_pictures_of_which_libtiff_warns(tmp_path, redirections, within):
    """libtiff writes to file descriptor 2. Outside a command that can be the picture itself."""
    (tmp_path / "a.tiff").write_bytes(damaged_tiff("jpeg"))
    (tmp_path / "work.py").write_text(TIFF)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    shell = f'"{sys.executable}" work.py {within} {redirections}'
    result = subprocess.run(["bash", "-c", shell], cwd=tmp_path, env=environment, timeout=300)
    assert (result.returncode, (tmp_path / "shape").read_text()) == (0, "(32, 32, 3)")
    assert redirections != "2>stderr" or (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
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
from common import cli, files, streams
def main():
    with streams.hold_stderr():
        os.write(2, b"chatter")
    print(files.make_folder("out"))
sys.argv[1:] = []
cli.run(main)
"""


def test_no_temporary_folder_is_needed(tmp_path):
    options = dict(cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    result = subprocess.run([sys.executable, "-c", NO_FOLDER], timeout=300, **options)
    assert (result.returncode, result.stdout, result.stderr) == (0, "out\n", "")
