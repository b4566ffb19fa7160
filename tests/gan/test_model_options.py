"""What each option of a GAN changes in its training, and that its randomness comes from (seed, step)."""

import numpy as np
import pytest
import tensorflow as tf

from gan import tricks
from gan.model import STREAMS
from tests.support.gan_models import NOISE, batch, make


@pytest.fixture
def fixed_noise(monkeypatch):
    monkeypatch.setattr(tricks, "draw_noise", lambda count, size, seed, spherical: tf.constant(NOISE))


OPTIONS = [
    dict(soft_labels=0.2),
    dict(flipped_labels=0.4),
    dict(instance_noise=0.3, instance_noise_steps=10),
    dict(replay_images=4),
    dict(spherical_noise=True),
    dict(augment=("flip", "colour", "translation", "cutout")),
    dict(normalisation="none", gradient_penalty=1.0),
    dict(seed=1),
    dict(loss="minimax"),
]


def run(**options):
    model = make(**options)
    return [{n: float(v) for n, v in model.train_step(batch(step, 8)).items()} for step in range(2)]


@pytest.fixture(scope="module")
def usual():
    return run()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: "+".join(option))
def test_every_option_changes_the_training(usual, option):
    reference = run(normalisation="none") if "normalisation" in option else usual
    found = run(**option)
    first = {"gradient_penalty", "replay_images", "loss"} & option.keys()  # what the first step cannot show yet
    assert (found[0]["discriminator_loss"] == reference[0]["discriminator_loss"]) == bool(first)
    assert found[1]["discriminator_loss"] != reference[1]["discriminator_loss"]


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: "+".join(option))
def test_every_option_is_repeatable(option):
    assert run(**option) == run(**option)


def test_soft_and_flipped_labels_reach_the_loss_by_side(fixed_noise, monkeypatch):
    """Targets of 0.9 and 0.3: the plain cross-entropy with them."""
    monkeypatch.setattr(tricks, "draw_targets", lambda count, *_: (tf.fill((count,), 0.9), tf.fill((count,), 0.3)))
    model = make(soft_labels=0.1, normalisation="none")
    real = np.asarray(model.discriminator(batch()["image"]), np.float64)
    fake = np.asarray(model.discriminator(model.generator(tf.constant(NOISE), training=True)), np.float64)
    expected = np.mean(0.9 * np.log1p(np.exp(-real)) + 0.1 * np.log1p(np.exp(real)))
    expected += np.mean(0.3 * np.log1p(np.exp(-fake)) + 0.7 * np.log1p(np.exp(fake)))
    assert float(model.train_step(batch())["discriminator_loss"]) == pytest.approx(expected, rel=1e-4)


def spy_on_the_discriminator(model, patch):
    seen, original = [], model._judge
    patch.setattr(model, "_judge", lambda x, w: seen.append((np.asarray(x).copy(), w)) or original(x, w))
    return seen


def test_instance_noise_is_on_all_that_the_discriminator_sees_and_decays(fixed_noise, monkeypatch):
    model, data = make(instance_noise=0.4, instance_noise_steps=4), batch()
    for step, deviation in ((0, 0.4), (3, 0.1), (4, 0.0)):
        model.step.assign(step)
        fakes = np.asarray(model.generator(tf.constant(NOISE), training=True))
        seen = spy_on_the_discriminator(model, monkeypatch)
        model.train_step(data)
        noise = [x - np.asarray(clean) for (x, _), clean in zip(seen, (data["image"], fakes, fakes), strict=True)]
        for part in noise:
            np.testing.assert_allclose(part.std(), deviation, rtol=0.1, atol=1e-6)
        if deviation:  # three draws
            assert np.abs(np.corrcoef([part.ravel() for part in noise]) - np.eye(3)).max() < 0.1


def test_augmentation_is_on_all_that_the_discriminator_sees(fixed_noise, monkeypatch):
    model, data = make(augment=("cutout",)), batch()
    seen = spy_on_the_discriminator(model, monkeypatch)
    model.train_step(data)
    cut = [(x == 0).all(-1).mean((1, 2)) for x, _ in seen]
    assert len(cut) == 3 and all((part >= 16 / 256).all() and (part <= 64 / 256).all() for part in cut)


def test_replayed_fakes_keep_their_labels(monkeypatch):
    model = make(classes=3, replay_images=8)
    seen = spy_on_the_discriminator(model, monkeypatch)
    model.train_step(batch(0))
    model.train_step(batch(1))
    first, second = batch(0)["label"].numpy(), batch(1)["label"].numpy()
    (_, weights), (_, real), (_, fresh) = seen[4], seen[3], seen[5]
    np.testing.assert_array_equal(np.argmax(real, 1), second)
    np.testing.assert_array_equal(np.argmax(fresh, 1), second)  # the generator's own step has no older ones
    labels = np.argmax(weights, 1)
    assert list(labels[:2]) == list(second[:2]) and set(labels[2:]) <= set(first[:2])
    for image, label in zip(seen[4][0][2:], labels[2:], strict=True):
        held = [k for k in range(2) if np.array_equal(image, seen[1][0][k])]
        assert held and first[held[0]] == label


@pytest.mark.parametrize("condition", ["projection", "concat"])
def test_labels_matter(condition, fixed_noise):
    data, logs = batch(), []
    for shift in (0, 1):
        logs.append(make(classes=3, condition=condition).train_step(data | {"label": (data["label"] + shift) % 3}))
    assert all(
        float(logs[0][n]) != float(logs[1][n]) for n in ("discriminator_loss", "generator_loss", "diversity")
    )


def test_streams_of_randomness_are_apart():
    model = make()
    seeds = {tuple(np.asarray(model._seed(stream, draw))) for stream in STREAMS for draw in (0, 1)}
    assert len(seeds) == 2 * len(STREAMS) and {step for _, step in seeds} == {0}
    model.step.assign(2**40)
    assert np.asarray(model._seed("noise"))[1] == 2**40
    assert np.asarray(model._seed("noise")).dtype == np.int64
