"""The effect of each option of a GAN on its training, and its streams of randomness."""

import numpy as np
import pytest
import tensorflow as tf

from gan import tricks
from gan.model import STREAMS
from tests.support.gan_models import NOISE, batch, make


@pytest.fixture
def fixed_noise(monkeypatch):
    monkeypatch.setattr(tricks, "draw_gaussian_noise", lambda count, size, seed: tf.constant(NOISE))


OPTIONS = [
    dict(soft_labels=0.2),
    dict(flipped_labels=0.4),
    dict(spherical_noise=True),
    dict(normalisation="none", gradient_penalty=1.0),
]


def run(**options):
    model = make(**options)
    return [{n: float(v) for n, v in model.train_step(batch(step, 8)).items()} for step in range(2)]


@pytest.fixture(scope="module")
def default_logs():
    return run()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: "+".join(option))
def test_each_option_changes_the_discriminators_loss(default_logs, option):
    """A smoke test. What the options do is tested below and in test_tricks.py and test_losses.py."""
    expected = run(normalisation="none") if "normalisation" in option else default_logs
    logs = run(**option)
    later = "gradient_penalty" in option  # no effect on the first step's loss
    assert (logs[0]["discriminator_loss"] == expected[0]["discriminator_loss"]) == later
    assert logs[1]["discriminator_loss"] != expected[1]["discriminator_loss"]


def test_real_and_fake_targets_reach_the_loss(fixed_noise, monkeypatch):
    """Targets of 0.9 for real images and 0.3 for fakes give the cross-entropy with these."""
    targets = lambda self, count, seed: (tf.fill((count,), 0.9), tf.fill((count,), 0.3))  # noqa: E731
    monkeypatch.setattr(tricks.NoisyTargets, "__call__", targets)
    model = make(soft_labels=0.1, normalisation="none")
    real = np.asarray(model.discriminator(batch()["image"]), np.float64)
    fake = np.asarray(model.discriminator(model.generator(tf.constant(NOISE), training=True)), np.float64)
    expected = np.mean(0.9 * np.log1p(np.exp(-real)) + 0.1 * np.log1p(np.exp(real)))
    expected += np.mean(0.3 * np.log1p(np.exp(-fake)) + 0.7 * np.log1p(np.exp(fake)))
    assert float(model.train_step(batch())["discriminator_loss"]) == pytest.approx(expected, rel=1e-4)


def record_discriminator_inputs(model, monkeypatch):
    """A list to which each call of the discriminator adds its inputs: [images] or [images, class weights]."""
    calls, discriminate = [], model._discriminate
    record = lambda inputs: calls.append([np.asarray(x).copy() for x in inputs]) or discriminate(inputs)  # noqa: E731
    monkeypatch.setattr(model, "_discriminate", record)
    return calls


def test_instance_noise_decays_and_differs_for_real_images_and_both_uses_of_fakes(fixed_noise, monkeypatch):
    model, data = make(instance_noise=0.4, instance_noise_steps=4), batch()
    for step, deviation in ((0, 0.4), (3, 0.1), (4, 0.0)):
        model.step.assign(step)
        fakes = np.asarray(model.generator(tf.constant(NOISE), training=True))
        calls = record_discriminator_inputs(model, monkeypatch)
        model.train_step(data)
        clean_images = (data["image"], fakes, fakes)
        noise = [x - np.asarray(clean) for (x,), clean in zip(calls, clean_images, strict=True)]
        for part in noise:
            np.testing.assert_allclose(part.std(), deviation, rtol=0.1, atol=1e-6)
        if deviation:
            assert np.abs(np.corrcoef([part.ravel() for part in noise]) - np.eye(3)).max() < 0.1


def test_augmentation_changes_real_images_and_both_uses_of_fakes(fixed_noise, monkeypatch):
    model, data = make(augment=("cutout",)), batch()
    calls = record_discriminator_inputs(model, monkeypatch)
    model.train_step(data)
    cut = [(x == 0).all(-1).mean((1, 2)) for (x,) in calls]
    assert len(cut) == 3 and all((part >= 16 / 256).all() and (part <= 64 / 256).all() for part in cut)


def test_replayed_fakes_keep_their_labels(monkeypatch):
    model = make(classes=3, replay_images=8)
    calls = record_discriminator_inputs(model, monkeypatch)
    model.train_step(batch(0))
    model.train_step(batch(1))
    first, second = batch(0)["label"].numpy(), batch(1)["label"].numpy()
    first_fakes = calls[1][0]
    (_, real_weights), (replayed, replayed_weights), (_, generated_weights) = calls[3:]
    np.testing.assert_array_equal(np.argmax(real_weights, 1), second)
    np.testing.assert_array_equal(np.argmax(generated_weights, 1), second)  # the generator's step uses no replay
    labels = np.argmax(replayed_weights, 1)
    assert list(labels[:2]) == list(second[:2]) and set(labels[2:]) <= set(first[:2])
    for image, label in zip(replayed[2:], labels[2:], strict=True):
        matches = [k for k in range(2) if np.array_equal(image, first_fakes[k])]
        assert matches and first[matches[0]] == label


@pytest.mark.parametrize("condition", ["projection", "concat"])
def test_labels_affect_the_losses_and_fakes(condition, fixed_noise):
    data, logs = batch(), []
    for shift in (0, 1):
        logs.append(make(classes=3, condition=condition).train_step(data | {"label": (data["label"] + shift) % 3}))
    assert all(
        float(logs[0][n]) != float(logs[1][n]) for n in ("discriminator_loss", "generator_loss", "diversity")
    )


def test_streams_of_randomness_differ():
    model = make()
    seeds = {tuple(np.asarray(model._seed(stream))) for stream in STREAMS}
    seeds |= {(seed + (tricks.InstanceNoise.STREAM_OFFSET << 32), step) for seed, step in seeds}
    assert len(seeds) == 2 * len(STREAMS) and {step for _, step in seeds} == {0}
    model.step.assign(2**40)
    assert np.asarray(model._seed("noise"))[1] == 2**40
    assert np.asarray(model._seed("noise")).dtype == np.int64
