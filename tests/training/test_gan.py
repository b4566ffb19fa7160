"""Training of a GAN: composition from a config, metrics, pictures, release and warnings."""

import logging as standard_logging
import os

import numpy as np
import pytest

import configs.gan
import training.gan
from common import release
from common.data.datasets import ImageDataset
from common.images import to_uint8
from common.metrics.features import kernel_distance
from gan import losses, tricks
from gan.inference import ReleasedGAN
from training import session
from training.export import golden_outputs

NAMES = ("a", "b", "c")


def dataset(count=30, names=NAMES, split="train", seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return ImageDataset(images, np.arange(count, dtype=np.int32) % len(names), np.arange(count), names, split)


def config_of(variant="dcgan", **settings):
    """A variant with 8x8 pixels and two channels, changed by keywords of the form section__field."""
    config = configs.gan.get_config(variant)
    config.model.width, config.model.noise_size = 8, 5
    config.model.generator_channels = config.model.discriminator_channels = 2
    config.train.batch_size, config.train.precision = 4, "float32"
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in settings.items()})
    return config.lock()


@pytest.fixture(scope="module")
def datasets():
    return dataset(), dataset(split="holdout", seed=1)


@pytest.fixture(scope="module")
def conditional(datasets):
    """(config, model) with three classes and random weights in the averaged generator."""
    config = config_of("cgan", data__first="b", data__second="no such class")
    model, rng = training.gan.build(config, datasets[0]), np.random.default_rng(0)
    for variable in model.released_generator.variables:
        value = 0.5 * rng.standard_normal(variable.shape)
        variable.assign(np.abs(value) + 0.5 if variable.name == "moving_variance" else value)
    return config, model


def test_stream_starts_at_any_step_and_mirrors_half_of_the_images(datasets):
    config = config_of()
    batches = list(training.gan.stream(config, datasets[0], 0).take(12))
    later = next(iter(training.gan.stream(config, datasets[0], 5)))
    np.testing.assert_array_equal(later["image"], batches[5]["image"])
    assert later["image"].shape == (4, 8, 8, 3)
    originals = {image.tobytes() for image in datasets[0].images}
    images = [image.numpy() for batch in batches for image in batch["image"]]
    mirrored = [image for image in images if image.tobytes() not in originals]
    assert 10 < len(mirrored) < 38
    assert all(image[:, ::-1].tobytes() in originals for image in mirrored)


def test_alternating_stream_has_the_chosen_images_of_one_class_at_a_time():
    """Of 30 images, 0 and 2 to 12 are chosen: 6 of a, 6 of b, in batches of 4."""
    ids = tuple(k for k in range(13) if k != 1)
    config = config_of("alternating", data__ids=ids, data__flip=False)
    data = session.choose_ids(config.data, dataset(names=("a", "b")))
    batches = list(training.gan.stream(config, data, 0).take(12))
    number = {image.tobytes(): k for k, image in enumerate(data.images)}
    rows = np.array([[number[image.numpy().tobytes()] for image in batch["image"]] for batch in batches])
    assert set(rows.ravel()) == set(range(12))
    np.testing.assert_array_equal(data.ids[rows] % 2, np.repeat([0, 0, 1, 1] * 3, 4).reshape(12, 4))
    later = next(iter(training.gan.stream(config, data, 7)))
    np.testing.assert_array_equal(later["image"], batches[7]["image"])


def test_every_field_of_the_config_reaches_its_object(datasets):
    settings = dict(critic_steps=3, soft_labels=0.1, flipped_labels=0.2, replay_images=6)
    settings |= dict(instance_noise=0.3, spherical_noise=True, augment=("flip",), join_batches=True)
    settings |= dict(normalisation="spectral", minibatch_deviation=True, weight_clip=0.5, up="resize")
    rates = dict(learning_rate=0.01, discriminator_learning_rate=0.02, beta_1=0.3, beta_2=0.4, seed=7)
    rates |= dict(instance_noise_kimg=0.04, ema_rate=0.8)
    fields = {f"model__{k}": v for k, v in settings.items()} | {f"train__{k}": v for k, v in rates.items()}
    model = training.gan.build(config_of(**fields), datasets[0])
    assert model.adversarial_loss.discriminator is losses.non_saturating_discriminator_loss
    targets, (instance_noise, augmentation) = model.adversarial_loss.draw_targets, model.transforms
    assert (targets.softness, targets.flip_probability) == (0.1, 0.2)
    assert (instance_noise.deviation, instance_noise.steps) == (0.3, 10)
    assert augmentation.policy == ("flip",) and model.draw_noise is tricks.draw_spherical_noise
    assert model.critic_steps == 3 and model.replay.capacity == 6 and model.join_batches and model.penalties == ()
    assert model.average.rate == 0.8 and model.seed == 7
    assert {v.constraint.bound for v in model.discriminator.trainable_variables} == {0.5}
    assert {v.constraint for v in model.generator.trainable_variables} == {None}
    layers = {type(layer).__name__ for layer in model.discriminator.layers}
    assert {"SpectralConv2D", "MinibatchDeviation"} <= layers and "BatchNorm" not in layers
    assert "UpSampling2D" in {type(layer).__name__ for layer in model.generator.layers}
    assert model.classes == 0 and model.generator.input_shape == (None, 5)
    for name, expected in (("generator", 0.01), ("discriminator", 0.02)):
        optimizer = model.optimizers[name]
        assert float(optimizer.learning_rate) == pytest.approx(expected)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.3, 0.4)


def test_rmsprop_gradient_penalty_and_conditions_reach_their_objects(datasets):
    model = training.gan.build(config_of("wgan_gp", train__optimizer="rmsprop", train__ema_rate=0.0), datasets[0])
    assert type(model.optimizers["discriminator"]).__name__ == "RMSprop"
    assert [penalty.weight for penalty in model.penalties] == [10] and model.released_generator is model.generator
    assert model.draw_noise is tricks.draw_gaussian_noise and model.transforms == ()
    model = training.gan.build(config_of("sngan"), datasets[0])
    assert model.classes == 3 and model.generator.input_shape == [(None, 5), (None, 3)]
    assert any(getattr(layer, "classes", 0) == 3 for layer in model.generator.layers)
    model = training.gan.build(config_of("cgan", model__condition="concat"), datasets[0])
    assert model.classes == 3 and not any(getattr(layer, "classes", 0) for layer in model.generator.layers)


def test_cosine_schedules_count_the_steps_of_each_network(datasets):
    config = config_of(
        train__schedule="cosine", train__total_kimg=0.4, model__critic_steps=5, train__learning_rate=0.1
    )  # 100 steps, 20 of the generator's
    model = training.gan.build(config, datasets[0])
    rates = {name: optimizer._learning_rate for name, optimizer in model.optimizers.items()}
    assert [float(rates["generator"](step)) for step in (0, 10, 20)] == pytest.approx([0.1, 0.05, 0], abs=1e-8)
    assert [float(rates["discriminator"](step)) for step in (0, 50, 100)] == pytest.approx([2e-4, 1e-4, 0])


class FakeReleasedGAN:
    """Stands in for a released GAN; its images are a quarter of the noise, which is 1 or -1."""

    classes = 0

    def draw_noise(self, seed, count):
        assert seed == 0 and count == 1000
        return np.resize(np.float32([-1, 1]), count)[:, None]

    def sample(self, noise):
        assert len(noise) == 1000
        return np.ones((1, 8, 8, 3), np.float32) * 0.25 * noise[:, :, None, None]


def test_diversity_is_relative_to_the_held_out_images(monkeypatch):
    images = np.zeros((10, 8, 8, 3), np.uint8)
    images[::2] = 255  # a deviation of 1; that of the samples is 1/4
    holdout = ImageDataset(images, np.zeros(10, np.int32), np.arange(10), ("a",), "holdout")
    monkeypatch.setattr(training.gan, "as_released", lambda *_: FakeReleasedGAN())
    metrics = training.gan.evaluate(config_of(), None, (None, holdout))
    assert metrics == {"sample_diversity": pytest.approx(0.25, rel=1e-4)}


def test_kernel_distance_compares_held_out_images_and_samples(monkeypatch):
    holdout = dataset(20, ("bird", "horse"))
    real = np.random.default_rng(3).normal(size=(20, 4))
    monkeypatch.setattr(training.gan, "as_released", lambda *_: FakeReleasedGAN())
    classifier = lambda images: (None, images.reshape(len(images), -1)[:, :4])  # noqa: E731
    monkeypatch.setattr(training.gan, "classifier_and_features", lambda images: (classifier, real))
    metrics = training.gan.evaluate(config_of(model__width=32), None, (None, holdout))
    samples = 0.25 * np.resize([-1.0, 1.0], 1000)[:, None] * np.ones(4)
    assert metrics["sample_kd_classifier_1k"] == pytest.approx(kernel_distance(real, samples))
    assert "sample_kd_classifier_1k" not in training.gan.evaluate(config_of(), None, (None, holdout))  # 8x8 images


def test_fixed_inputs_rotate_through_the_classes(conditional, datasets):
    config, model = conditional
    released = training.gan.as_released(config, model, datasets)
    noise, labels = training.gan.fixed_inputs(released, 7)
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1, 2, 0])
    np.testing.assert_array_equal(noise, released.draw_noise(0, 7))
    one_hot = np.eye(3, dtype=np.float32)[labels]
    np.testing.assert_allclose(released.sample(noise, labels), model([noise, one_hot]), atol=1e-5)


def test_render_uses_the_classes_of_the_config(conditional, datasets):
    config, model = conditional
    pictures = training.gan.render(config, model, datasets)
    assert {name: picture.shape for name, picture in pictures.items()} == {
        "samples": (8 * 8, 8 * 8, 3),
        "morphs": (8 * 8, 9 * 8, 3),
    }
    released = training.gan.as_released(config, model, datasets)
    noise = released.draw_noise(0, 64)
    for cell, label in ((0, 1), (8, 2)):  # "b", and the last class in place of an unknown one
        expected = to_uint8(released.sample(noise[:1], [label]))[0]
        np.testing.assert_array_equal(pictures["morphs"][:8, 8 * cell : 8 * cell + 8], expected)
    expected = to_uint8(released.sample(noise[63:], [2]))[0]
    np.testing.assert_array_equal(pictures["samples"][-8:, -8:], expected)
    assert training.gan.render(config, model, datasets)["samples"].tobytes() == pictures["samples"].tobytes()


def test_release_holds_the_averaged_generator_only(conditional, datasets, tmp_path):
    config, model = conditional
    training.gan.write_release(config, model, datasets, f"{tmp_path}/release")
    assert sorted(os.listdir(tmp_path / "release")) == ["config.json", "weights.npz"]
    settings, weights, bank, _ = release.read(release.resolve(str(tmp_path)), "gan")
    assert bank == {} and settings["family"] == "gan" and settings["data"]["flip"] is True
    assert settings["model"]["class_names"] == ["a", "b", "c"] and settings["model"]["colours"] == 3
    assert {name.partition("/")[0] for name in weights} == {"generator"}
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float16)}
    variables = model.released_generator.variables
    for variable, name in zip(variables, weights, strict=True):
        np.testing.assert_array_equal(variable.numpy().astype(np.float16), weights[name])
    released = ReleasedGAN(settings["model"], weights, "a test")
    noise, labels = released.draw_noise(0, 8), np.arange(8) % 3
    golden = golden_outputs(tmp_path / "release")
    assert golden.keys() == {"sampled"}
    np.testing.assert_array_equal(golden["sampled"], to_uint8(released.sample(noise, labels)))


def warnings_of(callback, records, caplog):
    caplog.clear()
    with caplog.at_level(standard_logging.WARNING, "absl"):
        for step, scalars in enumerate(records, 1):
            callback.on_scalars(step, scalars)
    return [record.getMessage().split(";")[0] for record in caplog.records]


def test_collapse_is_reported_once_until_it_ends(caplog):
    records = [{"sample_diversity": value} for value in (0.5, 0.1, 0.099, 0.01, 0.2, 0.05)]
    records.insert(4, {"other": 1.0})  # between two measurements
    messages = warnings_of(training.gan.WarnOnCollapse(1000), records, caplog)
    assert [line.partition(":")[0] for line in messages] == ["3.0 kimg", "7.0 kimg"]
    assert "0.099 of the real" in messages[0] and "collapsed" in messages[0]


def test_a_discriminator_without_errors_is_reported_once_until_it_ends(caplog):
    accuracies = ((1.0, 0.99), (0.99, 1.0), (1.0, 1.0), (1.0, 1.0), (0.5, 0.5), (1.0, 1.0))
    records = [{"real_accuracy": real, "fake_accuracy": fake} for real, fake in accuracies]
    messages = warnings_of(training.gan.WarnOnCollapse(1000), records, caplog)
    assert [line.partition(":")[0] for line in messages] == ["3.0 kimg", "6.0 kimg"]
    assert "discriminator" in messages[0]
    assert warnings_of(training.gan.WarnOnCollapse(1000), [{"discriminator_loss": 0.0}] * 3, caplog) == []
