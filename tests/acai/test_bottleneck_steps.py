"""Training with each of the paper's other bottlenecks: losses, gradients, resume and release."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import configs.acai
from acai import bottlenecks
from acai.adversaries.ramp import LinearRamp
from acai.autoencoder import Autoencoder, name_in_paper
from acai.inference import ReleasedACAI
from common import release
from common.errors import InputError
from common.files import pack, unpack
from common.variables import restore
from pegasus import explore
from tests.support.acai_models import adversary, batch, build, first_gradients, same, values

WITH_BOTTLENECK = {name: setting for name, setting in configs.acai.BASELINES.items() if name != "baseline"}
# a discriminator, random latents, a codebook moved by averages and one trained by Adam
FOR_STATE = ["aae", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vae", "vqvae", "vqvae_512"))]
SIZES = dict(width=8, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=2, codebook_size=8)


def make(name, seed=0, **options):
    """A compiled baseline of the paper, with nonzero biases and codebook vectors far apart."""
    keras.utils.set_random_seed(seed)
    kind, strength = configs.acai.BASELINES[name]
    bottleneck = dict(bottleneck=kind, bottleneck_strength=strength, codebook_size=8)
    model = build(**dict(mix_weight=0.0, bottleneck=bottleneck, ema_rate=0.5) | options)
    random = np.random.default_rng(seed)
    for network in model.trained_networks:
        for weight in model.weights_of(network):
            if len(weight.shape) == 1 and weight.name != "counts" or weight.name in ("embeddings", "sums"):
                weight.assign(random.normal(0, 0.3, weight.shape))
    model.compile(1e-3)
    return model


def test_without_a_critic_there_is_none():
    model = make("baseline")
    assert set(model.trained_networks) == set(model.optimizers) == {"autoencoder", "classifier"}
    assert not any("critic" in name for name in model.state())
    logs = model.train_step(batch(0))
    assert not {"critic_loss", "mix_regulariser", "critic_error_ratio", "code_regulariser"} & logs.keys()
    assert float(logs["autoencoder_loss"]) == float(logs["reconstruction_loss"])


def test_without_a_critic_nothing_is_blended(monkeypatch):
    model, batch_sizes = make("baseline"), []
    call = model.decoder.call

    def record(latents, **options):
        batch_sizes.append(len(latents))
        return call(latents, **options)

    monkeypatch.setattr(model.decoder, "call", record)
    model.train_step(batch(0, size=3))
    assert batch_sizes == [3]


def plain_losses(model, name, data):
    """(the autoencoder's loss, the classifier's, that of the bottleneck's network or None), as in the papers.

    The classifier reads the latents that a release computes, which are not random.
    """
    images, network = data["image"], model.autoencoder.bottleneck.network
    first, second, third = (
        tf.stack([model.seed + (stream << 32), tf.cast(model.step, tf.int64)]) for stream in (1, 2, 3)
    )

    def normal(shape, seed):
        return tf.random.stateless_normal(shape, seed, alg="philox")

    inputs = images + normal(images.shape, first) if name == "denoising" else images
    encoded = model.encoder(inputs)
    latents, regulariser, network_loss = encoded, 0.0, None
    measured = encoded[..., :2] if name == "vae" else encoded
    if name == "vqvae_512":
        flat, codebook = tf.reshape(encoded, (-1, 1, 2)), tf.convert_to_tensor(network.embeddings)
        rows = tf.argmin(tf.reduce_sum((flat - codebook) ** 2, -1), -1)
        measured = tf.reshape(tf.gather(codebook, rows), encoded.shape)
    scores = tf.nn.log_softmax(model.latent_classifier(tf.stop_gradient(measured)))
    classifier_loss = -tf.reduce_mean(tf.gather(scores, data["label"], axis=1, batch_dims=1))
    if name == "dropout":
        kept = tf.random.stateless_uniform(encoded.shape, second, alg="philox") >= 0.5
        latents = encoded * 2 * tf.cast(kept, tf.float32)
    elif name == "vae":
        mean, log_variance = encoded[..., :2], encoded[..., 2:]
        latents = mean + tf.sqrt(tf.exp(log_variance)) * normal(mean.shape, second)
        regulariser = 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance)
        probabilities, white = tf.sigmoid(model.decoder(latents)), (images + 1) / 2
        likelihood = tf.reduce_sum(
            white * tf.math.log(probabilities) + (1 - white) * tf.math.log(1 - probabilities)
        )
        return (regulariser - likelihood) / tf.size(images, tf.float32), classifier_loss, None
    elif name == "aae":
        regulariser = -tf.reduce_mean(tf.math.log(tf.sigmoid(network(encoded))))
        prior, fixed = normal(encoded.shape, third), tf.stop_gradient(encoded)
        network_loss = -tf.reduce_mean(tf.math.log(tf.sigmoid(network(prior))))
        network_loss -= tf.reduce_mean(tf.math.log(1 - tf.sigmoid(network(fixed))))
    elif name == "vqvae":
        points = model.autoencoder.bottleneck.projection(encoded)
        rows = tf.argmin(tf.reduce_sum((points[:, :, None] - tf.convert_to_tensor(network.sums)) ** 2, -1), -1)
        nearest = tf.stop_gradient(tf.gather(tf.convert_to_tensor(network.sums), rows))
        regulariser = 10 * tf.reduce_mean((points - nearest) ** 2)
        latents = model.autoencoder.bottleneck.expansion(points + tf.stop_gradient(nearest - points))
    elif name == "vqvae_512":
        nearest = measured
        regulariser = 10 * tf.reduce_mean((encoded - tf.stop_gradient(nearest)) ** 2)
        network_loss = tf.reduce_mean((tf.stop_gradient(encoded) - nearest) ** 2)
        latents = encoded + tf.stop_gradient(nearest - encoded)
    return tf.reduce_mean((model.decoder(latents) - images) ** 2) + regulariser, classifier_loss, network_loss


@pytest.mark.parametrize("compiler", ["none", pytest.param("xla", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", configs.acai.BASELINES)
def test_a_step_equals_the_plain_losses(name, compiler):
    model, data = make(name), batch(0)
    network = model.autoencoder.bottleneck.network

    def plain_gradients():
        with tf.GradientTape(persistent=True) as tape:
            total, classifier_loss, network_loss = plain_losses(model, name, data)
        gradients = {"autoencoder": tape.gradient(total, model.weights_of("autoencoder"))}
        gradients["classifier"] = tape.gradient(classifier_loss, model.weights_of("classifier"))
        if network_loss is not None:
            gradient = tape.gradient(network_loss, model.weights_of(network.name))
            gradients[network.name] = [tf.convert_to_tensor(part) for part in gradient]
        return gradients

    if compiler == "xla":  # XLA draws other random numbers
        plain_gradients = tf.function(plain_gradients, jit_compile=True, autograph=False)
        model.train_step = tf.function(model.train_step, jit_compile=True, autograph=False)
    expected = {part: values(gradients) for part, gradients in plain_gradients().items()}
    gradients_by_network = first_gradients(model, data)
    logs = model.train_step(data)
    averaged = {"codebook"} if name == "vqvae" else set()  # it has no Adam; see test_projected_vqvae.py
    assert gradients_by_network.keys() - averaged == expected.keys()
    for part, gradients in expected.items():
        assert any(np.abs(gradient).max() > 1e-4 for gradient in gradients)
        for ours, plain in zip(gradients_by_network[part], gradients, strict=True):
            np.testing.assert_allclose(ours, plain, rtol=2e-3, atol=2e-5 * max(1, np.abs(plain).max()))
    regulariser = logs.get("code_regulariser", 0.0)
    assert float(logs["autoencoder_loss"]) == pytest.approx(float(logs["reconstruction_loss"] + regulariser))


@pytest.mark.parametrize("name", ["aae", "vqvae", "vqvae_512"])
def test_the_networks_loss_trains_only_the_network(name):
    """First with a learning rate of 0 for the autoencoder, then for the network."""
    for still in (True, False):
        model = make(name)
        network = model.autoencoder.bottleneck.network
        optimizers = [model.optimizers[part] for part in ("autoencoder", network.name)]
        optimizers[0 if still else 1].learning_rate = 0.0
        parts = model.weights_of("autoencoder"), network.trainable_variables
        before = [values(part) for part in parts]
        model.train_step(batch(0))
        assert [same(values(part), old) for part, old in zip(parts, before, strict=True)] == [still, not still]


@pytest.mark.parametrize("name", ["dropout", "denoising", "vae", "aae"])
def test_draws_are_a_function_of_seed_and_step(name):
    model = make(name)
    start = {part: variable.numpy() for part, variable in model.state().items()}

    def losses_of(seed, step):
        for part, variable in model.state().items():
            variable.assign(start[part])
        model.seed = seed
        model.step.assign(step)
        logs = model.train_step(batch(0))
        return float(logs["autoencoder_loss"] + logs.get("code_discriminator_loss", 0.0))

    first, again, later, other = (losses_of(*at) for at in ((0, 0), (0, 0), (0, 1), (1, 0)))
    assert first == again and len({first, later, other}) == 3


def test_a_variational_acai_shows_its_adversaries_images():
    """Bottlenecks can be combined with a critic. It gets images in [-1, 1], not logits."""
    model = make("vae", mix_weight=0.5, adversarial_weight=0.1)
    critic, shown = adversary(model, "critic").network, []
    call = critic.call
    critic.call = lambda images, **options: shown.append(np.asarray(images)) or call(images, **options)
    logs = model.train_step(batch(0))
    parts = ("reconstruction_loss", "code_regulariser", "mix_regulariser", "adversarial_loss")
    assert float(logs["autoencoder_loss"]) == pytest.approx(sum(float(logs[part]) for part in parts), rel=1e-5)
    assert np.abs(shown[0]).max() <= 1 and np.isfinite(list(map(float, logs.values()))).all()


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("vae", "mixed_bfloat16"),
        *(pytest.param(name, "mixed_float16", marks=pytest.mark.slow) for name in WITH_BOTTLENECK),
    ],
)
def test_mixed_precision_gives_the_same_losses(name, precision):
    exact, mixed = (make(name, precision=policy).train_step(batch(0)) for policy in ("float32", precision))
    for part in exact.keys() - {"loss_scale", "classifier_accuracy"}:
        assert float(mixed[part]) == pytest.approx(float(exact[part]), rel=5e-2, abs=1e-4), part


@pytest.mark.parametrize(("step", "share"), [(1, 0), (2, 1 / 4), (3, 1 / 2), (9, 1)])
def test_a_ramp_weighs_the_regulariser(step, share):
    """The loss of an AAE's discriminator does not change."""
    with_ramp, without = make("aae", regulariser_ramp=LinearRamp(1.0, 2, 4)), make("aae")
    logs = []
    for model in (with_ramp, without):
        model.step.assign(step)
        logs.append({part: float(value) for part, value in model.train_step(batch(0)).items()})
    assert logs[0]["code_regulariser"] == pytest.approx(share * logs[1]["code_regulariser"], rel=1e-6)
    assert logs[0]["autoencoder_loss"] == pytest.approx(
        logs[0]["reconstruction_loss"] + logs[0]["code_regulariser"]
    )
    assert logs[0]["code_discriminator_loss"] == logs[1]["code_discriminator_loss"]


# Resume and release


@pytest.mark.parametrize("name", FOR_STATE)
def test_resume_is_bit_identical(name):
    model, fresh = make(name), make(name, seed=5)
    fresh.seed = model.seed
    for step in range(2):
        model.train_step(batch(step))
    restore(fresh.state(), unpack(pack(model.state()), "a test"), "a test")
    for step in range(2, 4):
        ours, theirs = fresh.train_step(batch(step)), model.train_step(batch(step))
        assert {part: float(v) for part, v in ours.items()} == {part: float(v) for part, v in theirs.items()}
    states = [{part: np.asarray(v).copy() for part, v in m.state().items()} for m in (model, fresh)]
    assert states[0].keys() == states[1].keys()
    assert [part for part, v in states[0].items() if not np.array_equal(v, states[1][part])] == []
    held = {id(variable) for variable in fresh.state().values()}
    everything = [*fresh.variables, *(v for optimizer in fresh.optimizers.values() for v in optimizer.variables)]
    assert {id(variable) for variable in everything} == held


@pytest.mark.parametrize("name", FOR_STATE)
def test_a_release_computes_what_the_average_does(name, tmp_path):
    model, data = make(name), batch(0)
    for step in range(3):
        model.train_step(batch(step))
    kind, strength = configs.acai.BASELINES[name]
    sizes = SIZES | {"bottleneck": kind, "bottleneck_strength": strength}
    latents = model.released.encode(data["image"]).numpy()
    release.write(tmp_path, {"model": sizes}, model.release_state(), {"latents": latents})
    config, weights, *_ = release.read(tmp_path)
    weights = {part: np.asarray(v) for part, v in model.release_state().items()}  # not rounded to float16
    released = ReleasedACAI(config["model"], weights, "a test")
    assert released.critic is None and latents.shape == (3, 4, 4, 2)
    close = dict(rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(released.encode(data["image"]), latents, **close)
    np.testing.assert_allclose(released.decode(latents), model(data["image"]), **close)
    np.testing.assert_array_equal(released.encode(data["image"]), released.encode(data["image"]))
    assert not np.allclose(model(data["image"]), model.autoencoder.decode(model.autoencoder.encode(data["image"])))
    if name == "vae":
        assert np.abs(released.decode(100 * latents)).max() <= 1
    if name == "vqvae_512":  # latents are vectors of the averaged codebook; others are replaced by the nearest
        codebook = np.asarray(model.release_state()["codebook/embeddings"])
        assert not np.array_equal(codebook, model.autoencoder.bottleneck.network.embeddings)
        distances = np.abs(latents.reshape(-1, 1, 2) - codebook).max(-1).min(1)
        assert distances.max() < 1e-6
        moved = latents + 1e-3 * np.random.default_rng(0).normal(size=latents.shape)
        np.testing.assert_allclose(released.decode(moved), released.decode(latents), **close)


@pytest.mark.parametrize("name", ["vae", "vqvae", "vqvae_512"])
def test_the_page_that_runs_the_decoder_alone_refuses_those_that_need_more(name, tmp_path):
    kind, strength = configs.acai.BASELINES[name]
    sizes = SIZES | {"bottleneck": kind, "bottleneck_strength": strength, "mix_weight": 0.0}
    weights = {part: np.asarray(v) for part, v in make(name).release_state().items()}
    model = ReleasedACAI(sizes, weights, "a/run")
    with pytest.raises(InputError, match="--explore needs a model whose decoder alone .* Received: a/run"):
        explore.write(str(tmp_path / "page.html"), model, None, ("line", "line"), "a/run", "0123", False)
    assert not list(tmp_path.iterdir())


def test_a_release_without_the_field_has_a_plain_bottleneck():
    sizes = {name: size for name, size in SIZES.items() if name != "codebook_size"}
    assert type(Autoencoder.from_config(sizes).bottleneck) is bottlenecks.Bottleneck
    assert name_in_paper(sizes) == "ACAI"


def test_names_in_the_paper():
    names = [name_in_paper({"mix_weight": 0.0, "bottleneck": kind}) for kind, _ in configs.acai.BASELINES.values()]
    assert names == ["baseline", "dropout", "denoising", "VAE", "AAE", "VQ-VAE", "VQ-VAE by position"]
    assert name_in_paper({"mix_weight": 0.5, "bottleneck": "vae"}) == "ACAI with VAE"
