"""Checks of train.py and of a bundled model fail for faulty ones."""

import os
import sys
from pathlib import Path

import pytest

from acai import inference
from gpu_check import commands
from gpu_check.bounds import CheckFailed
from tests.gpu_check.small_checks import DEVICE, TINY
from training import acai

# train.py


def check_stand_in_training(fault, monkeypatch):
    """Runs the check with stand_in_training.py in place of train.py."""
    program = Path(__file__).with_name("stand_in_training.py")
    monkeypatch.setattr(commands, "training_command", lambda run, _: [sys.executable, program, run, fault])
    return commands.training(DEVICE, TINY)


def test_training_passes_for_a_command_that_stops_and_resumes(monkeypatch):
    assert check_stand_in_training("", monkeypatch) == {"stopped_at": 20, "finished_at": 60}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("dies", "end with status 0. Received: 1, Killed by fault"),
        ("ignores SIGTERM", "report SIGTERM"),
        ("logs a step twice", "logged once"),
        ("is silent when finished", "finished run must be reported"),
    ],
)
def test_training_fails_for_a_faulty_command(fault, message, monkeypatch):
    with pytest.raises(CheckFailed, match=message):
        check_stand_in_training(fault, monkeypatch)


def test_training_that_hangs_fails(monkeypatch):
    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.3)
    with pytest.raises(CheckFailed, match="status 0. Received: none after 0.3 seconds"):
        commands.run_training([sys.executable, "-c", "import time; time.sleep(60)"], DEVICE)


def test_training_command_sets_lengths_in_kimg():
    """In batches of 16: 300 steps are 4,800 images; a sixth of them and 5 steps are 800 and 80."""
    command = commands.training_command(Path("run"), 300)
    assert os.path.exists(command[1]) and "--config.train.total_kimg=4.8" in command
    assert "--config.train.save_every_kimg=0.8" in command and "--config.train.log_every_kimg=0.08" in command


# The bundled model


def test_release_fails_for_pictures_that_are_too_bright(monkeypatch):
    """The second model's, which is the one on the device, by 0.02 * 127.5 = 2.55 grey levels."""
    decode, models = inference.ReleasedACAI.decode, []

    def decode_brighter(self, latents):
        models.append(self)
        return decode(self, latents) + (0.02 if self is not models[0] else 0)

    monkeypatch.setattr(inference.ReleasedACAI, "decode", decode_brighter)
    with pytest.raises(CheckFailed, match="grey levels between .* must be at most 1. Received: [23]"):
        commands.release(DEVICE, TINY)


def test_release_fails_for_other_golden_outputs(monkeypatch):
    golden_outputs = acai.golden_outputs

    def change_outputs(*arguments):
        return {name: array + 0.01 for name, array in golden_outputs(*arguments).items()}

    monkeypatch.setattr(acai, "golden_outputs", change_outputs)
    with pytest.raises(CheckFailed, match="golden output"):
        commands.release(DEVICE, TINY)
