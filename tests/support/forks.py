"""Runs command lines in forks of one process that has imported generate.py, 20 times as fast as new processes.

FORKS runs another program when its name replaces "generate".
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORKS = """
import json, os, sys, traceback, generate
from common import cli
results = []
for words in json.load(sys.stdin):
    child = os.fork()
    if not child:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv, status = ["generate.py", *words], 0
        try:
            cli.run(generate.main, getattr(generate, "define_config", None))
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    results.append([status, open("stdout").read(), open("stderr").read()])
print(json.dumps(results))
"""


def start(folder, *command, **options):
    environment = os.environ | {"PYTHONPATH": f"{folder / 'stand-ins'}{os.pathsep}{ROOT}"}
    options |= dict(cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    return subprocess.run([sys.executable, *command], **options)


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.name not in ("stdout", "stderr"))


def assert_refusal(outcome, *parts):
    status, stdout, stderr = outcome
    assert (status, stdout) == (2, ""), stderr
    assert stderr.startswith("error: ") and stderr.count("\n") == 1
    for part in parts:
        assert part in stderr
