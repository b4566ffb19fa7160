"""Metrics during training: models with known figures, and agreement with the suites."""

from types import SimpleNamespace

import numpy as np
import pytest

from common import interpolation
from common.data import lines
from evaluation import line_metrics, training_metrics
from evaluation.suites import blend

CLASSES = ("horse", "bird")
RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.uniform(-1, 1, (2, 24, 8, 8, 3)).astype(np.float32)


class UpperHalfClassifier:
    """P(horse) and P(bird) depend on the mean of the upper half; the features are the first row."""

    class_names = ("cat", *CLASSES)

    def __init__(self, power=1):
        self.power = power

    def __call__(self, images):
        probability = ((images[:, :4].mean((1, 2, 3)) + 1) / 2) ** self.power
        probabilities = np.stack([0 * probability, probability, 1 - probability], axis=1)
        return probabilities, images[:, 0].reshape(len(images), -1)


@pytest.fixture(scope="module")
def blend_metrics():
    return training_metrics.BlendMetrics(
        {"referee": UpperHalfClassifier(), "classifier": UpperHalfClassifier(2)}, FIRST, SECOND, CLASSES
    )


def test_metrics_are_those_of_blends_half_and_half(blend_metrics):
    metrics = blend_metrics(lambda images: 2 * images, lambda latents: latents / 2)
    blends = np.clip(interpolation.slerp(FIRST, SECOND, 0.5), -1, 1)
    for name, classifier in blend_metrics.classifiers.items():
        probabilities, _ = classifier(blends)
        expected = np.sqrt(probabilities[:, 1] * probabilities[:, 2]).mean()
        assert metrics[f"blend_recognisability_{name}"] == pytest.approx(expected, rel=1e-5)
    assert metrics["blend_recognisability_referee"] != metrics["blend_recognisability_classifier"]
    assert set(map(type, metrics.values())) == {float}


def test_copies_of_real_images_are_sharp_and_have_no_distance(blend_metrics):
    """The decoder returns half of the real images."""
    real = np.concatenate([FIRST[::2], SECOND[::2]])
    metrics = blend_metrics(lambda images: images, lambda latents: real)
    assert metrics["blend_sharpness"] == pytest.approx(1, abs=0.05)
    assert metrics["blend_kd_classifier"] < 0.05


def test_a_collapsed_decoder_has_no_sharpness_and_a_large_distance(blend_metrics):
    metrics = blend_metrics(lambda images: images, lambda latents: np.ones_like(latents))
    assert metrics["blend_sharpness"] == 0
    assert metrics["blend_kd_classifier"] > 1  # the kernel of two feature vectors of ones is 8


def test_lines_of_a_perfect_model():
    """Its latents are the angle, known up to one of 10,000 rendered lines."""
    metrics = training_metrics.measure_lines(
        lambda images: line_metrics.match_angles(images)[0][:, None], lambda latents: lines.render(latents[:, 0])
    )
    assert metrics["lines_mean_distance"] < 1e-5 and 0 <= metrics["lines_smoothness"] < 0.02
    assert metrics["lines_smoothness_official"] == pytest.approx(metrics["lines_smoothness"])  # all lines turn


@pytest.mark.slow  # like the one above, with other lines
def test_lines_that_do_not_turn_have_no_smoothness():
    line = lines.render(np.array([1.0]))
    metrics = training_metrics.measure_lines(lambda images: images, lambda latents: line.repeat(len(latents), 0))
    assert list(metrics) == ["lines_mean_distance", "lines_smoothness_official"]
    assert metrics["lines_smoothness_official"] == 0


def test_the_suite_blend_decodes_the_same_blends():
    model = SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents)
    expected = blend.decode_blends(model, FIRST, SECOND, interpolation.slerp)
    calls = []

    class RecordingClassifier(UpperHalfClassifier):
        def __call__(self, images):
            calls.append(images)
            return super().__call__(images)

    training_metrics.BlendMetrics({"classifier": RecordingClassifier()}, FIRST, SECOND, CLASSES)(
        model.encode, model.decode
    )
    np.testing.assert_array_equal(calls[-1], expected)
