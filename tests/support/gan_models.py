"""What several tests share. First of: One GAN step against a slow plain version, which network a step moves,
and the average."""

import keras
import numpy as np
import tensorflow as tf

from gan.model import GAN

SMALL = dict(width=16, noise_size=3, generator_channels=2, discriminator_channels=2)
RATE = 1e-3
NOISE = np.random.default_rng(5).normal(size=(4, 3)).astype(np.float32)


def batch(seed=0, size=4, classes=3):
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (size, 16, 16, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant(rng.integers(0, classes, size), tf.int32)}


def make(seed=0, rate=RATE, compiled=None, **options):
    """A compiled model with weights large enough for their gradients to show."""
    keras.utils.set_random_seed(seed)
    model = GAN(**SMALL | options)
    rng = np.random.default_rng(seed)
    for network in (model.generator, model.discriminator):
        for weight in network.trainable_variables:
            fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 10
            weight.assign((weight.name == "scale") + rng.normal(0, 1, weight.shape) / np.sqrt(fan_in))
    if model.ema_rate:
        for average, weight in zip(model.released_generator.variables, model.generator.variables, strict=True):
            average.assign(weight)
    model.compile(rate, **compiled or {})
    return model


def snapshot(model):
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def families(names):
    return {name.partition("/")[0] for name in names}
