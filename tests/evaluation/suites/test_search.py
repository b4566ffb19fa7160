"""The suite "search": what is measured of the results and the controls."""

import numpy as np
import pytest

import evaluation.suites.search
from pegasus.search_config import MaskSearch
from tests.support.searches import CLASSES, HOLDOUT, MODEL, TRAIN, HalvesClassifier, make_bank


def extract(pictures):
    """Features that are the means of 2x2 squares."""
    return HalvesClassifier()(pictures)[1]


extract.name, extract.comparable = "squares", ""


@pytest.fixture(scope="module")
def pictures():
    config = MaskSearch(300, 64)
    return evaluation.suites.search.make_pictures(
        config, MODEL, HalvesClassifier(), make_bank(), CLASSES, seed=0, data_dir=None
    )


def test_results_come_first_and_are_recognised_better_than_random_pairs(pictures):
    assert list(pictures) == ["kept", "random"]
    section = evaluation.suites.search.evaluate(HalvesClassifier(), extract, TRAIN, HOLDOUT, pictures, "Best 64")
    rows = {row["blends"]: row for row in section.table}
    assert list(rows) == list(pictures) and section.title == "Best 64"
    assert section.estimates == [value for value in rows["kept"].values() if not isinstance(value, str)]
    assert {estimate.count for estimate in section.estimates} == {64}
    recognised = {name: row["recognisability_referee_64"].value for name, row in rows.items()}
    for name, shown in pictures.items():
        assert shown.shape == (64, 8, 8, 3)
        expected = np.sqrt(HalvesClassifier()(shown)[0][:, 1:].prod(axis=1)).mean()
        assert recognised[name] == pytest.approx(expected, abs=1e-6)
    assert recognised["kept"] > recognised["random"]
