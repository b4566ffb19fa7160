"""Checks of what users run: a training that is stopped and resumed, and a bundled model."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gpu_check.bounds import at_most, require
from gpu_check.runner import ROOT, environment

CONFIG, BATCH, LOG_EVERY = "configs/acai.py:lines", 16, 5
WAIT_SECONDS = 100  # timeout of one training


def training(device, sizes):
    """Stops train.py with SIGTERM and finishes with the same command; each logged step must appear once."""
    steps = sizes.training_steps
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = training_command(run, steps)
        stopped = run_training(command, device, stop_at=run / "checkpoints")
        require("stopped by SIGTERM" in stopped, f"train.py must report SIGTERM. Received: {stopped[-300:]!r}")
        before = logged_steps(run)
        run_training(command, device)
        after = logged_steps(run)
        finished = run_training(command, device)
    require(before[-1] < steps, f"SIGTERM must stop the training before step {steps}. Received: {before[-1]}")
    expected = sorted({*range(LOG_EVERY, steps + 1, LOG_EVERY), before[-1]})
    require(after == expected, f"each {LOG_EVERY}th of {steps} steps must be logged once. Received: {after}")
    require(" is finished" in finished, f"a finished run must be reported. Received: {finished[-300:]!r}")
    return {"stopped_at": before[-1], "finished_at": after[-1]}


def training_command(folder, steps):
    """Returns the command that trains `steps` steps in a folder, a list of str."""
    images = {"total": steps * BATCH, "log_every": LOG_EVERY * BATCH, "save_every": steps // 6 * BATCH}
    flags = [f"--config.train.{name}_kimg={count / 1000}" for name, count in images.items()]
    return [sys.executable, str(ROOT / "train.py"), f"--config={CONFIG}", f"--workdir={folder}", *flags]


def run_training(command, device, stop_at=None):
    """Runs a training to its end and returns what it printed.

    Args:
        command: list of str.
        device: device of the check; a CPU hides all GPUs.
        stop_at: folder (Path) in which a checkpoint triggers SIGTERM; None: the training is not stopped.
    """
    until, waiting = time.monotonic() + WAIT_SECONDS, stop_at is not None
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(device), stdout=printed, stderr=printed)
        try:
            while waiting and process.poll() is None and time.monotonic() < until:
                if any(stop_at.glob("*.npz")):
                    process.send_signal(signal.SIGTERM)
                    waiting = False
                time.sleep(0.01)
            code = process.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = f"none after {WAIT_SECONDS} seconds"
        finally:
            process.kill()
            process.wait()
        printed.seek(0)
        text = printed.read().strip()
    last = (text.splitlines() or ["nothing printed"])[-1][:300]
    require(code == 0, f"train.py must end with status 0. Received: {code}, {last}")
    return text


def logged_steps(folder):
    """Reads the steps in the metrics.jsonl of a run (Path)."""
    with open(folder / "metrics.jsonl", encoding="utf-8") as file:
        steps = [json.loads(line)["step"] for line in file]
    require(steps, "a stopped training must have logged a step. Received: no step")
    return steps


def release(device, sizes):
    """Compares decoded pictures and golden outputs of a bundled model with those of the CPU."""
    import tensorflow as tf

    from acai.inference import ReleasedACAI
    from common import release
    from common.files import unpack
    from common.images import to_uint8
    from gpu_check.devices import require_device
    from training import acai

    folder = release.BUNDLED / "pegasus"
    config, weights, bank, _ = release.read(folder, "acai")
    pictures = []
    for place in ("CPU:0", device):
        with tf.device(place):
            model = ReleasedACAI(config["model"], weights, folder)
            require_device(place, {"a weight of the decoder": model.decoder.variables[0].value})
            pictures.append(np.int32(to_uint8(model.decode(bank["latents"][: sizes.batch]))))
    levels = int(np.abs(pictures[0] - pictures[1]).max())
    at_most("grey levels", levels, "grey levels between the device's pictures and the CPU's")
    golden = unpack((folder / "golden.npz").read_bytes(), "golden.npz")
    with tf.device(device):
        made = acai.golden_outputs(config, weights, bank)
    require(made.keys() == golden.keys(), f"golden outputs must be {[*golden]}. Received: {[*made]}")
    worst = 0.0
    for name, array in made.items():
        expected = np.float64(golden[name])
        difference = np.abs(array - expected)
        if golden[name].dtype == np.uint8:
            at_most("grey levels", difference.max(), f"difference of the golden output {name!r}")
        else:
            error = float((difference / (1 + np.abs(expected))).max())
            at_most("golden outputs", error, f"error of the golden output {name!r}")
            worst = max(worst, error)
    return {"grey_levels": levels, "golden_error": float(f"{worst:.2g}")}
