"""Classifier guidance: its loss worked by hand, its gradient, and training with it alone."""

import numpy as np
import pytest
import tensorflow as tf

from acai import losses
from acai.adversaries import LossScales, Pictures
from acai.adversaries.classifier_guidance import ClassifierGuidance
from acai.adversaries.ramp import LinearRamp
from common.data import augmentation
from tests.support.acai_models import build

SEED = tf.constant([0, 7], tf.int64)
MIX = tf.constant([0.25, 0.1])
WEIGHTS = tf.constant(np.random.default_rng(1).normal(size=(8 * 8 * 3, 4)), tf.float32)


def random_blends(seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, (2, 8, 8, 3)), tf.float32)


def guide(guidance, blends, step, scale=1.0):
    """AdversaryGradients at blends of images with the labels 1 and 0."""
    pictures = Pictures(blends, tf.constant([1, 0]), MIX, blends, blends)
    return guidance.gradients(pictures, tf.constant(step, tf.int64), SEED, LossScales(1.0, scale))


def log_probabilities(images):
    return tf.nn.log_softmax(tf.reshape(images, (-1, 8 * 8 * 3)) @ WEIGHTS)


def test_loss_by_hand():
    """Blend 0 is a quarter class 1, the rest class 0; blend 1 is a tenth class 0, the rest class 1."""
    answers = np.log([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]])
    expected = -(0.25 * np.log(0.3) + 0.75 * np.log(0.5) + 0.1 * np.log(0.6) + 0.9 * np.log(0.1)) / 2
    result = losses.mixed_label_loss(answers, np.array([1, 0]), np.array([0.25, 0.1]))
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_loss_is_lowest_where_the_probabilities_are_the_mix():
    """Gibbs' inequality: a cross-entropy is lowest at the label itself."""
    labels, mix = np.array([1, 0]), np.array([0.3, 0.3])
    right = np.log([[0.7, 0.3], [0.3, 0.7]])
    lowest = losses.mixed_label_loss(right, labels, mix)
    for shift in (-0.1, 0.1):
        other = np.log(np.exp(right) + [[shift, -shift], [-shift, shift]])
        assert losses.mixed_label_loss(other, labels, mix) > lowest


def test_gradient_is_that_of_the_plain_form():
    """Training labels 0 and 1 are the classifier's classes 3 and 2. Beyond [-1, 1] there is no gradient."""
    blends = tf.concat([random_blends()[:, :4] * 2, random_blends()[:, 4:]], 1)
    result = guide(ClassifierGuidance(LinearRamp(0.5), log_probabilities, [3, 2]), blends, step=9, scale=4.0)
    with tf.GradientTape() as tape:
        tape.watch(blends)
        views = augmentation.augment(tf.clip_by_value(blends, -1, 1), ("flip", "translation"), SEED)
        answers = log_probabilities(views)
        cross_entropies = 0.25 * answers[0, 2] + 0.75 * answers[0, 3] + 0.1 * answers[1, 3] + 0.9 * answers[1, 2]
        loss = -0.5 * cross_entropies / 2
    np.testing.assert_allclose(result.logs["recognition_loss"], loss, rtol=1e-5)
    assert result.autoencoder_loss is result.logs["recognition_loss"]
    np.testing.assert_allclose(result.blends, 4 * tape.gradient(loss, blends), rtol=1e-4, atol=1e-6)
    assert not np.any(result.blends.numpy()[np.abs(blends) > 1]) and np.any(result.blends)
    assert result.reconstructions is None and result.network == []


def test_loss_is_zero_before_its_step():
    guidance = ClassifierGuidance(LinearRamp(0.5, from_step=6), log_probabilities, [0, 1])
    early, late = (guide(guidance, random_blends(), step) for step in (5, 6))
    assert not np.any(early.blends) and np.any(late.blends) and float(early.logs["recognition_loss"]) == 0


def brightness(images):
    """Log probabilities of a classifier that takes white pictures for class 0, black ones for class 1."""
    return tf.nn.log_softmax(tf.reduce_mean(images, (1, 2, 3))[:, None] * tf.constant([1.0, -1.0]))


@pytest.mark.parametrize("active", [pytest.param(False, marks=pytest.mark.slow), True])
def test_training_with_guidance_alone_lowers_its_loss(active):
    """White images have training label 1 and black ones 0, which the classifier calls 0 and 1."""
    guidance = ClassifierGuidance(LinearRamp(1.0), brightness, [1, 0])
    model = build(width=32, depth=4, classes=2, mix_weight=0.0, guidance=(guidance,))
    model.compile(learning_rate=1e-3)
    images = tf.concat([tf.ones((4, 32, 32, 3)), -tf.ones((4, 32, 32, 3))], 0)
    data = {"image": images, "label": tf.constant([1] * 4 + [0] * 4)}
    step = tf.function(lambda: model.train_step(data, (guidance.name,) * active), autograph=False)
    logs = [step() for _ in range(30)]
    assert ("recognition_loss" in logs[0]) is active
    if active:
        guidance_losses = [float(log["recognition_loss"]) for log in logs]
        assert np.mean(guidance_losses[-5:]) < np.mean(guidance_losses[:5])
        total = logs[-1]["reconstruction_loss"] + logs[-1]["recognition_loss"]
        np.testing.assert_allclose(logs[-1]["autoencoder_loss"], total, rtol=1e-5)


def test_it_is_active_from_its_step():
    model = build(guidance=(ClassifierGuidance(LinearRamp(1.0, from_step=3), brightness, [0, 1]),))
    active = [model.static_arguments(step)["adversaries"] for step in (2, 3)]
    assert active == [("critic",), ("critic", "classifier_guidance")]
