"""The training step against a slow plain version, which loss trains which network, and the mixes."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from acai import losses
from tests.support.acai_models import (
    DISCRIMINATOR_RATE,
    RATE,
    adversary,
    batch,
    first_gradients,
    make,
    moments,
    same,
    values,
)
from tests.support.plain_networks import PlainAdam

NETWORKS = ("autoencoder", "critic", "classifier", "discriminator")
MIXES = np.float32([[0.1, 0.35, 0.45], [0.02, 0.2, 0.3], [0.5, 0.0, 0.25]])  # one row for each of three steps
SHARES = {"uniform": MIXES[..., None, None, None]}  # of three steps, [3, B, 1, 1, 1] or [3, B, h, w, 1]
SHARES["masked"] = np.random.default_rng(0).uniform(size=(3, 3, 4, 4, 1)).astype(np.float32)


def record_mixes(patch):
    """A list that receives the mixes [B] of each later step."""
    mixes, mix_latents = [], losses.mix_latents

    def record(latents, shares):
        mixes.append(np.asarray(shares)[:, 0, 0, 0].copy())
        return mix_latents(latents, shares)

    patch.setattr(losses, "mix_latents", record)
    return mixes


# The step


def plain_step(model, adams, data, share):
    """Equations 1 to 3 word for word, with a separate call of a network for each use; returns the losses."""
    images, labels, size, mix = data["image"], data["label"].numpy(), len(share), share.mean((1, 2, 3))
    encode, decode = model.encoder, model.decoder
    critic, discriminate = (adversary(model, name).network for name in ("critic", "discriminator"))
    with tf.GradientTape(persistent=True) as tape:
        latents = encode(images)
        partners = tf.stack([latents[size - 1 - i] for i in range(size)])
        reconstructions, blends = decode(latents), decode(share * latents + (1 - share) * partners)
        fixed, fixed_blends = tf.stop_gradient(reconstructions), tf.stop_gradient(blends)
        reconstruction = tf.reduce_mean((images - reconstructions) ** 2)
        fakes = tf.sigmoid(tf.concat([discriminate(reconstructions), discriminate(blends)], 0))
        autoencoder = reconstruction + 3.0 * tf.reduce_mean(critic(blends) ** 2)
        autoencoder -= 0.3 * tf.reduce_mean(tf.math.log(fakes))
        critic_loss = tf.reduce_mean((critic(fixed_blends) - mix) ** 2)
        critic_loss += tf.reduce_mean(critic(0.2 * images + 0.8 * fixed) ** 2)
        log_shares = tf.nn.log_softmax(model.latent_classifier(tf.stop_gradient(latents)))
        classifier = -sum(log_shares[i, labels[i]] for i in range(size)) / size
        fixed_fakes = tf.sigmoid(tf.concat([discriminate(fixed), discriminate(fixed_blends)], 0))
        discriminator = -tf.reduce_mean(tf.math.log(tf.sigmoid(discriminate(images))))
        discriminator -= tf.reduce_mean(tf.math.log(1 - fixed_fakes))
    totals = dict(zip(NETWORKS, (autoencoder, critic_loss, classifier, discriminator), strict=True))
    gradients = {name: tape.gradient(loss, adams[name].variables) for name, loss in totals.items()}
    for name, adam in adams.items():
        adam.apply(gradients[name])
    return {f"{name}_loss": float(loss) for name, loss in totals.items()}


@functools.cache
def plain_run(shares):
    """After each of three plain steps: the losses, {network: weights} and {network: Adam's moments}."""
    model, after = make(), []
    adams = {
        n: PlainAdam(model.weights_of(n), DISCRIMINATOR_RATE if n == "discriminator" else RATE, 0.9)
        for n in NETWORKS
    }
    adams["discriminator"].beta_1 = 0.5
    for step in range(3):
        logs = plain_step(model, adams, batch(step), SHARES[shares][step])
        weights = {name: values(model.weights_of(name)) for name in NETWORKS}
        after.append((logs, weights, {n: (list(a.first), list(a.second)) for n, a in adams.items()}))
    return after


def draw_given_masks(data, latent_size, seeds):
    """As `acai.mixing.MaskedMix.draw`: SHARES of the seeds' step."""
    shares = tf.constant(SHARES["masked"])[seeds[0, 1]]
    return tf.reduce_mean(shares, (1, 2, 3)), shares


@pytest.mark.parametrize(
    ("shares", "one_backward_pass", "compiler"),
    [
        ("uniform", True, "none"),
        ("uniform", False, "graph"),
        ("masked", True, "none"),
        *(pytest.param("uniform", one, "xla", marks=pytest.mark.slow) for one in (True, False)),
        pytest.param("masked", True, "xla", marks=pytest.mark.slow),
    ],
)
def test_step_equals_the_plain_step(shares, one_backward_pass, compiler, monkeypatch):
    model = make()
    adversary(model, "critic").one_backward_pass = one_backward_pass
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, seed, *_, **__: tf.constant(MIXES)[seed[1]])
    if shares == "masked":
        monkeypatch.setattr(model.mixing, "draw", draw_given_masks)
    train_step = model.train_step
    if compiler != "none":
        train_step = tf.function(train_step, jit_compile=compiler == "xla", autograph=False)
    for step, (plain_logs, plain_weights, plain_moments) in enumerate(plain_run(shares)):
        logs = train_step(batch(step))
        for name, loss in plain_logs.items():
            np.testing.assert_allclose(logs[name], loss, rtol=1e-5, err_msg=f"{name}, step {step}")
        for name in NETWORKS:
            for ours, plain in zip(values(model.weights_of(name)), plain_weights[name], strict=True):
                np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-6, err_msg=f"{name}, step {step}")
            for ours, plain in zip(moments(model, name), plain_moments[name], strict=True):
                for a, b in zip(ours, plain, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * np.abs(b).max(), err_msg=name)
    assert int(model.step) == 3


def test_adam_has_tensorflows_epsilon():
    """First step: rate * g / (|g| + epsilon / sqrt(1 - beta_2)), for gradients as small as epsilon."""
    model = make(adversarial_weight=0)
    for weight in model.weights_of("autoencoder"):
        weight.assign(weight if len(weight.shape) > 1 else tf.zeros_like(weight))
    before = values(model.weights_of("classifier"))
    kernel, _ = first_gradients(model, batch(0, scale=1e-5))["classifier"]
    assert 1e-8 < np.abs(kernel).mean() < 1e-6
    moved = values(model.weights_of("classifier"))[0] - before[0]
    np.testing.assert_allclose(
        moved, -RATE * kernel / (np.abs(kernel) + 1e-8 / np.sqrt(0.001)), rtol=2e-2, atol=1e-7
    )


def test_each_network_has_its_learning_rate():
    model = make()
    rates = {"autoencoder": 0.0, "classifier": 0.0, "critic": 1e-3, "discriminator": 1e-4}
    model.compile(0.0, {name: rates[name] for name in ("critic", "discriminator")})
    before = {name: values(model.weights_of(name)) for name in NETWORKS}
    logs = model.train_step(batch(0))
    assert float(logs["learning_rate"]) == 0
    for name, rate in rates.items():  # where there is a gradient, the length of Adam's first step is the rate
        moved = [np.abs(a - b).max() for a, b in zip(values(model.weights_of(name)), before[name], strict=True)]
        np.testing.assert_allclose(max(moved), rate, rtol=0.02, err_msg=name)


def test_a_learning_rate_of_zero_is_not_replaced_by_the_default():
    model = make()
    model.compile(RATE, {"critic": 0.0})
    critic = adversary(model, "critic").network
    before = values(critic.variables)
    model.train_step(batch(0))
    assert same(values(critic.variables), before)


# Which loss trains which network


@pytest.fixture(scope="module")
def reference():
    return first_gradients(make(), batch(0))


def change_labels(model, data):
    data["label"] = (data["label"] + 1) % 3


def change_seed(model, data):
    model.seed = 7


def change_critic(name, value):
    return lambda model, data: setattr(adversary(model, "critic"), name, value)


def change_adversarial_weight(model, data):
    adversary(model, "discriminator").weight.weight = 0.1


def change_weights(name):
    def change(model, data):
        for weight in model.weights_of(name):
            weight.assign(1.1 * weight)

    return change


@pytest.mark.parametrize(
    ("change", "learners"),
    [
        (change_labels, {"classifier"}),  # never the encoder
        (change_weights("classifier"), {"classifier"}),
        (change_critic("mix_weight", 0.1), {"autoencoder"}),
        (change_critic("regularisation", 0.6), {"critic"}),
        (change_weights("critic"), {"autoencoder", "critic"}),
        (change_adversarial_weight, {"autoencoder"}),
        (change_weights("discriminator"), {"autoencoder", "discriminator"}),
        (change_seed, {"autoencoder", "critic", "discriminator"}),  # other blends
        (change_weights("autoencoder"), set(NETWORKS)),
    ],
)
def test_a_change_alters_the_gradients_of_its_learners_only(reference, change, learners):
    model, data = make(), batch(0)
    change(model, data)
    gradients = first_gradients(model, data)
    assert {name for name in NETWORKS if not same(gradients[name], reference[name])} == learners


# Mixes


def test_mixes_are_a_function_of_seed_and_step(monkeypatch):
    mixes = record_mixes(monkeypatch)
    model = make(width=2, latent_width=1, adversarial_weight=0, ema_rate=0)
    data = batch(0, size=2000, width=2)
    for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0), (0, 2**40)):
        model.seed = seed
        model.step.assign(step)
        model.train_step(data)
    first, later, other_seed, again, far = mixes
    assert np.array_equal(first, again)
    for another in (later, other_seed, far):
        assert abs(np.corrcoef(first, another)[0, 1]) < 0.1 and len(np.intersect1d(first, another)) < 20
