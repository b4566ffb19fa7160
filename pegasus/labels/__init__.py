"""Labels of CIFAR-10 training images: birds with visible wings, horses from the side, horses with riders.

README.md says how a vision-language model made them. `id` is the number in tensorflow-datasets' `train_01234`.
"""

import csv
import dataclasses
import functools
import types
from pathlib import Path

FOLDS = 2
SPREAD = ("raised_both", "raised_one", "spread")  # values of `BirdWings.wings` other than "down"


@dataclasses.dataclass(frozen=True)
class BirdWings:
    """A bird whose wings are not folded.

    Args:
        id: int.
        wings: "raised_both", "raised_one", "spread" or "down".
        shade: "white", "dark" or "mixed".
        clear: False where the bird is small, blurred or doubtful.
    """

    id: int
    wings: str
    shade: str
    clear: bool


@dataclasses.dataclass(frozen=True)
class HorseSideView:
    """One whole horse from the side without a rider.

    Args:
        id: int.
        head: the side that it faces, "left" or "right".
        shade: "white", "brown", "dark" or "other".
        room_above: whether a quarter of the image's height or more above the back is plain background.
    """

    id: int
    head: str
    shade: str
    room_above: bool


@dataclasses.dataclass(frozen=True)
class HorseRider:
    """A horse with a rider on its back.

    Args:
        id: int.
        use: "train" for training wing classifiers or "control" for measuring them.
    """

    id: int
    use: str


@functools.cache
def bird_wings():
    """Returns {id: BirdWings}, read-only. The wings of all other birds are folded or hidden."""
    return read(Path(__file__).with_name("bird_wings.csv"), BirdWings)


@functools.cache
def horse_side_views():
    """Returns {id: HorseSideView}, read-only. Other horses are not labelled."""
    return read(Path(__file__).with_name("horse_side_views.csv"), HorseSideView)


@functools.cache
def horse_riders():
    """Returns {id: HorseRider}, read-only. Other horses are not labelled."""
    return read(Path(__file__).with_name("horse_riders.csv"), HorseRider)


def apply_to(data):
    """Whether a model was trained on the labelled images: `data` is the section of its release's config."""
    return data.get("source") == "cifar10"


def parent_ids():
    """Returns the ids of possible parents of winged horses, a set: labelled birds and white horses."""
    white = {id for id, label in horse_side_views().items() if label.shade == "white"}
    return white | bird_wings().keys()


def read(path, label):
    """Reads a table of labels.

    Args:
        path: CSV file with the fields of `label` as its header; "yes" and "no" stand for True and False.
        label: BirdWings, HorseSideView or HorseRider.

    Returns:
        {id: label}, read-only.
    """
    truth = {"yes": True, "no": False}
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    labels = {int(id): label(int(id), *(truth.get(value, value) for value in values)) for id, *values in rows}
    return types.MappingProxyType(labels)


def fold(id):
    """Returns the fold of an image, 0 for even ids and 1 for odd ones. Each wing classifier trains on one fold."""
    return int(id) % FOLDS
