"""The suite "blend" for a conditional GAN, on a generator of mean images."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from evaluation.suites import morphs
from tests.support.photographs import COUNT, HOLDOUT, TRAIN, BlockMeans, HalvesClassifier

MEANS = np.stack([to_float(TRAIN.images[TRAIN.labels == label]).mean(0) for label in (0, 1)])


def test_morphs_have_half_the_weight_of_each_class():
    """The generator returns the mean of two class means; an unused class comes first."""
    calls = []

    def sample(noise, weights):
        calls.append(weights)
        return np.einsum("nc,chwd->nhwd", weights[:, [2, 1]], MEANS).astype(np.float32)

    train, holdout = (
        dataclasses.replace(
            dataset,
            labels=np.where(dataset.labels == 0, 2, 1).astype(np.int32),
            class_names=("cat", "bird", "horse"),
        )
        for dataset in (TRAIN, HOLDOUT)
    )
    model = SimpleNamespace(draw_noise=lambda seed, count: np.zeros((count, 1)), sample=sample, classes=3)
    classifiers = {"referee": HalvesClassifier()}
    section = morphs.evaluate(model, classifiers, BlockMeans(), train, holdout, "horse", "bird", samples=COUNT)
    np.testing.assert_array_equal(calls[0], [[0, 0.5, 0.5]] * COUNT)
    rows = {row["blends"]: {n.removesuffix(f"_{COUNT}"): e for n, e in row.items()} for row in section.table}
    assert list(rows) == ["class morphs", "cross-fade"]
    assert rows["class morphs"]["recognisability_referee"].value == pytest.approx(0.5, abs=0.02)
    assert rows["cross-fade"]["recognisability_referee"].value == pytest.approx(0.5, abs=0.02)
    assert rows["class morphs"]["diversity_blocks_64"].value == pytest.approx(0, abs=1e-6)
    assert rows["cross-fade"]["diversity_blocks_64"].value > 0.1
    assert section.title == "Class morphs of horse and bird"
