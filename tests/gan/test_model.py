"""A GAN's training step against a slow reference implementation, which variables it changes, and the average."""

import numpy as np
import pytest
import tensorflow as tf

from gan import tricks
from tests.support.gan_models import NOISE, RATE, SMALL, batch, build_gan, changed, make, prefixes, snapshot
from tests.support.plain_networks import PlainAdam


@pytest.fixture
def fixed_noise(monkeypatch):
    monkeypatch.setattr(tricks, "draw_gaussian_noise", lambda count, size, seed: tf.constant(NOISE))


# The step


def reference_losses(name):
    def log_sigmoid(x):
        return -tf.math.log(1 + tf.exp(-x))

    def mean(x):
        return sum(x[i] for i in range(4)) / 4

    return {
        "non_saturating": (
            lambda real, fake: -mean(log_sigmoid(real)) - mean(log_sigmoid(-fake)),
            lambda fake: -mean(log_sigmoid(fake)),
        ),
        "wasserstein": (lambda real, fake: mean(fake) - mean(real), lambda fake: -mean(fake)),
        "hinge": (
            lambda real, fake: mean(tf.maximum(0.0, 1 - real)) + mean(tf.maximum(0.0, 1 + fake)),
            lambda fake: -mean(fake),
        ),
    }[name]


def reference_step(model, adams, data, loss, share):
    """Takes a step that calls every network anew for each use; one tape gives the generator's whole gradient."""
    discriminator_loss, generator_loss = reference_losses(loss)
    labels = tf.one_hot(data["label"], 3)

    def generate():
        return model.generator(
            [tf.constant(NOISE), labels] if model.classes else tf.constant(NOISE), training=True
        )

    def discriminate(images, weights=labels):
        return model.discriminator([images, weights] if model.classes else images, training=True)

    for layer in model.discriminator.layers:
        if hasattr(layer, "power_iteration"):
            layer.power_iteration()
    fakes = tf.stop_gradient(generate())
    with tf.GradientTape() as tape:
        if model.join_batches and not model.penalties:
            logits = discriminate(tf.concat([data["image"], fakes], 0), tf.concat([labels, labels], 0))
            real_logits, fake_logits = logits[:4], logits[4:]
        else:
            real_logits, fake_logits = discriminate(data["image"]), discriminate(fakes)
        total = loss_of_discriminator = discriminator_loss(real_logits, fake_logits)
        if model.penalties:
            for i in range(4):
                interpolated = (share[i] * data["image"][i] + (1 - share[i]) * fakes[i])[None]
                with tf.GradientTape() as inner:
                    inner.watch(interpolated)
                    logit = discriminate(interpolated, labels[i : i + 1])
                slope = tf.sqrt(tf.reduce_sum(inner.gradient(logit, interpolated) ** 2))
                total += 10 * (slope - 1) ** 2 / 4
    adams["discriminator"].apply(tape.gradient(total, adams["discriminator"].variables))
    with tf.GradientTape() as tape:
        loss_of_generator = generator_loss(discriminate(generate()))
    adams["generator"].apply(tape.gradient(loss_of_generator, adams["generator"].variables))
    return {"discriminator_loss": float(loss_of_discriminator), "generator_loss": float(loss_of_generator)}


CASES = {
    "dcgan": dict(),
    "joined": dict(join_batches=True),
    "conditional": dict(classes=3),
    "spectral": dict(classes=3, normalisation="spectral", loss="hinge"),
    "residual": dict(architecture="residual", up="resize", normalisation="spectral", loss="hinge"),
    "penalty": dict(classes=3, normalisation="none", loss="wasserstein", gradient_penalty=10.0),
}


@pytest.mark.parametrize(
    ("case", "compiler"),
    [
        *((case, "none") for case in CASES if case != "residual"),
        pytest.param("residual", "none", marks=pytest.mark.slow),
        pytest.param("penalty", "xla", marks=pytest.mark.slow),
    ],
)
def test_a_step_equals_the_reference_step(case, compiler, fixed_noise, monkeypatch):
    share = np.float32([0.1, 0.9, 0.4, 0.6])
    options = CASES[case]
    model, reference = make(**options), make(**options)
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_, **__: tf.constant(share))
    adams = {name: PlainAdam(getattr(reference, name).trainable_variables, RATE, 0.5) for name in model.optimizers}
    train_step = model.train_step
    if compiler == "xla":
        train_step = tf.function(train_step, jit_compile=True, autograph=False)
    for step in range(2):
        logs = train_step(batch(step))
        expected = reference_step(reference, adams, batch(step), options.get("loss", "non_saturating"), share)
        for name, loss in expected.items():
            np.testing.assert_allclose(logs[name], loss, rtol=1e-4, atol=1e-5, err_msg=f"{name}, step {step}")
        for name in adams:
            weights, expected_weights = (getattr(m, name).trainable_variables for m in (model, reference))
            for a, b, moment in zip(weights, expected_weights, adams[name].first, strict=True):
                # Adam turns the rounding error of a gradient near 0 into a whole step.
                compared = np.abs(moment) > 1e-4 * np.abs(moment).max()
                a, b, path = np.asarray(a)[compared], np.asarray(b)[compared], a.path
                np.testing.assert_allclose(a, b, atol=2e-5, err_msg=path)
                assert compared.mean() > 0.7 or np.abs(moment).max() < 1e-6
    assert int(model.step) == 2


def test_real_and_fake_batches_are_normalised_separately_by_default(fixed_noise):
    separate, joined = (make(join_batches=join).train_step(batch()) for join in (False, True))
    assert abs(float(separate["discriminator_loss"]) - float(joined["discriminator_loss"])) > 1e-3
    assert not make().join_batches and make(join_batches=True).join_batches


def test_batches_are_joined_where_no_layer_depends_on_the_whole_batch():
    assert make(normalisation="none").join_batches
    assert not make(normalisation="none", minibatch_deviation=True).join_batches


def test_diversity_is_the_mean_deviation_of_a_pixel(fixed_noise, monkeypatch):
    model = make()
    fakes = np.asarray(model.generator(tf.constant(NOISE), training=True))
    logs = model.train_step(batch())
    np.testing.assert_allclose(logs["diversity"], fakes.std(0).mean(), rtol=1e-4)
    monkeypatch.setattr(tricks, "draw_gaussian_noise", lambda *_: tf.ones((4, 3)))
    assert float(make().train_step(batch())["diversity"]) < 1e-6


def test_accuracies_are_logged_except_for_a_critic():
    logs = make().train_step(batch())
    assert {"real_accuracy", "fake_accuracy"} <= logs.keys()
    assert all(value.dtype == tf.float32 and value.shape == () for value in logs.values())
    assert not {"real_accuracy", "fake_accuracy"} & make(loss="wasserstein").train_step(batch()).keys()


# Which variables a step changes


FULL = dict(classes=3, ema_rate=0.2, replay_images=8)


@pytest.mark.parametrize("normalisation", ["batch", "spectral"])
def test_the_discriminators_step_changes_nothing_of_the_generator(normalisation):
    model = make(**FULL, normalisation=normalisation)
    model.train_step(batch())
    before = snapshot(model)
    model.train_step(batch(1), generator=False)
    names = changed(before, snapshot(model))
    assert prefixes(names) == {"step", "discriminator", "discriminator_optimizer", "replay"}
    # All of the discriminator changes, moving statistics and u included, except a u of one number, which is 1.
    assert {name for name in before if name.startswith("discriminator/") and before[name].shape != (1,)} <= names


@pytest.mark.parametrize("normalisation", ["batch", "spectral"])
def test_the_generators_step_changes_nothing_of_the_discriminator(normalisation):
    states = []
    for generator in (False, True):
        model = make(**FULL, normalisation=normalisation)
        before = snapshot(model)
        model.train_step(batch(), generator=generator)
        states.append(snapshot(model))
    names = changed(*states)
    assert prefixes(names) == {"generator", "trained_generator", "generator_optimizer"}
    assert {name for name in before if name.startswith("trained_generator/")} <= names


def test_u_is_updated_once_per_step():
    model = make(normalisation="spectral")
    spectral = [layer for layer in model.discriminator.layers if hasattr(layer, "u")]
    expected = []
    for layer in spectral:
        matrix = np.asarray(layer.kernel, np.float64).reshape(-1, layer.kernel.shape[-1])
        v = matrix @ np.asarray(layer.u)
        u = matrix.T @ (v / np.linalg.norm(v))
        expected.append(u / np.linalg.norm(u))
    model.train_step(batch())
    for layer, u in zip(spectral, expected, strict=True):
        np.testing.assert_allclose(layer.u, u, rtol=1e-3, atol=1e-5)


def test_the_generator_trains_in_every_nth_step():
    model = make(critic_steps=3)
    assert [model.static_arguments(step)["generator"] for step in range(7)] == [False, False, True] * 2 + [False]
    assert all(make().static_arguments(step) == {"generator": True} for step in range(3))
    for step in range(6):
        logs = model.train_step(batch(step), **model.static_arguments(step))
        assert ("generator_loss" in logs) == (step % 3 == 2)
    assert [int(model.optimizers[name].iterations) for name in ("generator", "discriminator")] == [2, 6]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_each_network_has_its_own_learning_rate(optimizer):
    """The first step of Adam has the length of the rate, that of RMSprop of rate / sqrt(1 - 0.99)."""
    model = make(compiled=dict(rate=1e-3, discriminator_rate=4e-3, name=optimizer))
    before = snapshot(model)
    logs = model.train_step(batch())
    after = snapshot(model)
    factor = 1 if optimizer == "adam" else 10
    for name, rate in (("generator", 1e-3), ("discriminator", 4e-3)):
        trained = [n for n in before if n.startswith(f"{name}/") and ("kernel" in n or "bias" in n)]
        longest = max(np.abs(after[n] - before[n]).max() for n in trained)
        np.testing.assert_allclose(longest, factor * rate, rtol=0.02, err_msg=name)
    assert float(logs["learning_rate"]) == pytest.approx(1e-3)


def test_the_default_optimizer_is_dcgans_adam():
    model = build_gan(**SMALL)
    model.compile()
    for optimizer in model.optimizers.values():
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.5, 0.999, 1e-8)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_weight_clip_bounds_the_critic_only():
    model = make(normalisation="none", loss="wasserstein", weight_clip=0.01)
    model.train_step(batch())
    largest = [np.abs(v).max() for v in model.discriminator.trainable_variables]
    np.testing.assert_allclose(largest, 0.01, rtol=1e-6)
    assert max(np.abs(v).max() for v in model.generator.trainable_variables) > 0.1


# The average


def test_average_in_closed_form():
    """The rate is min(0.2, (1 + t) / (10 + t)) with t the generator's steps. Moving statistics are averaged."""
    model = make(ema_rate=0.2, critic_steps=2)
    expected = [np.asarray(v).copy() for v in model.released_generator.variables]
    for step, rate in enumerate((None, 2 / 11, None, 0.2)):
        model.train_step(batch(step), **model.static_arguments(step))
        if rate:
            trained = [np.asarray(v) for v in model.generator.variables]
            expected = [rate * old + (1 - rate) * new for old, new in zip(expected, trained, strict=True)]
        for average, value in zip(model.released_generator.variables, expected, strict=True):
            np.testing.assert_allclose(average, value, rtol=1e-5, atol=1e-6)
    assert any("moving" in v.name for v in model.released_generator.variables)
    noise = tf.constant(NOISE)
    np.testing.assert_array_equal(model(noise), model.released_generator(noise, training=False))
    assert not np.array_equal(model(noise), model.generator(noise))


def test_average_starts_at_the_initial_weights():
    model = build_gan(**SMALL, ema_rate=0.9)
    for average, weight in zip(model.released_generator.variables, model.generator.variables, strict=True):
        np.testing.assert_array_equal(average, weight)
    assert not model.released_generator.trainable_variables


def test_without_an_average_the_trained_generator_is_released():
    model = make()
    assert model.released_generator is model.generator
