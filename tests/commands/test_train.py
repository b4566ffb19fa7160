"""train.py as a command: a run that was stopped, killed and resumed equals an uninterrupted one bit for bit."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from common.files import digest
from tests.support.folders import save_noise
from tests.support.running_commands import ROOT, count_events, newest_step
from training.checkpoints import Checkpoints

TIMEOUT = 1800  # seconds, for a busy machine; an idle one needs a few
PICTURES_EVERY = 50
DISCRIMINATOR_FROM, ADVERSARIAL_FROM = 25, 31  # first steps
COMMAND = (
    f"--config={ROOT}/configs/acai.py:pegasus",
    "--config.data.source=folder",
    "--config.data.classes=()",
    "--config.data.groups=(('pony',),('bird',))",
    "--config.data.first=pony",
    "--config.model.depth=2",
    "--config.model.critic_depth=2",
    "--config.model.latent_width=16",
    "--config.model.latent_channels=2",
    "--config.model.discriminator_channels=2",
    "--config.train.ema_rate=0.95",
    "--config.train.precision=auto",  # the machine's choice, also after each resume
    "--config.train.jit_compile=off",
    "--config.train.batch_size=8",
    "--config.train.towers=2",  # the default of larger batches on two cores
    f"--config.train.discriminator_from_kimg={DISCRIMINATOR_FROM * 8 / 1000}",
    f"--config.train.adversarial_from_kimg={ADVERSARIAL_FROM * 8 / 1000}",
    "--config.train.log_every_kimg=0.016",  # 2 steps
    "--config.train.save_every_kimg=0.04",  # 5 steps
    f"--config.train.pictures_every_kimg={PICTURES_EVERY * 8 / 1000}",
    "--config.train.release_every_kimg=0",  # at the end
    "--config.train.bank_per_class=(6,2)",
)
CLASSES = ("bird", "pony")


def command(images, workdir, steps, *more):
    """Returns the command line that trains on `images` for a number of steps, with more flags."""
    flags = (
        *COMMAND,
        f"--config.data.image_folder={images}",
        f"--config.train.total_kimg={steps * 8 / 1000}",
        *more,
    )
    return [sys.executable, ROOT / "train.py", *flags, f"--workdir={workdir}"]


def run_to_end(*arguments):
    """Runs the `command` of these arguments, which must succeed, and returns its result."""
    result = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT)
    assert result.returncode == 0, result.stderr
    return result


@contextlib.contextmanager
def start(*arguments):
    """Starts the `command` of these arguments and yields the process, which is killed at the end."""
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_for_checkpoint(process, workdir, after):
    """Waits for a checkpoint of a step beyond `after` and returns its step."""
    deadline = time.monotonic() + TIMEOUT
    while newest_step(workdir) <= after:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.01)
    return newest_step(workdir)


def logged_steps(workdir):
    return [json.loads(line)["step"] for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of noise images, 25 of each class, of which two are held out."""
    return save_noise(tmp_path_factory.mktemp("images"), **dict.fromkeys(CLASSES, 25))


@pytest.fixture(
    scope="module",
    params=[
        ("terminated", "float32"),
        ("terminated", "mixed_bfloat16"),
        pytest.param(("killed", "float32"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def runs(request, images, tmp_path_factory):
    """Facts of two runs: one stopped by SIGTERM (in slow tests also by SIGKILL) and resumed, one uninterrupted."""
    folder = tmp_path_factory.mktemp("runs")
    interrupted, uninterrupted = folder / "interrupted", folder / "uninterrupted"
    how, policy = request.param
    facts = {"interrupted": interrupted, "uninterrupted": uninterrupted}
    with start(images, interrupted, 10**6, f"--config.train.precision={policy}") as process:
        facts["before_signal"] = wait_for_checkpoint(process, interrupted, 0)
        process.send_signal(signal.SIGTERM)
        facts["stdout"], facts["stderr"] = process.communicate(timeout=TIMEOUT)
        facts["status"] = process.returncode
    facts["stopped_at"] = newest_step(interrupted)
    facts["steps_logged_when_stopped"] = logged_steps(interrupted)
    last = max(ADVERSARIAL_FROM, PICTURES_EVERY, facts["stopped_at"]) + 5
    if how == "killed":
        with start(images, interrupted, 10**6) as process:  # "auto" keeps the run's precision
            last = wait_for_checkpoint(process, interrupted, last)
            process.kill()
    facts["steps"] = max(newest_step(interrupted), last) // 10 * 10 + 21  # no multiple of any interval
    with open(interrupted / "metrics.jsonl", "a", encoding="utf-8") as file:  # as if it had been killed while
        file.write(json.dumps({"step": facts["steps"] - 1, "loss": 1.0}) + '\n{"step": 12')  # writing a log
    run_to_end(images, interrupted, facts["steps"])
    run_to_end(images, uninterrupted, facts["steps"], f"--config.train.precision={policy}")
    return facts


def test_sigterm_saves_a_checkpoint_and_prints_a_line(runs):
    assert runs["status"] == 0, runs["stderr"]
    assert runs["stdout"].count("\n") == 1 and "SIGTERM" in runs["stdout"] and "saved" in runs["stdout"]
    assert "Traceback" not in runs["stderr"]
    assert runs["stopped_at"] >= runs["before_signal"]
    assert runs["steps_logged_when_stopped"][-1] == runs["stopped_at"]  # no step is lost


def test_resume_is_bit_identical_after_sigterm_and_sigkill(runs):
    """That holds for weights, averages, all optimizers and the step, hence also for batches, flips and masks."""
    step, arrays = Checkpoints(runs["interrupted"] / "checkpoints").load_latest()
    expected_step, expected = Checkpoints(runs["uninterrupted"] / "checkpoints").load_latest()
    assert step == expected_step == runs["steps"] == int(arrays["step"])
    assert arrays.keys() == expected.keys()
    prefixes = {name.partition("/")[0] for name in arrays}
    optimizers = {f"{name}_optimizer" for name in ("autoencoder", "critic", "classifier", "discriminator")}
    assert prefixes >= optimizers | {"encoder", "trained_encoder", "decoder", "critic", "discriminator"}
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        assert array.tobytes() == expected[name].tobytes(), name


def test_training_changes_all_networks(runs):
    """Otherwise equal runs would prove nothing."""
    _, last = Checkpoints(runs["uninterrupted"] / "checkpoints").load_latest()
    moments = [a for name, a in last.items() if "_optimizer/" in name and a.ndim > 0]
    assert moments and sum(np.any(a) for a in moments) > 0.95 * len(moments)
    assert any(np.any(last[name] != last[f"trained_{name}"]) for name in last if name.startswith("encoder/"))
    steps = {int(a) for name, a in last.items() if name.endswith("_optimizer/00")}
    assert steps == {runs["steps"], runs["steps"] - DISCRIMINATOR_FROM}  # the discriminator began later


def test_each_step_is_logged_once(runs):
    steps = runs["steps"]
    expected = [*range(2, steps, 2), steps]
    for name in ("uninterrupted", "interrupted"):
        logged = logged_steps(runs[name])
        stop = {runs["stopped_at"]} if name == "interrupted" else set()  # the step of SIGTERM is logged as well
        assert logged == sorted({*expected, *stop})
        events = count_events(runs[name], batch_size=8)
        assert set(events.values()) == {1}, [key for key, count in events.items() if count > 1]
        assert [step for tag, step in sorted(events) if tag == "critic_loss"] == logged
        assert ("config", 0) in events
        steps_with_loss = [step for tag, step in sorted(events) if tag == "adversarial_loss"]
        assert steps_with_loss == [step for step in logged if step > DISCRIMINATOR_FROM]
        assert {step for tag, step in events if tag == "blends"} >= {*range(50, steps, PICTURES_EVERY), steps}


def test_logs_of_interrupted_and_uninterrupted_runs_agree(runs):
    """Except for the speed, and for the interval that the stop divides."""
    values = {}
    for name in ("uninterrupted", "interrupted"):
        lines = (runs[name] / "metrics.jsonl").read_text().splitlines()
        values[name] = {log.pop("step"): log for log in map(json.loads, lines)}
    divided = range(runs["stopped_at"], runs["stopped_at"] + 2)
    compared = [step for step in values["uninterrupted"] if step not in divided and step in values["interrupted"]]
    assert len(compared) > 30
    for step in compared:
        expected, actual = values["uninterrupted"][step], values["interrupted"][step]
        assert actual | {"images_per_second": 0} == expected | {"images_per_second": 0}, step
        assert expected["images_per_second"] > 0


def test_run_directory_has_these_files(runs):
    folder = runs["interrupted"]
    names = {path.name.partition(".")[0] for path in folder.iterdir() if path.name != ".lock"}
    assert names == {
        "checkpoints",
        "config",
        "events",
        "metrics",
        "pictures",
        "projector",
        "projector_config",
        "release",
    }
    assert len(os.listdir(folder / "checkpoints")) == 3
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    for name in ("blends", "reconstructions", "strips"):
        assert {f"{name}-{PICTURES_EVERY:09d}.png", f"{name}-{runs['steps']:09d}.png"} <= pictures
    assert not [path for path in folder.rglob("*") if "unfinished" in path.name]


def test_release_is_the_averaged_model_in_float16(runs):
    folder = runs["interrupted"] / "release"
    assert sorted(os.listdir(folder)) == ["bank.npz", "config.json", "weights.npz"]
    _, arrays = Checkpoints(runs["interrupted"] / "checkpoints").load_latest()
    with np.load(folder / "weights.npz") as weights:
        assert {name.partition("/")[0] for name in weights} >= {"encoder", "decoder", "critic"}
        assert str(weights["config_digest"]) == digest((folder / "config.json").read_bytes())
        for name in set(weights) - {"config_digest"}:
            assert weights[name].dtype == np.float16
            np.testing.assert_array_equal(weights[name], arrays[name].astype(np.float16))
    with np.load(folder / "bank.npz") as bank:
        assert bank["latents"].dtype == np.float16 and bank["latents"].shape == (16, 16, 16, 2)
        assert tuple(bank["class_names"]) == CLASSES
        assert Counter(zip(bank["labels"], bank["splits"], strict=True)) == {
            **{(0, "train"): 6, (1, "train"): 6},
            **{(0, "holdout"): 2, (1, "holdout"): 2},
        }


def test_finished_run_prints_a_line_and_changes_nothing(runs, images):
    folder = runs["uninterrupted"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run_to_end(images, folder, runs["steps"])
    assert "finished" in result.stdout and str(folder) in result.stdout and result.stdout.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_finished_run_writes_a_damaged_release_again(runs, images):
    """It writes the release of the last checkpoint, byte for byte, and no other file."""
    folder = runs["uninterrupted"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    weights = folder / "release" / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:1000])
    run_to_end(images, folder, runs["steps"])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
