"""Checks that this project works on a GPU and prints a Markdown table of the results: python -m gpu_check

Each check runs in its own process. The first failure ends the run with status 1. --device=CPU:0 runs the checks on
a CPU instead, as far as they apply. --device=CPU:1 uses a second logical CPU, which shows what is placed on the
first one by mistake.
"""

import json
import os
import sys

from absl import flags

from common import cli
from common.errors import InputError
from common.files import write_atomically
from gpu_check import runner

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
        write_json(FLAGS.result, runner.run_in_this_process(names[0], device))
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


def write_json(path, content):
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


if __name__ == "__main__":
    cli.run(main)
