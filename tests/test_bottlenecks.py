"""The paper's other autoencoders: each bottleneck by hand, who learns from what, exact resume, and release."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_model import SMALL, batch, first_gradients, same, values

from acai import bottlenecks, explore
from acai.autoencoder import Autoencoder, name_in_paper
from acai.bottlenecks import KINDS
from acai.model import ACAI
from acai.released import ReleasedACAI
from common import release
from common.checkpoints import pack, restore, unpack
from common.command import InputError
from configs import acai as configs
from configs.check import CHOICES

OTHERS = {name: setting for name, setting in configs.OTHERS.items() if name != "baseline"}
SHAPE = (2, 2, 2)
UNLIKE_EACH_OTHER = [  # one without a network of its own and one with; the others are slow tests
    pytest.param(name, marks=[] if name in ("denoising", "aae") else pytest.mark.slow) for name in configs.OTHERS
]
FOR_STATE = [pytest.param(name, marks=[] if name == "aae" else pytest.mark.slow) for name in configs.OTHERS]
SIZES = dict(width=8, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=None, codes=8)
SEED = tf.constant([3, 5], tf.int64)


def bottleneck(kind, strength, pixels=48, codes=3):
    return bottlenecks.make(kind, strength, SHAPE, pixels, codes)


def codes(seed=0, count=4, channels=2):
    return np.random.default_rng(seed).normal(size=(count, 2, 2, channels)).astype(np.float32)


def make(name, seed=0, **options):
    """A compiled model of one of the paper's others, with biases that are not 0 and codes far apart."""
    keras.utils.set_random_seed(seed)
    kind, strength = configs.OTHERS[name]
    settings = dict(mix_weight=0.0, bottleneck=kind, bottleneck_strength=strength, codes=8, ema_rate=0.5)
    model = ACAI(**SMALL | settings | options)
    random = np.random.default_rng(seed)
    for network in model.trained:
        for weight in model.weights_of(network):
            if len(weight.shape) == 1 or weight.name == "embeddings":
                weight.assign(random.normal(0, 0.3, weight.shape))
    model.compile(1e-3)
    return model


def test_every_kind_has_a_config_and_the_check_knows_it():
    assert CHOICES["model.bottleneck"] == tuple(KINDS)
    assert {kind for kind, _ in configs.OTHERS.values()} == set(KINDS)
    for name, (kind, strength) in configs.OTHERS.items():
        on_lines = 0.01 if name == "aae" else strength
        for variant, expected in ((name, strength), (f"lines_{name}", on_lines)):
            model = configs.get_config(variant).model
            assert (model.bottleneck, model.bottleneck_strength, model.mix_weight) == (kind, expected, 0)


def test_on_lines_all_see_as_many_images_by_the_settings_of_lines():
    lines = configs.get_config("lines").to_dict()
    for name in configs.OTHERS:
        config = configs.get_config(f"lines_{name}").to_dict()
        assert config["train"].pop("total_kimg") == 300
        assert config["train"] == {k: v for k, v in lines["train"].items() if k != "total_kimg"}
        assert config["data"] == lines["data"]
        changed = {k for k, v in config["model"].items() if v != lines["model"][k]}
        assert changed <= {"mix_weight", "bottleneck", "bottleneck_strength"}


@pytest.mark.parametrize(
    ("kind", "strength", "message"),
    [
        ("gan", 1.0, "one of plain, dropout, denoising, vae, aae, vqvae. Received: 'gan'"),
        ("vae", -0.5, "at least 0. Received: -0.5"),
        ("denoising", float("nan"), "at least 0. Received: nan"),
        ("dropout", 1.0, "below 1. Received: 1.0"),
    ],
)
def test_what_cannot_be_is_refused(kind, strength, message):
    with pytest.raises(ValueError, match=f"(?s)required.*{message}"):
        bottleneck(kind, strength)


# Each by hand


def test_dropout_keeps_the_mean():
    """A share of 3/4 is 0, the others are 4 times what they were."""
    encoded = tf.ones((500, 2, 2, 2))
    dropout = bottleneck("dropout", 0.75)
    latents = dropout.latents(encoded, SEED).numpy()
    assert set(np.unique(latents)) == {0, 4}
    assert abs((latents == 4).mean() - 1 / 4) < 5 * np.sqrt(3 / 16 / 4000)
    kept = (latents.reshape(500, 8) == 4).sum(1)  # each number for itself: of 8 in an image 2, with variance 3 / 2
    assert abs(kept.var() - 3 / 2) < 5 * 1.5 * np.sqrt(2 / 500)
    np.testing.assert_array_equal(latents, dropout.latents(encoded, SEED))
    assert not np.array_equal(latents, dropout.latents(encoded, SEED + 1))
    np.testing.assert_array_equal(dropout.encode(encoded), encoded)  # in use nothing is dropped


def test_noise_is_added_to_what_the_encoder_sees():
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (200, 4, 4, 3)), tf.float32)
    denoising = bottleneck("denoising", 0.25)
    noise = (denoising.corrupt(images, SEED) - images).numpy()
    assert abs(noise.mean()) < 5 * 0.25 / np.sqrt(noise.size) and abs(noise.std() / 0.25 - 1) < 0.05
    np.testing.assert_array_equal(denoising.corrupt(images, SEED), denoising.corrupt(images, SEED))
    np.testing.assert_array_equal(bottleneck("dropout", 0.5).corrupt(images, SEED), images)


def test_divergence_by_hand():
    """KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - log s; over 4 pixels, with a weight of 3."""
    mean, deviation = np.float32([0.5, -2]), np.float32([1, 0.1])
    encoded = np.concatenate([mean, np.log(deviation**2)]).reshape(1, 1, 1, 4)
    divergence = sum((s**2 + m**2 - 1) / 2 - np.log(s) for m, s in zip(mean, deviation, strict=True))
    encoded = np.concatenate([encoded, np.zeros_like(encoded)])  # the second image's is standard normal: 0
    assert float(bottleneck("vae", 3.0, pixels=4).regulariser(encoded)) == pytest.approx(3 * divergence / 2 / 4)


def test_a_draw_has_its_mean_and_deviation():
    mean, deviation = np.float32([0.5, -2]), np.float32([1, 0.1])
    encoded = np.tile(np.concatenate([mean, np.log(deviation**2)]), (1000, 2, 2, 1))
    vae = bottleneck("vae", 1.0)
    drawn = vae.latents(encoded, SEED).numpy().reshape(-1, 2)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=5 * deviation.max() / np.sqrt(4000))
    np.testing.assert_allclose(drawn.std(0), deviation, rtol=0.06)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1
    np.testing.assert_array_equal(vae.encode(encoded), np.tile(mean, (1000, 2, 2, 1)))  # in use the mean


def test_bernoulli_by_hand():
    """-x log p - (1 - x) log (1 - p), x = 3/4 at a pixel of 1/2; the picture is 2 p - 1."""
    vae, probability = bottleneck("vae", 1.0), np.float32([0.2, 0.9]).reshape(1, 1, 2, 1)
    images = np.float32([0.5, -1]).reshape(1, 1, 2, 1)
    logits = np.log(probability / (1 - probability))
    expected = (-0.75 * np.log(0.2) - 0.25 * np.log(0.8) - np.log(0.1)) / 2
    assert float(vae.reconstruction_loss(images, logits)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(vae.to_images(logits), 2 * probability - 1, rtol=1e-5)
    far = np.float32([200, 200]).reshape(1, 1, 2, 1)  # costs 1/4 * 200 and 200
    assert float(vae.reconstruction_loss(images, far)) == pytest.approx(125)


def test_adversarial_losses_by_hand():
    """log(1 + exp(-d)) for draws, log(1 + exp(d)) for codes; d is the first number of a code."""
    aae = bottleneck("aae", 0.5)
    aae.network = lambda latents, training=False: latents[:, 0, 0, :1]
    encoded = codes()
    answers, drawn = encoded[:, 0, 0, 0], bottlenecks.normal(encoded, SEED).numpy()[:, 0, 0, 0]
    assert float(aae.regulariser(encoded)) == pytest.approx(0.5 * np.log1p(np.exp(-answers)).mean(), rel=1e-5)
    expected = np.log1p(np.exp(-drawn)).mean() + np.log1p(np.exp(answers)).mean()
    assert float(aae.network_loss(encoded, SEED)) == pytest.approx(expected, rel=1e-5)


def test_the_nearest_code_by_hand():
    vqvae = bottleneck("vqvae", 10.0)
    vqvae.network.embeddings.assign([[0, 0], [1, 0], [1, 0]])
    encoded = np.float32([[[[0.4, 3], [0.6, -3]], [[0.5, 0], [9, 9]]]])
    expected = np.float32([[[[0, 0], [1, 0]], [[0, 0], [1, 0]]]])  # 1/2 is as near to both: the first
    np.testing.assert_array_equal(vqvae.nearest(encoded), expected)
    for found in (vqvae.encode(encoded), vqvae.decodable(encoded), vqvae.latents(encoded, SEED)):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    distance = np.mean((encoded - expected) ** 2)
    assert float(vqvae.regulariser(encoded)) == pytest.approx(10 * distance)
    assert float(vqvae.network_loss(encoded, SEED)) == pytest.approx(distance)


def test_gradients_of_the_quantised_by_hand():
    """The decoder's goes straight through; 2 * 10 (z - e) / 8 to the encoder, 2 (e - z) / 8 to the code in use."""
    vqvae = bottleneck("vqvae", 10.0)
    book = np.float32([[0, 0], [1, 0], [50, 50]])
    vqvae.network.embeddings.assign(book)
    encoded = tf.constant([[[[0.25, 0], [0.75, -3]], [[0.75, 2], [0.75, 0]]]])
    used = np.array([[0, 1], [1, 1]])
    weights = np.float32(np.arange(8).reshape(1, 2, 2, 2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(encoded)
        decoded = tf.reduce_sum(weights * vqvae.latents(encoded, SEED))
        commitment, own = vqvae.regulariser(encoded), vqvae.network_loss(encoded, SEED)
    np.testing.assert_array_equal(tape.gradient(decoded, encoded), weights)
    assert tape.gradient(decoded, vqvae.network.embeddings) is None
    assert tape.gradient(commitment, vqvae.network.embeddings) is None
    difference = encoded.numpy()[0] - book[used]
    np.testing.assert_allclose(tape.gradient(commitment, encoded)[0], 20 * difference / 8, rtol=1e-6)
    expected = [-2 * difference[used == code].sum(0) / 8 for code in range(3)]
    np.testing.assert_allclose(tape.gradient(own, vqvae.network.embeddings), expected, rtol=1e-6)


# In the training step


def test_without_a_critic_there_is_none():
    model = make("baseline")
    assert set(model.trained) == set(model.optimizers) == {"autoencoder", "classifier"}
    assert not any("critic" in name for name in model.state())
    logs = model.train_step(batch(0))
    assert not {"critic_loss", "mix_regulariser", "critic_error_ratio", "code_regulariser"} & logs.keys()
    assert float(logs["autoencoder_loss"]) == float(logs["reconstruction_loss"])


def test_without_a_critic_nothing_is_blended(monkeypatch):
    model, seen = make("baseline"), []
    call = model.decoder.call
    monkeypatch.setattr(model.decoder, "call", lambda x, **options: seen.append(len(x)) or call(x, **options))
    model.train_step(batch(0, size=3))
    assert seen == [3]


def plain_losses(model, name, data):
    """(the autoencoder's loss, that of the network beside it) as the papers have them."""
    images, network = data["image"], model.bottleneck.network
    first, second, third = (
        tf.stack([model.seed + (stream << 32), tf.cast(model.step, tf.int64)]) for stream in (1, 2, 3)
    )

    def normal(shape, seed):
        return tf.random.stateless_normal(shape, seed, alg="philox")

    seen = images + normal(images.shape, first) if name == "denoising" else images
    encoded = model.encoder(seen)
    codes, extra, own = encoded, 0.0, None
    if name == "dropout":
        kept = tf.random.stateless_uniform(encoded.shape, second, alg="philox") >= 0.5
        codes = encoded * 2 * tf.cast(kept, tf.float32)
    elif name == "vae":
        mean, log_variance = encoded[..., :2], encoded[..., 2:]
        codes = mean + tf.sqrt(tf.exp(log_variance)) * normal(mean.shape, second)
        extra = 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance)
        shares, white = tf.sigmoid(model.decoder(codes)), (images + 1) / 2
        likelihood = tf.reduce_sum(white * tf.math.log(shares) + (1 - white) * tf.math.log(1 - shares))
        return (extra - likelihood) / tf.size(images, tf.float32), None
    elif name == "aae":
        extra = -tf.reduce_mean(tf.math.log(tf.sigmoid(network(encoded))))
        drawn, fixed = normal(encoded.shape, third), tf.stop_gradient(encoded)
        own = -tf.reduce_mean(tf.math.log(tf.sigmoid(network(drawn))))
        own -= tf.reduce_mean(tf.math.log(1 - tf.sigmoid(network(fixed))))
    elif name == "vqvae":
        flat, book = tf.reshape(encoded, (-1, 1, 2)), network.embeddings
        rows = tf.argmin(tf.reduce_sum((flat - book) ** 2, -1), -1)
        found = tf.reshape(tf.gather(tf.convert_to_tensor(book), rows), encoded.shape)
        extra = 10 * tf.reduce_mean((encoded - tf.stop_gradient(found)) ** 2)
        own = tf.reduce_mean((tf.stop_gradient(encoded) - found) ** 2)
        codes = encoded + tf.stop_gradient(found - encoded)
    return tf.reduce_mean((model.decoder(codes) - images) ** 2) + extra, own


@pytest.mark.parametrize("compiler", ["none", pytest.param("xla", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", configs.OTHERS)
def test_a_step_equals_the_plain_losses(name, compiler):
    model, data = make(name), batch(0)
    network = model.bottleneck.network

    def plain_gradients():
        with tf.GradientTape(persistent=True) as tape:
            total, own = plain_losses(model, name, data)
        gradients = {"autoencoder": tape.gradient(total, model.weights_of("autoencoder"))}
        if network:
            gradient = tape.gradient(own, model.weights_of(network.name))
            gradients[network.name] = [tf.convert_to_tensor(part) for part in gradient]
        return gradients

    if compiler == "xla":  # which draws other numbers
        plain_gradients = tf.function(plain_gradients, jit_compile=True, autograph=False)
        model.train_step = tf.function(model.train_step, jit_compile=True, autograph=False)
    expected = {part: values(gradients) for part, gradients in plain_gradients().items()}
    found = first_gradients(model, data)
    logs = model.train_step(data)
    assert found.keys() - {"classifier"} == expected.keys()
    for part, gradients in expected.items():
        assert any(np.abs(gradient).max() > 1e-4 for gradient in gradients)
        for ours, plain in zip(found[part], gradients, strict=True):
            np.testing.assert_allclose(ours, plain, rtol=2e-3, atol=2e-5 * max(1, np.abs(plain).max()))
    regulariser = logs.get("code_regulariser", 0.0)
    assert float(logs["autoencoder_loss"]) == pytest.approx(float(logs["reconstruction_loss"] + regulariser))


@pytest.mark.parametrize("name", ["aae", "vqvae"])
def test_the_loss_of_the_network_moves_only_it(name):
    """With an autoencoder that stands still, and then one that alone moves."""
    for still in (True, False):
        model = make(name)
        network = model.bottleneck.network
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


def test_a_variational_acai_trains_both():
    """Bottlenecks go with a critic: the blends that it sees are pictures, not logits."""
    model = make("vae", mix_weight=0.5, realism_weight=0.1)
    seen, call = [], model.critic.call
    model.critic.call = lambda images, **options: seen.append(np.asarray(images)) or call(images, **options)
    logs = model.train_step(batch(0))
    parts = ("reconstruction_loss", "code_regulariser", "mix_regulariser", "realism_loss")
    assert float(logs["autoencoder_loss"]) == pytest.approx(sum(float(logs[part]) for part in parts), rel=1e-5)
    assert np.abs(seen[0]).max() <= 1 and np.isfinite(list(map(float, logs.values()))).all()


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("vae", "mixed_bfloat16"),
        *(pytest.param(name, "mixed_float16", marks=pytest.mark.slow) for name in OTHERS),
    ],
)
def test_mixed_precision_gives_the_same_losses(name, precision):
    exact, mixed = (make(name, precision=policy).train_step(batch(0)) for policy in ("float32", precision))
    for part in exact.keys() - {"loss_scale", "classifier_accuracy"}:
        assert float(mixed[part]) == pytest.approx(float(exact[part]), rel=5e-2, abs=1e-4), part


# Resume and release


@pytest.mark.parametrize("name", FOR_STATE)
def test_a_restored_model_goes_on_bit_for_bit(name):
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
def test_a_release_encodes_and_decodes_as_the_average_does(name, tmp_path):
    model, data = make(name), batch(0)
    for step in range(3):
        model.train_step(batch(step))
    kind, strength = configs.OTHERS[name]
    sizes = SIZES | {"bottleneck": kind, "bottleneck_strength": strength}
    codes = model.released.encode(data["image"]).numpy()
    release.write(tmp_path, {"model": sizes}, model.release_state(), {"latents": codes})
    config, weights, *_ = release.read(tmp_path)
    weights = {part: np.asarray(v) for part, v in model.release_state().items()}  # not rounded to float16
    released = ReleasedACAI(config["model"], weights, "a test")
    assert released.critic is None and codes.shape == (3, 4, 4, 2)
    close = dict(rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(released.encode(data["image"]), codes, **close)
    np.testing.assert_allclose(released.decode(codes), model(data["image"]), **close)
    np.testing.assert_array_equal(released.encode(data["image"]), released.encode(data["image"]))
    assert not np.allclose(model(data["image"]), model.autoencoder.decode(model.autoencoder.encode(data["image"])))
    if name == "vae":
        assert np.abs(released.decode(100 * codes)).max() <= 1
    if name == "vqvae":  # each position's is one of the averaged codebook's; blends are moved to one of them
        book = np.asarray(model.release_state()["codebook/00_embeddings"])
        assert not np.array_equal(book, model.bottleneck.network.embeddings)
        distances = np.abs(codes.reshape(-1, 1, 2) - book).max(-1).min(1)
        assert distances.max() < 1e-6
        nudged = codes + 1e-3 * np.random.default_rng(0).normal(size=codes.shape)
        np.testing.assert_allclose(released.decode(nudged), released.decode(codes), **close)


@pytest.mark.parametrize("name", ["vae", "vqvae"])
def test_the_page_that_runs_the_decoder_alone_refuses_those_that_need_more(name, tmp_path):
    kind, strength = configs.OTHERS[name]
    sizes = SIZES | {"bottleneck": kind, "bottleneck_strength": strength, "mix_weight": 0.0}
    weights = {part: np.asarray(v) for part, v in make(name).release_state().items()}
    source = SimpleNamespace(sizes=sizes, weights=weights, folder="a/run")
    with pytest.raises(InputError, match=f"required. Received: a/run, a {name_in_paper(sizes)}$"):
        explore.write(str(tmp_path / "page.html"), {}, source)
    assert not list(tmp_path.iterdir())


def test_old_releases_have_no_bottleneck():
    sizes = {name: size for name, size in SIZES.items() if name != "codes"}
    assert type(Autoencoder.of_sizes(sizes).bottleneck) is bottlenecks.Bottleneck
    assert name_in_paper(sizes) == "ACAI"


def test_names_in_the_paper():
    names = [name_in_paper({"mix_weight": 0.0, "bottleneck": kind}) for kind, _ in configs.OTHERS.values()]
    assert names == ["baseline", "dropout", "denoising", "VAE", "AAE", "VQ-VAE"]
    assert name_in_paper({"mix_weight": 0.5, "bottleneck": "vae"}) == "ACAI with VAE"
