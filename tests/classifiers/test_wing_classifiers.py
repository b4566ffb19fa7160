"""Wing classifiers: degradation, the loss by hand, Platt scaling and inference."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from scipy.special import expit

from acai.inference import ReleasedACAI
from classifiers import augmentation
from classifiers.calibration import fit_platt
from classifiers.inference import ReleasedWingClassifier
from classifiers.model import Classifier
from classifiers.wing_model import WingClassifier
from common import release
from common.errors import InputError
from common.images import to_float
from tests.support.photographs import labelled_images
from training import wing_classifier as wing_training

TARGETS = [(1, 1), (1, 0), (np.nan, 0)]
SMALL = dict(width=16, channels=(2, 3, 4))


def batch(seed=0, size=6):
    images = np.random.default_rng(seed).uniform(-1, 1, (size, 16, 16, 3))
    return {"image": tf.constant(images, tf.float32), "label": tf.constant(np.arange(size) % 3, tf.int32)}


def make(seed=0, **options):
    keras.utils.set_random_seed(1)
    model = WingClassifier(TARGETS, seed, architecture="plain", **SMALL, **options)
    model.compile(0.01)
    return model


# Degradation


def test_smoothing_equals_a_convolution_with_repeated_edges():
    images = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
    kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    expected = [ndimage.correlate(image, kernel, mode="nearest") for image in images]
    np.testing.assert_allclose(augmentation.smooth(tf.constant(images)), expected, rtol=1e-5, atol=1e-6)


def test_degradation_is_a_function_of_the_seed_and_stays_in_range():
    images = batch(size=64)["image"]
    first, again, other = (
        augmentation.degrade(images, tf.constant(s, tf.int64)).numpy() for s in ((1, 2),) * 2 + ((1, 3),)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1


def test_degradation_has_every_strength_up_to_its_limits(monkeypatch):
    """Of a step edge, each part of the degradation is measured alone."""
    edge = np.full((500, 8, 8, 3), -0.5, np.float32)
    edge[:, :, 4:] = 0.5
    seed = tf.constant((0, 0), tf.int64)
    for name in ("BRIGHTNESS", "CONTRAST", "NOISE"):
        monkeypatch.setattr(augmentation, name, 0.0)
    blurred = augmentation.degrade(tf.constant(edge), seed).numpy()
    steps = blurred[:, 0, 4, 0] - blurred[:, 0, 3, 0]  # 1, then 1/2, 3/8 and 5/16 after a smoothing
    assert 0.95 < steps.max() <= 1 and 0.3125 - 1e-6 <= steps.min() < 0.33
    monkeypatch.setattr(augmentation, "BRIGHTNESS", 0.25)
    means = augmentation.degrade(tf.constant(edge), seed).numpy().mean((1, 2, 3))
    assert -0.25 <= means.min() < -0.24 and 0.24 < means.max() <= 0.25
    monkeypatch.setattr(augmentation, "BRIGHTNESS", 0.0)
    monkeypatch.setattr(augmentation, "CONTRAST", 0.35)
    heights = np.ptp(augmentation.degrade(tf.constant(edge), seed).numpy()[..., 0], axis=(1, 2))
    assert 0.65 <= heights.min() < 0.67 and 1.33 < heights.max() <= 1.35
    monkeypatch.setattr(augmentation, "CONTRAST", 0.0)
    monkeypatch.setattr(augmentation, "NOISE", 0.08)
    flat = augmentation.degrade(tf.zeros((500, 8, 8, 3)), seed).numpy()
    deviations = flat.std(axis=(1, 2, 3))
    assert deviations.min() < 0.005 and 0.07 < deviations.max() < 0.09 and abs(flat.mean()) < 0.001


# The step


def test_loss_by_hand_leaves_out_what_is_not_asked():
    logits = np.array([[0.5, -1.0], [2.0, 0.3], [9.0, -2.0], [-0.5, 1.0], [1.0, -1.0], [-9.0, 2.0]], np.float32)
    asked = [0.5, -1.0, 2.0, 0.3, None, -2.0, -0.5, 1.0, 1.0, -1.0, None, 2.0]
    asked = np.array([value for value in asked if value is not None])
    targets = np.array([0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1])  # smoothing 0.2
    expected = -np.mean(targets * np.log(expit(asked)) + (1 - targets) * np.log(1 - expit(asked)))
    loss, accuracy = make(label_smoothing=0.2).loss_and_accuracy(tf.constant(logits), batch()["label"])
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    right = np.mean((asked > 0) == (targets > 0.5))
    assert float(accuracy) == pytest.approx(right) == pytest.approx(0.6)


def test_a_step_sees_degraded_images_of_its_seed_and_number():
    model, data = make(seed=7), batch()
    model.step.assign(3)
    expected = augmentation.degrade(data["image"], tf.constant((7, 3), tf.int64))
    np.testing.assert_array_equal(model.augment(data["image"]), expected)
    logits = model.network(expected, training=True)["logits"]
    loss, _ = model.loss_and_accuracy(logits, data["label"])
    np.testing.assert_allclose(model.train_step(data)["classification_loss"], loss, rtol=1e-5)
    assert int(model.step) == 4


def test_the_loss_falls_on_one_batch():
    model, data = make(), batch()
    model.compile(0.05)
    step = tf.function(model.train_step, autograph=False)
    losses = [float(step(data)["classification_loss"]) for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


# Leading layers


@pytest.mark.parametrize("architecture", ["plain", "residual"])
def test_leading_layers_of_equal_shape_are_taken_and_kept(architecture):
    """The other network has the channels 2, 3, 5: all layers before the first of another shape are equal."""
    keras.utils.set_random_seed(5)
    other = Classifier(architecture, width=16, channels=(2, 3, 5), classes=10)
    weights = {
        name: np.asarray(v).astype(np.float16) + np.float16(0.125) for name, v in other.release_state().items()
    }
    model = WingClassifier(TARGETS, 0, architecture=architecture, **SMALL)
    fresh = {name: np.asarray(v) for name, v in model.release_state().items()}
    model.take_leading_layers(weights)
    model.compile(0.05)
    names = [*model.release_state()]
    different = next(i for i, n in enumerate(names) if np.shape(weights[n]) != np.shape(fresh[n]))
    assert "conv" in names[different] and different >= 6
    for name in names[different:]:
        np.testing.assert_array_equal(model.release_state()[name], fresh[name], err_msg=name)
    for step in range(2):
        model.train_step(batch(step))
    for i, name in enumerate(names):
        value = np.asarray(model.release_state()[name])
        unchanged = np.array_equal(value, weights[name] if i < different else fresh[name])
        assert unchanged == (i < different), name
    assert len(model.network_optimizer.variables) < 2 * len(names) + 3


# Calibration


def test_platt_scaling_by_hand():
    """Three of four are positive at logit 2, one of four at -4: sigmoid(2a + b) = 3/4, sigmoid(-4a + b) = 1/4."""
    logits = np.repeat([2.0, -4.0], 8)
    targets = np.array([1, 1, 1, 0] * 2 + [0, 0, 0, 1] * 2)
    scale, offset = fit_platt(logits, targets)
    assert scale == pytest.approx(np.log(3) / 3, rel=1e-3) and offset == pytest.approx(np.log(3) / 3, rel=1e-3)


# Inference


@functools.cache
def released():
    model = make()
    for step in range(3):
        model.train_step(batch(step))
    config = SMALL | {"architecture": "plain", "colours": 3, "class_names": ("horse", "spread wings")}
    config |= {"scale": [2.0, 0.5], "offset": [-1.0, 3.0]}
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    return model, ReleasedWingClassifier(config, weights, "a test")


def test_probabilities_are_sigmoids_of_calibrated_mean_logits():
    model, classifier = released()
    images = np.asarray(batch(9)["image"])
    logits = (np.asarray(model(images)["logits"]) + np.asarray(model(images[:, :, ::-1])["logits"])) / 2
    expected = np.stack([expit(2 * logits[:, 0] - 1), expit(0.5 * logits[:, 1] + 3)], axis=1)
    probabilities = classifier.probabilities(images)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)
    assert probabilities.dtype == np.float32 and probabilities.shape == (6, 2)
    np.testing.assert_allclose(classifier.probabilities(images[:, :, ::-1]), probabilities, rtol=1e-4)


def test_logits_are_those_of_unmirrored_images_and_differentiable_in_a_function():
    _, classifier = released()
    images = batch(9)["image"]
    mirrored = tf.reverse(images, [2])
    mean = (np.asarray(classifier.logits(images)) + np.asarray(classifier.logits(mirrored))) / 2
    np.testing.assert_allclose(expit(mean), classifier.probabilities(images), rtol=1e-4)

    @tf.function
    def gradient(pictures):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            total = tf.reduce_sum(classifier.logits(pictures))
        return tape.gradient(total, pictures)

    direction = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    change = sum(np.sum(classifier.logits(images + s * 1e-3 * direction)) * s for s in (1, -1)) / 2e-3
    assert np.sum(gradient(images) * direction) == pytest.approx(change, rel=0.05, abs=1e-2)


def test_pictures_of_another_width_are_refused():
    with pytest.raises(InputError, match="multiple of 16 pixels.*24 pixels"):
        released()[1].probabilities(np.zeros((1, 24, 24, 3), np.float32))


# Composites


def test_composites_are_mixed_with_their_reconstructions():
    """Each lies on the line from the composite to its reconstruction, at a place of its own in [0, 1]."""
    arguments = labelled_images(), 0, "wing_classifier", 5, 12, "train"
    plain, mixed = (wing_training.draw_pool(*arguments, decoder) for decoder in ("", "acai_ten_1024"))
    np.testing.assert_array_equal(plain.labels, mixed.labels)
    config, weights = release.read(release.resolve("acai_ten_1024"))[:2]
    model, originals = ReleasedACAI(config["model"], weights, "a test"), to_float(plain.images)
    changes = model.decode(model.encode(originals)) - originals
    unclipped = np.abs(to_float(mixed.images)) < 0.99
    moved, changes = unclipped * (to_float(mixed.images) - originals), unclipped * changes
    places = (moved * changes).sum((1, 2, 3)) / np.square(changes).sum((1, 2, 3))
    assert -0.02 <= places.min() < 0.3 and 0.7 < places.max() <= 1.02
    np.testing.assert_allclose(moved, places[:, None, None, None] * changes, atol=0.02)
