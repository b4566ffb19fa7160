"""Figures of the wing referee: shares and their intervals, folds, and the sentences of the verdict."""

import numpy as np
import pytest

from common.metrics.intervals import wilson
from evaluation import wing_figures


def measured(number, count, name="pictures"):
    """Figures of `count` pictures of which `number` are winged horses."""
    return wing_figures.measure(name, np.where(np.arange(count)[:, None] < number, 0.8, 0.3) * np.ones(2))


def test_both_outputs_must_be_a_half_or_more():
    probabilities = np.array([[0.5, 0.5], [0.9, 0.6], [0.9, 0.49], [0.49, 0.9], [0.1, 0.2]])
    figures = wing_figures.measure("pictures", probabilities)
    share, lesser = figures.winged_horse, figures.lesser_output
    assert (share.name, lesser.name) == ("winged_horse_5", "lesser_output_5")
    assert (share.value, share.count, figures.number) == (0.4, 5, 2)
    assert (0.4, share.low, share.high) == wilson(2, 5)
    assert share.note == "2 of 5 have both outputs at 0.5 or more"
    assert lesser.value == pytest.approx((0.5 + 0.6 + 0.49 + 0.49 + 0.1) / 5)
    assert lesser.low < lesser.value < lesser.high and lesser.low >= 0.1 and lesser.high <= 0.6
    assert figures.row() == {"pictures": "pictures", "count": 5, "winged horse": share, "lesser output": lesser}


@pytest.mark.parametrize(("number", "count"), [(0, 64), (3, 64), (39, 64), (64, 64), (1, 1000)])
def test_intervals_of_shares_are_wilsons(number, count):
    share = measured(number, count).winged_horse
    assert (share.value, share.low, share.high) == wilson(number, count)


def test_the_mean_of_equal_outputs_is_certain():
    lesser = wing_figures.measure("pictures", np.full((30, 2), (0.75, 0.25))).lesser_output
    assert (lesser.value, lesser.low, lesser.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(("fold", "number", "count"), [(0, 1, 3), (1, 2, 2)])
def test_unseen_birds_are_those_of_the_other_fold(fold, number, count):
    probabilities = np.array([[0.9, 0.8], [0.9, 0.1], [0.7, 0.7], [0.6, 0.6], [0.2, 0.9]])
    figures = wing_figures.measure_unseen("collages", probabilities, [2, 3, 5, 8, 11], fold)
    if fold == 0:  # 3, 5 and 11 are unseen
        assert figures.lesser_output.value == pytest.approx((0.1 + 0.7 + 0.2) / 3)
    assert (figures.number, figures.winged_horse.count) == (number, count)
    assert figures.winged_horse.name == f"winged_horse_unseen_bird_{count}"
    assert figures.name == "collages, unseen bird" and "not trained on" in figures.winged_horse.note


@pytest.mark.parametrize("ids", [None, [0, 2, 4], [1, 2, 4]])
def test_fewer_than_two_unseen_birds_have_no_figures(ids):
    assert wing_figures.measure_unseen("pictures", np.ones((3, 2)), ids, fold=0) is None


def test_the_verdict_is_one_sentence_with_both_shares():
    assert wing_figures.describe_share(measured(39, 64), measured(18, 31)) == (
        "39 of the 64 pictures, 60.9% (95% interval 48.7% to 71.9%), are winged horses to the wing referee, and "
        "18 of the 31 with a bird that it was not trained on, 58.1% (95% interval 40.8% to 73.6%)."
    )
    assert wing_figures.describe_share(measured(0, 20), None).startswith(
        "0 of the 20 pictures, 0.0% (95% interval"
    )


def test_controls_may_reach_the_limit():
    made = [measured(1, 20, "a blob"), measured(0, 20, "no wings")]
    assert wing_figures.describe_controls(made) == (
        "Of each control made by the model, at most 5.0% are called so; the limit is 5%."
    )
    assert wing_figures.describe_controls([]) == ""


def test_controls_above_the_limit_are_named():
    made = [measured(4, 64, "a blob"), measured(3, 64, "no wings"), measured(8, 64, "a folded bird")]
    assert wing_figures.describe_controls(made) == (
        "LIMIT BROKEN: of a control made by the model, at most 5% should be called so. More are of a blob (4 of "
        "64, 6.2%), a folded bird (8 of 64, 12.5%)."
    )
