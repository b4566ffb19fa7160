"""Training and bit-identical resume of GAN variants through train.py. cgan is dcgan with sngan's condition."""

import json
import os

import numpy as np
import pytest

import configs.gan
import train
from tests.support.folders import save_noise
from tests.support.running_commands import TrainFlags
from training.checkpoints import Checkpoints

VARIANTS = ("dcgan", "sngan", "wgan", "wgan_gp", "alternating")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of 25 noise pictures per class, of which two are held out."""
    return save_noise(tmp_path_factory.mktemp("images"), bird=25, horse=25)


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
