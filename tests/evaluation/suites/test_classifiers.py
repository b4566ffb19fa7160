"""Accuracy and calibration of judges whose answers are known."""

import numpy as np
import pytest
from scipy.special import softmax

from common.data import datasets
from evaluation.suites import classifiers

NAMES = ("a", "b")


def dataset(split, labels):
    images = np.zeros((len(labels), 4, 4, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    return datasets.ImageDataset(images, np.array(labels, np.int32), np.arange(len(labels)), NAMES, split)


class Judge:
    """Is always equally sure of the first class."""

    class_names, temperature = NAMES, 2.0

    def __init__(self, sure):
        self.sure = sure

    def __call__(self, images):
        return np.tile([self.sure, 1 - self.sure], (len(images), 1)), np.zeros((len(images), 3))


def test_figures_of_a_judge_that_is_right_three_times_in_four():
    holdout, test = dataset("holdout", [0, 0, 0, 1] * 10), dataset("test", [0, 0, 0, 1, 1])
    section = classifiers.evaluate(Judge(0.75), (holdout, test))
    found = {figure.name: figure.value for figure in section.estimates}
    assert found["accuracy_holdout_40"] == 0.75 and found["ece_holdout_40"] == pytest.approx(0, abs=1e-9)
    assert found["accuracy_test_5"] == 0.6 and found["ece_test_5"] == pytest.approx(0.15)
    surer = 0.75**2 / (0.75**2 + 0.25**2)  # at temperature 1 instead of 2
    assert found["ece_uncalibrated_holdout_40"] == pytest.approx(surer - 0.75)
    assert [list(row.values()) for row in section.table] == [["a", 1.0, 1.0], ["b", 0.0, 0.0]]
    assert len(section.plots) == 2


def test_reheated_probabilities_are_those_of_the_logits():
    logits = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(
        classifiers.reheated(Judge(0.5), softmax(logits / 2, axis=1)), softmax(logits, axis=1)
    )
