"""The training step with each of the paper's other bottlenecks: losses, gradients and random draws."""

import numpy as np
import pytest
import tensorflow as tf

import configs.acai
from acai.adversaries.ramp import LinearRamp
from acai.model import BOTTLENECK_NETWORK, CORRUPTION, LATENTS
from tests.acai.baseline_models import make_baseline
from tests.support.acai_models import adversary, batch, same, values

# No critic


def test_without_a_critic_nothing_of_it_is_left():
    model = make_baseline("baseline")
    assert set(model.trained_networks) == set(model.optimizers) == {"autoencoder", "classifier"}
    assert not any("critic" in name for name in model.state())
    assert not any("critic" in name or "mix" in name for name in model.train_step(batch(0)))


def test_without_a_critic_only_reconstructions_are_decoded(monkeypatch):
    model, batch_sizes = make_baseline("baseline"), []
    call = model.decoder.call

    def record(latents, **options):
        batch_sizes.append(len(latents))
        return call(latents, **options)

    monkeypatch.setattr(model.decoder, "call", record)
    model.train_step(batch(0, size=3))
    assert batch_sizes == [3]


# Plain losses: each as in its paper. Each returns (loss of the autoencoder, the latents that the classifier reads,
# {network of the bottleneck: its loss}).


def mean_square(difference):
    return tf.reduce_mean(difference**2)


def draw(distribution, model, stream, shape):
    """The model's random numbers of a stream."""
    seed = tf.stack([model.seed + (stream << 32), tf.cast(model.step, tf.int64)])
    return distribution(shape, seed, alg="philox")


def nearest(points, codebook):
    """The vector of a codebook [N, c] that is nearest to each point [..., c]."""
    distances = tf.reduce_sum((points[..., None, :] - codebook) ** 2, -1)
    return tf.gather(codebook, tf.argmin(distances, -1))


def baseline_losses(model, images):
    latents = model.encoder(images)
    return mean_square(model.decoder(latents) - images), latents, {}


def dropout_losses(model, images):
    """Half of the latents are dropped, the others doubled."""
    encoded = model.encoder(images)
    kept = draw(tf.random.stateless_uniform, model, LATENTS, encoded.shape) >= 0.5
    decoded = model.decoder(tf.where(kept, 2 * encoded, 0))
    return mean_square(decoded - images), encoded, {}


def denoising_losses(model, images):
    noise = draw(tf.random.stateless_normal, model, CORRUPTION, images.shape)
    encoded = model.encoder(images + noise)
    return mean_square(model.decoder(encoded) - images), encoded, {}


def vae_losses(model, images):
    """Minus the evidence lower bound, per pixel."""
    mean, log_variance = tf.split(model.encoder(images), 2, -1)
    noise = draw(tf.random.stateless_normal, model, LATENTS, mean.shape)
    p, x = tf.sigmoid(model.decoder(mean + tf.exp(log_variance / 2) * noise)), (images + 1) / 2
    log_likelihood = tf.reduce_sum(x * tf.math.log(p) + (1 - x) * tf.math.log(1 - p))
    divergence = tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance) / 2
    return (divergence - log_likelihood) / tf.size(images, tf.float32), mean, {}


def aae_losses(model, images):
    """The discriminator should answer 1 for normal draws and 0 for latents; the encoder makes it answer 1."""
    encoded, discriminator = model.encoder(images), model.autoencoder.bottleneck.network
    normal = draw(tf.random.stateless_normal, model, BOTTLENECK_NETWORK, encoded.shape)
    fooling = -tf.reduce_mean(tf.math.log(tf.sigmoid(discriminator(encoded))))
    for_draws = -tf.reduce_mean(tf.math.log(tf.sigmoid(discriminator(normal))))
    for_latents = -tf.reduce_mean(tf.math.log(1 - tf.sigmoid(discriminator(tf.stop_gradient(encoded)))))
    loss = mean_square(model.decoder(encoded) - images) + fooling
    return loss, encoded, {"code_discriminator": for_draws + for_latents}


def vqvae_512_losses(model, images):
    """Equation 3 of arXiv 1711.00937 with beta = 10; gradients pass straight through."""
    encoded, codebook = model.encoder(images), model.autoencoder.bottleneck.network.embeddings
    quantised = nearest(encoded, tf.convert_to_tensor(codebook))
    decoded = model.decoder(encoded + tf.stop_gradient(quantised - encoded))
    commitment = mean_square(encoded - tf.stop_gradient(quantised))
    codebook_loss = mean_square(tf.stop_gradient(encoded) - quantised)
    return mean_square(decoded - images) + 10 * commitment, quantised, {"codebook": codebook_loss}


def vqvae_losses(model, images):
    """As before, of projections of the latents; test_projected_vqvae.py tests how the codebook moves."""
    encoded, bottleneck = model.encoder(images), model.autoencoder.bottleneck
    points = bottleneck.projection(encoded)
    quantised = tf.stop_gradient(nearest(points, tf.convert_to_tensor(bottleneck.network.sums)))
    decoded = model.decoder(bottleneck.expansion(points + tf.stop_gradient(quantised - points)))
    return mean_square(decoded - images) + 10 * mean_square(points - quantised), encoded, {}


PLAIN_LOSSES = {
    "baseline": baseline_losses,
    "dropout": dropout_losses,
    "denoising": denoising_losses,
    "vae": vae_losses,
    "aae": aae_losses,
    "vqvae": vqvae_losses,
    "vqvae_512": vqvae_512_losses,
}


def plain_losses_and_gradients(model, name, data):
    """({network: loss}, {network: gradients of its weights}); the classifier's loss stops at the latents."""
    with tf.GradientTape(persistent=True) as tape:
        autoencoder_loss, latents, losses = PLAIN_LOSSES[name](model, data["image"])
        log_shares = tf.nn.log_softmax(model.latent_classifier(tf.stop_gradient(latents)))
        classifier_loss = -tf.reduce_mean(tf.gather(log_shares, data["label"], axis=1, batch_dims=1))
        losses |= {"autoencoder": autoencoder_loss, "classifier": classifier_loss}
    return losses, {network: tape.gradient(loss, model.weights_of(network)) for network, loss in losses.items()}


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", configs.acai.BASELINES)
def test_losses_and_gradients_are_those_of_the_papers(name, jit_compile):
    model, data = make_baseline(name), batch(0)
    compute, compute_plain = model.gradients, plain_losses_and_gradients
    if jit_compile:  # the plain losses as well, because XLA draws other random numbers
        compute = tf.function(compute, jit_compile=True, autograph=False)
        compute_plain = tf.function(compute_plain, jit_compile=True, autograph=False)
    logs, gradients = compute(data)
    plain_losses, plain_gradients = compute_plain(model, name, data)
    for network, loss in plain_losses.items():
        assert float(logs[f"{network}_loss"]) == pytest.approx(float(loss), rel=1e-5)
        expected = [np.asarray(tf.convert_to_tensor(part)) for part in plain_gradients[network]]
        assert max(np.abs(part).max() for part in expected) > 1e-4
        for ours, plain in zip(gradients[network], expected, strict=True):
            ours, atol = np.asarray(tf.convert_to_tensor(ours)), 2e-5 * max(1, np.abs(plain).max())
            np.testing.assert_allclose(ours, plain, rtol=2e-3, atol=atol, err_msg=network)


# The step


@pytest.mark.parametrize("name", ["aae", "vqvae", "vqvae_512"])
def test_a_step_moves_the_bottlenecks_network(name):
    model = make_baseline(name)
    variables = model.autoencoder.bottleneck.network.trainable_variables
    before = values(variables)
    model.train_step(batch(0))
    assert not same(values(variables), before)


@pytest.mark.parametrize(
    ("name", "random_loss"),
    [
        ("dropout", "reconstruction_loss"),
        ("denoising", "reconstruction_loss"),
        ("vae", "reconstruction_loss"),
        ("aae", "code_discriminator_loss"),
    ],
)
def test_draws_are_a_function_of_seed_and_step(name, random_loss):
    model = make_baseline(name)

    def loss_at(seed, step):
        model.seed = seed
        model.step.assign(step)
        logs, _ = model.gradients(batch(0))
        return float(logs[random_loss])

    first = loss_at(seed=0, step=0)
    assert loss_at(seed=0, step=0) == first
    assert len({first, loss_at(seed=0, step=1), loss_at(seed=1, step=0)}) == 3


def test_adversaries_of_a_variational_autoencoder_see_pictures():
    """A bottleneck can be combined with a critic. The decoder's outputs are logits, here 100 or so."""
    model = make_baseline("vae", mix_weight=0.5, adversarial_weight=0.1)
    model.decoder.weights[-1].assign([100.0, 100.0, 100.0])
    critic, seen = adversary(model, "critic").network, []
    call = critic.call
    critic.call = lambda pictures, **options: seen.append(np.asarray(pictures)) or call(pictures, **options)
    logs = model.train_step(batch(0))
    assert seen and all(np.abs(pictures).max() <= 1 for pictures in seen)
    parts = ("reconstruction_loss", "code_regulariser", "mix_regulariser", "adversarial_loss")
    assert float(logs["autoencoder_loss"]) == pytest.approx(sum(float(logs[part]) for part in parts), rel=1e-5)


def test_a_ramp_weighs_the_regulariser():
    """In the third step (its number is 2) a quarter. The loss of an AAE's discriminator does not change."""
    ramp = LinearRamp(1.0, from_step=2, steps=4)
    with_ramp, without = make_baseline("aae", regulariser_ramp=ramp), make_baseline("aae")
    for model in (with_ramp, without):
        model.step.assign(2)
    logs, full = with_ramp.train_step(batch(0)), without.train_step(batch(0))
    assert float(logs["code_regulariser"]) == pytest.approx(float(full["code_regulariser"]) / 4)
    total = float(logs["reconstruction_loss"]) + float(logs["code_regulariser"])
    assert float(logs["autoencoder_loss"]) == pytest.approx(total)
    assert float(logs["code_discriminator_loss"]) == float(full["code_discriminator_loss"])


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("vae", "mixed_bfloat16"),
        *(pytest.param(name, "mixed_float16", marks=pytest.mark.slow) for name in configs.acai.BASELINES),
    ],
)
def test_mixed_precision_gives_the_same_losses(name, precision):
    exact = make_baseline(name).train_step(batch(0))
    mixed = make_baseline(name, precision=precision).train_step(batch(0))
    for loss in exact.keys() - {"loss_scale", "classifier_accuracy"}:
        assert float(mixed[loss]) == pytest.approx(float(exact[loss]), rel=5e-2, abs=1e-4), loss
