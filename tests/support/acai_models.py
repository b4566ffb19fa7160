"""Small ACAI models, batches and readers of optimizer state, shared by tests."""

from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from acai import networks
from acai.adversaries.critic import Critic
from acai.adversaries.patch_discriminator import PatchDiscriminator
from acai.adversaries.ramp import LinearRamp
from acai.autoencoder import Autoencoder
from acai.model import ACAI

DEFAULTS = dict(
    width=8,
    latent_width=4,
    latent_channels=2,
    depth=2,
    colours=3,
    classes=3,
    critic_depth=None,
    mix_weight=0.5,  # 0: no critic
    regularisation=0.2,
    adversarial_weight=0.0,  # 0: no patch discriminator
    adversarial_from_step=0,
    discriminator_channels=2,
    discriminator={},  # options of PatchDiscriminator
    bottleneck={},  # bottleneck options of Autoencoder
    precision="float32",
)
FULL = dict(mix_weight=3.0, adversarial_weight=0.3, ema_rate=0.2)
RATE, DISCRIMINATOR_RATE = 1e-3, 2e-4


def build(**options):
    """An ACAI with the given values in place of DEFAULTS; other options are those of `ACAI`."""
    model_options = {name: options.pop(name) for name in [*options] if name not in DEFAULTS}
    o = SimpleNamespace(**DEFAULTS | options)
    latents = o.latent_width, o.latent_channels
    autoencoder = Autoencoder(o.width, *latents, o.depth, o.colours, dtype=o.precision, **o.bottleneck)
    adversaries = []
    if o.mix_weight:
        critic = networks.critic(o.width, *latents, o.critic_depth or o.depth, o.colours, o.precision)
        adversaries.append(Critic(critic, o.mix_weight, o.regularisation))
    latent_classifier = networks.classifier(*latents, o.classes)
    if o.adversarial_weight:
        network = networks.patch_discriminator(o.width, o.discriminator_channels, o.colours, o.precision)
        ramp = LinearRamp(o.adversarial_weight, o.adversarial_from_step)
        adversaries.append(PatchDiscriminator(network, ramp, **o.discriminator))
    return ACAI(autoencoder, latent_classifier, adversaries, **model_options)


def adversary(model, name):
    """The model's adversary of a name, or None."""
    return next((a for a in model.adversaries if a.name == name), None)


def batch(seed, size=3, width=8, scale=1.0):
    rng = np.random.default_rng(seed)
    images = scale * rng.uniform(-1, 1, (size, width, width, 3)).astype(np.float32)
    return {"image": tf.constant(images), "label": tf.constant(rng.integers(0, 3, size), tf.int32)}


def make(seed=0, **options):
    """A compiled model with nonzero biases and critic scores far from 0. Options: FULL's and those of `build`."""
    keras.utils.set_random_seed(seed)
    model = build(**FULL | options)
    rng = np.random.default_rng(seed)
    for name in model.trained_networks:
        for weight in model.weights_of(name):
            if len(weight.shape) == 1:
                weight.assign(rng.normal(0, 0.1, weight.shape))
    if adversary(model, "critic"):
        model.weights_of("critic")[-1].assign([0.4, 0.5])
    if adversary(model, "discriminator"):  # logits far from 0: there gradients for real and fake images cancel
        kernel, bias = model.weights_of("discriminator")[-2:]
        kernel.assign(40 * kernel)
        bias.assign_add([1.0])
    model.compile(RATE, {"discriminator": DISCRIMINATOR_RATE})
    return model


def values(variables):
    return [np.asarray(variable).copy() for variable in variables]


def first_gradients(model, data):
    """{network: gradients} of a step with fresh optimizers: Adam's first moment is (1 - beta_1) g."""
    model.train_step(data)
    shares = {name: 0.5 if name == "discriminator" else 0.1 for name in model.trained_networks}
    return {name: [m / shares[name] for m in moments(model, name)[0]] for name in model.trained_networks}


def moments(model, name):
    """Lists of Adam's first and second moments, which follow its iterations and learning rate."""
    _, _, *variables = values(model.optimizers[name].variables)
    return variables[::2], variables[1::2]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
