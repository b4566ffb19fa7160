"""The command `python -m gpu_check`: its flags, report and exit status."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from common import cli
from gpu_check import __main__ as program, runner

def run_check(name, device):
    if device == "GPU:0":
        raise cli.InputError("--device must be there")
    return {"status": "failed" if name == "gans" else "passed", "seconds": 1, "figures": {}}

runner.run_check = run_check
runner.run_in_this_process = lambda name, device: {"status": "passed", "check": name, "device": device}
cli.run(program.main)
"""


def run_command(*flags):
    """Runs the command with stand-ins for the checks: "gans" fails, and there is no GPU:0."""
    return subprocess.run([sys.executable, "-c", PROGRAM, *flags], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checks=layers,speeed"], "--checks must be names among device, .*speed. Received: 'speeed'"),
        (["--device=TPU:0"], ".*device.*TPU:0"),
        (["--report=/proc/no/report.json"], "--report must be a file that can be written. Received: /proc/no"),
        (["--device=GPU:0"], "--device must be there"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(flags, message, tmp_path):
    result = run_command(f"--report={tmp_path / 'report.json'}", *flags)
    assert result.returncode == 2 and result.stdout == "" and result.stderr.count("\n") == 1
    assert re.match(f"error: {message}", result.stderr)


def test_passed_checks_end_with_status_0_and_a_table(tmp_path):
    result = run_command("--checks=device,speed", "--device=CPU:0", f"--report={tmp_path / 'report.json'}")
    assert result.returncode == 0 and result.stdout.startswith("| check | result |")


def test_a_failed_check_ends_with_status_1_and_is_in_the_report(tmp_path):
    path = tmp_path / "deep" / "report.json"
    result = run_command("--checks=device,gans,speed", "--device=CPU:0", f"--report={path}")
    assert result.returncode == 1 and "| gans | failed | 1 |  |  |\n" in result.stdout
    report = json.loads(path.read_text())
    assert report["device"] == "CPU:0"
    ran = {check["check"]: check["status"] for check in report["checks"] if check["status"] != "not run"}
    assert ran == {"device": "passed", "gans": "failed"}


def test_result_is_that_of_a_single_check_in_this_process(tmp_path):
    path = tmp_path / "result.json"
    result = run_command("--checks=layers", "--device=CPU:1", f"--result={path}")
    assert result.returncode == 0 and result.stdout == ""
    assert json.loads(path.read_text()) == {"status": "passed", "check": "layers", "device": "CPU:1"}
