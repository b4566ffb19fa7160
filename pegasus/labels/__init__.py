"""Labels of CIFAR-10 training images: birds with visible wings, horses from the side, horses with riders.

README.md says how a vision-language model made them. `id` is the number in tensorflow-datasets' `train_01234`.
"""

import csv
import dataclasses
import functools
import types
from pathlib import Path

from common.errors import InputError

FOLDS = 2
SPREAD = ("raised_both", "raised_one", "spread")  # values of `BirdWings.wings` other than "down"


def _check(label, **allowed):
    for name, values in allowed.items():
        if getattr(label, name) not in values:
            raise InputError(f"{name} must be one of {', '.join(map(str, values))}. Received: {label}")


@dataclasses.dataclass(frozen=True)
class BirdWings:
    """A bird whose wings are not folded.

    Args:
        id: int.
        wings: "raised_both", "raised_one", "spread" or "down".
        shade: "white", "dark" or "mixed".
        clear: False where the bird is small, blurred or doubtful.

    Raises:
        InputError: for another value.
    """

    id: int
    wings: str
    shade: str
    clear: bool

    def __post_init__(self):
        _check(self, wings=(*SPREAD, "down"), shade=("white", "dark", "mixed"), clear=(True, False))


@dataclasses.dataclass(frozen=True)
class HorseSideView:
    """One whole horse from the side without a rider.

    Args:
        id: int.
        head: the side that it faces, "left" or "right".
        shade: "white", "brown", "dark" or "other".
        room_above: whether a quarter of the image's height or more above the back is plain background.

    Raises:
        InputError: for another value.
    """

    id: int
    head: str
    shade: str
    room_above: bool

    def __post_init__(self):
        shades = ("white", "brown", "dark", "other")
        _check(self, head=("left", "right"), shade=shades, room_above=(True, False))


@dataclasses.dataclass(frozen=True)
class HorseRider:
    """A horse with a rider on its back.

    Args:
        id: int.
        use: "train" for training wing classifiers or "control" for measuring them.

    Raises:
        InputError: for another value.
    """

    id: int
    use: str

    def __post_init__(self):
        _check(self, use=("train", "control"))


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

    Raises:
        InputError: the header or a value is another, or an id occurs twice.
    """
    names = [field.name for field in dataclasses.fields(label)]
    truth, labels = {"yes": True, "no": False}, {}
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if header != names:
        raise InputError(f"The header of {path} must be {','.join(names)}. Received: {','.join(header)}")
    for row in rows:
        if len(row) != len(names) or not row[0].isdecimal() or int(row[0]) in labels:
            raise InputError(f"Rows of {path} must have {len(names)} values and a new id. Received: {row}")
        labels[int(row[0])] = label(int(row[0]), *(truth.get(value, value) for value in row[1:]))
    return types.MappingProxyType(labels)


def fold(id):
    """Returns the fold of an image, 0 for even ids and 1 for odd ones. Each wing classifier trains on one fold."""
    return int(id) % FOLDS
