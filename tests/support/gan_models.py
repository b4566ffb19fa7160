"""Small GANs for tests, described by the fields of configs/gan.py."""

import keras
import numpy as np
import tensorflow as tf

import configs.gan
from training.gan import compose, make_optimizer

SMALL = dict(width=16, noise_size=3, generator_channels=2, discriminator_channels=2)
RATE = 1e-3
NOISE = np.random.default_rng(5).normal(size=(4, 3)).astype(np.float32)


def build_gan(**options):
    """A GAN of the fields of a config's model section and of the other arguments of `training.gan.compose`."""
    fields = configs.gan.base().model.to_dict() | {"colours": 3, "classes": 0}
    fields |= {name: options.pop(name) for name in list(options) if name in fields}
    return compose(fields, **options)


def optimizers(rate=RATE, discriminator_rate=None, name="adam", **betas):
    """The optimizers of the generator and the discriminator."""
    rates = rate, rate if discriminator_rate is None else discriminator_rate
    return [make_optimizer(name, network_rate, **betas) for network_rate in rates]


def batch(seed=0, size=4, classes=3):
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (size, 16, 16, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant(rng.integers(0, classes, size), tf.int32)}


def make(seed=0, compiled=None, **options):
    """A small compiled GAN with weights large enough for every gradient to matter.

    Args:
        seed: of the weights.
        compiled: arguments of `optimizers`.
        **options: arguments of `build_gan`.
    """
    keras.utils.set_random_seed(seed)
    model = build_gan(**SMALL | options)
    rng = np.random.default_rng(seed)
    for network in (model.generator, model.discriminator):
        for weight in network.trainable_variables:
            fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 10
            weight.assign((weight.name == "scale") + rng.normal(0, 1, weight.shape) / np.sqrt(fan_in))
    for average, weight in zip(model.released_generator.variables, model.generator.variables, strict=True):
        average.assign(weight)
    model.compile(*optimizers(**compiled or {}))
    return model


def snapshot(model):
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def prefixes(names):
    """The first parts of variable names, such as "generator"."""
    return {name.partition("/")[0] for name in names}
