"""What the wing referee makes of the pictures of a search and of their controls: figures, and their verdict."""

import dataclasses

import numpy as np

from common.metrics import intervals
from evaluation.report.estimates import Estimate
from pegasus import labels

CALLED = 0.5  # a picture is called a winged horse if both outputs are at least this
MOST_CALLED = 0.05  # share of each control made by the model that may be called so


@dataclasses.dataclass(frozen=True)
class WingFigures:
    """Figures of a set of pictures.

    Attributes:
        name: of the pictures.
        winged_horse: Estimate of the share that is called a winged horse, with a Wilson interval.
        lesser_output: Estimate of the mean of the lesser of the two outputs, with a bootstrap interval.
    """

    name: str
    winged_horse: Estimate
    lesser_output: Estimate

    @property
    def number(self):
        """How many pictures are called a winged horse."""
        return round(self.winged_horse.value * self.winged_horse.count)

    def row(self):
        """A row of a Section's table."""
        return {
            "pictures": self.name,
            "count": self.winged_horse.count,
            "winged horse": self.winged_horse,
            "lesser output": self.lesser_output,
        }


def measure(name, probabilities, seed=0, suffix="", note=""):
    """Makes the WingFigures of pictures.

    Args:
        name: of the pictures.
        probabilities: [N, 2], the wing referee's outputs; N >= 2.
        seed: of the bootstrap.
        suffix: of the estimates' names, before the count.
        note: of the estimates.
    """
    count, lesser = len(probabilities), np.min(probabilities, axis=1)
    number = int(np.sum(lesser >= CALLED))
    note = f"; {note}" if note else ""
    return WingFigures(
        name,
        Estimate(
            f"winged_horse{suffix}_{count}",
            *intervals.wilson(number, count),
            count,
            "higher",
            f"{number} of {count} have both outputs at {CALLED} or more{note}",
        ),
        Estimate(
            f"lesser_output{suffix}_{count}",
            *intervals.bootstrap_mean(lesser, seed=seed),
            count,
            "higher",
            f"mean of the lesser output{note}",
        ),
    )


def measure_unseen(name, probabilities, bird_ids, fold, seed=0):
    """Makes the WingFigures of the pictures whose bird the wing referee was not trained on.

    Args:
        name, probabilities, seed: see `measure`.
        bird_ids: [N], CIFAR-10's ids; None where they are unknown.
        fold: that the referee was trained on, see `pegasus.labels.fold`.

    Returns:
        WingFigures; None for fewer than two such pictures.
    """
    unseen = np.array([labels.fold(id) != fold for id in bird_ids or ()], bool)
    if unseen.sum() < 2:
        return None
    note = "with a bird that the referee was not trained on"
    return measure(f"{name}, unseen bird", probabilities[unseen], seed, "_unseen_bird", note)


def describe_share(kept, unseen):
    """The verdict in one sentence.

    Args:
        kept, unseen: WingFigures of all pictures, and of those with an unseen bird or None.
    """
    share = kept.winged_horse
    called = f"{kept.number} of the {share.count} pictures, {percent_with_interval(share)},"
    text = f"{called} are winged horses to the wing referee"
    if unseen is None:
        return f"{text}; how many of those with a bird that it was not trained on, cannot be said."
    share = unseen.winged_horse
    return (
        f"{text}, and {unseen.number} of the {share.count} with a bird that it was not trained on, "
        f"{percent_with_interval(share)}."
    )


def describe_controls(made):
    """Says whether few of the controls made by the model are called winged horses.

    Args:
        made: list of WingFigures, one a control.
    """
    limit = f"{MOST_CALLED:.0%}"
    broken = [figures for figures in made if figures.winged_horse.value > MOST_CALLED]
    if not made:
        return ""
    if not broken:
        most = max(figures.winged_horse.value for figures in made)
        return f"Of each control made by the model, at most {most:.1%} are called so; the limit is {limit}."
    named = ", ".join(
        f"{x.name} ({x.number} of {x.winged_horse.count}, {x.winged_horse.value:.1%})" for x in broken
    )
    return (
        f"LIMIT BROKEN: of a control made by the model, at most {limit} should be called so. More are of {named}."
    )


def percent_with_interval(estimate):
    """Formats a share: "60.9% (95% interval 48.7% to 72.0%)"."""
    return f"{estimate.value:.1%} (95% interval {estimate.low:.1%} to {estimate.high:.1%})"
