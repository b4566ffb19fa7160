"""The averaged autoencoder, a discriminator that joins late, checkpoints, and ACAI as a Keras model."""

import numpy as np
import pytest
import tensorflow as tf

from acai.model import paper_acai
from common.files import pack, unpack
from common.variables import restore
from tests.support.acai_models import FULL, RATE, adversary, batch, build, make, same, values


def snapshot(model):
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


# The average


def test_average_in_closed_form():
    """The shares kept are min(0.2, (1 + t) / (10 + t)): 2/11 in the first step, then 0.2."""
    model, data = make(), batch(0)
    trained, average = model.encoder.variables + model.decoder.variables, None
    expected = values(model.released.encoder.variables + model.released.decoder.variables)
    for kept in (2 / 11, 0.2, 0.2):
        model.train_step(data)
        expected = [kept * old + (1 - kept) * new for old, new in zip(expected, values(trained), strict=True)]
        average = values(model.released.encoder.variables + model.released.decoder.variables)
        for ours, plain in zip(average, expected, strict=True):
            np.testing.assert_allclose(ours, plain, rtol=0, atol=2e-7)
    assert not same(average, values(trained))
    released = model.released.decoder(model.released.encoder(data["image"]))
    np.testing.assert_array_equal(model(data["image"]), released)


def test_average_starts_at_the_initial_weights():
    model = build(**FULL)
    assert same(values(model.released.encoder.variables), values(model.encoder.variables))
    assert same(values(model.released.decoder.variables), values(model.decoder.variables))


def test_without_an_average_the_trained_networks_are_released():
    model, data = make(ema_rate=0.0, adversarial_weight=0.0), batch(0)
    model.train_step(data)
    np.testing.assert_array_equal(model(data["image"]), model.decoder(model.encoder(data["image"])))
    released = [v for name, v in model.release_state().items() if name.startswith(("encoder/", "decoder/"))]
    assert same(values(released), values(model.weights_of("autoencoder")))


# A patch discriminator that joins late


def test_the_discriminator_does_not_train_before_its_step():
    model, data = make(discriminator=dict(from_step=3)), batch(0)
    active = ["discriminator" in model.static_arguments(step)["adversaries"] for step in (0, 2, 3, 4)]
    assert active == [False, False, True, True]
    idle = adversary(model, "discriminator").network.variables + model.optimizers["discriminator"].variables
    before = values(idle)
    logs = model.train_step(data, **model.static_arguments(2))
    assert same(values(idle), before)
    assert not {"adversarial_loss", "discriminator_loss"} & logs.keys()
    assert float(logs["autoencoder_loss"]) == pytest.approx(
        float(logs["reconstruction_loss"]) + float(logs["mix_regulariser"]), rel=1e-6
    )
    model.train_step(data, **model.static_arguments(3))
    assert not any(np.array_equal(a, b) for a, b in zip(values(idle), before, strict=True) if a.size > 40)


def test_the_adversarial_loss_joins_at_its_step():
    """The discriminator trains from step 0 and is part of the autoencoder's loss from step 1."""
    late, never, data = make(adversarial_from_step=1), make(adversarial_weight=0.0), batch(0)
    networks = [(m.encoder.variables + m.decoder.variables) for m in (late, never)]
    discriminator = adversary(late, "discriminator").network
    before = values(discriminator.variables)
    logs = late.train_step(data)
    never.train_step(data)
    assert float(logs["adversarial_loss"]) == 0 and not same(values(discriminator.variables), before)
    assert same(*map(values, networks))
    logs = late.train_step(data)
    never.train_step(data)
    assert float(logs["adversarial_loss"]) != 0 and not same(*map(values, networks))
    parts = ("reconstruction_loss", "mix_regulariser", "adversarial_loss")
    assert float(logs["autoencoder_loss"]) == pytest.approx(sum(float(logs[name]) for name in parts), rel=1e-6)


def test_only_the_critic_is_active_without_a_discriminator():
    assert make(adversarial_weight=0.0).static_arguments(10**9) == {"adversaries": ("critic",)}


# State


def test_state_holds_every_variable_under_reproducible_names():
    first, second = make(), make()
    assert list(first.state()) == list(second.state())
    held = {id(variable) for variable in first.state().values()}
    assert len(held) == len(first.state())
    everything = [*first.variables, *(v for optimizer in first.optimizers.values() for v in optimizer.variables)]
    assert {id(variable) for variable in everything} == held


def test_resume_is_bit_identical():
    model, fresh = make(), make(seed=5)
    for weight in fresh.encoder.variables:
        weight.assign(weight + 1)
    for step in range(2):
        model.train_step(batch(step))
    restore(fresh.state(), unpack(pack(model.state()), "a test"), "a test")
    for step in range(2, 4):
        ours, theirs = fresh.train_step(batch(step)), model.train_step(batch(step))
        assert {name: float(v) for name, v in ours.items()} == {name: float(v) for name, v in theirs.items()}
    restored, expected = snapshot(fresh), snapshot(model)
    assert restored["step"] == 4 and [int(o.iterations) for o in fresh.optimizers.values()] == [4] * 4
    assert [name for name in expected if not np.array_equal(restored[name], expected[name])] == []


# As a Keras model


@pytest.mark.parametrize("adversarial_weight", [0.0, pytest.param(0.1, marks=pytest.mark.slow)])
def test_fit(adversarial_weight):
    model = make(adversarial_weight=adversarial_weight)
    model.compile(RATE, jit_compile=False)
    data = tf.data.Dataset.from_tensors(batch(0)).repeat()
    history = model.fit(data, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history
    assert model.metrics == [] and "loss" not in history
    assert np.isfinite([value for column in history.values() for value in column]).all()
    assert history["reconstruction_loss"][0] != history["reconstruction_loss"][1]
    assert int(model.step) == 4


def test_losses_fall():
    model, data = make(depth=8, mix_weight=0.1, adversarial_weight=0.0, ema_rate=0.5), batch(0, size=4)
    model.compile(1e-2)
    train_step = tf.function(model.train_step, autograph=False)
    logs = [train_step(data) for _ in range(60)]
    assert logs[-1]["reconstruction_loss"] < 0.5 * logs[0]["reconstruction_loss"]
    assert logs[-1]["classifier_loss"] < 0.5 * logs[0]["classifier_loss"]
    assert logs[-1]["critic_error_ratio"] < logs[0]["critic_error_ratio"]


@pytest.mark.parametrize(
    "wrong",
    [
        dict(mix_weight=-0.1),
        dict(regularisation=-1),
        dict(ema_rate=1.0),
        dict(ema_rate=-0.1),
        dict(latent_width=3),
    ],
)
def test_constructor_names_what_is_wrong(wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(ValueError, match=f"(?s)must be.*Received: .*{name}={value}"):
        paper_acai(depth=2, **wrong)
