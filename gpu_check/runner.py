"""Running checks in processes of their own, and reporting their results."""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from common.errors import InputError, one_line
from gpu_check import sizes
from gpu_check.bounds import CheckFailed, CheckSkipped

ROOT = Path(__file__).parents[1]
CHECKS = {  # name: (module, timeout in seconds), in the order in which they run
    "device": ("devices", 60),
    "memory": ("devices", 90),
    "layers": ("layers", 150),
    "variables": ("steps", 60),
    "acai_step": ("steps", 60),
    "compiled_step": ("steps", 120),
    "overflow": ("steps", 120),
    "gans": ("gans", 180),
    "training": ("commands", 240),
    "release": ("commands", 60),
    "mirrored": ("mirrored", 120),
    "speed": ("speed", 240),
}
FAILED, PASSED, SKIPPED, NOT_RUN = "failed", "passed", "skipped", "not run"
STDERR_LINES = 30  # lines of a failed check's stderr in the report


def load_check(name):
    """Imports a check: a function of a device and sizes that returns a dict of figures."""
    return getattr(importlib.import_module(f"gpu_check.{CHECKS[name][0]}"), name)


def run_checks(names, run):
    """Runs the named checks in order until one fails.

    Args:
        names: names in CHECKS.
        run: function of a name that runs the check and returns its result, a dict with "status" and "seconds".

    Returns:
        list of the results of all CHECKS, with the name as "check".
    """
    results, failed = [], False
    for name in CHECKS:
        result = {"status": NOT_RUN}
        if name in names and not failed:
            result = run(name)
            print(f"{name}: {result['status']}, {result['seconds']:.0f} s", file=sys.stderr, flush=True)
            failed = result["status"] == FAILED
        results.append({"check": name} | result)
    return results


def run_child(command, timeout, environment=None):
    """Runs a command that writes the result of a check as JSON to the file of its flag --result.

    Args:
        command: list of str, to which --result=PATH is added.
        timeout: seconds after which the command and the processes that it started are killed.
        environment: environment variables; None: those of this process.

    Returns:
        dict, the result with "seconds" added. A crash or timeout is a failure whose reason quotes the last line of
        stderr.

    Raises:
        InputError: if the command refused its input with status 2 and one line.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "stderr"), "w+b") as stderr:
        path = os.path.join(folder, "result.json")
        process = subprocess.Popen(
            [*command, f"--result={path}"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
            ended = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        except subprocess.TimeoutExpired:
            code, ended = None, f"no result after {timeout:g} seconds"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # includes the processes that it started
            process.wait()
        stderr.seek(0)
        lines = [line for line in stderr.read().decode(errors="replace").splitlines() if line.strip()]
        last = one_line(lines[-1])[:300] if lines else "nothing on stderr"
        result = {"status": FAILED, "reason": f"{ended}: {last}"}
        if code == 0 and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
        elif code == 2 and (refusals := [line for line in lines if line.startswith("error: ")]):
            raise InputError(refusals[-1].removeprefix("error: "))
    if result["status"] == FAILED:
        result["stderr"] = lines[-STDERR_LINES:]
    return result | {"seconds": round(time.perf_counter() - began, 1)}


def environment(device):
    """Environment variables of a check's process, which hide GPUs if the device is a CPU."""
    variables = os.environ | {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}
    return variables | ({"CUDA_VISIBLE_DEVICES": "-1"} if device.startswith("CPU") else {})


def run_check(name, device):
    """Runs a check in its own process; see `run_child` for the result."""
    command = [sys.executable, "-m", "gpu_check", f"--checks={name}", f"--device={device}"]
    return run_child(command, CHECKS[name][1], environment(device))


def run_in_this_process(name, device):
    """Runs a check in this process and returns its result, a dict."""
    from gpu_check import devices

    devices.start_device(device, replicas=2 if name == "mirrored" else 1)
    try:
        figures = load_check(name)(device, sizes.for_device(device))
    except CheckSkipped as skipped:
        return {"status": SKIPPED, "reason": one_line(skipped)}
    except (CheckFailed, AssertionError) as failed:
        return {"status": FAILED, "reason": one_line(failed)}
    except Exception as error:  # the first line of a TensorFlow error says most
        traceback.print_exc()
        return {"status": FAILED, "reason": f"{type(error).__name__}: {one_line(error)}"[:500]}
    return {"status": PASSED, "warnings": figures.pop("warnings", []), "figures": figures}


def format_table(results):
    """Formats results as a Markdown table."""
    rows = ["| check | result | seconds | figures | reason |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        figures = ", ".join(f"{name} {value}" for name, value in result.get("figures", {}).items())
        reason = "; ".join([*filter(None, [result.get("reason")]), *result.get("warnings", [])])
        cells = result["check"], result["status"], result.get("seconds", ""), figures, reason
        rows.append(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)
