"""Ordinary Keras layers in a network of a GAN, as someone who changes the code would add them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.files import pack, unpack
from common.variables import restore, weights_by_name
from gan import losses, networks, tricks
from gan.model import GAN

LAYERS = {
    "dropout": lambda: keras.layers.Dropout(0.3),
    "batch norm": lambda: keras.layers.BatchNormalization(),
    "noise": lambda: keras.layers.GaussianNoise(0.1),
}


def chained(network, layer):
    """A plain chain of the network's layers with one more behind the second."""
    inputs = x = keras.Input(network.inputs[0].shape[1:])
    for number, own in enumerate(network.layers[1:]):
        x = own(x)
        x = layer()(x) if number == 1 else x
    return keras.Model(inputs, x, name=network.name)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_changed_generator_trains_averages_and_resumes_to_the_bit(kind):
    def make(seed):
        keras.utils.set_random_seed(seed)
        generator, average = (chained(networks.dcgan_generator(8, 4, 2), LAYERS[kind]) for _ in range(2))
        discriminator = networks.dcgan_discriminator(8, 2)
        average = tricks.MovingAverage(generator, average, 0.5)
        model = GAN(generator, discriminator, losses.LOSSES["non_saturating"], average=average)
        model.compile()
        return model

    model, twin = make(0), make(1)
    batch = {"image": tf.random.stateless_uniform((4, 8, 8, 3), (0, 1), -1.0, 1.0), "label": tf.zeros(4, tf.int32)}
    steps = [tf.function(each.train_step) for each in (model, twin)]
    steps[0](batch)
    restore(twin.state(), unpack(pack(model.state()), "a test"), "a test")
    expected, actual = (step(batch) for step in steps)
    assert {name: float(v) for name, v in actual.items()} == {name: float(v) for name, v in expected.items()}
    released = weights_by_name("generator", model.released_generator)
    assert model.release_state().keys() == released.keys()
    assert all(np.asarray(value).dtype.kind == "f" for value in released.values())
    assert not any("seed" in name for name in released)
