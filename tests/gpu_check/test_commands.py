"""Checks of commands, copies and speed: train.py, the bundled model, two devices, and warnings."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu_check import commands, mirrored, speed
from gpu_check.bounds import CheckFailed
from tests.support.gpu_check_sizes import DEVICE, TINY

TRAINING = """
import json, os, signal, sys, time
run, fault = sys.argv[1:]
os.makedirs(f"{run}/checkpoints", exist_ok=True)
path, stopped = f"{run}/metrics.jsonl", []
steps = [json.loads(line)["step"] for line in open(path)] if os.path.exists(path) else []
if fault == "dies":
    sys.exit("Killed by fault")
if steps and steps[-1] == 60:
    sys.exit(print("" if fault == "forgets" else "run is finished") or 0)
signal.signal(signal.SIGTERM, lambda *_: None if fault == "deaf" else stopped.append(1))
for step in range(steps[-1] + 1 if steps else 1, 61):
    if step == 20:
        open(f"{run}/checkpoints/1.npz", "w").close()
        time.sleep(0.2)
    if step % 5 == 0 or stopped:
        steps.append(step)
    if stopped:
        break
if fault == "twice":
    steps = [steps[0]] + steps
with open(path, "w") as file:
    file.writelines(json.dumps({"step": step}) + chr(10) for step in steps)
if stopped:
    print("stopped by SIGTERM; saved")
"""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("", ""),
        ("dies", "end with status 0. Received: 1, Killed by fault"),
        ("deaf", "report SIGTERM"),
        ("twice", "logged once"),
        ("forgets", "finished run must be reported"),
    ],
)
def test_training_fails_for_a_faulty_command(fault, message, monkeypatch):
    """A stand-in for train.py logs and stops as it does, except for a fault."""
    monkeypatch.setattr(commands, "training_command", lambda run, _: [sys.executable, "-c", TRAINING, run, fault])
    if not fault:
        assert commands.training(DEVICE, TINY) == {"stopped_at": 20, "finished_at": 60}
        return
    with pytest.raises(CheckFailed, match=message):
        commands.training(DEVICE, TINY)


def test_training_that_hangs_fails(monkeypatch):
    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.3)
    with pytest.raises(CheckFailed, match="status 0. Received: none after 0.3 seconds"):
        commands.run_training([sys.executable, "-c", "import time; time.sleep(60)"], DEVICE)


def test_training_command_sets_lengths_in_kimg():
    command = commands.training_command(Path("run"), 300)
    assert os.path.exists(command[1]) and "--config.train.total_kimg=4.8" in command
    assert "--config.train.save_every_kimg=0.8" in command and "--config.train.log_every_kimg=0.08" in command


def test_release_fails_for_wrong_pictures_or_golden_outputs(monkeypatch):
    from acai import inference
    from training import acai

    decode, calls = inference.ReleasedACAI.decode, []

    def brighter(self, latents):
        calls.append(self)
        return decode(self, latents) + 0.02 * (len(calls) > 1)

    with monkeypatch.context() as patch:
        patch.setattr(inference.ReleasedACAI, "decode", brighter)
        with pytest.raises(CheckFailed, match="grey levels between .* must be at most 1. Received: [23]"):
            commands.release(DEVICE, TINY)
    golden = acai.golden_outputs
    monkeypatch.setattr(
        acai, "golden_outputs", lambda *args: {name: array + 0.01 for name, array in golden(*args).items()}
    )
    with pytest.raises(CheckFailed, match="golden output"):
        commands.release(DEVICE, TINY)


def test_copies_that_differ_or_do_not_change_fail():
    def pair(value, difference=0.0):
        return [np.float32([value]), np.float32([value + difference])]

    before, after = (
        {"w": pair(1), "moving_mean": pair(0)},
        {"w": pair(2), "moving_mean": pair(0.5), "step": pair(2)},
    )
    assert mirrored.compare_copies("GAN", before, after) == {"GAN_variables": 3}
    with pytest.raises(CheckFailed, match="copies of moving_mean of the GAN must be equal. .* difference of 0.25"):
        mirrored.compare_copies("GAN", before, after | {"moving_mean": pair(0.5, difference=0.25)})
    with pytest.raises(CheckFailed, match="most variables .* must change. Received: 1 of 2"):
        mirrored.compare_copies("GAN", before, after | {"moving_mean": pair(0)})
    with pytest.raises(CheckFailed, match="2 replicas. Received: 1"):
        mirrored.mirrored(DEVICE, TINY)


def test_slow_settings_cause_warnings():
    rates = {("float32", False): 100.0, ("float32", True): 90.0, ("mixed_float16", True): 95.0}
    assert speed.speed_warnings(rates) == ["float32_compiled is 0.90 times as fast as float32_uncompiled"]
    rates |= {("float32", True): 110.0, ("mixed_float16", False): 90.0}
    assert speed.speed_warnings(rates) == [
        "mixed_float16_compiled is 0.86 times as fast as float32_compiled",
        "mixed_float16_uncompiled is 0.90 times as fast as float32_uncompiled",
    ]
