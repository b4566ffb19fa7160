"""Training of classifiers and wing classifiers: which images they are measured on, their metrics and releases."""

from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from classifiers.calibration import fit_platt
from common.data.datasets import ImageDataset
from composites import drawing
from training import classifier, wing_classifier


def make_dataset(images, labels, class_names, split):
    return ImageDataset(np.uint8(images), np.int32(labels), np.arange(len(labels)), class_names, split)


def written_settings(family, monkeypatch, *arguments):
    """Returns what `write_release` gives to `release.write` as settings["model"], of a network of width 32."""
    monkeypatch.setattr(family, "release_settings", lambda config, model: {"model": {"width": 32}})
    with mock.patch.object(family.release, "write", autospec=True) as write:
        family.write_release("a config", *arguments, "a folder")
    write.assert_called_once_with("a folder", mock.ANY, {"weight": 1})
    return write.call_args.args[1]["model"]


# Classifiers


class Brightness:
    """Its logits are the red and the green of the first pixel, in [-1, 1]."""

    def __call__(self, images):
        return {"logits": images[:, 0, 0, :2]}

    def release_state(self):
        return {"weight": 1}


def coloured(labels, colours, split):
    """Images [N, 2, 2, 3] of one colour each: red for "r", which the model takes for class 0, or green."""
    pixels = [(255, 0, 9) if colour == "r" else (0, 255, 9) for colour in colours]
    return make_dataset(np.tile(np.reshape(pixels, (-1, 1, 1, 3)), (1, 2, 2, 1)), labels, ("a", "b"), split)


# The model is wrong about all training images, and about the held-out images 2 and 5.
TRAIN, HOLDOUT = coloured([1] * 8, "rrrrrrrr", "train"), coloured([0, 1, 1, 0, 1, 0, 0, 1], "rgrrggrg", "holdout")


def test_a_classifier_is_measured_on_the_holdout():
    metrics = classifier.evaluate(None, Brightness(), (TRAIN, HOLDOUT))
    assert metrics["holdout_accuracy"] == 0.75
    right = np.log(1 + np.exp(-2))  # -log softmax of the logits 1 and -1; the other class has 2 more
    assert metrics["holdout_classification_loss"] == pytest.approx(right + 2 * 0.25)


def test_mistakes_of_a_classifier_are_the_wrong_images_of_the_holdout():
    mistakes = classifier.render(None, Brightness(), (TRAIN, HOLDOUT))["mistakes"]
    assert mistakes.shape == (2, 16, 3)  # a row of eight images
    np.testing.assert_array_equal(mistakes[:, :4], np.concatenate(HOLDOUT.images[[2, 5]], axis=1))
    assert np.all(mistakes[:, 4:] == 255)
    right = coloured([0, 1], "rg", "holdout")
    assert classifier.render(None, Brightness(), (TRAIN, right)) == {}


def test_the_temperature_of_a_classifier_is_fitted_to_the_holdout(monkeypatch):
    """Three of four held-out images are right: sigmoid(2 / T) = 3/4."""
    settings = written_settings(classifier, monkeypatch, Brightness(), (TRAIN, HOLDOUT))
    assert settings.pop("temperature") == pytest.approx(2 / np.log(3), rel=1e-4)
    assert settings == {"width": 32, "colours": 3, "class_names": ("a", "b")}


# Wing classifiers


PICTURES = *["winged horse"] * 3, "horse", "folded bird", "cross-fade", "spread-winged bird"
KINDS = [[*drawing.KINDS].index(name) for name in PICTURES]
LOGITS = np.float32([(2, 1), (1, -1), (3, 2), (-1, -2), (1, 1), (5, -1), (-1, 3)])
POOL = make_dataset(np.arange(7).reshape(7, 1, 1, 1) * np.ones((7, 2, 2, 3)), KINDS, (*drawing.KINDS,), "train")


class Table:
    """Its logits for the image that is filled with the value i are LOGITS[i]."""

    def __call__(self, images):
        return {"logits": LOGITS[np.rint(127.5 * (images[:, 0, 0, 0] + 1)).astype(int)]}

    def release_state(self):
        return {"weight": 1}


@pytest.fixture
def pool(monkeypatch):
    """The held-out composites are those of POOL."""
    monkeypatch.setattr(wing_classifier, "held_out_pool", lambda config, dataset: POOL)


@pytest.mark.parametrize("fold", [0, 1])
def test_held_out_composites_are_of_the_other_fold_and_of_riders_for_control(fold, monkeypatch):
    data = SimpleNamespace(fold=fold, ranges="wing_referee", composites=300, decoder="a decoder")
    config = SimpleNamespace(data=data, train=SimpleNamespace(seed=7))
    for function, expected in (
        (wing_classifier.training_pool, (fold, "wing_referee", 7, 300, "train")),
        (wing_classifier.held_out_pool, (1 - fold, "wing_referee", 1007, 1200, "control")),
    ):
        with mock.patch.object(wing_classifier, "draw_pool", autospec=True) as draw_pool:
            function(config, "a dataset")
        draw_pool.assert_called_once_with("a dataset", *expected, "a decoder")


def test_a_wing_classifier_is_measured_by_hand(pool):
    """Horses are judged wrongly at 3 and 4, wings at 1 and 4; nobody judges the horse of the cross-fade, 5."""
    assert wing_classifier.evaluate(None, Table(), (TRAIN, None)) == {
        "holdout_horse_accuracy": pytest.approx(4 / 6),
        "holdout_wings_accuracy": pytest.approx(5 / 7),
        "holdout_winged_horses_called_so": pytest.approx(2 / 3),  # not 1
        "holdout_others_called_winged_horse": 1 / 4,  # 4, the folded bird
    }


def test_mistakes_of_a_wing_classifier_are_pictures_wrongly_called_a_winged_horse_or_not(pool):
    mistakes = wing_classifier.render(None, Table(), (TRAIN, None))["mistakes"]
    assert mistakes.shape == (2, 16, 3)  # a row of eight images
    np.testing.assert_array_equal(mistakes[0, ::2, 0], [1, 4, *[255] * 6])


def test_scales_and_offsets_are_fitted_to_the_judged_pictures_of_each_output(pool, monkeypatch):
    settings = written_settings(wing_classifier, monkeypatch, Table(), (TRAIN, None))
    horse = fit_platt([2, 1, 3, -1, 1, -1], [1, 1, 1, 1, 0, 0])
    wings = fit_platt([1, -1, 2, -2, 1, -1, 3], [1, 1, 1, 0, 0, 0, 1])
    assert (settings["scale"], settings["offset"]) == ([horse[0], wings[0]], [horse[1], wings[1]])
    assert settings["class_names"] == ("horse", "spread wings") and settings["colours"] == 3
