"""Classifiers: networks, one step by hand, checkpoint state, calibration and inference."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from classifiers import inference
from classifiers.calibration import fit_temperature
from classifiers.inference import ClassifierEnsemble, ReleasedClassifier
from classifiers.model import Classifier
from classifiers.networks import ARCHITECTURES, MaxPooling
from common.errors import InputError
from common.files import pack, unpack
from common.variables import restore

SMALL = dict(width=16, channels=(2, 3, 4), classes=3)


def batch(seed=0, size=6):
    rng = np.random.default_rng(seed)
    images = tf.constant(rng.uniform(-1, 1, (size, 16, 16, 3)), tf.float32)
    return {"image": images, "label": tf.constant(np.arange(size) % 3, tf.int32)}


def make(architecture="plain", rate=0.01, seed=0, **options):
    keras.utils.set_random_seed(seed)
    model = Classifier(architecture, **SMALL, **options)
    model.compile(rate)
    return model


def values(variables):
    return [np.asarray(variable).copy() for variable in variables]


# The networks


@pytest.mark.parametrize(("architecture", "width"), [("plain", 4), ("residual", 4)])
def test_features_and_logits(architecture, width):
    network = ARCHITECTURES[architecture](**SMALL)
    outputs = network(batch()["image"])
    assert outputs["features"].shape == (6, width) and outputs["logits"].shape == (6, 3)
    kernel, bias = network.layers[-1].weights
    np.testing.assert_allclose(outputs["logits"], outputs["features"] @ kernel + bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_do_not_depend_on_other_images_of_the_batch(architecture):
    network, images = ARCHITECTURES[architecture](**SMALL), batch()["image"]
    one_by_one = np.concatenate([network(images[i : i + 1])["logits"] for i in range(6)])
    np.testing.assert_allclose(network(images)["logits"], one_by_one, rtol=1e-4, atol=1e-6)


def test_max_pooling_takes_the_maximum_of_each_2x2_window():
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    pooled = np.asarray(MaxPooling()(images))
    for n, row, column, channel in np.ndindex(2, 2, 3, 3):
        window = images[n, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
        assert pooled[n, row, column, channel] == window.max()


# The step


def test_loss_with_smoothed_labels_by_hand():
    model, data = make(label_smoothing=0.3), batch()
    logits = np.asarray(model.network(data["image"], training=True)["logits"], np.float64)
    log_p = np.log(softmax(logits, axis=1))
    expected = [0.8 * log_p[i, i % 3] + 0.1 * sum(log_p[i, j] for j in range(3) if j != i % 3) for i in range(6)]
    logs = model.train_step(data)
    assert float(logs["classification_loss"]) == pytest.approx(-np.mean(expected), rel=1e-5)
    assert float(logs["accuracy"]) == pytest.approx(np.mean(logits.argmax(1) == np.arange(6) % 3))


def test_first_nesterov_step_by_hand_with_decay_of_kernels_only():
    """Kernels shrink by rate * decay; then velocity = -rate g, and the step is momentum * velocity - rate g."""
    model, data, rate = make(), batch(), 0.01
    variables = model.network.trainable_variables
    with tf.GradientTape() as tape:
        logits = model.network(data["image"], training=True)["logits"]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(data["label"], logits))
    gradients, before = values(tape.gradient(loss, variables)), values(variables)
    model.train_step(data)
    for new, old, gradient in zip(values(variables), before, gradients, strict=True):
        decay = 5e-4 if old.ndim > 1 else 0.0
        np.testing.assert_allclose(new, old * (1 - rate * decay) - rate * 1.9 * gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("architecture", ["plain", pytest.param("residual", marks=pytest.mark.slow)])
def test_the_loss_falls_on_one_batch(architecture):
    model, data = make(architecture, rate=0.05), batch()
    step = tf.function(model.train_step, autograph=False)
    logs = [step(data) for _ in range(60)]
    assert logs[-1]["classification_loss"] < 0.3 * logs[0]["classification_loss"]
    assert float(logs[-1]["accuracy"]) == 1 and int(model.step) == 60


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_nearly_the_same_loss(precision):
    losses = []
    for policy in ("float32", precision):
        model = make("residual", precision=policy)
        step = tf.function(model.train_step, jit_compile=True, autograph=False)
        losses.append([float(step(batch())["classification_loss"]) for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert losses[1] != losses[0]


# State


def test_training_resumes_bit_identically_from_restored_state():
    """The state includes moving averages and momenta."""
    model, fresh = make(), make(seed=5)
    for step in range(2):
        model.train_step(batch(step))
    restore(fresh.state(), unpack(pack(model.state()), "a test"), "a test")
    assert len({id(v) for v in model.state().values()}) == len(model.state())
    for step in range(2, 4):
        resumed, expected = fresh.train_step(batch(step)), model.train_step(batch(step))
        assert {name: float(v) for name, v in resumed.items()} == {name: float(v) for name, v in expected.items()}
    for name, variable in model.state().items():
        np.testing.assert_array_equal(fresh.state()[name], variable, err_msg=name)


# Calibration


def test_temperature_by_hand():
    """Three of four labels are the predicted class, so sigmoid(4 / T) = 3/4 and T = 4 / log 3."""
    logits, labels = np.tile([4.0, 0.0], (8, 1)), np.array([0, 0, 0, 1] * 2)
    assert fit_temperature(logits, labels) == pytest.approx(4 / np.log(3), rel=1e-4)


def test_temperature_is_proportional_to_the_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(400, 5))
    labels = np.array([rng.choice(5, p=p) for p in softmax(logits, axis=1)])
    once, thrice = fit_temperature(logits, labels), fit_temperature(3 * logits, labels)
    assert once == pytest.approx(1, abs=0.15) and thrice == pytest.approx(3 * once, rel=1e-3)


# Inference


@functools.cache
def trained():
    """(model after three steps, model_config without a temperature, weights), shared by the tests."""
    model = make()
    for step in range(3):
        model.train_step(batch(step))
    model_config = SMALL | {"architecture": "plain", "colours": 3, "class_names": ["a", "b", "c"]}
    return model, model_config, {name: np.asarray(value) for name, value in model.release_state().items()}


def released(temperature):
    _, model_config, weights = trained()
    return ReleasedClassifier(model_config | {"temperature": temperature}, weights, "a test")


def test_outputs_average_an_image_and_its_mirror_image():
    model, classifier = trained()[0], released(temperature=2.0)
    images = np.asarray(batch(9)["image"])
    probabilities, features = classifier(images)
    original, mirrored = model(images), model(images[:, :, ::-1])
    logits = (np.asarray(original["logits"]) + np.asarray(mirrored["logits"])) / 2
    np.testing.assert_allclose(probabilities, softmax(logits / 2, axis=1), rtol=1e-4)
    expected = (np.asarray(original["features"]) + np.asarray(mirrored["features"])) / 2
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-6)
    for output, of_mirrored in zip((probabilities, features), classifier(images[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(output, of_mirrored, rtol=1e-4, atol=1e-6)


def test_outputs_do_not_depend_on_order_or_batch(monkeypatch):
    monkeypatch.setattr(inference, "BATCH_SIZE", 4)
    classifier, images = released(temperature=1.0), np.asarray(batch(9, size=7)["image"])
    for output, reversed_output in zip(classifier(images), classifier(images[::-1]), strict=True):
        np.testing.assert_allclose(output, reversed_output[::-1], rtol=1e-4, atol=1e-6)


def test_log_probabilities_and_features_are_those_of_unmirrored_images():
    classifier, images = released(temperature=2.0), np.asarray(batch(9)["image"])
    original, mirrored = (classifier.log_probabilities_and_features(x) for x in (images, images[:, :, ::-1]))
    logs = (np.asarray(original[0]) + np.asarray(mirrored[0])) / 2  # the mean logits up to a constant
    probabilities, features = classifier(images)
    np.testing.assert_allclose(softmax(logs, axis=1), probabilities, rtol=1e-4)
    np.testing.assert_allclose((original[1] + mirrored[1]) / 2, features, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.exp(original[0]).sum(axis=1), 1, rtol=1e-5)


def test_pixels_of_files_are_refused():
    with pytest.raises(ValueError, match=r"floats \[N, H, W, C\] in \[-1, 1\]. Received: uint8 \(1, 16, 16, 3\)"):
        released(temperature=1.0)(np.full((1, 16, 16, 3), 200, np.uint8))


def test_an_ensemble_averages_log_probabilities_and_concatenates_features():
    members, images = [released(temperature=1.0), released(temperature=3.0)], np.asarray(batch(9)["image"])
    logs, features = ClassifierEnsemble(members).log_probabilities_and_features(images)
    first, second = (member.log_probabilities_and_features(images) for member in members)
    np.testing.assert_allclose(logs, (np.asarray(first[0]) + np.asarray(second[0])) / 2, rtol=1e-5)
    np.testing.assert_allclose(features, np.concatenate([first[1], second[1]], axis=1), rtol=1e-5)
    assert not np.allclose(first[0], second[0], rtol=1e-2)


def test_an_ensemble_of_different_classes_is_refused(monkeypatch):
    first, second = released(temperature=1.0), released(temperature=3.0)
    monkeypatch.setattr(second, "class_names", ("b", "a", "c"))
    with pytest.raises(ValueError, match="same classes"):
        ClassifierEnsemble([first, second])


def test_weights_of_another_shape_are_refused():
    _, model_config, weights = trained()
    with pytest.raises(InputError, match="some folder"):
        ReleasedClassifier(model_config | {"channels": (2, 3, 5), "temperature": 1.0}, weights, "some folder")


def test_wider_pictures_are_average_pooled():
    options = dict(architecture="plain", width=16, channels=(2, 4), classes=2, colours=3)
    model = Classifier(**options, precision="float32")
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    classifier = ReleasedClassifier(options | {"class_names": ("a", "b"), "temperature": 1.0}, weights, "a test")
    wide = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    pooled = wide.reshape(3, 16, 2, 16, 2, 3).mean((2, 4))
    for output, expected in zip(classifier(wide), classifier(pooled), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(classifier(wide)[1], classifier(wide[:, :16, :16])[1], rtol=1e-3)
    with pytest.raises(InputError, match="multiple of 16 pixels.*24 pixels"):
        classifier(wide[:, :24, :24])
