"""`python -m gpu_check`: its flags, its child processes, its report and its bounds."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from common.errors import InputError
from gpu_check import bounds, devices, runner
from gpu_check.bounds import CheckFailed
from gpu_check.sizes import CPU, GPU, for_device

ROOT = Path(__file__).parents[2]


def passes(name):
    return {"status": "passed", "seconds": 1.0, "figures": {"name": name}}


def fails(name):
    return {"status": "failed", "seconds": 1.0, "reason": f"{name} | broke"}


def test_run_checks_stops_at_the_first_failure(capsys):
    ran = []

    def run(name):
        ran.append(name)
        return fails(name) if name == "layers" else passes(name)

    results = runner.run_checks(["device", "layers", "variables", "speed"], run)
    assert ran == ["device", "layers"]
    assert [result["check"] for result in results] == [*runner.CHECKS]
    statuses = {result["check"]: result["status"] for result in results}
    assert statuses == dict.fromkeys(runner.CHECKS, "not run") | {"device": "passed", "layers": "failed"}
    assert capsys.readouterr().err == "device: passed, 1 s\nlayers: failed, 1 s\n"


def test_results_are_formatted_as_a_markdown_table():
    skipped = {"check": "memory", "status": "skipped", "seconds": 2.5, "reason": "no GPU"}
    warned = {
        "check": "speed",
        "status": "passed",
        "seconds": 3,
        "figures": {"a": 1, "b": 2.5},
        "warnings": ["slow"],
    }
    failed = {"check": "layers"} | fails("x")
    assert runner.format_table([skipped, warned, failed, {"check": "gans", "status": "not run"}]).splitlines()[
        2:
    ] == [
        "| memory | skipped | 2.5 |  | no GPU |",
        "| speed | passed | 3 | a 1, b 2.5 | slow |",
        "| layers | failed | 1.0 |  | x \\| broke |",
        "| gans | not run |  |  |  |",
    ]


def child(program, timeout=20):
    """Runs a Python program as the child process; its variable `path` is the result file."""
    text = (
        f"import json, os, signal, subprocess, sys, time\npath = sys.argv[1].removeprefix('--result=')\n{program}"
    )
    return runner.run_child([sys.executable, "-c", text], timeout)


def test_the_childs_result_is_returned_with_seconds():
    result = child("json.dump({'status': 'passed', 'figures': {'x': 1}}, open(path, 'w'))")
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
    result = child(program)
    assert result["status"] == "failed" and result["reason"].startswith(reason)


def test_a_timeout_is_a_failure_and_kills_all_child_processes(tmp_path):
    pid = tmp_path / "pid"
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    program = f"p = subprocess.Popen({sleeper}); open({str(pid)!r}, 'w').write(str(p.pid))"
    began = time.monotonic()
    result = child(f"{program}\nprint('asleep', file=sys.stderr, flush=True); time.sleep(60)", timeout=1)
    assert result["status"] == "failed" and result["reason"] == "no result after 1 seconds: asleep"
    assert result["stderr"] == ["asleep"] and time.monotonic() - began < 20
    for _ in range(100):  # a killed orphan disappears when init reaps it
        status = Path(f"/proc/{pid.read_text()}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child process of the child is alive")


def test_a_missing_gpu_is_an_input_error():
    with pytest.raises(InputError, match="^--device must .* no GPU$"):
        child("sys.exit(print('error: --device must ... no GPU', file=sys.stderr) or 2)")
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(InputError, match="Received: GPU:0, but TensorFlow lists no GPU.*make install GPU=1"):
            devices.start_device("GPU:0")


def command(*flags, stub=None):
    """Runs `python -m gpu_check`; `stub` is a Python expression that replaces `runner.run_check`."""
    program = "import sys\nfrom gpu_check import runner\nfrom common.cli import InputError, run\n"
    program += f"runner.run_check = {stub}\n" if stub else ""
    program += "from gpu_check import __main__ as program\nrun(program.main)"
    return subprocess.run([sys.executable, "-c", program, *flags], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checks=layers,speeed"], "--checks must be names among device, .*speed. Received: 'speeed'"),
        (["--device=TPU:0"], ".*device.*TPU:0"),
        (["--report=/proc/no/report.json"], "--report must be a file that can be written. Received: /proc/no"),
    ],
)
def test_bad_flags_end_with_status_2_and_one_line(flags, message):
    result = command(*flags, stub="None")
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1
    assert re.match(f"error: {message}", result.stderr)


def test_report_file_and_exit_status(tmp_path):
    report = tmp_path / "deep" / "report.json"
    stub = "lambda name, device: {'status': 'failed' if name == 'gans' else 'passed', 'seconds': 1, 'figures': {}}"
    result = command("--checks=device,gans,speed", "--device=CPU:0", f"--report={report}", stub=stub)
    assert result.returncode == 1 and "| gans | failed | 1 |  |  |\n" in result.stdout
    written = json.loads(report.read_text())
    assert written["device"] == "CPU:0"
    assert [c["status"] for c in written["checks"] if c["status"] != "not run"] == ["passed", "failed"]
    result = command("--checks=device,speed", "--device=CPU:0", f"--report={report}", stub=stub)
    assert result.returncode == 0 and result.stdout.startswith("| check | result |")
    refusing = "lambda name, device: (_ for _ in ()).throw(InputError('--device must be there'))"
    result = command("--device=GPU:0", f"--report={report}", stub=refusing)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "error: --device must be there\n")


def test_results_of_checks_in_a_child_process(tmp_path):
    """Covers a passed, a skipped and a failed check and an exception."""
    for body, expected in {
        "return {'x': 1, 'warnings': ['w']}": {"status": "passed", "warnings": ["w"], "figures": {"x": 1}},
        "raise CheckSkipped('not here')": {"status": "skipped", "reason": "not here"},
        "raise CheckFailed('a\\nb')": {"status": "failed", "reason": "a b"},
        "raise AssertionError('c')": {"status": "failed", "reason": "c"},
        "raise OSError('d\\ne')": {"status": "failed", "reason": "OSError: d e"},
    }.items():
        program = (
            "from gpu_check import devices, runner\nfrom gpu_check.bounds import CheckFailed, CheckSkipped\n"
            f"def check(device, sizes):\n    {body}\n"
            "devices.start_device = lambda *_, **__: None\nrunner.load_check = lambda name: check\n"
            "from common import cli\nfrom gpu_check import __main__ as program\ncli.run(program.main)"
        )
        path = tmp_path / "result.json"
        flags = ["--checks=layers", "--device=CPU:0", f"--result={path}"]
        ran = subprocess.run([sys.executable, "-c", program, *flags], cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(path.read_text()) == expected


def test_environment_and_sizes_of_a_device(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runner.environment("CPU:0")["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "CUDA_VISIBLE_DEVICES" not in runner.environment("GPU:0")
    assert for_device("GPU:0") is GPU and for_device("CPU:1") is CPU
    assert GPU.compiled and CPU.compiled and GPU.batch % 4 == CPU.batch % 4 == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bounds_refuse_nan_and_infinity(value):
    with pytest.raises(CheckFailed, match="an error must be at most 0.001. Received: (nan|inf)"):
        bounds.at_most("step logs", value, "an error")
    with pytest.raises(CheckFailed, match="a cosine must be at least 0.99"):
        bounds.at_least("gradient cosine", -value, "a cosine")
