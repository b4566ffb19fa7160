"""Checks that this project works on a GPU and prints a Markdown table of the results: python -m gpu_check

Each check runs in its own process. The first failure ends the run with status 1. --device=CPU:0 runs the checks on
a CPU instead, as far as they apply. --device=CPU:1 uses a second logical CPU, which shows what is placed on the
first one by mistake.
"""

import json
import os
import sys
import traceback

from absl import flags

from common import cli
from common.errors import InputError, one_line
from common.files import write_atomically
from gpu_check import runner, sizes
from gpu_check.bounds import CheckFailed, CheckSkipped

flags.DEFINE_enum("device", "GPU:0", ["GPU:0", "CPU:0", "CPU:1"], "the device to check")
flags.DEFINE_list("checks", [], f"names among {', '.join(runner.CHECKS)}; default: all")
flags.DEFINE_string("report", "out/gpu_check.json", "the JSON file to write the results to")
flags.DEFINE_string("result", None, "run a single check in this process and write its result to this JSON file")
FLAGS = flags.FLAGS


def main():
    device, names = FLAGS.device, FLAGS.checks or list(runner.CHECKS)
    if unknown := [name for name in names if name not in runner.CHECKS]:
        raise InputError(f"--checks must be names among {', '.join(runner.CHECKS)}. Received: {unknown[0]!r}")
    if FLAGS.result:
        write_json(FLAGS.result, run_in_this_process(names[0], device))
        return
    report = os.path.abspath(os.path.expanduser(FLAGS.report))
    try:
        os.makedirs(os.path.dirname(report), exist_ok=True)
    except OSError as error:
        raise InputError(f"--report must be a file that can be written. Received: {report} ({error})") from error
    results = runner.run_checks(names, lambda name: runner.run_check(name, device))
    print(runner.format_table(results))
    write_json(report, {"device": device, "checks": results})
    if any(result["status"] == runner.FAILED for result in results):
        sys.exit(1)


def run_in_this_process(name, device):
    """Runs a check in this process and returns its result, a dict."""
    from gpu_check.devices import start_device

    start_device(device, replicas=2 if name == "mirrored" else 1)
    try:
        figures = runner.load_check(name)(device, sizes.for_device(device))
    except CheckSkipped as skipped:
        return {"status": runner.SKIPPED, "reason": one_line(skipped)}
    except (CheckFailed, AssertionError) as failed:
        return {"status": runner.FAILED, "reason": one_line(failed)}
    except Exception as error:  # the first line of a TensorFlow error says most
        traceback.print_exc()
        return {"status": runner.FAILED, "reason": f"{type(error).__name__}: {one_line(error)}"[:500]}
    return {"status": runner.PASSED, "warnings": figures.pop("warnings", []), "figures": figures}


def write_json(path, content):
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


if __name__ == "__main__":
    cli.run(main)
