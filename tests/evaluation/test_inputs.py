"""The inputs of suites: what a release says of itself, and images of a folder."""

import dataclasses
import importlib
import inspect

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from evaluation import features
from evaluation.inputs import CACHE_FOLDER, EvaluationConfig, Inputs, Release, count_images
from evaluation.suites import SUITES

CLASSES = ("bird", "horse")
CONFIG = EvaluationConfig("horse", "bird", 100)


def make_release(family="acai", source="folder", **fields):
    config = {"data": {"source": source}, "model": {"width": 8, "class_names": CLASSES} | fields}
    return Release("runs/a", family, config, {}, {}, "0" * 16)


def make_inputs(image_folder, **fields):
    config = dataclasses.replace(CONFIG, image_folder=str(image_folder))
    return Inputs(make_release(**fields), {}, config)


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of each class; those of class k have the colour k."""
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = np.full((8, 8, 3), label, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_a_gan_with_classes_is_conditional():
    assert make_release("gan", classes=2).kind == "conditional gan"
    assert make_release("gan", classes=0).kind == "gan" and make_release().kind == "acai"


def test_class_names_are_those_of_the_model_or_else_of_its_data():
    config = {"data": {"source": "cifar10", "classes": ["cat"]}, "model": {}}
    assert make_release().class_names == CLASSES
    assert dataclasses.replace(make_release(), config=config).class_names == ("cat",)


def test_facts_are_those_on_which_the_suites_depend():
    suites = {suite.name: suite for suite in SUITES}  # the last of each name
    classifiers = {"referee": dataclasses.replace(make_release("classifier"), digest="1" * 16)}
    facts = {"source": "runs/a", "weights": "0" * 16, "trained": "not recorded", "seed": 0}
    pair, scored = {"first": "horse", "second": "bird"}, {"features": "classifier", "referee": "1" * 16}
    assert Inputs(make_release(), {}, CONFIG).list_facts([suites["lines"]]) == facts | {"suite": "lines"}
    inputs = Inputs(make_release(), classifiers, CONFIG)
    blended = facts | pair | scored | {"suite": "probe, blend", "samples": 100}
    assert inputs.list_facts([suites["probe"], suites["blend"]]) == blended
    searched = facts | scored | {"suite": "search", "pictures": "bundled"}
    assert inputs.list_facts([suites["search"]]) == searched


def test_facts_of_own_blends_have_their_samples_and_another_folder_of_images():
    [suite] = [suite for suite in SUITES if suite.module == "own_blends"]
    blended = {"first": "horse", "second": "bird", "samples": 100}
    assert blended.items() <= Inputs(make_release(), {}, CONFIG).list_facts([suite]).items()
    assert make_inputs("other").list_facts([suite])["image_folder"] == "other"
    assert "image_folder" not in make_inputs("other", source="cifar10").list_facts([suite])


def test_a_folder_is_divided_into_train_and_holdout(folder):
    inputs = make_inputs(folder)
    inputs.check(uses_pair=True)
    train, [holdout] = inputs.load_images("train"), inputs.load_unseen_images()
    assert (len(train), len(holdout)) == (18, 2) and holdout.images.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(holdout.images[:, 0, 0, 0], holdout.labels)


def test_images_of_cifar10_are_those_of_their_splits(monkeypatch):
    """Unseen are the hold-out and the test images."""
    monkeypatch.setattr("evaluation.inputs._load_cifar10", lambda *arguments: 20 * [arguments])
    inputs = Inputs(make_release(source="cifar10"), {}, dataclasses.replace(CONFIG, data_dir="data"))
    train, holdout, test = (20 * [("data", split, CLASSES)] for split in ("train", "holdout", "test"))
    assert inputs.load_unseen_images() == [holdout, test]
    assert inputs.load_train_and_holdout() == (train, holdout)


def test_a_small_holdout_is_refused(folder):
    with pytest.raises(InputError, match="20 held-out images. Received: 2"):
        make_inputs(folder).load_train_and_holdout()
    with pytest.raises(InputError, match="about 20 readable images of horse, .* 2 held-out images. Received: 1"):
        make_inputs(folder).load_holdout(2, ("horse",))
    assert len(make_inputs(folder).load_holdout(2)) == 2


def test_images_are_counted_where_the_folder_has_the_classes_of_the_model(folder):
    (folder / "horse" / "0.png").unlink()
    assert count_images(make_release(), str(folder)) == {"bird": 10, "horse": 9}
    assert count_images(make_release(source="cifar10"), str(folder)) is None
    assert count_images(make_release(), None) is None
    (folder / "horse").rename(folder / "zebra")
    assert count_images(make_release(), str(folder)) is None


def test_a_folder_of_other_classes_is_refused(folder):
    (folder / "horse").rename(folder / "zebra")
    with pytest.raises(InputError, match=r"--image_folder .*\(bird, horse\). Received: .* with bird, zebra"):
        make_inputs(folder).load_images("train")


def test_a_class_without_held_out_images_is_refused(folder):
    (folder / "horse" / "0.png").unlink()
    with pytest.raises(InputError, match="--image_folder must have at least ten images of each class"):
        make_inputs(folder).load_images("holdout")


@pytest.mark.parametrize("pair", [("horse", "horse"), ("horse", "cat")])
def test_the_pair_must_be_two_classes_of_the_model(folder, pair):
    config = dataclasses.replace(CONFIG, first=pair[0], second=pair[1], image_folder=str(folder))
    inputs = Inputs(make_release(), {}, config)
    with pytest.raises(InputError, match="--first and --second must be two classes"):
        inputs.check(uses_pair=True)
    inputs.check(uses_pair=False)


def test_cifar10_may_be_absent_where_no_suite_needs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "env"))
    Inputs(make_release(source="cifar10"), {}, CONFIG).check(uses_pair=False, needs_images=False)
    inputs = Inputs(make_release(source="cifar10"), {}, dataclasses.replace(CONFIG, data_dir=str(tmp_path)))
    with pytest.raises(InputError, match="downloading is off"):
        inputs.check(uses_pair=False, needs_images=False)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="--image_folder must be the folder .* runs/a was trained on"):
        make_inputs(tmp_path / "missing").check(uses_pair=False)


@pytest.mark.parametrize("suite", ["blend", "gan", "morphs"])
def test_suites_that_score_pictures_accept_the_loaded_arguments(suite, monkeypatch):
    monkeypatch.setattr(Inputs, "load_train_and_holdout", lambda *_: ("train images", "held-out images"))
    monkeypatch.setattr(features, "make_extractor", lambda name: f"extractor {name}")
    inputs = Inputs(make_release(), {}, dataclasses.replace(CONFIG, samples=123, seed=4))
    evaluate = importlib.import_module(f"evaluation.suites.{suite}").evaluate
    pair = {} if suite == "gan" else {"first": "horse", "second": "bird"}
    bound = inspect.signature(evaluate).bind("a model", **pair, **inputs.load_scoring_arguments(())).arguments
    assert bound == {
        "model": "a model",
        "classifiers": {},
        "extractor": "extractor classifier",
        "train": "train images",
        "holdout": "held-out images",
        **pair,
        "samples": 123,
        "seed": 4,
        "cache_folder": CACHE_FOLDER,
    }
