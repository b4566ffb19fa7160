"""The VQ-VAE of the official code: its codebook and its bottleneck, against values by hand and plain numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from acai import bottlenecks
from acai.layers import AveragedCodebook
from common.distribute import replicas
from tests.support.acai_models import batch, build, values

EPSILON = 1e-5
SHAPE = (2, 2, 2)  # 8 latents, so points and vectors have 8 numbers


def codebook(sums, counts):
    layer = AveragedCodebook(len(sums))
    layer.build((None, len(sums[0])))
    layer.sums.assign(sums)
    layer.counts.assign(counts)
    return layer


def plain_vectors(counts, sums):
    """The vectors in float64, as the official code has them."""
    counts, sums = np.float64(counts), np.float64(sums)
    if counts.sum() == 0:
        return sums
    return sums / ((counts + EPSILON) / (counts.sum() + len(counts) * EPSILON) * counts.sum())[:, None]


def make_bottleneck(codebook_size=4, strength=10.0):
    """A bottleneck whose points and vectors are of one size."""
    keras.utils.set_random_seed(0)
    bottleneck = bottlenecks.make_bottleneck("projected_vqvae", strength, SHAPE, 48, codebook_size)
    bottleneck.network.sums.assign(np.random.default_rng(1).normal(size=(codebook_size, 8)))
    return bottleneck


def make_model():
    keras.utils.set_random_seed(0)
    options = dict(bottleneck="projected_vqvae", bottleneck_strength=10.0, codebook_size=4)
    model = build(mix_weight=0.0, bottleneck=options)
    random = np.random.default_rng(2)
    bottleneck = model.autoencoder.bottleneck
    for weight in (*bottleneck.projection.weights, bottleneck.network.sums):  # points as far apart as vectors
        weight.assign(random.normal(size=weight.shape))
    model.compile(1e-3)
    return model


# The codebook


def test_nearest_vectors_by_hand():
    """Before the first step the sums are the vectors; 1/2 is as near to both, and the first is taken."""
    layer = codebook([[0, 0], [1, 0], [1, 0]], [0, 0, 0])
    indices, vectors = layer(np.float32([[[0.4, 3], [0.6, -3]], [[0.5, 0], [9, 9]]]))
    np.testing.assert_array_equal(indices, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(vectors, np.float32([[[0, 0], [1, 0]], [[0, 0], [1, 0]]]))


def test_nearest_vectors_equal_a_search_of_all():
    random = np.random.default_rng(0)
    layer = codebook(random.normal(size=(50, 3)), random.uniform(0.1, 2, 50))
    points = random.normal(size=(4, 10, 3)).astype(np.float32)
    vectors = plain_vectors(layer.counts, layer.sums)
    expected = ((points[:, :, None] - vectors) ** 2).sum(-1).argmin(-1)
    indices, found = layer(points)
    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(found, vectors[expected], rtol=1e-5)


def test_vectors_by_hand():
    """Sums over counts, almost; without points a vector is 1 / EPSILON times its sum, far from all points."""
    vectors = codebook([[3, -6], [2, 1], [0.01, 0]], [3, 1, 0]).vectors()
    np.testing.assert_allclose(vectors, [[1, -2], [2, 1], [1000, 0]], rtol=2e-5, atol=1e-9)
    vectors = codebook([[2e-5], [3e-5]], [EPSILON, 0]).vectors()  # counts 2 EPSILON / 3 and EPSILON / 3
    np.testing.assert_allclose(vectors, [[3], [9]], rtol=1e-5)


def test_initial_vectors_are_drawn_as_in_the_official_code():
    """Uniform, with variance 1 / size."""
    keras.utils.set_random_seed(0)
    layer = AveragedCodebook(100)
    layer.build((None, 200))
    sums = np.asarray(layer.sums)
    assert not np.any(layer.counts) and 0.17 < np.abs(sums).max() <= np.sqrt(3 / 100)
    assert abs(sums.var() * 100 - 1) < 5 * np.sqrt(0.8 / sums.size)  # the kurtosis of a uniform is 1.8


# The bottleneck


def test_decoders_inputs_and_loss_are_the_layers_one_by_one():
    bottleneck, random = make_bottleneck(), np.random.default_rng(3)
    for network in bottleneck.autoencoder_networks.values():
        for weight in network.weights:
            weight.assign(random.normal(0, 0.3, weight.shape))
    encoded = random.normal(size=(3, *SHAPE)).astype(np.float32)
    kernel, bias = values(bottleneck.projection.weights)
    assert kernel.shape == (8, 80)
    points = (encoded.reshape(3, 8) @ kernel + bias).reshape(3, 10, 8)
    codes = plain_vectors(np.zeros(4), bottleneck.network.sums)
    vectors = codes[((points[:, :, None] - codes) ** 2).sum(-1).argmin(-1)]
    assert len(np.unique(vectors)) > 8  # more than one of them is used
    kernel, bias, last_kernel, last_bias = values(bottleneck.expansion.weights)
    assert kernel.shape == (80, 512)
    hidden = np.maximum(np.maximum(vectors.reshape(3, 80), 0) @ kernel + bias, 0)
    expected = (hidden @ last_kernel + last_bias).reshape(3, *SHAPE)
    np.testing.assert_allclose(bottleneck.decodable(encoded), expected, rtol=1e-4, atol=1e-4)
    prepared = bottleneck.prepare(encoded)
    np.testing.assert_allclose(bottleneck.latents(prepared, None), expected, rtol=1e-4, atol=1e-4)
    distance = np.mean((points - vectors) ** 2)
    assert float(bottleneck.regulariser(prepared)) == pytest.approx(10 * distance, rel=1e-5)
    np.testing.assert_array_equal(bottleneck.encode(encoded), encoded)


def test_gradients_by_hand():
    """The decoder's pass straight through to the points; commitment adds 2 * 10 (p - v) / 80."""
    bottleneck, weights = make_bottleneck(), np.random.default_rng(4).normal(size=(1, *SHAPE))
    points = tf.constant(np.random.default_rng(5).normal(size=(1, 10, 8)), tf.float32)
    indices, vectors = bottleneck.network(points)
    variables = bottleneck.network.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([points, vectors])
        prepared = points, indices, tf.stop_gradient(vectors)
        through = tf.reduce_sum(weights * bottleneck.latents(prepared, None))
        commitment = bottleneck.regulariser(prepared)
        unchanged = bottleneck.regulariser(bottleneck.prepare(tf.ones((1, *SHAPE))))
        direct = tf.reduce_sum(weights * bottleneck.expansion(vectors))
    expected = tape.gradient(direct, vectors)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(tape.gradient(through, points), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(commitment, points), 20 * (points - vectors) / 80, rtol=1e-5)
    for loss in (through, unchanged):
        assert tape.gradient(loss, variables) == [None, None]


@pytest.mark.parametrize("towers", [1, 2])
def test_the_codebook_moves_by_averages(towers):
    """Three steps against plain averages of the batch's counts and sums, whatever its number of parts."""
    model = make_model()
    network, projection = model.autoencoder.bottleneck.network, model.autoencoder.bottleneck.projection
    for step in range(3):
        data = batch(step, size=4)
        counts, sums = (np.float64(v) for v in values([network.counts, network.sums]))
        points = np.float64(projection(model.encoder(data["image"]))).reshape(40, 32)
        codes = plain_vectors(counts, sums)
        hot = np.eye(4)[((points[:, None] - codes) ** 2).sum(-1).argmin(-1)]  # [40, 4]
        assert np.count_nonzero(hot.sum(0)) > 1 or step
        _, gradients = replicas.run_in_towers(model.gradients, towers, data)
        model.apply_gradients(gradients)
        np.testing.assert_allclose(network.counts, 0.999 * counts + 0.001 * hot.sum(0), rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(network.sums, 0.999 * sums + 0.001 * hot.T @ points, rtol=1e-4, atol=1e-7)


def test_projection_and_expansion_are_trained_with_the_autoencoder():
    model = make_model()
    bottleneck = model.autoencoder.bottleneck
    before = [values(network.weights) for network in bottleneck.autoencoder_networks.values()]
    model.train_step(batch(0))
    for network, old in zip(bottleneck.autoencoder_networks.values(), before, strict=True):
        for weight, former in zip(network.weights, old, strict=True):
            assert not np.array_equal(weight, former), weight.path


def test_blends_are_quantised_before_decoding():
    """Latents are the encoder's outputs; small changes of them change no picture."""
    model = make_model()
    latents = model.released.encode(batch(0)["image"])
    moved = latents + 1e-5 * np.random.default_rng(0).normal(size=latents.shape)
    np.testing.assert_array_equal(model.encoder(batch(0)["image"]), latents)
    pictures = model.released.decode(latents)
    np.testing.assert_allclose(model.released.decode(moved), pictures, atol=1e-6)
    assert np.abs(pictures - model.decoder(latents)).max() > 1e-3
