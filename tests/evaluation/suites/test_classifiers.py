"""The suite "classifier" on a classifier with known predictions."""

import numpy as np
import pytest
from scipy.special import softmax

from common.data import datasets
from evaluation.suites import classifiers

NAMES = ("a", "b")


def make_dataset(split, labels):
    images = np.zeros((len(labels), 4, 4, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    return datasets.ImageDataset(images, np.array(labels, np.int32), np.arange(len(labels)), NAMES, split)


class ConstantClassifier:
    """Predicts the first class with a constant probability."""

    class_names, temperature = NAMES, 2.0

    def __init__(self, probability):
        self.probability = probability

    def __call__(self, images):
        return np.tile([self.probability, 1 - self.probability], (len(images), 1)), np.zeros((len(images), 3))


def test_estimates_of_a_classifier_with_accuracy_three_quarters():
    holdout, test = make_dataset("holdout", [0, 0, 0, 1] * 10), make_dataset("test", [0, 0, 0, 1, 1])
    section = classifiers.evaluate(ConstantClassifier(0.75), (holdout, test))
    values = {estimate.name: estimate.value for estimate in section.estimates}
    assert values["accuracy_holdout_40"] == 0.75 and values["ece_holdout_40"] == pytest.approx(0, abs=1e-9)
    assert values["accuracy_test_5"] == 0.6 and values["ece_test_5"] == pytest.approx(0.15)
    sharpened = 0.75**2 / (0.75**2 + 0.25**2)  # at temperature 1 instead of 2
    assert values["ece_uncalibrated_holdout_40"] == pytest.approx(sharpened - 0.75)
    assert [list(row.values()) for row in section.table] == [["a", 1.0, 1.0], ["b", 0.0, 0.0]]
    assert len(section.plots) == 2


def test_removing_the_temperature_restores_the_softmax_of_the_logits():
    logits = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(
        classifiers.remove_temperature(ConstantClassifier(0.5), softmax(logits / 2, axis=1)),
        softmax(logits, axis=1),
    )
