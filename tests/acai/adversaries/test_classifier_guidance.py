"""The judges' part in a training: its loss worked by hand, its gradient that of the plain form."""

import numpy as np
import pytest
import tensorflow as tf

from acai import losses
from acai.adversaries.classifier_guidance import Recognition
from acai.adversaries.ramp import Rise
from acai.model import ACAI
from common.data import augmentation

SEED = tf.constant([0, 7], tf.int64)
MIX = tf.constant([0.25, 0.1])
WEIGHTS = tf.constant(np.random.default_rng(1).normal(size=(8 * 8 * 3, 4)), tf.float32)


def blends(seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, (2, 8, 8, 3)), tf.float32)


def judge(images):
    return tf.nn.log_softmax(tf.reshape(images, (-1, 8 * 8 * 3)) @ WEIGHTS)


def test_loss_by_hand():
    """Blend 0 is a quarter of class 1 and else of class 0; blend 1 a tenth of class 0 and else of class 1."""
    said = np.log([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]])
    expected = -(0.25 * np.log(0.3) + 0.75 * np.log(0.5) + 0.1 * np.log(0.6) + 0.9 * np.log(0.1)) / 2
    found = losses.recognition_loss(said, np.array([1, 0]), np.array([0.25, 0.1]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_loss_is_least_where_the_judge_says_the_mix():
    """Gibbs' inequality: the cross-entropy's least value is at the label itself."""
    labels, mix = np.array([1, 0]), np.array([0.3, 0.3])
    right = np.log([[0.7, 0.3], [0.3, 0.7]])
    least = losses.recognition_loss(right, labels, mix)
    for shift in (-0.1, 0.1):
        other = np.log(np.exp(right) + [[shift, -shift], [-shift, shift]])
        assert losses.recognition_loss(other, labels, mix) > least


def test_gradient_is_that_of_the_plain_form():
    """Labels 0 and 1 of the training are the judge's classes 3 and 2; beyond [-1, 1] there is no gradient."""
    pictures = tf.concat([blends()[:, :4] * 2, blends()[:, 4:]], 1)
    recognition = Recognition(Rise(0.5), judge, [3, 2])
    labels, step = tf.constant([1, 0]), tf.constant(9, tf.int64)
    logs, gradient = recognition.gradient(pictures, labels, MIX, step, SEED, 4.0)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        views = augmentation.augment(tf.clip_by_value(pictures, -1, 1), ("flip", "translation"), SEED)
        said = judge(views)
        loss = -0.5 * (0.25 * said[0, 2] + 0.75 * said[0, 3] + 0.1 * said[1, 3] + 0.9 * said[1, 2]) / 2
    np.testing.assert_allclose(logs["recognition_loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(gradient, 4 * tape.gradient(loss, pictures), rtol=1e-4, atol=1e-6)
    assert not np.any(gradient.numpy()[np.abs(pictures) > 1]) and np.any(gradient)


def test_it_weighs_nothing_before_its_step():
    recognition = Recognition(Rise(0.5, from_step=6), judge, [0, 1])
    early, late = (
        recognition.gradient(blends(), tf.constant([1, 0]), MIX, tf.constant(step, tf.int64), SEED, 1.0)
        for step in (5, 6)
    )
    assert not np.any(early[1]) and np.any(late[1]) and float(early[0]["recognition_loss"]) == 0


def white(images):
    """A judge that takes white pictures for class 0, black ones for class 1."""
    return tf.nn.log_softmax(tf.reduce_mean(images, (1, 2, 3))[:, None] * tf.constant([1.0, -1.0]))


@pytest.mark.parametrize("taking_part", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_training_with_nothing_else_makes_the_judge_see_the_mix(taking_part):
    """White and black images of classes 1 and 0, which the judge calls 0 and 1: pixels stay, and blends are
    pushed to what it takes for their labels. Without taking part the loss is not there."""
    model = ACAI(
        depth=4,
        latent_channels=2,
        classes=2,
        mix_weight=0.0,
        judge=white,
        judge_classes=[1, 0],
        recognition_weight=1.0,
    )
    model.compile(learning_rate=1e-3)
    images = tf.concat([tf.ones((4, 32, 32, 3)), -tf.ones((4, 32, 32, 3))], 0)
    data = {"image": images, "label": tf.constant([1] * 4 + [0] * 4)}
    step = tf.function(lambda: model.train_step(data, recognition=taking_part), autograph=False)
    logs = [step() for _ in range(30)]
    assert ("recognition_loss" in logs[0]) is taking_part
    if taking_part:
        found = [float(log["recognition_loss"]) for log in logs]
        assert np.mean(found[-5:]) < np.mean(found[:5])
        total = logs[-1]["reconstruction_loss"] + logs[-1]["recognition_loss"]
        np.testing.assert_allclose(logs[-1]["autoencoder_loss"], total, rtol=1e-5)


def test_it_joins_at_its_step():
    model = ACAI(depth=4, judge=white, judge_classes=[0, 1], recognition_weight=1.0, recognition_from_step=3)
    assert [model.static_arguments(step)["recognition"] for step in (2, 3)] == [False, True]
    assert not ACAI(depth=4).static_arguments(10**9)["recognition"]
