"""The lines suite on a perfect model, a cross-fade and a collapsed decoder."""

from types import SimpleNamespace

import numpy as np
import pytest

from acai import line_metrics
from common.data import lines
from evaluation.suites.lines import evaluate

PAIRS = 12


def perfect():
    """Its code is the angle, so that a line between two turns evenly."""
    return SimpleNamespace(
        encode=lambda images: line_metrics.match_angles(images)[0][:, None],
        decode=lambda latents: lines.render(latents[:, 0]),
    )


def figures(model, **options):
    section = evaluate(model, pairs=PAIRS, **options)
    return {figure.name.removesuffix(f"_{PAIRS}"): figure for figure in section.estimates}, section


def test_a_perfect_model_is_perfect():
    found, section = figures(perfect(), name="VAE")
    assert found["lines_mean_distance"].value < 1e-5 and found["lines_smoothness"].value < 0.01
    assert found["lines_smoothness_nan_share"].value == 0
    assert found["lines_smoothness_official"].value == pytest.approx(found["lines_smoothness"].value)
    assert found["lines_mean_distance"].low <= found["lines_mean_distance"].value
    (picture,) = section.plots.values()
    assert picture.shape == (8 * 32, 16 * 32, 3)
    assert section.table[0]["mean distance"] == found["lines_mean_distance"].value
    assert [row["model"] for row in section.table].count("ACAI, the paper's") == 1
    assert section.table[0]["model"] == "VAE, this one"


def test_a_cross_fade_neither_looks_like_lines_nor_turns():
    found, _ = figures(SimpleNamespace(encode=lambda images: images, decode=lambda latents: latents))
    assert found["lines_mean_distance"].value > 1e-3 and found["lines_smoothness"].value > 0.2


def test_noise_is_no_line():
    def noise(latents):
        return np.random.default_rng(0).uniform(-1, 1, (len(latents), 32, 32, 1))

    found, _ = figures(SimpleNamespace(encode=lambda images: images, decode=noise))
    assert found["lines_mean_distance"].value > 0.5


def test_a_collapsed_decoder_has_no_smoothness():
    one = lines.render(np.array([1.0]))
    found, _ = figures(SimpleNamespace(encode=lambda images: images, decode=lambda x: one.repeat(len(x), 0)))
    assert np.isnan(found["lines_smoothness"].value) and found["lines_smoothness"].low is None
    assert found["lines_smoothness_nan_share"].value == 1
