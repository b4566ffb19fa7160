"""Labels: counts and values of the files, and ids of CIFAR-10."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from pegasus import labels

FOLDER = Path(labels.__file__).parent
TABLES = {
    "bird_wings": (labels.bird_wings, labels.BirdWings, 207),
    "horse_side_views": (labels.horse_side_views, labels.HorseSideView, 1911),
    "horse_riders": (labels.horse_riders, labels.HorseRider, 144),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_the_file_becomes_one_label(name):
    load, kind, count = TABLES[name]
    found = load()
    with open(FOLDER / f"{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(found) == len(rows) == count
    assert all(isinstance(label, kind) and label.id == id for id, label in found.items())
    for row in rows:
        values = dataclasses.asdict(found[int(row["id"])])
        words = {True: "yes", False: "no"}
        assert {key: words.get(value, str(value)) for key, value in values.items()} == row


ALLOWED = {  # the README's
    "bird_wings": {
        "wings": {"raised_both", "raised_one", "spread", "down"},
        "shade": {"white", "dark", "mixed"},
        "clear": {True, False},
    },
    "horse_side_views": {
        "head": {"left", "right"},
        "shade": {"white", "brown", "dark", "other"},
        "room_above": {True, False},
    },
    "horse_riders": {"use": {"train", "control"}},
}


@pytest.mark.parametrize("name", TABLES)
def test_every_allowed_value_occurs_and_no_other(name):
    labels_of_table = TABLES[name][0]().values()
    fields = {field.name for field in dataclasses.fields(TABLES[name][1])} - {"id"}
    assert {field: {getattr(x, field) for x in labels_of_table} for field in fields} == ALLOWED[name]


def test_rows_read_by_eye():
    assert labels.bird_wings()[123] == labels.BirdWings(123, "down", "mixed", True)
    assert not labels.bird_wings()[303].clear
    assert labels.horse_side_views()[12] == labels.HorseSideView(12, "left", "dark", True)
    assert labels.horse_riders()[11] == labels.HorseRider(11, "train")


def test_half_of_the_riders_are_for_control_and_none_has_a_side_view():
    uses = [label.use for label in labels.horse_riders().values()]
    assert uses.count("control") == uses.count("train") == 72
    assert not labels.horse_riders().keys() & labels.horse_side_views().keys()


def test_parents_are_all_labelled_birds_and_the_white_horses():
    horses = labels.horse_side_views()
    assert {1532, 123} < labels.parent_ids() and labels.bird_wings().keys() < labels.parent_ids()
    assert len(labels.parent_ids()) == 207 + 337
    assert {id for id in horses if horses[id].shade == "brown"}.isdisjoint(labels.parent_ids())


def test_labels_cannot_be_changed():
    with pytest.raises(TypeError):
        labels.bird_wings()[1] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        labels.bird_wings()[123].wings = "spread"


def test_cifar10_has_every_labelled_id():
    from common.data import datasets

    try:
        data = datasets.load_cifar10(classes=("bird", "horse"), hold_out=False, download=False)
    except InputError:
        pytest.skip("needs the real CIFAR-10 in TFDS_DATA_DIR")
    birds, horses = (set(data.ids[data.labels == label].tolist()) for label in (0, 1))
    assert labels.bird_wings().keys() <= birds
    assert labels.horse_side_views().keys() | labels.horse_riders().keys() <= horses


def test_folds_divide_the_spread_wings_about_equally():
    spread = [id for id, label in labels.bird_wings().items() if label.wings != "down" and label.clear]
    odd = sum(labels.fold(id) for id in spread)
    assert [labels.fold(id) for id in (0, 1, 2, np.int64(49_999))] == [0, 1, 0, 1]
    assert abs(odd - len(spread) / 2) < 0.15 * len(spread)
