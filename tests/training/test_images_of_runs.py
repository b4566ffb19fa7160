"""What the images of a run were is kept with it: other classes are refused, other pictures give a warning."""

import dataclasses
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from common.data.disk_cache import load_or_build
from common.errors import InputError
from tests.support.folders import numbered
from training import announcement, session
from training.run_directory import NUM_IN_FINGERPRINT, RunDirectory, describe_images

CONFIG = {"family": "acai", "data": {"image_folder": "a"}, "train": {"seed": 0}}
IMAGES = numbered([0, 1, 1, 0, 1], ("aardvark", "zebra"))


def changed(**fields):
    return dataclasses.replace(IMAGES, **fields)


@pytest.fixture
def run(tmp_path):
    with RunDirectory(str(tmp_path / "run"), CONFIG) as run:
        run.record_images(describe_images(IMAGES))
        run.checkpoints.save(1, {})
    return run


def resume(run, images, config=CONFIG):
    with RunDirectory(run.path, config) as again:
        again.record_images(describe_images(images))
    return json.loads(Path(again.file("config.json")).read_text())


@pytest.mark.parametrize(
    ("module", "variant", "held_out"),
    [("acai", "pegasus", True), ("gan", "cgan", True), ("classifier", "referee", True)]
    + [("classifier", name, False) for name in ("wing_classifier", "wing_referee")],
)
def test_every_training_but_that_of_wings_is_without_the_holdout(monkeypatch, module, variant, held_out):
    """Wing classifiers hold out a fold of the ids instead."""
    monkeypatch.setattr(session.datasets, "load", lambda *_, **arguments: (None, arguments["hold_out"]))
    config = importlib.import_module(f"configs.{module}").get_config(variant)
    assert session.load_images(config) == (None, held_out)
    images = [dataclasses.replace(IMAGES, split=split) for split in ("train", "holdout")]
    assert ("are held out" in announcement.describe(config, images, 0)) is held_out


def test_a_training_is_told_of_the_images_that_it_has_by_id(monkeypatch):
    """IMAGES are of two aardvarks, 0 and 3, and three zebras. Ids say nothing about the images of a folder."""
    holdout = dataclasses.replace(IMAGES, split="holdout")
    monkeypatch.setattr(session.datasets, "load", lambda *_, **__: (IMAGES, holdout))
    config = importlib.import_module("configs.gan").get_config("alternating")
    config.data.ids = (3, 7, 1)
    images = session.load_images(config)
    assert images[0].ids.tolist() == [1, 3] and images[1] is holdout
    assert "2 in 2 classes (aardvark 1, zebra 1)" in announcement.describe(config, images, 0)
    config.data.source = "folder"
    assert session.load_images(config)[0] is IMAGES
    config.data.source, config.data.ids = "cifar10", (7, 8)
    with pytest.raises(InputError, match="of aardvark, zebra. Received: 2 ids of other images"):
        session.load_images(config)


def test_config_json_says_what_the_images_were(run):
    facts = json.loads(Path(run.file("config.json")).read_text())["images"]
    assert len(facts.pop("fingerprint")) == 16
    assert facts == {"class_names": ["aardvark", "zebra"], "counts": {"aardvark": 2, "zebra": 3}, "channels": 1}


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "dog"),
        ("aardvark", "dog"),
        ("zebra", "aardvark"),  # labels would swap
        ("Aardvark", "zebra"),
        ("aardvark", "yak", "zebra"),
        ("aardvark",),
        ("aardvark", "zebra "),
    ],
)
def test_images_of_other_classes_are_refused(run, names):
    before = Path(run.file("config.json")).read_text()
    with pytest.raises(InputError, match="aardvark, zebra. Received: .*--workdir") as error:
        resume(run, changed(class_names=names, labels=np.minimum(IMAGES.labels, len(names) - 1)))
    assert ", ".join(names) in str(error.value) and "\n" not in str(error.value)
    assert Path(run.file("config.json")).read_text() == before


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (changed(labels=np.int32([0, 1, 1, 1, 1])), "2 of aardvark are 1 now, 3 of zebra are 4 now"),
        (numbered([0, 1, 1, 0, 1, 1], ("aardvark", "zebra")), "3 of zebra are 4 now"),
        (changed(images=IMAGES.images + np.uint8(1)), "other pixels or another order"),
        (changed(images=IMAGES.images[::-1]), "other pixels or another order"),
        (changed(labels=IMAGES.labels[::-1]), "other pixels or another order"),
    ],
)
def test_other_images_of_the_same_classes_give_a_warning(run, images, message, caplog):
    assert resume(run, images)["images"] == describe_images(images)
    assert caplog.messages == [f"the images are not those on which the run was trained before: {message}"]
    caplog.clear()
    resume(run, images)
    assert not caplog.messages


def test_the_same_images_from_another_folder_give_no_warning(run, caplog):
    moved = CONFIG | {"data": {"image_folder": "b"}}
    assert resume(run, IMAGES, moved)["data"]["image_folder"] == "b"
    assert not caplog.messages


def test_run_that_did_not_keep_its_images_resumes(tmp_path, caplog):
    """As those of earlier versions."""
    with RunDirectory(str(tmp_path), CONFIG) as run:
        run.checkpoints.save(1, {})
    assert resume(run, IMAGES)["images"] == describe_images(IMAGES)
    assert not caplog.messages


def test_run_without_a_checkpoint_may_begin_with_other_images(tmp_path):
    with RunDirectory(str(tmp_path), CONFIG) as run:
        run.record_images(describe_images(IMAGES))
    other = changed(class_names=("cat", "dog"))
    assert resume(run, other)["images"] == describe_images(other)


def test_images_on_disk_have_the_same_fingerprint(tmp_path):
    pytest.importorskip("tensorflow")
    stored, _ = load_or_build(tmp_path, "key", lambda: IMAGES.images, 5, IMAGES.images.shape[1:])
    assert describe_images(changed(images=stored)) == describe_images(IMAGES)


def test_fingerprint_of_many_images_reads_some_and_sees_each_that_is_added_or_removed():
    count = 3 * NUM_IN_FINGERPRINT
    many = numbered(np.zeros(count), ("a",))
    many = dataclasses.replace(many, images=np.random.default_rng(0).integers(0, 256, (count, 1, 1, 1), np.uint8))
    seen = {describe_images(many)["fingerprint"]}
    for row in (0, 5000, count - 1):
        without = np.delete(np.arange(count), row)
        seen.add(describe_images(dataclasses.replace(many._keep(without)))["fingerprint"])
    assert len(seen) == 4
