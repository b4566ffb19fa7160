"""The table of suites: which suites fit a model, and which are run."""

import importlib

import pytest

from common.errors import InputError
from evaluation import suites

CLASSES = ("bird", "horse")


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        (None, ("acai", "cifar10", ("horse", "bird")), ["blend"]),
        ("all", ("acai", "cifar10", ("horse", "bird")), ["blend", "probe", "path_length"]),
        ("probe", ("acai", "cifar10", ("horse", "bird")), ["probe"]),
        ("search", ("acai", "cifar10", ("horse", "bird")), ["search"]),
        (None, ("acai", "cifar10", ("horse",)), ["path_length"]),
        (None, ("acai", "lines", ()), ["lines"]),
        ("all", ("acai", "lines", ()), ["lines"]),
        ("all", ("acai", "folder", ("horse", "bird")), ["blend", "probe", "path_length"]),
        ("all", ("acai", "folder", ("horse", "unicorn")), ["own_blends", "probe"]),
        (None, ("acai", "folder", ("horse", "unicorn")), ["own_blends"]),
        ("blend", ("acai", "folder", ("horse", "bird")), ["blend"]),
        (None, ("classifier", "folder", ("unicorn", "dog")), ["classifiers"]),
        (None, ("classifier", "cifar10", ("cat", "dog")), ["classifiers"]),
        (None, ("wing_classifier", "cifar10", ("horse", "spread wings")), ["wing_classifiers"]),
        ("all", ("gan", "cifar10", ("horse", "bird")), ["gan"]),
        (None, ("conditional gan", "cifar10", ("horse", "bird")), ["gan"]),
        ("all", ("conditional gan", "cifar10", ("horse", "bird")), ["gan", "morphs"]),
        ("blend", ("conditional gan", "cifar10", ("horse", "bird")), ["morphs"]),
        ("viewers", ("acai", "cifar10", ("horse", "bird")), ["viewers"]),
        ("viewers", ("gan", "cifar10", ("horse", "bird")), ["viewers"]),
    ],
)
def test_chosen_suites_fit_the_model(name, model, expected):
    chosen, left_out = suites.choose_suites(name, "runs/a", *model)
    assert ([suite.module for suite in chosen], left_out) == (expected, [])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([40, 40], ["probe"]),
        ([100, 99], ["probe"]),
        ([100, 100], ["blend", "probe"]),
        ([200, 200], ["blend", "probe", "path"]),
    ],
)
def test_all_leaves_out_suites_for_which_a_folder_has_too_few_images(counts, expected):
    counts = dict(zip(CLASSES, counts, strict=True))
    chosen, left_out = suites.choose_suites("all", "runs/a", "acai", "folder", CLASSES, counts, CLASSES)
    assert [suite.name for suite in chosen] == expected
    needs = {"blend": 20, "path": 40}
    lacking = [
        f"left out: {name}, which needs {count} held-out" for name, count in needs.items() if name not in expected
    ]
    assert [line.partition(" images")[0] for line in left_out] == lacking


@pytest.mark.parametrize(
    ("kind", "suite", "choices"), [("acai", "blend", "--suite=probe"), ("gan", "gan", "more images")]
)
@pytest.mark.parametrize("is_named", [True, False])
def test_too_few_images_are_refused_with_the_suites_that_work(kind, suite, choices, is_named):
    words = f"with {choices}. Received: --suite={suite}, which needs 20 .* of about 200: the folder has 8 of 80$"
    counts = dict.fromkeys(CLASSES, 40)
    with pytest.raises(InputError, match=words):
        suites.choose_suites(suite if is_named else None, "runs/a", kind, "folder", CLASSES, counts, CLASSES)


def test_the_images_of_the_blended_classes_count_for_blends():
    """Three classes of 80 images hold out 24, of which a pair has 16. What is no class is refused elsewhere."""
    counts = dict.fromkeys(("bird", "cat", "horse"), 80)
    model = "runs/a", "acai", "folder", (*counts,), counts
    words = "needs 20 held-out images of bird and horse, .*: the folder has 16 of 160$"
    with pytest.raises(InputError, match=words):
        suites.choose_suites("blend", *model, CLASSES)
    assert suites.choose_suites("blend", *model, ("bird", "cow"))[0]
    assert suites.choose_suites("gan", "runs/a", "gan", *model[2:], CLASSES)[0]


def test_a_suite_that_does_not_fit_is_refused_with_those_that_do():
    with pytest.raises(
        InputError, match="--suite=gan or --suite=blend or --suite=search or --suite=viewers. Received"
    ):
        suites.choose_suites("probe", "runs/a", "conditional gan", "cifar10", ("horse", "bird"))


@pytest.mark.parametrize(
    ("name", "model", "reason"),
    [
        ("search", ("acai", "folder", ("a", "b")), "is for models of the data cifar10, not folder"),
        ("probe", ("gan", "cifar10", ("horse", "bird")), "is for models of kind acai, not gan"),
        ("blend", ("gan", "cifar10", ("horse", "bird")), "is for models of kind acai, not gan"),
        ("probe", ("acai", "lines", ()), "is for models of the data cifar10 or folder, not lines"),
        ("blend", ("conditional gan", "folder", ("a", "b")), "CIFAR-10's classes, which do not know a"),
    ],
)
def test_a_refusal_says_why(monkeypatch, name, model, reason):
    anything = suites.Suite("other", "lines", (model[0],), (model[1],), 0)
    monkeypatch.setattr(suites, "SUITES", (*suites.SUITES, anything))
    with pytest.raises(InputError, match=f"--suite=other.* Received: --suite={name}, which .*{reason}$"):
        suites.choose_suites(name, "runs/a", *model)


def test_a_model_that_fits_no_suite_is_refused():
    with pytest.raises(InputError, match="Received: runs/a, a model of kind acai, data folder, 1 classes"):
        suites.choose_suites(None, "runs/a", "acai", "folder", ("unicorn",))


def test_a_class_of_less_than_ten_images_is_refused():
    with pytest.raises(
        InputError, match="more images. Received: --suite=probe, .* each class: the folder has 9 of one$"
    ):
        counts = {"bird": 900, "horse": 9}
        suites.choose_suites("probe", "runs/a", "acai", "folder", CLASSES, counts, CLASSES)


def test_a_suite_runs_its_module(monkeypatch):
    monkeypatch.setattr(
        importlib.import_module("evaluation.suites.lines"), "run", lambda inputs: ("lines", inputs)
    )
    [suite], _ = suites.choose_suites(None, "runs/a", "acai", "lines", ())
    assert suite.run("inputs") == ("lines", "inputs")
