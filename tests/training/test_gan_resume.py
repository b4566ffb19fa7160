"""Training and bit-identical resume of every GAN variant through train.py."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import configs.gan
import train
from tests.support.running_commands import TrainFlags
from training.checkpoints import Checkpoints

VARIANTS = ("dcgan", "cgan", "sngan", "wgan", "wgan_gp", "alternating")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 25 noise pictures per class, of which two are held out."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name in ("bird", "horse"):
        (folder / name).mkdir()
        for number in range(25):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder


TINY = {"generator_channels": 2, "discriminator_channels": 2, "noise_size": 5}
TRICKS = {"normalisation": "spectral", "replay_images": 16, "minibatch_deviation": True}
TRICKS |= {"soft_labels": 0.1, "instance_noise": 0.2, "augment": ("flip", "translation", "colour", "cutout")}


def run(monkeypatch, images, workdir, variant, steps, **settings):
    """Runs train.main for some steps of 4 images, logged every 2 steps; returns the newest checkpoint."""
    config = configs.gan.get_config(variant)
    config.data.source, config.data.image_folder = "folder", str(images)
    if config.data.ids:
        config.data.ids = tuple(range(0, 50, 2))
    config.model.update(TINY | settings)
    config.train.update({"batch_size": 4, "total_kimg": steps * 0.004, "jit_compile": "off", "seed": 3})
    config.train.update({"precision": "float32", "log_every_kimg": 0.008, "instance_noise_kimg": 0.02})
    config.train.schedule = "constant"  # the runs differ in total_kimg
    config.train.pictures_every_kimg = config.train.release_every_kimg = 0.0  # at the end
    flags = TrainFlags(config=config.lock(), workdir=str(workdir), data_dir=None)
    monkeypatch.setattr(train, "FLAGS", flags)
    train.main()
    return Checkpoints(workdir / "checkpoints").load_latest()


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "settings"), [("dcgan", TRICKS), *((variant, {}) for variant in VARIANTS)])
def test_resume_is_bit_identical(variant, settings, images, tmp_path, monkeypatch, small_classifiers):
    run(monkeypatch, images, tmp_path / "resumed", variant, 7, **settings)
    step, arrays = run(monkeypatch, images, tmp_path / "resumed", variant, 12, **settings)
    expected_step, expected = run(monkeypatch, images, tmp_path / "uninterrupted", variant, 12, **settings)
    assert step == expected_step == 12 and arrays.keys() == expected.keys()
    prefixes = {"generator", "trained_generator", "discriminator", "generator_optimizer"}
    assert {name.partition("/")[0] for name in arrays} >= prefixes
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], expected[name], name)
    if settings:
        assert int(arrays["replay/stored"]) == 12 * 2 and any(name.endswith("/u") for name in arrays)
        assert int(arrays["generator_optimizer/00"]) == 12
    logs = [json.loads(line) for line in (tmp_path / "resumed" / "metrics.jsonl").read_text().splitlines()]
    assert [log["step"] for log in logs] == [2, 4, 6, 7, 8, 10, 12]
    assert sorted(os.listdir(tmp_path / "resumed" / "release")) == ["config.json", "weights.npz"]
    pictures = {name.partition("-")[0] for name in os.listdir(tmp_path / "resumed" / "pictures")}
    conditional = configs.gan.get_config(variant).model.conditional
    assert pictures == ({"samples", "morphs"} if conditional else {"samples"})


ROOT = Path(__file__).parents[2]
TIMEOUT = 1800  # seconds
COMMAND = [sys.executable, ROOT / "train.py", f"--config={ROOT}/configs/gan.py"]
COMMAND += [f"--config.model.{name}={value}" for name, value in (TINY | TRICKS).items()]
COMMAND += [f"--config.train.{name}_every_kimg={value}" for name, value in (("log", 0.016), ("save", 0.04))]
COMMAND += ["--config.data.source=folder", "--config.train.batch_size=8", "--config.train.precision=float32"]
COMMAND += ["--config.train.pictures_every_kimg=0", "--config.train.release_every_kimg=0"]
COMMAND += ["--config.train.schedule=constant"]  # the runs differ in total_kimg


def command(images, workdir, steps):
    total = f"--config.train.total_kimg={steps * 8 / 1000}"
    return [*COMMAND, f"--config.data.image_folder={images}", total, f"--workdir={workdir}"]


def newest_step(workdir):
    """The step of the newest checkpoint, or 0."""
    folder = workdir / "checkpoints"
    return max((int(n[:9]) for n in os.listdir(folder) if n[0] != "."), default=0) if folder.is_dir() else 0


@pytest.mark.slow
def test_resume_is_bit_identical_after_sigterm(images, tmp_path):
    stopped, uninterrupted = tmp_path / "stopped", tmp_path / "uninterrupted"
    options = dict(cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command(images, stopped, 10**6), **options) as process:
        try:
            deadline = time.monotonic() + TIMEOUT
            while not newest_step(stopped) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            printed = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    assert process.returncode == 0 and "stopped by SIGTERM; saved" in printed[0], printed
    steps = newest_step(stopped) + 9
    for workdir in (stopped, uninterrupted):
        result = subprocess.run(command(images, workdir, steps), **options, timeout=TIMEOUT)
        assert result.returncode == 0, result.stderr
    step, arrays = Checkpoints(stopped / "checkpoints").load_latest()
    _, expected = Checkpoints(uninterrupted / "checkpoints").load_latest()
    assert step == steps and arrays.keys() == expected.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], expected[name], name)
    assert any(np.any(arrays[n] != arrays[f"trained_{n}"]) for n in arrays if n.startswith("generator/"))
    for workdir in (stopped, uninterrupted):
        assert sorted(os.listdir(workdir / "release")) == ["config.json", "weights.npz"]
    with np.load(uninterrupted / "release" / "weights.npz") as weights:
        for name in set(weights) - {"config_digest"}:
            np.testing.assert_array_equal(weights[name], expected[name].astype(np.float16))
