"""Ordinary Keras layers in a network of an ACAI, as someone who changes the code would add them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import networks
from acai.inference import ReleasedACAI
from common.files import pack, unpack
from common.variables import restore
from tests.support.acai_models import batch, build

LAYERS = {
    "dropout": lambda: keras.layers.Dropout(0.3),
    "batch norm": lambda: keras.layers.BatchNormalization(),
    "noise": lambda: keras.layers.GaussianNoise(0.1),
}
SIZES = dict(width=8, latent_width=4, latent_channels=2, depth=2, critic_depth=2, colours=3)


# Dropout and noise have a seed generator each: every network has one of them.
PAIRS = [("encoder", "dropout"), ("critic", "batch norm")]  # of the default run: each takes seconds to trace
SLOW = [("decoder", "noise"), ("critic", "dropout"), ("classifier", "noise"), ("decoder", "batch norm")]
PAIRS += [pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW]


def layer_kinds(network):
    return [type(each).__name__ for each in network.layers]


@pytest.mark.parametrize(("changed", "layer"), PAIRS)
def test_it_trains_averages_releases_and_resumes_to_the_bit(changed, layer, monkeypatch):
    """The layer is where it was put and nowhere else; a restored model takes the same step."""
    make, make_layer = networks.sequential, LAYERS[layer]

    def with_layer(layers, shape, name):
        added = name.removeprefix("ema_") == changed
        return make([*layers[:-1], make_layer(), layers[-1]] if added else layers, shape, name)

    monkeypatch.setattr(networks, "sequential", with_layer)
    model, twin = (build(mix_weight=3.0, ema_rate=0.5, seed=3) for _ in range(2))
    kind = type(make_layer()).__name__
    found = {"encoder": model.encoder, "decoder": model.decoder, "critic": model.adversaries[0].network}
    found["classifier"] = model.latent_classifier
    assert [name for name, network in found.items() if kind in layer_kinds(network)] == [changed]
    for each in (model, twin):
        each.compile(1e-3)
    step, twin_step = tf.function(model.train_step), tf.function(twin.train_step)
    step(batch(0))
    restore(twin.state(), unpack(pack(model.state()), "a test"), "a test")
    expected, actual = (each(batch(0)) for each in (step, twin_step))
    assert {name: float(v) for name, v in actual.items()} == {name: float(v) for name, v in expected.items()}
    for name, variable in model.state().items():
        np.testing.assert_array_equal(variable, twin.state()[name], err_msg=name)
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    assert all(value.dtype.kind == "f" for value in weights.values())
    released = ReleasedACAI(SIZES, weights, "a test")
    images = batch(0)["image"]
    np.testing.assert_allclose(released.decode(released.encode(images)), model(images), rtol=1e-4, atol=1e-5)


def test_layers_without_weights_load_the_releases_of_the_network_without_them(monkeypatch):
    plain = build()
    weights = {name: np.asarray(value) for name, value in plain.release_state().items()}
    make = networks.sequential
    monkeypatch.setattr(
        networks,
        "sequential",
        lambda layers, *rest: make([layers[0], keras.layers.Dropout(0.5), *layers[1:]], *rest),
    )
    released, images = ReleasedACAI(SIZES, weights, "a test"), batch(0)["image"]
    assert "Dropout" in layer_kinds(released.encoder)
    np.testing.assert_allclose(released.encode(images), plain.autoencoder.encode(images), rtol=1e-5, atol=1e-6)
