"""How checks are run, in this process and in child processes, what is reported, and the bounds."""

import sys
import time
from pathlib import Path

import pytest

from common.errors import InputError
from gpu_check import bounds, devices, runner
from gpu_check.bounds import CheckFailed, CheckSkipped
from gpu_check.sizes import CPU, GPU, for_device

PASSED = {"status": "passed", "seconds": 1.0, "figures": {"x": 1}}
FAILED = {"status": "failed", "seconds": 1.0, "reason": "it | broke"}

# All checks, and their report


def test_run_checks_stops_at_the_first_failure(capsys):
    ran = []

    def run(name):
        ran.append(name)
        return FAILED if name == "layers" else PASSED

    results = runner.run_checks(["device", "layers", "variables", "speed"], run)
    assert ran == ["device", "layers"]
    assert [result["check"] for result in results] == [*runner.CHECKS]
    statuses = {result["check"]: result["status"] for result in results}
    assert statuses == dict.fromkeys(runner.CHECKS, "not run") | {"device": "passed", "layers": "failed"}
    assert capsys.readouterr().err == "device: passed, 1 s\nlayers: failed, 1 s\n"


def test_results_are_formatted_as_a_markdown_table():
    results = [
        {"check": "memory", "status": "skipped", "seconds": 2.5, "reason": "no GPU"},
        {"check": "speed", "status": "passed", "seconds": 3, "figures": {"a": 1, "b": 2.5}, "warnings": ["slow"]},
        {"check": "layers"} | FAILED,
        {"check": "gans", "status": "not run"},
    ]
    assert runner.format_table(results).splitlines() == [
        "| check | result | seconds | figures | reason |",
        "| --- | --- | --- | --- | --- |",
        "| memory | skipped | 2.5 |  | no GPU |",
        "| speed | passed | 3 | a 1, b 2.5 | slow |",
        "| layers | failed | 1.0 |  | it \\| broke |",
        "| gans | not run |  |  |  |",
    ]


# A check in this process


def run_check_that(behave, monkeypatch):
    """Runs a check whose function calls `behave`; the device is not started."""
    monkeypatch.setattr(devices, "start_device", lambda *_, **__: None)
    monkeypatch.setattr(runner, "load_check", lambda name: lambda device, sizes: behave())
    return runner.run_in_this_process("layers", "CPU:0")


def test_figures_and_warnings_of_a_check_are_reported(monkeypatch):
    result = run_check_that(lambda: {"x": 1, "warnings": ["w"]}, monkeypatch)
    assert result == {"status": "passed", "warnings": ["w"], "figures": {"x": 1}}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (CheckSkipped("not here"), "skipped", "not here"),
        (CheckFailed("a\nb"), "failed", "a b"),
        (AssertionError("c"), "failed", "c"),
        (OSError("d\ne"), "failed", "OSError: d e"),
    ],
)
def test_errors_of_a_check_are_reported_in_one_line(error, status, reason, monkeypatch):
    def fail():
        raise error

    assert run_check_that(fail, monkeypatch) == {"status": status, "reason": reason}


# A check in a child process


def run_child(program, timeout=20):
    """Runs a Python program as the child process; `path` is the file for its result."""
    start = "import json, os, signal, subprocess, sys, time\npath = sys.argv[1].removeprefix('--result=')\n"
    return runner.run_child([sys.executable, "-c", start + program], timeout)


def test_the_childs_result_is_returned_with_seconds():
    result = run_child("json.dump({'status': 'passed', 'figures': {'x': 1}}, open(path, 'w'))")
    assert result.pop("seconds") >= 0
    assert result == {"status": "passed", "figures": {"x": 1}}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("sys.exit('first\\nlast')", "exit status 1: last"),
        ("print('Fatal', file=sys.stderr, flush=True); os.kill(os.getpid(), 11)", "killed by SIGSEGV: Fatal"),
        ("pass", "exit status 0: nothing on stderr"),
        ("json.dump({'status': 'passed'}, open(path, 'w')); os.abort()", "killed by SIGABRT: "),
        ("sys.exit(2)", "exit status 2: nothing on stderr"),
    ],
)
def test_a_crash_is_a_failure(program, reason):
    result = run_child(program)
    assert result["status"] == "failed" and result["reason"].startswith(reason)


def test_bad_input_of_a_child_is_an_input_error():
    with pytest.raises(InputError, match="^--device must .* no GPU$"):
        run_child("print('error: --device must ... no GPU', file=sys.stderr); sys.exit(2)")


def test_a_timeout_is_a_failure():
    result = run_child("print('asleep', file=sys.stderr, flush=True); time.sleep(60)", timeout=1)
    assert result["status"] == "failed" and result["reason"] == "no result after 1 seconds: asleep"
    assert result["stderr"] == ["asleep"] and result["seconds"] < 20


def test_a_timeout_kills_the_childs_own_child_processes(tmp_path):
    file = tmp_path / "pid"
    run_child(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)",
        timeout=1,
    )
    deadline = time.monotonic() + 5
    while is_alive(file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid):
    """Whether a process runs; a killed one whose parent has not asked for its status does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def test_a_cpus_process_sees_no_gpu(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runner.environment("CPU:0")["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "CUDA_VISIBLE_DEVICES" not in runner.environment("GPU:0")


# Sizes and bounds


def test_sizes_of_a_device():
    assert for_device("GPU:0") is GPU and for_device("CPU:1") is CPU
    assert GPU.compiled and CPU.compiled and GPU.batch % 4 == CPU.batch % 4 == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bounds_refuse_nan_and_infinity(value):
    with pytest.raises(CheckFailed, match="an error must be at most 0.001. Received: (nan|inf)"):
        bounds.at_most("step logs", value, "an error")
    with pytest.raises(CheckFailed, match="a cosine must be at least 0.99"):
        bounds.at_least("gradient cosine", -value, "a cosine")
