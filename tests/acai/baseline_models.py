"""Small models of the autoencoders with which the paper compares ACAI."""

import keras
import numpy as np

import configs.acai
from tests.support.acai_models import build

CODEBOOK_SIZE = 8


def baseline_config(name):
    """The "model" section of a release's config that fits `make_baseline`; `name` is a key of BASELINES."""
    sizes = dict(width=8, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=2, mix_weight=0.0)
    bottleneck, strength = configs.acai.BASELINES[name]
    return sizes | dict(bottleneck=bottleneck, bottleneck_strength=strength, codebook_size=CODEBOOK_SIZE)


def make_baseline(name, seed=0, **options):
    """A compiled model with nonzero biases and codebook vectors far apart. Options: those of `build`."""
    keras.utils.set_random_seed(seed)
    bottleneck, strength = configs.acai.BASELINES[name]
    bottleneck = dict(bottleneck=bottleneck, bottleneck_strength=strength, codebook_size=CODEBOOK_SIZE)
    model = build(**dict(mix_weight=0.0, bottleneck=bottleneck, ema_rate=0.5) | options)
    random = np.random.default_rng(seed)
    for network in model.trained_networks:
        for weight in model.weights_of(network):
            is_bias = len(weight.shape) == 1 and weight.name != "counts"
            if is_bias or weight.name in ("embeddings", "sums"):
                weight.assign(random.normal(0, 0.3, weight.shape))
    model.compile(1e-3)
    return model
