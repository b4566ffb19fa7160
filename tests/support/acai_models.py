"""What several tests share. First of: One ACAI step against a slow plain version, who learns from what, and
what a checkpoint must hold."""

import keras
import numpy as np
import tensorflow as tf

from acai.model import ACAI

SMALL = dict(width=8, latent_width=4, latent_channels=2, depth=2, classes=3, discriminator_channels=2)
FULL = SMALL | dict(mix_weight=3.0, realism_weight=0.3, ema_rate=0.2)
RATE = 1e-3


def batch(seed, size=3, width=8, scale=1.0):
    rng = np.random.default_rng(seed)
    images = scale * rng.uniform(-1, 1, (size, width, width, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant(rng.integers(0, 3, size), tf.int32)}


def make(seed=0, **options):
    """A compiled model with biases that are not 0 and a critic whose scores are far from 0."""
    keras.utils.set_random_seed(seed)
    model = ACAI(**FULL | options)
    rng = np.random.default_rng(seed)
    for name in model.trained:
        for weight in model.weights_of(name):
            if len(weight.shape) == 1:
                weight.assign(rng.normal(0, 0.1, weight.shape))
    if model.mix_weight:
        model.critic.trainable_variables[-1].assign([0.4, 0.5])
    if model.realism_weight:  # real logits on both sides of the hinge; on one side gradients cancel to 0
        kernel, bias = model.discriminator.trainable_variables[-2:]
        kernel.assign(40 * kernel)
        bias.assign_add([1 - tf.reduce_mean(model.discriminator(batch(0)["image"]))])
    model.compile(RATE)
    return model


def values(variables):
    return [np.asarray(variable).copy() for variable in variables]


def first_gradients(model, data):
    """{network: gradients} of a step from a fresh optimizer: Adam's first momentum is (1 - beta_1) g."""
    model.train_step(data)
    shares = {name: 0.5 if name == "discriminator" else 0.1 for name in model.trained}
    return {name: [m / shares[name] for m in moments(model, name)[0]] for name in model.trained}


def moments(model, name):
    """Lists of Adam's first and second moments, behind iterations and learning rate."""
    _, _, *variables = values(model.optimizers[name].variables)
    return variables[::2], variables[1::2]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
