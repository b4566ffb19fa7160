"""The judges: their networks, one step by hand, what a checkpoint holds, calibration, and the released form."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from classifiers.calibration import fit_temperature
from classifiers.inference import Judge, Jury
from classifiers.model import Classifier
from classifiers.networks import ARCHITECTURES, HalvedByMax
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
def test_images_do_not_mix_when_judged(architecture):
    network, images = ARCHITECTURES[architecture](**SMALL), batch()["image"]
    alone = np.concatenate([network(images[i : i + 1])["logits"] for i in range(6)])
    np.testing.assert_allclose(network(images)["logits"], alone, rtol=1e-4, atol=1e-6)


def test_halving_takes_the_largest_of_four():
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    halved = np.asarray(HalvedByMax()(images))
    for n, row, column, channel in np.ndindex(2, 2, 3, 3):
        window = images[n, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
        assert halved[n, row, column, channel] == window.max()


# The step


def test_loss_by_hand_with_softened_labels():
    model, data = make(label_smoothing=0.3), batch()
    logits = np.asarray(model.network(data["image"], training=True)["logits"], np.float64)
    shares = np.log(softmax(logits, axis=1))
    expected = [0.8 * shares[i, i % 3] + 0.1 * sum(shares[i, j] for j in range(3) if j != i % 3) for i in range(6)]
    logs = model.train_step(data)
    assert float(logs["classification_loss"]) == pytest.approx(-np.mean(expected), rel=1e-5)
    assert float(logs["accuracy"]) == pytest.approx(np.mean(logits.argmax(1) == np.arange(6) % 3))


def test_first_step_of_nesterov_with_decay_of_kernels_only():
    """velocity = -rate g; moved by momentum * velocity - rate g, after kernels shrank by rate * decay."""
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


PLAIN_FIRST = [pytest.param(name, marks=[] if name == "plain" else pytest.mark.slow) for name in ARCHITECTURES]


@pytest.mark.parametrize("architecture", PLAIN_FIRST)
def test_it_learns(architecture):
    model, data = make(architecture, rate=0.05), batch()
    step = tf.function(model.train_step, autograph=False)
    logs = [step(data) for _ in range(60)]
    assert logs[-1]["classification_loss"] < 0.3 * logs[0]["classification_loss"]
    assert float(logs[-1]["accuracy"]) == 1 and int(model.step) == 60


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_the_same_loss(precision):
    losses = []
    for policy in ("float32", precision):
        model = make("residual", precision=policy)
        step = tf.function(model.train_step, jit_compile=True, autograph=False)
        losses.append([float(step(batch())["classification_loss"]) for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert losses[1] != losses[0]


# State


def test_a_restored_model_goes_on_bit_for_bit():
    """Moving averages and momenta included."""
    model, fresh = make(), make(seed=5)
    for step in range(2):
        model.train_step(batch(step))
    restore(fresh.state(), unpack(pack(model.state()), "a test"), "a test")
    assert len({id(v) for v in model.state().values()}) == len(model.state())
    for step in range(2, 4):
        ours, theirs = fresh.train_step(batch(step)), model.train_step(batch(step))
        assert {name: float(v) for name, v in ours.items()} == {name: float(v) for name, v in theirs.items()}
    for name, variable in model.state().items():
        np.testing.assert_array_equal(fresh.state()[name], variable, err_msg=name)


# Calibration


def test_temperature_of_answers_that_are_right_half_the_time():
    """Logits (4, 0): softmax((4, 0) / T) is likeliest at the share of right answers, 3/4: T = 4 / log 3."""
    logits, labels = np.tile([4.0, 0.0], (8, 1)), np.array([0, 0, 0, 1] * 2)
    assert fit_temperature(logits, labels) == pytest.approx(4 / np.log(3), rel=1e-4)


def test_temperature_follows_the_scale_of_the_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(400, 5))
    labels = np.array([rng.choice(5, p=p) for p in softmax(logits, axis=1)])
    once, thrice = fit_temperature(logits, labels), fit_temperature(3 * logits, labels)
    assert once == pytest.approx(1, abs=0.15) and thrice == pytest.approx(3 * once, rel=1e-3)


# Released


@functools.cache
def released(temperature):
    """(trained model, Judge of it, sizes, weights), the same to each test."""
    model = make()
    for step in range(3):
        model.train_step(batch(step))
    sizes = SMALL | {"architecture": "plain", "colours": 3, "class_names": ["a", "b", "c"]}
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    return model, Judge(sizes | {"temperature": temperature}, weights, "a test", batch_size=4), sizes, weights


def test_judge_averages_a_picture_and_its_mirror_image():
    model, judge, _, _ = released(temperature=2.0)
    images = np.asarray(batch(9)["image"])
    probabilities, features = judge(images)
    straight, mirrored = model(images), model(images[:, :, ::-1])
    logits = (np.asarray(straight["logits"]) + np.asarray(mirrored["logits"])) / 2
    np.testing.assert_allclose(probabilities, softmax(logits / 2, axis=1), rtol=1e-4)
    expected = (np.asarray(straight["features"]) + np.asarray(mirrored["features"])) / 2
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-6)
    for ours, other in zip((probabilities, features), judge(images[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-6)


def test_judge_does_not_depend_on_order_or_batch():
    _, judge, _, _ = released(temperature=1.0)
    images = np.asarray(batch(9, size=7)["image"])
    straight, backward = judge(images), judge(images[::-1])
    for ours, other in zip(straight, backward, strict=True):
        np.testing.assert_allclose(ours, other[::-1], rtol=1e-4, atol=1e-6)


def test_a_look_is_the_call_without_the_mirror_image():
    _, judge, _, _ = released(temperature=2.0)
    images = np.asarray(batch(9)["image"])
    looks = [judge.look(images), judge.look(images[:, :, ::-1])]
    logs = (np.asarray(looks[0][0]) + np.asarray(looks[1][0])) / 2  # of mean logits, but for a shift
    probabilities, features = judge(images)
    np.testing.assert_allclose(softmax(logs, axis=1), probabilities, rtol=1e-4)
    np.testing.assert_allclose((looks[0][1] + looks[1][1]) / 2, features, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.exp(looks[0][0]).sum(axis=1), 1, rtol=1e-5)


def test_a_jury_answers_with_the_mean_logarithm_and_all_features():
    one, other = released(temperature=1.0)[1], released(temperature=3.0)[1]
    images = np.asarray(batch(9)["image"])
    logs, features = Jury([one, other]).look(images)
    apart = [judge.look(images) for judge in (one, other)]
    np.testing.assert_allclose(logs, (np.asarray(apart[0][0]) + np.asarray(apart[1][0])) / 2, rtol=1e-5)
    np.testing.assert_allclose(features, np.concatenate([apart[0][1], apart[1][1]], axis=1), rtol=1e-5)
    assert not np.allclose(apart[0][0], apart[1][0], rtol=1e-2)


def test_a_jury_of_different_classes_is_refused(monkeypatch):
    one, other = released(temperature=1.0)[1], released(temperature=3.0)[1]
    monkeypatch.setattr(other, "class_names", ("b", "a", "c"))
    with pytest.raises(ValueError, match="same classes"):
        Jury([one, other])


def test_judge_of_other_sizes_is_refused():
    _, _, sizes, weights = released(temperature=1.0)
    with pytest.raises(InputError, match="some folder"):
        Judge(sizes | {"channels": (2, 3, 5), "temperature": 1.0}, weights, "some folder")


def test_wider_pictures_are_judged_by_the_means_of_their_squares():
    sizes = dict(architecture="plain", width=16, channels=(2, 4), classes=2, colours=3)
    model = Classifier(**sizes, precision="float32")
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    judge = Judge(sizes | {"class_names": ("a", "b"), "temperature": 1.0}, weights, "the judge")
    wide = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    small = wide.reshape(3, 16, 2, 16, 2, 3).mean((2, 4))
    for found, expected in zip(judge(wide), judge(small), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(judge(wide)[1], judge(wide[:, :16, :16])[1], rtol=1e-3)
    with pytest.raises(InputError, match="16 pixels wide.*24 pixels"):
        judge(wide[:, :24, :24])
