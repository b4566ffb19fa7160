"""Training on two devices and on one; tests/common/distribute/test_distribution.py runs these tests."""

import importlib
import json

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import train
from common import variables
from common.distribute import distribution
from common.errors import InputError
from configs.check import check
from tests.support import acai_models
from tests.support.folders import save_noise
from tests.support.gan_models import build_gan
from tests.support.two_devices import (
    ONE,
    TWO,
    assert_same_on_both_devices,
    assert_same_training,
    batches,
    build,
    run_steps,
)
from training import checkpoints, loop
from training.run_directory import RunDirectory

flags.FLAGS.mark_as_parsed()
ACAI_OPTIONS = acai_models.FULL | dict(width=8)
GAN_OPTIONS = dict(noise_size=4, generator_channels=2, discriminator_channels=2)
TRICKS = dict(classes=3, ema_rate=0.5, replay_images=9, minibatch_deviation=True, soft_labels=0.2)
TRICKS |= dict(flipped_labels=0.3, instance_noise=0.3, instance_noise_steps=10, join_batches=True)
TRICKS |= dict(augment=("flip", "colour", "translation", "cutout"))


def test_acai_trains_as_on_one_device():
    assert_same_training(acai_models.build, ACAI_OPTIONS, 8, steps=3)


def test_conditional_gan_with_every_trick_trains_as_on_one_device():
    assert_same_training(build_gan, GAN_OPTIONS | TRICKS, 32, steps=3)


def test_gan_with_batch_norm_average_and_two_critic_steps_trains_as_on_one_device():
    """The generator's statistics change in its own steps only, and its average follows them."""
    assert_same_training(build_gan, GAN_OPTIONS | dict(critic_steps=2, ema_rate=0.5), 32, steps=4)


@pytest.mark.slow
def test_gan_with_separate_batches_trains_as_on_one_device():
    assert_same_training(build_gan, GAN_OPTIONS | dict(spherical_noise=True), 32, steps=2)


@pytest.mark.slow
def test_wasserstein_gan_trains_as_on_one_device():
    options = dict(
        normalisation="none", loss="wasserstein", gradient_penalty=10.0, critic_steps=2, weight_clip=0.2
    )
    assert_same_training(build_gan, GAN_OPTIONS | options, 32, steps=4, name="rmsprop")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options"),
    [(acai_models.build, ACAI_OPTIONS), (build_gan, GAN_OPTIONS | dict(normalisation="none"))],
)
def test_overflow_on_one_device_skips_the_step_on_both(family, options):
    """Row 3 is on the second device. An overflow there skips the step and halves the scale on both."""
    model = build(TWO, family, options | dict(precision="mixed_float16"))
    good, bad = batches(2, options.get("width", 32))
    image = bad["image"].numpy()
    image[3] = 1e6
    start = {name: np.asarray(value).copy() for name, value in model.state().items()}
    logs, state = run_steps(TWO, model, [bad | {"image": tf.constant(image)}])
    kept = [name for name in start if "optimizer" not in name and "moving" not in name and name != "step"]
    if family is build_gan:  # the generator's step is separate
        assert not np.isfinite(logs[0]["discriminator_loss"])
        kept = [name for name in kept if name.startswith("discriminator")]
    for name in kept:
        np.testing.assert_array_equal(state[name], start[name], err_msg=name)
    assert int(state["step"]) == 1
    scales = [np.asarray(optimizer.dynamic_scale) for optimizer in model.optimizers.values()]
    assert scales[-1] == 2**14  # from 2^15
    logs, state = run_steps(TWO, model, [good])
    assert np.isfinite([*logs[0].values()]).all()
    assert all(np.isfinite(array).all() for array in state.values())
    assert sum(np.any(state[name] != start[name]) for name in kept) > 0.8 * len(kept)
    assert_same_on_both_devices(model)


# The loop and the command


def test_checkpoint_of_one_device_resumes_on_two(tmp_path):
    """Trains on one device, then resumes on one and on two: the logs agree."""
    data = [*batches(4, 8)]
    stream = tf.data.Dataset.from_tensor_slices({n: tf.stack([b[n] for b in data]) for n in data[0]})
    models = [build(strategy, acai_models.build, ACAI_OPTIONS) for strategy in (ONE, TWO)]
    logged = []

    class Recorder(loop.Callback):
        def on_scalars(self, step, scalars):
            logged.append((step, scalars))

    loop.train(models[0], stream, 2, 8, 1, [], False, ONE)
    files = checkpoints.Checkpoints(tmp_path / "checkpoints")
    files.save(2, models[0].state())
    variables.restore(models[1].state(), files.load_latest()[1], "the test")
    loop.train(models[1], stream.skip(2), 4, 8, 1, [Recorder()], False, TWO)
    loop.train(models[0], stream.skip(2), 4, 8, 1, [Recorder()], False, ONE)
    assert [step for step, _ in logged] == [3, 4, 3, 4]
    for (_, two), (_, one) in zip(logged[:2], logged[2:], strict=True):
        del one["images_per_second"], two["images_per_second"]
        assert two == pytest.approx(one, rel=2e-5, abs=2e-6)
    assert files.save(4, models[1].state())
    assert int(files.load_latest()[1]["step"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["acai.py:lines", "gan.py:cgan"])
def test_command_resumes_a_run_on_two_devices(variant, tmp_path, monkeypatch):
    """Takes two steps on one device and two on two, with all logs, pictures and releases."""
    monkeypatch.setattr(distribution, "make_strategy", {"default": ONE, "mirrored": TWO}.get)
    file, _, argument = variant.partition(":")
    config = importlib.import_module(f"configs.{file[:-3]}").get_config(argument)
    config.train.update(dict(batch_size=8, log_every_kimg=0.008, pictures_every_kimg=0.016, precision="float32"))
    config.train.schedule = "constant"  # the runs differ in total_kimg
    if config.family == "gan":
        images = save_noise(tmp_path / "images", bird=20, horse=20)
        config.data.source, config.data.image_folder = "folder", str(images)
        config.model.update(dict(generator_channels=2, discriminator_channels=2, noise_size=4))
    else:
        config.model.depth = config.model.critic_depth = config.model.latent_channels = 2
        config.train.bank_per_class = (6, 2)
    for strategy, kimg in (("default", 0.016), ("mirrored", 0.032)):
        config.train.strategy, config.train.total_kimg = strategy, kimg
        check(config)
        with RunDirectory(str(tmp_path / "run"), json.loads(config.to_json())) as run:
            train.train(config, run)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert (tmp_path / "run" / "release" / "weights.npz").exists()
    assert len([*(tmp_path / "run" / "pictures").glob("*-000000004.png")]) > 1


def test_batch_sizes_that_cannot_be_divided_are_refused():
    distribution.check_batch_size(TWO, 8)
    distribution.check_batch_size(ONE, 7)
    with pytest.raises(InputError, match="multiple of 4.*2 devices.*6"):
        distribution.check_batch_size(TWO, 6)


def test_xla_needs_a_single_device():
    assert distribution.supports_xla(ONE) and not distribution.supports_xla(TWO)
