"""The table of suites: which suites fit a model, and which are run."""

import importlib

import pytest

from common.errors import InputError
from evaluation import suites


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        (None, ("acai", "cifar10", ("horse", "bird")), ["blend"]),
        ("all", ("acai", "cifar10", ("horse", "bird")), ["blend", "probe"]),
        ("probe", ("acai", "cifar10", ("horse", "bird")), ["probe"]),
        ("search", ("acai", "cifar10", ("horse", "bird")), ["search"]),
        (None, ("acai", "lines", ()), ["lines"]),
        ("all", ("acai", "lines", ()), ["lines"]),
        ("all", ("acai", "folder", ("horse", "bird")), ["blend", "probe"]),
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
    assert [suite.module for suite in suites.choose_suites(name, "runs/a", *model)] == expected


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
    with pytest.raises(InputError, match="Received: runs/a, a model of kind acai, data cifar10, 1 classes"):
        suites.choose_suites(None, "runs/a", "acai", "cifar10", ("horse",))


@pytest.mark.parametrize("suite", suites.SUITES, ids=lambda suite: suite.module)
def test_every_suite_is_a_module_with_run_and_evaluate(suite):
    module = importlib.import_module(f"evaluation.suites.{suite.module}")
    assert callable(module.run) and callable(module.evaluate)


def test_a_suite_runs_its_module(monkeypatch):
    monkeypatch.setattr(
        importlib.import_module("evaluation.suites.lines"), "run", lambda inputs: ("lines", inputs)
    )
    [suite] = suites.choose_suites(None, "runs/a", "acai", "lines", ())
    assert suite.run("inputs") == ("lines", "inputs")
