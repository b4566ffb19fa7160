"""The suite "lines" on a perfect model, a cross-fade and a collapsed decoder."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.data import lines
from evaluation import line_metrics
from evaluation.suites.lines import evaluate

PAIRS = 12


def make_perfect_model():
    """Makes a model whose latents are the angle, so that interpolated lines turn evenly."""
    return SimpleNamespace(
        encode=lambda images: line_metrics.match_angles(images)[0][:, None],
        decode=lambda latents: lines.render(latents[:, 0]),
    )


def evaluate_pairs(model, **options):
    section = evaluate(model, pairs=PAIRS, **options)
    return {estimate.name.removesuffix(f"_{PAIRS}"): estimate for estimate in section.estimates}, section


def test_a_perfect_model_has_no_distance():
    estimates, section = evaluate_pairs(make_perfect_model(), name="VAE")
    assert estimates["lines_mean_distance"].value < 1e-5 and estimates["lines_smoothness"].value < 0.01
    assert estimates["lines_smoothness_nan_share"].value == 0
    assert estimates["lines_smoothness_official"].value == pytest.approx(estimates["lines_smoothness"].value)
    assert estimates["lines_mean_distance"].low <= estimates["lines_mean_distance"].value
    (picture,) = section.plots.values()
    assert picture.shape == (8 * 32, 16 * 32, 3)
    assert section.table[0]["mean distance"] == estimates["lines_mean_distance"].value
    assert [row["model"] for row in section.table].count("ACAI, the paper's") == 1
    assert section.table[0]["model"] == "VAE, this one"


def test_a_cross_fade_has_a_large_distance_and_does_not_turn_evenly():
    estimates, _ = evaluate_pairs(SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents))
    assert estimates["lines_mean_distance"].value > 1e-3 and estimates["lines_smoothness"].value > 0.2


def test_noise_has_a_large_distance():
    def noise(latents):
        return np.random.default_rng(0).uniform(-1, 1, (len(latents), 32, 32, 1))

    estimates, _ = evaluate_pairs(SimpleNamespace(encode=lambda images: images, decode=noise))
    assert estimates["lines_mean_distance"].value > 0.5


def test_a_collapsed_decoder_has_no_smoothness():
    line = lines.render(np.array([1.0]))
    estimates, _ = evaluate_pairs(
        SimpleNamespace(encode=lambda images: images, decode=lambda x: line.repeat(len(x), 0))
    )
    assert np.isnan(estimates["lines_smoothness"].value) and estimates["lines_smoothness"].low is None
    assert estimates["lines_smoothness_nan_share"].value == 1
