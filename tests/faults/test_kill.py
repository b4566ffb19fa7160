"""SIGKILL at any time: a killed writer of checkpoints, and a train.py that is interrupted again and again."""

import contextlib
import itertools
import json
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.faults.self_kill import kill_before_call
from tests.support.running_commands import (
    BATCH_SIZE,
    PATIENCE,
    ROOT,
    count_events,
    newest_step,
    start_training,
    wait_for_checkpoint,
)
from training.checkpoints import Checkpoints
from training.run_directory import RunDirectory

# A writer of checkpoints

WRITING_CALLS = ("open", "fsync", "replace", "remove", "makedirs", "truncate")  # of os


def write_three_checkpoints(path):
    """Starts or resumes a run, of which two checkpoints are kept."""
    with RunDirectory(path, {"model": {"depth": 2}}, keep_checkpoints=2) as run:
        start, _ = run.checkpoints.load_latest()
        for step in range(start + 1, start + 4):
            run.checkpoints.save(step, {"step": np.int64(step), "weights": np.full(1000, step)})


def is_killed_before_call(path, number):
    """Writes three checkpoints in a child that is killed before call `number`; False: it made fewer calls."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            kill_before_call(number, WRITING_CALLS)
            write_three_checkpoints(path)
            os._exit(0)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_a_run_goes_on_after_a_kill_before_any_call(tmp_path):
    """It goes on from its newest checkpoint and leaves no incomplete file."""
    newest_steps = []
    for number in itertools.count():
        path = tmp_path / str(number)
        if not is_killed_before_call(path, number):
            break
        newest_steps.append(newest_step(path))
        write_three_checkpoints(path)
        step, arrays = Checkpoints(path / "checkpoints").load_latest()
        assert step == newest_steps[-1] + 3 and (arrays["weights"] == step).all()
        assert sorted(os.listdir(path)) == [".lock", "checkpoints", "config.json"]
        assert [int(name[:9]) for name in sorted(os.listdir(path / "checkpoints"))] == [step - 1, step]
    assert set(newest_steps) == {0, 1, 2, 3} and len(newest_steps) > 20


# The command train.py

STEPS, LOG_EVERY = 600, 3
LENGTH = f"--config.train.total_kimg={STEPS * BATCH_SIZE / 1000}"


def finish(workdir):
    with start_training(workdir, LENGTH) as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr


def kill_before_fsync(number, workdir, folder):
    """The process kills itself within the write of a checkpoint or a log; `folder` is for its sitecustomize.py."""
    (folder / "sitecustomize.py").write_text(
        f"from tests.faults.self_kill import kill_before_call\nkill_before_call({number}, ['fsync'])\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    with start_training(workdir, LENGTH, env=environment) as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, stderr


def kill_after_start(seconds, workdir):
    with start_training(workdir, LENGTH) as process:
        time.sleep(seconds)
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"


def signal_after_checkpoint(number, seconds, workdir):
    """Sends a signal that many seconds after the first new checkpoint; returns (status, stdout)."""
    before = newest_step(workdir)
    with start_training(workdir, LENGTH) as process:
        wait_for_checkpoint(process, workdir, after=before)
        time.sleep(seconds)
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, stdout


def kill_after_checkpoint(seconds, workdir):
    status, _ = signal_after_checkpoint(signal.SIGKILL, seconds, workdir)
    assert status == -signal.SIGKILL, "it ended before it was killed"


def stop_after_checkpoint(number, seconds, workdir):
    """Returns the step that was saved."""
    status, stdout = signal_after_checkpoint(number, seconds, workdir)
    assert status == 0 and f"stopped by {number.name}; saved" in stdout
    return newest_step(workdir)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that was interrupted 25 times, the steps at which it was stopped, and an uninterrupted run."""
    folder, draw = tmp_path_factory.mktemp("runs"), random.Random(0)
    interrupted, uninterrupted = folder / "interrupted", folder / "uninterrupted"
    interruptions = [
        *(partial(kill_after_start, draw.uniform(0, 8)) for _ in range(2)),
        *(partial(kill_after_checkpoint, draw.uniform(0, 0.4)) for _ in range(9)),
        *(partial(kill_before_fsync, draw.randrange(1, 20), folder=folder) for _ in range(9)),
        *(partial(stop_after_checkpoint, signal.SIGTERM, draw.uniform(0, 0.4)) for _ in range(3)),
        *(partial(stop_after_checkpoint, signal.SIGHUP, draw.uniform(0, 0.4)) for _ in range(2)),
    ]
    draw.shuffle(interruptions)
    stops = set()
    for interrupt in interruptions:
        saved = interrupt(workdir=interrupted)
        stops |= {saved} - {None}
        print(f"{interrupt}: newest checkpoint {newest_step(interrupted)}", flush=True)
    assert 0 < newest_step(interrupted) < STEPS, "the interruptions should lie within the training"
    finish(interrupted)
    finish(uninterrupted)
    return SimpleNamespace(interrupted=interrupted, stops=stops, uninterrupted=uninterrupted)


@pytest.mark.slow
def test_interrupted_training_gives_the_same_bits(runs):
    step, arrays = Checkpoints(runs.interrupted / "checkpoints").load_latest()
    expected_step, expected = Checkpoints(runs.uninterrupted / "checkpoints").load_latest()
    assert step == expected_step == STEPS and arrays.keys() == expected.keys()
    assert [name for name, array in arrays.items() if array.tobytes() != expected[name].tobytes()] == []
    weights = Path("release", "weights.npz")
    assert (runs.interrupted / weights).read_bytes() == (runs.uninterrupted / weights).read_bytes()


@pytest.mark.slow
def test_interrupted_training_leaves_the_same_files(runs):
    """But for an event file from each start, and pictures of the steps at which it was stopped."""
    assert max(runs.stops) < STEPS - 15, "the checkpoints of stops should not be among the three that are kept"
    for name in ("checkpoints", "release"):
        assert sorted(os.listdir(runs.interrupted / name)) == sorted(os.listdir(runs.uninterrupted / name))
    assert {*os.listdir(runs.uninterrupted / "pictures")} <= {*os.listdir(runs.interrupted / "pictures")}
    surplus = {*os.listdir(runs.interrupted)} - {*os.listdir(runs.uninterrupted)}
    assert all(name.startswith("events.out.tfevents") for name in surplus)


@pytest.mark.slow
def test_interrupted_training_logs_each_step_once(runs):
    """The steps at which it was stopped are logged as well."""
    lines = (runs.interrupted / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == sorted({*range(LOG_EVERY, STEPS + 1, LOG_EVERY), *runs.stops})
    events, expected = count_events(runs.interrupted), count_events(runs.uninterrupted)
    assert [event for event, count in events.items() if count != 1] == []
    assert [step for tag, step in sorted(events) if tag == "critic_loss"] == steps
    surplus = events.keys() - expected.keys()
    assert expected.keys() <= events.keys() and {step for _, step in surplus} <= runs.stops
