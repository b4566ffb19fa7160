"""The suite "classifier" on wing classifiers with known answers."""

import dataclasses
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from common.data import datasets
from composites import drawing
from composites.drawing import KINDS, Composites
from composites.ranges import RANGES
from evaluation.suites import wing_classifiers
from pegasus import labels
from tests.support.photographs import labelled_images


class ColourClassifier:
    """Sees a horse where dark pixels are and wings where red ones are; right on all drawn images of one parent."""

    def probabilities(self, images):
        red = (images[..., 0] - images[..., 1] > 0.5) & (images[..., 2] < -0.2)
        dark = images.max(-1) < -0.4
        counts = np.stack([dark.sum((1, 2)), red.sum((1, 2))], axis=1)
        return np.where(counts >= 10, 0.9, 0.1).astype(np.float32)


class SameAnswer:
    """Gives every picture the same answer."""

    def probabilities(self, images):
        return np.tile(np.float32([0.7, 0.6]), (len(images), 1))


@pytest.fixture(scope="module")
def source():
    ranges = dataclasses.replace(RANGES["wing_classifier"], recoloured=0.0)
    return Composites(labelled_images(20), 1, ranges, seed=5, rider_use="control")


def test_a_classifier_that_sees_colours_is_right_about_drawn_images(source):
    section = wing_classifiers.evaluate(ColourClassifier(), source, per_kind=8)
    values = {estimate.name.rpartition("_")[0]: estimate.value for estimate in section.estimates}
    assert values["auroc_horse_images"] == values["auroc_wings_images"] == 1
    assert values["auroc_wings_composites"] > 0.9 and values["auroc_horse_composites"] > 0.9
    table = {row["pictures"]: row for row in section.table}
    called = {name: row["called winged horse"].value for name, row in table.items()}
    assert called["composites: winged horse"] > 0.8
    others = [name for name in called if name != "composites: winged horse"]
    assert all(called[name] == 0 for name in others)
    assert table["images: horse with rider"]["horse"] == 1 and table["images: horse with rider"]["wings"] == 0
    assert len(table) == 6 + len(KINDS) and len(section.plots) == 2


def test_the_same_answer_everywhere_has_an_auroc_of_a_half_and_the_error_of_its_confidence(source):
    section = wing_classifiers.evaluate(SameAnswer(), source, per_kind=7)
    values = {estimate.name.rpartition("_")[0]: estimate.value for estimate in section.estimates}
    assert {v for name, v in values.items() if name.startswith("auroc")} == {0.5}
    assert all(row["called winged horse"].value == 1 for row in section.table)
    wings = np.mean([answers[1] for answers in KINDS.values()])  # as many composites of each kind
    assert values["ece_wings_composites"] == pytest.approx(0.6 - wings, abs=1e-6)


def test_control_riders_are_of_both_folds(source):
    rows = wing_classifiers.control_riders(source.dataset)
    ids = source.dataset.ids[rows]
    assert len(ids) == 40 and {labels.fold(id) for id in ids} == {0, 1}
    assert {labels.horse_riders()[int(id)].use for id in ids} == {"control"}


def test_spaced_rows_are_evenly_spaced(monkeypatch):
    monkeypatch.setattr(wing_classifiers, "MOST", 4)
    assert wing_classifiers.spaced([10, 11, 12]).tolist() == [10, 11, 12]
    assert wing_classifiers.spaced(np.arange(10)).tolist() == [0, 2, 5, 7]


@pytest.mark.parametrize("fold", [0, 1])
def test_a_wing_classifier_is_measured_on_the_fold_that_it_was_not_trained_on(fold):
    config = {"data": {"fold": fold, "ranges": "wing_referee"}}
    release = SimpleNamespace(config=config, model_arguments=("settings", "weights", "a source"))
    with (
        mock.patch.object(wing_classifiers, "ReleasedWingClassifier", autospec=True) as classifier,
        mock.patch.object(datasets, "load_cifar10", autospec=True) as load_cifar10,
        mock.patch.object(drawing, "Composites", autospec=True) as composites,
        mock.patch.object(wing_classifiers, "evaluate", autospec=True) as evaluate,
    ):
        wing_classifiers.run(SimpleNamespace(release=release, config=SimpleNamespace(data_dir="a folder", seed=3)))
    load_cifar10.assert_called_once_with("a folder", hold_out=False)
    images, ranges = load_cifar10.return_value, RANGES["wing_referee"]
    composites.assert_called_once_with(images, 1 - fold, ranges, 3, rider_use="control")
    evaluate.assert_called_once_with(classifier.return_value, composites.return_value, 3)
