"""The suite "blend" of own classes on models with known answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from evaluation.suites import own_blends
from tests.support.photographs import CLASSES, COUNT, HOLDOUT, TRAIN


def evaluate(decode=lambda latents: latents):
    """Returns ({blends: {name without count: Estimate}}, Section) of a model whose latents are the images."""
    model = SimpleNamespace(encode=lambda images: images, decode=decode)
    section = own_blends.evaluate(model, TRAIN, HOLDOUT, *CLASSES, samples=COUNT)
    rows = {row["blends"]: {n.removesuffix(f"_{COUNT}"): f for n, f in row.items()} for row in section.table}
    return rows, section


def test_an_identity_model_blends_as_the_cross_fade_and_reconstructs_without_error():
    rows, section = evaluate()
    for name in ("sharpness", "nearest_pixels", "copies_pixels"):
        assert rows["lerp"][name].value == pytest.approx(rows["cross-fade"][name].value, rel=1e-4)
    assert rows["cross-fade"]["sharpness"].value == pytest.approx(178 / (356 + 533), rel=0.05)  # see test_blend.py
    error = next(estimate for estimate in section.estimates if estimate.name == "reconstruction_error_holdout_120")
    assert error.value == 0 and len(section.key_figures) == 3
    assert "SMALL HOLD-OUT: with 120" in section.summary and "no bundled classifier knows" in section.summary
    (picture,) = section.plots.values()
    assert picture.shape == (2 * 8 * 3, 8 * 8 * 3, 3)


def test_copies_and_errors_are_found():
    copies = to_float(TRAIN.images[:COUNT])
    rows, section = evaluate(lambda latents: np.resize(copies, latents.shape))
    assert rows["slerp"]["copies_pixels"].value == 1 and rows["slerp"]["nearest_pixels"].value < 1e-6
    assert "100.0% are nearer to a training image" in section.summary
    error = section.estimates[-1]
    expected = np.mean((np.resize(copies, HOLDOUT.images.shape) - to_float(HOLDOUT.images)) ** 2)
    assert error.value == pytest.approx(expected, rel=1e-5)
