"""Each bottleneck against values worked by hand; test_bottleneck_steps.py tests training with them."""

import numpy as np
import pytest
import tensorflow as tf

import configs.acai
import training.acai
from acai import bottlenecks
from acai.bottlenecks import KINDS
from acai.bottlenecks.continuous import draw_normal
from configs.check import CHOICES

SHAPE = (2, 2, 2)
SEED = tf.constant([3, 5], tf.int64)


def bottleneck(kind, strength, pixels=48, codebook_size=3):
    return bottlenecks.make_bottleneck(kind, strength, SHAPE, pixels, codebook_size)


def random_latents(seed=0, count=4, channels=2):
    return np.random.default_rng(seed).normal(size=(count, 2, 2, channels)).astype(np.float32)


def test_every_kind_has_a_config_and_the_check_knows_it():
    assert CHOICES["model.bottleneck"] == tuple(KINDS)
    assert {kind for kind, _ in configs.acai.BASELINES.values()} == set(KINDS)
    for name, (kind, strength) in configs.acai.BASELINES.items():
        for prefix, recipe in configs.acai.PREFIXES.items():
            config, model = configs.acai.get_config(recipe), configs.acai.get_config(prefix + name).model
            assert (model.depth, model.latent_width) == (config.model.depth, config.model.latent_width)
            assert (model.bottleneck, model.bottleneck_strength, model.mix_weight) == (kind, strength, 0)
            assert model.codebook_size == (2**14 if name == "vqvae" else 512)


def test_configs_of_lines_differ_from_lines_in_the_model_and_length_only():
    lines, ramp = configs.acai.get_config("lines").to_dict(), ("adversarial_from_kimg", "adversarial_ramp_kimg")
    for name in configs.acai.BASELINES:
        config = configs.acai.get_config(f"lines_{name}").to_dict()
        own = {"total_kimg": 300} | ({ramp[0]: 30, ramp[1]: 120} if name == "aae" else {})
        assert config["train"] == lines["train"] | own
        assert config["data"] == lines["data"]
        changed = {k for k, v in config["model"].items() if v != lines["model"][k]}
        assert changed <= {"mix_weight", "bottleneck", "bottleneck_strength", "codebook_size"}


def test_adversarial_loss_of_an_aae_of_lines_rises_from_30_to_150_kimg():
    """In batches of 16 these are the steps 1,875 to 9,375."""
    ramp = training.acai.make_regulariser_ramp(configs.acai.get_config("lines_aae"))
    weights = [float(ramp(tf.constant(step, tf.int64))) for step in (0, 1_874, 1_875, 5_624, 9_374, 18_000)]
    np.testing.assert_allclose(weights, [0, 0, 1 / 7_500, 1 / 2, 1, 1], rtol=1e-6)
    assert float(training.acai.make_regulariser_ramp(configs.acai.get_config("aae"))(0)) == 1  # the official form
    assert training.acai.make_regulariser_ramp(configs.acai.get_config("lines_vae")) is None


@pytest.mark.parametrize(
    ("kind", "strength", "message"),
    [
        ("gan", 1.0, "one of plain, dropout, denoising, vae, aae, vqvae, projected_vqvae. Received: 'gan'"),
        ("vae", -0.5, "at least 0. Received: -0.5"),
        ("denoising", float("nan"), "at least 0. Received: nan"),
        ("dropout", 1.0, "below 1. Received: 1.0"),
    ],
)
def test_constructor_rejects_unknown_kinds_and_bad_strengths(kind, strength, message):
    with pytest.raises(ValueError, match=f"must be.*{message}"):
        bottleneck(kind, strength)


@pytest.mark.parametrize("kind", KINDS)
def test_decodes_plainly_says_whether_the_decoder_alone_makes_pictures(kind):
    made, latents = bottleneck(kind, 0.5), random_latents()
    unchanged = [np.array_equal(change(latents), latents) for change in (made.decodable, made.to_images)]
    assert made.decodes_plainly == all(unchanged)


# Each by hand


def test_dropout_keeps_the_mean():
    """Three quarters of the latents are 0, the others are multiplied by 4."""
    encoded = tf.ones((500, 2, 2, 2))
    dropout = bottleneck("dropout", 0.75)
    latents = dropout.latents(encoded, SEED).numpy()
    assert set(np.unique(latents)) == {0, 4}
    assert abs((latents == 4).mean() - 1 / 4) < 5 * np.sqrt(3 / 16 / 4000)
    kept = (latents.reshape(500, 8) == 4).sum(1)  # of 8 independent draws 2 are kept, with variance 3 / 2
    assert abs(kept.var() - 3 / 2) < 5 * 1.5 * np.sqrt(2 / 500)
    np.testing.assert_array_equal(latents, dropout.latents(encoded, SEED))
    assert not np.array_equal(latents, dropout.latents(encoded, SEED + 1))
    np.testing.assert_array_equal(dropout.encode(encoded), encoded)  # nothing is dropped after training


def test_denoising_adds_noise_to_the_encoders_inputs():
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (200, 4, 4, 3)), tf.float32)
    denoising = bottleneck("denoising", 0.25)
    noise = (denoising.corrupt(images, SEED) - images).numpy()
    assert abs(noise.mean()) < 5 * 0.25 / np.sqrt(noise.size) and abs(noise.std() / 0.25 - 1) < 0.05
    np.testing.assert_array_equal(denoising.corrupt(images, SEED), denoising.corrupt(images, SEED))
    np.testing.assert_array_equal(bottleneck("dropout", 0.5).corrupt(images, SEED), images)


def test_divergence_by_hand():
    """KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - log s, divided by 4 pixels, with a weight of 3."""
    mean, deviation = np.float32([0.5, -2]), np.float32([1, 0.1])
    encoded = np.concatenate([mean, np.log(deviation**2)]).reshape(1, 1, 1, 4)
    divergence = sum((s**2 + m**2 - 1) / 2 - np.log(s) for m, s in zip(mean, deviation, strict=True))
    encoded = np.concatenate([encoded, np.zeros_like(encoded)])  # the second image is standard normal: 0
    assert float(bottleneck("vae", 3.0, pixels=4).regulariser(encoded)) == pytest.approx(3 * divergence / 2 / 4)


def test_variational_draws_have_the_encoded_mean_and_deviation():
    mean, deviation = np.float32([0.5, -2]), np.float32([1, 0.1])
    encoded = np.tile(np.concatenate([mean, np.log(deviation**2)]), (1000, 2, 2, 1))
    vae = bottleneck("vae", 1.0)
    drawn = vae.latents(encoded, SEED).numpy().reshape(-1, 2)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=5 * deviation.max() / np.sqrt(4000))
    np.testing.assert_allclose(drawn.std(0), deviation, rtol=0.06)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1
    np.testing.assert_array_equal(vae.encode(encoded), np.tile(mean, (1000, 2, 2, 1)))  # after training the mean


def test_bernoulli_by_hand():
    """-x log p - (1 - x) log (1 - p), x = 3/4 for a pixel of 1/2; the image is 2 p - 1."""
    vae, probability = bottleneck("vae", 1.0), np.float32([0.2, 0.9]).reshape(1, 1, 2, 1)
    images = np.float32([0.5, -1]).reshape(1, 1, 2, 1)
    logits = np.log(probability / (1 - probability))
    expected = (-0.75 * np.log(0.2) - 0.25 * np.log(0.8) - np.log(0.1)) / 2
    assert float(vae.reconstruction_loss(images, logits)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(vae.to_images(logits), 2 * probability - 1, rtol=1e-5)
    large = np.float32([200, 200]).reshape(1, 1, 2, 1)  # the losses are 1/4 * 200 and 200
    assert float(vae.reconstruction_loss(images, large)) == pytest.approx(125)


def test_adversarial_losses_by_hand():
    """log(1 + exp(-d)) for draws, log(1 + exp(d)) for latents; here d is the first latent."""
    aae = bottleneck("aae", 0.5)
    aae.network = lambda latents, training=False: latents[:, 0, 0, :1]
    encoded = random_latents()
    answers, drawn = encoded[:, 0, 0, 0], draw_normal(encoded, SEED).numpy()[:, 0, 0, 0]
    assert float(aae.regulariser(encoded)) == pytest.approx(0.5 * np.log1p(np.exp(-answers)).mean(), rel=1e-5)
    expected = np.log1p(np.exp(-drawn)).mean() + np.log1p(np.exp(answers)).mean()
    assert float(aae.network_loss(encoded, SEED)) == pytest.approx(expected, rel=1e-5)


def test_nearest_vector_by_hand():
    vqvae = bottleneck("vqvae", 10.0)
    vqvae.network.embeddings.assign([[0, 0], [1, 0], [1, 0]])
    encoded = np.float32([[[[0.4, 3], [0.6, -3]], [[0.5, 0], [9, 9]]]])
    expected = np.float32([[[[0, 0], [1, 0]], [[0, 0], [1, 0]]]])  # 1/2 is as near to both: the first is taken
    np.testing.assert_array_equal(vqvae.nearest(encoded), expected)
    for quantised in (vqvae.encode(encoded), vqvae.decodable(encoded), vqvae.latents(encoded, SEED)):
        np.testing.assert_allclose(quantised, expected, atol=1e-6)
    distance = np.mean((encoded - expected) ** 2)
    assert float(vqvae.regulariser(encoded)) == pytest.approx(10 * distance)
    assert float(vqvae.network_loss(encoded, SEED)) == pytest.approx(distance)


def test_gradients_of_quantisation_by_hand():
    """The decoder's pass straight through; 2 * 10 (z - e) / 8 for the encoder, 2 (e - z) / 8 for the codebook."""
    vqvae = bottleneck("vqvae", 10.0)
    codebook = np.float32([[0, 0], [1, 0], [50, 50]])
    vqvae.network.embeddings.assign(codebook)
    encoded = tf.constant([[[[0.25, 0], [0.75, -3]], [[0.75, 2], [0.75, 0]]]])
    used = np.array([[0, 1], [1, 1]])
    weights = np.float32(np.arange(8).reshape(1, 2, 2, 2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(encoded)
        decoded = tf.reduce_sum(weights * vqvae.latents(encoded, SEED))
        commitment, network_loss = vqvae.regulariser(encoded), vqvae.network_loss(encoded, SEED)
    np.testing.assert_array_equal(tape.gradient(decoded, encoded), weights)
    assert tape.gradient(decoded, vqvae.network.embeddings) is None
    assert tape.gradient(commitment, vqvae.network.embeddings) is None
    difference = encoded.numpy()[0] - codebook[used]
    np.testing.assert_allclose(tape.gradient(commitment, encoded)[0], 20 * difference / 8, rtol=1e-6)
    expected = [-2 * difference[used == code].sum(0) / 8 for code in range(3)]
    np.testing.assert_allclose(tape.gradient(network_loss, vqvae.network.embeddings), expected, rtol=1e-6)
