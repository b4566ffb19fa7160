"""Every variant of the GANs trained through train.py, and resumed to the same bits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import configs.gan
import train
from training.checkpoints import Checkpoints

VARIANTS = ("dcgan", "cgan", "sngan", "wgan", "wgan_gp")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Noise, 25 pictures a class, so two of each are held out."""
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
    """train.main for as many steps of 4 images, logged every 2 steps; the newest checkpoint's (step, arrays)."""
    config = configs.gan.get_config(variant)
    config.data.source, config.data.image_folder = "folder", str(images)
    config.model.update(TINY | settings)
    config.train.update({"batch_size": 4, "total_kimg": steps * 0.004, "jit_compile": "off", "seed": 3})
    config.train.update({"precision": "float32", "log_every_kimg": 0.008, "instance_noise_kimg": 0.02})
    config.train.schedule = "constant"  # the runs differ in total_kimg
    config.train.pictures_every_kimg = config.train.release_every_kimg = 0.0  # at the end
    flags = SimpleNamespace(config=config.lock(), workdir=str(workdir), data_dir=None)
    monkeypatch.setattr(train, "FLAGS", flags)
    train.main()
    return Checkpoints(workdir / "checkpoints").load_latest()


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "settings"), [("dcgan", TRICKS), *((variant, {}) for variant in VARIANTS)])
def test_resumed_is_the_same_to_the_bit(variant, settings, images, tmp_path, monkeypatch, small_judges):
    """Batch norm's and spectral norm's state, the average, the buffer, both optimizers, and all randomness."""
    run(monkeypatch, images, tmp_path / "resumed", variant, 7, **settings)
    step, arrays = run(monkeypatch, images, tmp_path / "resumed", variant, 12, **settings)
    other_step, others = run(monkeypatch, images, tmp_path / "straight", variant, 12, **settings)
    assert step == other_step == 12 and arrays.keys() == others.keys()
    prefixes = {"generator", "trained_generator", "discriminator", "generator_optimizer"}
    assert {name.partition("/")[0] for name in arrays} >= prefixes
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], name)
    if settings:
        assert int(arrays["replay/02_stored"]) == 12 * 2 and any(name.endswith("_u") for name in arrays)
        assert int(arrays["generator_optimizer/00"]) == 12
    logs = [json.loads(line) for line in (tmp_path / "resumed" / "metrics.jsonl").read_text().splitlines()]
    assert [log["step"] for log in logs] == [2, 4, 6, 7, 8, 10, 12]
    assert sorted(os.listdir(tmp_path / "resumed" / "release")) == ["config.json", "weights.npz"]
    pictures = {name.partition("-")[0] for name in os.listdir(tmp_path / "resumed" / "pictures")}
    conditional = configs.gan.get_config(variant).model.conditional
    assert pictures == ({"samples", "morphs"} if conditional else {"samples"})


ROOT = Path(__file__).parents[2]
PATIENCE = 1800  # seconds, for a busy machine
COMMAND = [sys.executable, ROOT / "train.py", f"--config={ROOT}/configs/gan.py"]
COMMAND += [f"--config.model.{name}={value}" for name, value in (TINY | TRICKS).items()]
COMMAND += [f"--config.train.{name}_every_kimg={value}" for name, value in (("log", 0.016), ("save", 0.04))]
COMMAND += ["--config.data.source=folder", "--config.train.batch_size=8", "--config.train.precision=float32"]
COMMAND += ["--config.train.pictures_every_kimg=0", "--config.train.release_every_kimg=0"]
COMMAND += ["--config.train.schedule=constant"]  # the runs differ in total_kimg


def command(images, workdir, steps):
    total = f"--config.train.total_kimg={steps * 8 / 1000}"
    return [*COMMAND, f"--config.data.image_folder={images}", total, f"--workdir={workdir}"]


def newest(workdir):
    folder = workdir / "checkpoints"
    return max((int(n[:9]) for n in os.listdir(folder) if n[0] != "."), default=0) if folder.is_dir() else 0


@pytest.mark.slow
def test_the_real_command_stopped_and_resumed_is_the_same_to_the_bit(images, tmp_path):
    """With batch norm, spectral norm, replay, the average, two critic steps and all tricks."""
    stopped, straight = tmp_path / "stopped", tmp_path / "straight"
    options = dict(cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command(images, stopped, 10**6), **options) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not newest(stopped) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            told = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0 and "stopped by SIGTERM; saved" in told[0], told
    steps = newest(stopped) + 9
    for workdir in (stopped, straight):
        result = subprocess.run(command(images, workdir, steps), **options, timeout=PATIENCE)
        assert result.returncode == 0, result.stderr
    (step, arrays), (_, others) = (Checkpoints(w / "checkpoints").load_latest() for w in (stopped, straight))
    assert step == steps and arrays.keys() == others.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], name)
    assert any(np.any(arrays[n] != arrays[f"trained_{n}"]) for n in arrays if n.startswith("generator/"))
    for workdir in (stopped, straight):
        assert sorted(os.listdir(workdir / "release")) == ["config.json", "weights.npz"]
    with np.load(straight / "release" / "weights.npz") as weights:
        for name in set(weights) - {"config_digest"}:
            np.testing.assert_array_equal(weights[name], others[name].astype(np.float16))
