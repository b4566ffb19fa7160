"""Training of an ACAI: composition from a config, batches, validation, pictures and release."""

import numpy as np
import pytest

import configs.acai
import training.acai
from acai.latent_bank import LatentBank
from acai.mixing import UniformMix
from common import release
from common.data import datasets as loading
from common.data import lines
from common.data.cifar10 import CIFAR10_CLASSES
from common.data.datasets import ImageDataset
from common.images import to_float, to_uint8
from pegasus.labels import parent_ids

PARENTS = sorted(parent_ids())[:5]


def dataset(split="train", names=("a", "b"), count=30, seed=0):
    """Random images; the first five have ids of parents, and classes take turns."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)
    ids = np.concatenate([PARENTS, 10**6 + np.arange(count - 5)])
    return ImageDataset(images, np.arange(count, dtype=np.int32) % len(names), ids, names, split)


def config_of(**settings):
    """The paper's config for 8x8 images, two channels and batches of 4, changed by keywords section__field."""
    config = configs.acai.get_config()
    config.model.width, config.model.latent_width, config.model.latent_channels = 8, 2, 2
    config.model.depth = config.model.critic_depth = config.model.discriminator_channels = 2
    config.train.batch_size, config.train.precision = 4, "float32"
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in settings.items()})
    return config.lock()


@pytest.fixture(scope="module")
def datasets():
    return dataset(), dataset("holdout", seed=1)


# Composition


def test_every_field_of_the_config_reaches_its_object(datasets):
    """No two fields have the same value. A step is 4 images, so the total is 100 steps."""
    sizes = dict(latent_channels=3, depth=4, critic_depth=5, discriminator_channels=6)
    sizes |= dict(mix_weight=0.7, regularisation=0.3, masked_blends=0.4, adversarial_weight=0.05, r1_weight=0.6)
    sizes |= dict(bottleneck="vqvae", bottleneck_strength=8.0, codebook_size=9)
    train = dict(total_kimg=0.4, discriminator_from_kimg=0.008, adversarial_from_kimg=0.02)
    train |= dict(adversarial_ramp_kimg=0.016, schedule="cosine", schedule_floor=0.2, ema_rate=0.8, seed=7)
    train |= dict(learning_rate=1e-3, critic_learning_rate=2e-3, discriminator_learning_rate=3e-3)
    train |= dict(adversarial_learning_rate=4e-3, precision="mixed_bfloat16")
    settings = {f"model__{k}": v for k, v in sizes.items()} | {f"train__{k}": v for k, v in train.items()}
    model = training.acai.build(config_of(**settings), datasets[0])
    assert model.autoencoder.sizes == (8, 2, 3, 4, 3)
    bottleneck = model.autoencoder.bottleneck
    assert bottleneck.strength == 8 and bottleneck.network.embeddings.shape == (9, 3)
    assert model.latent_classifier.output_shape == (None, 2) and model.latent_classifier.input_shape == (
        None,
        2,
        2,
        3,
    )
    critic, discriminator = model.adversaries
    assert (critic.mix_weight, critic.regularisation) == (0.7, 0.3)
    assert critic.network.weights[0].shape[-1] == 5 and discriminator.network.weights[0].shape[-1] == 6
    assert (discriminator.gradient_penalty, discriminator.from_step) == (0.6, 2)
    weights = [float(discriminator.weight(np.int64(step))) for step in (4, 5, 6, 8, 90)]
    assert weights == pytest.approx([0, 0.0125, 0.025, 0.05, 0.05])
    assert model.mixing.masked == 0.4 and (model.ema_rate, model.seed) == (0.8, 7)
    for network in (model.encoder, model.decoder, critic.network, discriminator.network):
        assert "bfloat16" in {layer.compute_dtype for layer in network.layers}, network.name
    rates = {
        "codebook": (1.0, 0.6),
        "autoencoder": (1.0, 0.6),
        "classifier": (1.0, 0.6),
    }  # of 1e-3, half way to 0.2
    rates |= {"critic": (2.0, 4.0), "discriminator": (3.0, 3.0)}
    for at, step in enumerate((0, 50)):
        model.step.assign(step)
        measured = {name: float(optimizer.learning_rate) for name, optimizer in model.optimizers.items()}
        assert measured == pytest.approx({name: 1e-3 * pair[at] for name, pair in rates.items()})


def test_a_weight_of_zero_leaves_out_an_adversary_and_masks(datasets):
    config = config_of(model__mix_weight=0.0, model__masked_blends=0.0)
    model = training.acai.build(config, datasets[0])
    assert model.adversaries == () and type(model.mixing) is UniformMix


@pytest.mark.parametrize("bottleneck", ["plain", "aae"])
def test_only_the_regulariser_of_an_aae_has_the_ramp_of_the_adversarial_loss(bottleneck):
    times = dict(train__adversarial_from_kimg=0.02, train__adversarial_ramp_kimg=0.016)
    ramp = training.acai.make_regulariser_ramp(config_of(model__bottleneck=bottleneck, **times))
    if bottleneck == "plain":
        assert ramp is None
    else:
        weights = [float(ramp(np.int64(step))) for step in (4, 5, 6, 8, 90)]
        assert weights == pytest.approx([0, 0.25, 0.5, 1, 1])


# Batches


@pytest.mark.parametrize("pairing", ["across", "shuffled"])
def test_only_across_pairs_each_image_with_one_of_the_other_group(datasets, pairing):
    """Image i is blended with image B - 1 - i; of group "b" is the first half of a batch."""
    config = config_of(data__pairing=pairing, data__groups=(("b",), ("a",)))
    labels = [batch["label"].numpy() for batch in training.acai.stream(config, datasets[0], 0).take(9)]
    if pairing == "across":
        np.testing.assert_array_equal(labels, [[1, 1, 0, 0]] * 9)
    else:
        equal = np.mean([part == part[::-1] for part in labels])
        assert 0.1 < equal < 0.9 and len({tuple(part) for part in labels}) > 3


@pytest.mark.parametrize("flip", [True, False])
def test_flip_mirrors_about_half_of_the_images(datasets, flip):
    batches = training.acai.stream(config_of(data__flip=flip), datasets[0], 0).take(9)
    originals = {image.tobytes() for image in datasets[0].images}
    images = [image.numpy() for batch in batches for image in batch["image"]]
    mirrored = [image for image in images if image.tobytes() not in originals]
    assert 8 < len(mirrored) < 28 if flip else not mirrored
    assert all(image[:, ::-1].tobytes() in originals for image in mirrored)


def test_batches_are_those_of_the_seed_from_the_step_on(datasets):
    first = [batch["image"].numpy() for batch in training.acai.stream(config_of(), datasets[0], 0).take(6)]
    later, other = (next(iter(training.acai.stream(config_of(train__seed=s), datasets[0], 5))) for s in (0, 1))
    np.testing.assert_array_equal(later["image"], first[5])
    assert not np.array_equal(other["image"], first[5])


# Validation, pictures and release


@pytest.fixture(scope="module")
def model(datasets):
    """A model with other kernels in the average, such that reconstructions of different images are different."""
    model, rng = training.acai.build(config_of(train__ema_rate=0.5), datasets[0]), np.random.default_rng(0)
    for weight in model.released.weights:
        if len(weight.shape) > 1:
            weight.assign(0.4 * rng.standard_normal(weight.shape))
    return model


def released(model, images):
    """(latents, reconstructions) of uint8 images by the averaged networks."""
    latents = model.released.encoder(to_float(images))
    return np.asarray(latents), np.asarray(model.released.decoder(latents))


def test_the_reconstruction_loss_is_of_the_holdout_and_the_averaged_networks(model, datasets):
    _, holdout = datasets
    metrics = training.acai.evaluate(config_of(), model, datasets)
    expected = np.mean((to_float(holdout.images) - released(model, holdout.images)[1]) ** 2, dtype=np.float64)
    assert metrics == {"holdout_reconstruction_loss": pytest.approx(expected, rel=1e-5)}


@pytest.mark.parametrize(
    ("settings", "names", "metric"),
    [
        (dict(model__width=32), ("bird", "horse"), "blends"),
        (dict(model__width=32), ("bird", "dog"), None),  # no horses
        (dict(model__width=32, data__first="mine", data__second="bird"), ("bird", "mine"), None),
        (dict(), ("bird", "horse"), None),  # 8 pixels
        (dict(data__source="lines"), ("line",), "lines"),
    ],
)
def test_metrics_of_blends_or_lines_are_of_the_averaged_networks(model, monkeypatch, settings, names, metric):
    def measure(encode, decode):
        assert (encode, decode) == (model.released.encode, model.released.decode)
        return {metric: 0.5}

    def blend_metrics(images, classes):
        assert images is holdout and classes == ("horse", "bird") and {*classes} <= {*CIFAR10_CLASSES}
        return measure

    holdout = dataset("holdout", names)
    monkeypatch.setattr(training.acai, "blend_metrics", blend_metrics)
    monkeypatch.setattr(training.acai, "measure_lines", measure)
    metrics = training.acai.evaluate(config_of(**settings), model, (dataset(names=names), holdout))
    assert metrics.keys() - {"holdout_reconstruction_loss"} == ({metric} if metric else set())


def test_blend_metrics_are_of_the_first_images_of_both_classes(monkeypatch):
    """Ten images of each class; a class with fewer than asked for begins again."""
    data, given = dataset(names=("bird", "dog", "horse")), []
    monkeypatch.setattr(training.acai, "bundled_classifier", lambda name: f"the {name}")
    monkeypatch.setattr(training.acai, "BlendMetrics", lambda *arguments: given.append(arguments))
    training.acai.blend_metrics(data, ("horse", "bird"), 12)
    ((classifiers, first, second, classes),) = given
    assert classifiers == {name: f"the {name}" for name in ("referee", "classifier")}
    assert [*classifiers][-1] == "classifier" and classes == ("horse", "bird")  # the last gives the features
    for images, label in ((first, 2), (second, 0)):
        rows = [label + 3 * k for k in (*range(10), 0, 1)]
        np.testing.assert_array_equal(images, to_float(data.images[rows]))


def test_images_of_an_unknown_class_are_of_all():
    images = training.acai.picture_images(dataset(), "no such class", 7)
    np.testing.assert_array_equal(images, to_float(dataset().images[:7]))


def test_embeddings_are_of_the_holdout_and_the_averaged_networks(model, datasets):
    _, holdout = datasets
    latents, pictures, names = training.acai.embed(model, holdout, 7)
    expected_latents, reconstructions = released(model, holdout.images[:7])
    np.testing.assert_allclose(latents, expected_latents.reshape(7, -1), rtol=1e-5, atol=1e-6)
    assert np.abs(pictures - (np.clip(reconstructions, -1, 1) + 1) * 127.5).max() <= 0.51
    assert names == list("abababa")


def test_strips_lead_from_the_holdouts_first_class_to_its_second(model, datasets):
    _, holdout = datasets
    config = config_of(data__first="b", data__second="a")
    pictures = training.acai.render(config, model, datasets)
    assert pictures.keys() == {"reconstructions", "strips", "blends"}
    cells = pictures["strips"].reshape(8, 8, 9, 8, 3).transpose(0, 2, 1, 3, 4).astype(int)  # [pair, step, H, W, 3]
    reconstructions = to_uint8(released(model, holdout.images)[1]).astype(int)
    assert np.abs(np.diff(reconstructions, axis=0)).max((1, 2, 3)).min() > 10
    shown = [0, 8, 1, 9, 2, 10, 3, 11]  # every eighth of 64, of 15 images of each class in turn
    assert np.abs(cells[:, 0] - reconstructions[1::2][shown]).max() <= 1
    assert np.abs(cells[:, 8] - reconstructions[::2][shown]).max() <= 1


def test_strips_within_one_class_lead_to_images_a_quarter_of_the_class_away():
    """Of lines: from one to that at a right angle, at eight angles around the circle's first quarter."""
    holdout = loading.load("lines", 8)[1]
    first, second = (training.acai.picture_images(holdout, "line", quarters=quarters) for quarters in (0, 1))
    angles = (np.arange(64) + 0.5) * 2 * np.pi / 256
    for images, turned in ((first, 0), (second, np.pi / 2)):
        np.testing.assert_allclose(images, lines.render(angles + turned, 8), atol=1 / 127)


@pytest.mark.parametrize("source", ["cifar10", "folder"])
def test_a_release_has_averaged_weights_and_a_bank_with_parents_of_cifar10(model, datasets, tmp_path, source):
    config = config_of(data__source=source, train__bank_per_class=(2, 1))
    training.acai.write_release(config, model, datasets, tmp_path)
    settings, weights, bank, _ = release.read(tmp_path)
    assert settings["family"] == "acai" and settings["trained_kimg"] == 0 and settings["model"]["colours"] == 3
    classes = ["a", "b"] if source == "folder" else list(CIFAR10_CLASSES)
    assert settings["data"]["classes"] == classes
    encoder = [array for name, array in weights.items() if name.startswith("encoder/")]
    assert not np.array_equal(encoder[0], np.float16(model.encoder.variables[0].numpy()))
    for array, average in zip(encoder, model.released.encoder.variables, strict=True):
        np.testing.assert_array_equal(array, average.numpy().astype(np.float16))
    bank.pop("weights_digest")
    bank = LatentBank.from_arrays(bank)
    for data, drawn in zip(datasets, (4, 2), strict=True):
        chosen = bank.splits == data.split
        ids = bank.ids[chosen]
        assert ({*PARENTS} <= {*ids}) == (source == "cifar10")
        assert drawn <= len(ids) <= drawn + (5 if source == "cifar10" else 0)
        rows = [[*data.ids].index(id) for id in ids]
        latents, _ = released(model, data.images[rows])
        np.testing.assert_allclose(bank.latents[chosen], latents, rtol=1e-3, atol=1e-3)
    assert bank.class_names.tolist() == ["a", "b"]
