"""Checkpoints and releases of models with each of the paper's other bottlenecks."""

import numpy as np
import pytest

import configs.acai
from acai import bottlenecks
from acai.autoencoder import Autoencoder, name_in_paper
from acai.inference import ReleasedACAI
from common.files import pack, unpack
from common.variables import restore
from tests.acai.baseline_models import baseline_config, make_baseline
from tests.support.acai_models import batch

# a discriminator, random latents, a codebook moved by averages and one trained by Adam
WITH_MORE_STATE = ["aae", *(pytest.param(n, marks=pytest.mark.slow) for n in ("vae", "vqvae", "vqvae_512"))]
CLOSE = dict(rtol=1e-4, atol=1e-5)


def arrays(state):
    return {name: np.asarray(variable).copy() for name, variable in state.items()}


@pytest.mark.parametrize("name", WITH_MORE_STATE)
def test_resume_is_bit_identical(name):
    model, resumed = make_baseline(name), make_baseline(name, seed=5)
    resumed.seed = model.seed
    for step in range(2):
        model.train_step(batch(step))
    restore(resumed.state(), unpack(pack(model.state()), "a test"), "a test")
    for step in range(2, 4):
        model.train_step(batch(step))
        resumed.train_step(batch(step))
    expected, ours = arrays(model.state()), arrays(resumed.state())
    assert ours.keys() == expected.keys()
    assert [part for part in expected if not np.array_equal(ours[part], expected[part])] == []


@pytest.mark.parametrize("name", WITH_MORE_STATE)
def test_a_release_encodes_and_decodes_with_averaged_weights(name):
    model, images = make_baseline(name), batch(0)["image"]
    model.train_step(batch(0))
    released = ReleasedACAI(baseline_config(name), arrays(model.release_state()), "a test")
    assert released.critic is None
    latents = model.released.encode(images)
    np.testing.assert_allclose(released.encode(images), latents, **CLOSE)
    np.testing.assert_allclose(released.decode(latents), model.released.decode(latents), **CLOSE)
    assert not np.allclose(released.decode(latents), model.autoencoder.decode(latents), **CLOSE)


def test_decoded_logits_become_pictures():
    model = make_baseline("vae")
    model.decoder.weights[-1].assign([100.0, 100.0, 100.0])
    np.testing.assert_allclose(model.autoencoder.decode(np.zeros((1, 4, 4, 2))), 1)


def test_latents_are_vectors_of_the_averaged_codebook():
    """Latents near them are replaced by the nearest before decoding."""
    model = make_baseline("vqvae_512")
    model.train_step(batch(0))
    autoencoder = model.released
    codebook = np.asarray(autoencoder.bottleneck.network.embeddings)
    assert not np.array_equal(codebook, model.autoencoder.bottleneck.network.embeddings)
    latents = np.asarray(autoencoder.encode(batch(0)["image"]))
    distances = np.abs(latents.reshape(-1, 1, 2) - codebook).max(-1).min(1)
    assert distances.max() < 1e-6
    np.testing.assert_allclose(autoencoder.decode(latents + 1e-3), autoencoder.decode(latents), **CLOSE)


def test_a_release_without_the_field_has_a_plain_bottleneck():
    config = baseline_config("vae")
    for name in ("bottleneck", "bottleneck_strength", "codebook_size", "mix_weight"):
        del config[name]
    assert type(Autoencoder.from_config(config).bottleneck) is bottlenecks.Bottleneck
    assert name_in_paper(config) == "ACAI"


def test_names_in_the_paper():
    names = [name_in_paper(baseline_config(name)) for name in configs.acai.BASELINES]
    assert names == ["baseline", "dropout", "denoising", "VAE", "AAE", "VQ-VAE", "VQ-VAE by position"]
    assert name_in_paper({"mix_weight": 0.5, "bottleneck": "vae"}) == "ACAI with VAE"
