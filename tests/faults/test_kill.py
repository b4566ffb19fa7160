"""SIGKILL at any time: a killed writer of files, and a train.py that is killed or stopped again and again."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.running_commands import FLAGS, ROOT, count_events, newest_step
from training.checkpoints import Checkpoints
from training.run_directory import RunDirectory

CALLS = (
    "open",
    "fsync",
    "replace",
    "remove",
    "makedirs",
    "truncate",
)  # functions of os; a kill comes before each call


# every write of a run directory


def write_run(path):
    """Starts or resumes a run and writes three checkpoints, of which two are kept."""
    with RunDirectory(path, {"model": {"depth": 2}}, keep_checkpoints=2) as run:
        start, _ = run.checkpoints.load_latest()
        for step in range(start + 1, start + 4):
            run.checkpoints.save(step, {"step": np.int64(step), "weights": np.full(1000, step)})


def killed_before_call(path, count):
    """Runs `write_run` in a child that is killed before call number `count`; returns whether it got that far."""
    child = os.fork()
    if child == 0:
        left = [count]

        def counted(function):
            def call(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        with contextlib.suppress(BaseException):
            write_run(path)
            os._exit(0)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_writes_survive_a_kill_before_any_system_call(tmp_path):
    count, seen = 0, set()
    while killed_before_call(path := str(tmp_path / f"{count}"), count):
        before = newest_step(Path(path))
        seen.add(before)
        write_run(path)  # goes on, whatever was left
        step, arrays = Checkpoints(os.path.join(path, "checkpoints")).load_latest()
        assert step == before + 3 and (arrays["weights"] == step).all()
        assert sorted(os.listdir(path)) == [".lock", "checkpoints", "config.json"]
        assert [int(name[:9]) for name in sorted(os.listdir(f"{path}/checkpoints"))] == [step - 1, step]
        count += 1
    assert seen == {0, 1, 2, 3} and count > 20


# the real command

KILLS, STEPS, PATIENCE = 25, 600, 1800
AT_A_CALL = """
import os, signal
left = [int(os.environ["KILL_BEFORE_CALL"])]
def counted(function):
    def call(path, *arguments, **options):
        if not isinstance(path, int) and "checkpoints" in str(path) or function is fsync:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(path, *arguments, **options)
    return call
fsync = os.fsync
for name in ("fsync", "replace", "remove"):
    setattr(os, name, counted(getattr(os, name)))
"""


def start(workdir, **options):
    command = [sys.executable, ROOT / "train.py", *FLAGS, f"--config.train.total_kimg={STEPS * 4 / 1000}"]
    options |= dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    options["preexec_fn"] = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
    return subprocess.Popen([*command, f"--workdir={workdir}"], **options)


def finish(workdir):
    process = start(workdir)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr


def kill_at_a_call(workdir, call, tmp_path):
    """SIGKILL of itself before a call of fsync, replace or remove: within the write of a checkpoint or a log."""
    (tmp_path / "sitecustomize.py").write_text(AT_A_CALL)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "KILL_BEFORE_CALL": str(call)}
    process = start(workdir, env=environment)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, stderr


def kill_at_a_moment(workdir, seconds, number=signal.SIGKILL):
    """A signal from outside, `seconds` after the first new checkpoint; negative: as long after the start.

    Returns the step at which other signals than SIGKILL have stopped and saved the training.
    """
    process, before, begun = start(workdir), newest_step(workdir), time.monotonic()
    while seconds >= 0 and newest_step(workdir) <= before:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < begun + PATIENCE
        time.sleep(0.005)
    time.sleep(abs(seconds))
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
        return None
    assert process.returncode == 0 and f"stopped by {number.name}; saved" in stdout, stderr
    return newest_step(workdir)


@pytest.mark.slow
def test_run_killed_or_stopped_25_times_is_bit_identical(tmp_path):
    draw = random.Random(0)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    finish(straight)
    moments, stops = [], set()
    for number in range(KILLS):
        if number % 5 == 2:
            moments.append(draw.uniform(0, 0.4))
            stop_signal = signal.SIGTERM if number % 2 else signal.SIGHUP
            stops.add(kill_at_a_moment(killed, moments[-1], stop_signal))
        elif number % 2 or number == 0:
            moments.append(draw.uniform(-8, 0) if number in (0, 7) else draw.uniform(0, 0.4))
            kill_at_a_moment(killed, moments[-1])
        else:
            moments.append(draw.randrange(1, 25))
            kill_at_a_call(killed, moments[-1], tmp_path)
        print(f"kill {number + 1} at {moments[-1]:.3f}: newest checkpoint {newest_step(killed)}", flush=True)
    assert 0 < newest_step(killed) < STEPS, "the kills should lie within the training"
    finish(killed)

    step, arrays = Checkpoints(killed / "checkpoints").load_latest()
    other, expected = Checkpoints(straight / "checkpoints").load_latest()
    assert step == other == STEPS and arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert array.tobytes() == expected[name].tobytes(), name
    assert stops and max(stops) < STEPS - 15  # their checkpoints are not among the newest three
    for name in ("checkpoints", "release"):
        assert sorted(os.listdir(killed / name)) == sorted(os.listdir(straight / name))
    assert {*os.listdir(straight / "pictures")} <= {*os.listdir(killed / "pictures")}
    assert (killed / "release" / "weights.npz").read_bytes() == (straight / "release" / "weights.npz").read_bytes()
    surplus = {*os.listdir(killed)} - {*os.listdir(straight)}
    assert all(name.startswith("events.out.tfevents") for name in surplus) and len(surplus) <= KILLS + 1
    logged = [json.loads(line)["step"] for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert logged == sorted({*range(3, STEPS + 1, 3), *stops})  # the step of a stop is logged as well
    found = count_events(killed)
    assert set(found.values()) == {1}, [key for key, count in found.items() if count > 1]
    assert [step for tag, step in sorted(found) if tag == "critic_loss"] == logged
    expected = count_events(straight).keys()
    assert expected <= found.keys() and {step for _, step in found.keys() - expected} <= stops
