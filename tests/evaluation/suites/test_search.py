"""The suite "search": every figure in its row, the verdict, what is left out, and the real command."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from common.data import datasets
from common.errors import InputError
from common.images import to_float
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation import search_pictures
from evaluation.inputs import CACHE_FOLDER, EvaluationConfig, Inputs, Release
from evaluation.search_pictures import SearchPictures
from evaluation.suites import REFEREES, search
from evaluation.suites.search import RealImages, evaluate, run
from tests.support.generated_pictures import GeneratedPictures, tiny_acai, write_tiny_acai
from tests.support.searches import HOLDOUT, TRAIN, HalvesClassifier

ROOT = Path(__file__).resolve().parents[3]
COUNT = 40


def extract(pictures):
    """Features that are the means of 2x2 squares."""
    return HalvesClassifier()(pictures)[1]


class CornerClassifier:
    """Reads its outputs from the first two channels of a picture's first pixel."""

    @staticmethod
    def probabilities(pictures):
        return (pictures[:, 0, 0, :2] + 1) / 2


def pictures_with(number, count=COUNT, seed=0):
    """Noise [count, 8, 8, 3] of which the CornerClassifier calls the first `number` winged horses."""
    pictures = np.random.default_rng(seed).uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)
    pictures[:, 0, 0, :2] = np.where(np.arange(count)[:, None] < number, (0.8, 0.6), (0.8, -0.4))
    return pictures


SHOWN = SearchPictures(
    pictures_with(30),
    bird_ids=[3] * 28 + [4] * 12,  # to a referee of the fold 0 the first 28 are unseen
    made={"no wings": pictures_with(1, seed=1), "a blob": pictures_with(2, seed=2)},
    collages=pictures_with(34, seed=3),
    photographs={"real horses": pictures_with(0, 25, seed=4), "cross-fades": pictures_with(5, 50, seed=5)},
)


@pytest.fixture(scope="module")
def real():
    return RealImages(HalvesClassifier(), extract, TRAIN, HOLDOUT, seed=0)


@pytest.fixture(scope="module")
def section(real):
    return evaluate(SHOWN, CornerClassifier(), 0, HalvesClassifier(), real, "Kept", seed=0)


def test_pictures_and_controls_stand_in_their_rows(section):
    shares = {row["pictures"]: (row["winged horse"].value, row["count"]) for row in section.table}
    assert list(shares.items()) == [
        ("the 40 pictures", (30 / 40, 40)),
        ("the 40 pictures, unseen bird", (28 / 28, 28)),
        ("no wings", (1 / 40, 40)),
        ("a blob", (2 / 40, 40)),
        ("collages", (34 / 40, 40)),
        ("collages, unseen bird", (28 / 28, 28)),
        ("real horses", (0, 25)),
        ("cross-fades", (5 / 50, 50)),
    ]
    for row in section.table:  # the outputs are 0.9 and 0.8 or 0.3
        expected = 0.3 + 0.5 * row["winged horse"].value
        assert row["lesser output"].value == pytest.approx(expected, abs=1e-6)


def test_figures_of_the_pictures(section, real):
    estimates = {estimate.name: estimate for estimate in section.estimates}
    assert list(estimates) == [
        "winged_horse_40",
        "lesser_output_40",
        "winged_horse_unseen_bird_28",
        "lesser_output_unseen_bird_28",
        "recognisability_referee_40",
        "kd_referee_40",
        "sharpness_40",
        "copies_features_40",
        "copies_pixels_40",
        "kd_referee_collages_40",
    ]
    expected = np.sqrt(HalvesClassifier()(SHOWN.pictures)[0][:, 1:].prod(axis=1)).mean()
    assert estimates["recognisability_referee_40"].value == pytest.approx(expected, abs=1e-6)
    assert "rewards doubt" in estimates["recognisability_referee_40"].note
    holdout = extract(to_float(HOLDOUT.images))
    for name, pictures in (("kd_referee_40", SHOWN.pictures), ("kd_referee_collages_40", SHOWN.collages)):
        estimate = estimates[name]
        assert estimate.value == pytest.approx(kernel_distance(holdout, extract(pictures)), rel=1e-6)
        assert estimate.low < estimate.value < estimate.high
    energy = [high_frequency_energy(x).mean() for x in (SHOWN.pictures, to_float(HOLDOUT.images))]
    assert estimates["sharpness_40"].value == pytest.approx(energy[0] / energy[1], rel=1e-6)


def test_the_verdict_comes_first(section):
    verdict, controls, copies = section.summary.split("\n\n")
    assert verdict.startswith("30 of the 40 pictures, 75.0% (95% interval") and "28 of the 28" in verdict
    assert controls == "Of each control made by the model, at most 5.0% are called so; the limit is 5%."
    assert copies == "None of the 40 is nearer to a training image than 99% of the hold-out."
    assert section.title == "Kept" and section.text.startswith("The wing referee has two independent outputs")


def test_copies_and_broken_limits_are_said_plainly(real):
    pictures = pictures_with(30)
    pictures[:3] = to_float(TRAIN.images[:3])
    made = {"a blob": pictures_with(3)}
    section = evaluate(SearchPictures(pictures, made=made), CornerClassifier(), 0, HalvesClassifier(), real)
    assert "LIMIT BROKEN" in section.summary and "a blob (3 of 40, 7.5%)" in section.summary
    assert "COPIES: 3 of 40 by features and 3 by pixels are nearer to a training image" in section.summary
    assert "cannot be said" in section.summary.split("\n\n")[0]


def test_without_real_images_and_for_other_classes_lines_say_what_is_left_out():
    section = evaluate(SHOWN, CornerClassifier(), 0, HalvesClassifier())
    assert [estimate.name for estimate in section.estimates][4:] == ["recognisability_referee_40"]
    left_out = "Left out: photographs, kernel distance, sharpness and copies, because CIFAR-10 is not at hand."
    assert section.summary.endswith(left_out)
    omitted = [("collages", "this search places no parents")]
    shown = SearchPictures(pictures_with(9), classes=("bird", "horse"), omitted=omitted)
    section = evaluate(shown, None, 0, HalvesClassifier())
    assert section.table == [] and [e.name for e in section.estimates] == ["recognisability_referee_40"]
    assert section.summary.split("\n\n") == [
        "Left out: collages, because this search places no parents.",
        "Left out: winged_horse and its controls, because the classes are bird and horse.",
        left_out,
    ]


# The images that the suite is given


def run_on_stubs(fold, pictures):
    """Runs the suite with a wing referee of a fold; returns {name: stub} of the functions that it calls."""
    wing_referee = SimpleNamespace(
        config={"data": {"fold": fold}}, model_arguments=("settings", "weights", "name")
    )
    release = SimpleNamespace(source="a run", family="acai", model_arguments=("settings", "weights", "a run"))
    inputs = SimpleNamespace(
        release=release,
        classifiers={"wing_referee": wing_referee},
        config=EvaluationConfig("horse", "bird", pictures=str(pictures), seed=3, data_dir="data"),
        build_classifiers=lambda names: {name: f"the {name}" for name in names},
    )
    names = "evaluate", "load_cifar10", "load_pictures", "load_plan", "RealImages", "ReleasedACAI"
    names = dict.fromkeys((*names, "ReleasedWingClassifier"), mock.DEFAULT)
    collecting = dict.fromkeys(("collect", "collect_photographs"), mock.DEFAULT)
    with (
        mock.patch.multiple(search, autospec=True, **names) as stubs,
        mock.patch.multiple(search_pictures, autospec=True, **collecting) as collected,
        mock.patch.object(search.features, "make_extractor", lambda name: f"extractor {name}"),
        mock.patch.object(datasets, "load_cifar10", lambda *arguments: arguments),
    ):
        stubs["load_cifar10"].return_value = "all training images", "test images"
        stubs["load_pictures"].return_value = np.zeros((20, 8, 8, 3), np.uint8)
        plan = SimpleNamespace(request=SimpleNamespace(search=SimpleNamespace(candidates=1000)))
        stubs["load_plan"].return_value = plan, None
        collected["collect"].return_value = SHOWN
        run(inputs)
    stubs["load_cifar10"].assert_called_once_with("data")
    train, holdout = (("data", split, SHOWN.classes) for split in ("train", "holdout"))  # not the model's classes
    stubs["RealImages"].assert_called_once_with(
        "the referee", "extractor classifier", train, holdout, 3, CACHE_FOLDER
    )
    return stubs | collected


@pytest.mark.parametrize("fold", [0, 1])
def test_a_search_is_measured_with_the_fold_of_the_wing_referee(fold, tmp_path):
    stubs = run_on_stubs(fold, tmp_path / "manifest.json")
    plan, model = stubs["load_plan"].return_value[0], stubs["ReleasedACAI"].return_value
    stubs["collect"].assert_called_once_with(plan, model, "all training images", "test images", fold, 3)
    referees = stubs["ReleasedWingClassifier"].return_value, fold, "the referee"
    title, real = "40 of 1,000 blends, kept by a search", stubs["RealImages"].return_value
    stubs["evaluate"].assert_called_once_with(SHOWN, *referees, real, title, 3)


@pytest.mark.parametrize("fold", [0, 1])
def test_photographs_beside_a_folder_of_pictures_are_of_the_other_fold(fold, tmp_path):
    stubs = run_on_stubs(fold, tmp_path)
    stubs["collect_photographs"].assert_called_once_with("all training images", "test images", 1 - fold, 3)
    shown, _, given_fold = stubs["evaluate"].call_args.args[:3]
    assert shown.photographs is stubs["collect_photographs"].return_value and given_fold == fold


def test_photographs_are_of_all_training_images_and_of_the_test_images(monkeypatch):
    monkeypatch.setattr(datasets, "check_cifar10", lambda data_dir, download: None)
    monkeypatch.setattr(datasets, "load_cifar10", lambda *arguments, hold_out: (*arguments, hold_out))
    classes = ("horse", "bird")
    assert search.load_cifar10("data") == (("data", "train", classes, False), ("data", "test", classes, False))


# The command


def run_command(*arguments, **options):
    command = [sys.executable, ROOT / "evaluate.py", "--suite=search", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_pictures_are_measured_without_cifar10(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    model, arrays, config = tiny_acai()
    config["data"] = {"source": "cifar10", "classes": ["bird", "horse"]}
    write_tiny_acai(tmp_path / "run" / "release", (model, arrays, config))
    command = "--blend --source=run --candidates=24 --keep=24 --mask=top --scale=1"
    folder = GeneratedPictures(tmp_path, {"kept": command}).folder("kept")
    printed = run_command(f"--source={tmp_path}/run", f"--pictures={folder}", f"--out={tmp_path}/out", cwd=ROOT)
    title, verdict = printed.splitlines()[:2]
    assert title == "24 of 24 blends, kept by a search" and " of the 24 pictures" in verdict
    assert (
        "Left out: photographs, kernel distance, sharpness and copies, because CIFAR-10 is not at hand." in printed
    )
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["facts"]["pictures"] == str(folder) and "wing_referee" in content["facts"]
    rows = [row["pictures"] for row in content["sections"][title]["table"]]
    assert (rows[0], rows[-1]) == ("the 24 pictures", "the bird's share at 0")

    for path in (folder / name for name in json.loads((folder / "manifest.json").read_text())["files"]):
        if not path.name.startswith("blend"):
            path.unlink()
    (folder / "manifest.json").unlink()
    classifiers = {name: Release.read_bundled_classifier(name) for name in REFEREES}
    config = EvaluationConfig("horse", "bird", pictures=str(folder))
    inputs = Inputs(Release.read(str(tmp_path / "run")), classifiers, config)
    section = run(inputs)
    share, recorded = section.estimates[0], content["sections"][title]["figures"]["winged_horse_24"]
    assert (
        share.value == pytest.approx(recorded["value"], abs=1 / 24) and "no parents are known" in section.summary
    )
    with pytest.raises(InputError, match="--pictures must be given"):
        run(dataclasses.replace(inputs, config=dataclasses.replace(config, pictures=None)))


@pytest.mark.slow
@pytest.mark.skipif("TFDS_DATA_DIR" not in os.environ, reason="needs the real CIFAR-10")
def test_the_bundled_pictures_are_measured_beside_all_controls(tmp_path):
    printed = run_command(f"--out={tmp_path}", cwd=ROOT)
    assert "Left out" not in printed and "winged_horse_unseen_bird_" in printed
    for name in ("share at 0", "dark blob", "folded bird", "collages", "real horses with riders", "cross-fades"):
        assert name in printed
