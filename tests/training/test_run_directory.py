"""RunDirectory: which configs and folders it accepts, and what it writes."""

import importlib
import json
import os
from pathlib import Path

import pytest

from common.errors import InputError
from configs import acai, classifier, gan
from training.run_directory import RunDirectory

CONFIG = {
    "family": "acai",
    "data": {"classes": ("bird", "horse"), "image_folder": "", "flip": True},
    "model": {"depth": 16},
    "train": {"total_kimg": 10.0, "save_every_kimg": 1.0, "keep_checkpoints": 3, "batch_size": 64},
}


FACTS = {"class_names": ["bird", "horse"], "counts": {"bird": 9, "horse": 9}, "channels": 3, "fingerprint": "0"}


def changed(**fields):
    """CONFIG with "section__field" changed."""
    config = json.loads(json.dumps(CONFIG))
    for name, value in fields.items():
        section, field = name.split("__")
        config[section][field] = value
    return config


@pytest.fixture
def run(tmp_path):
    with RunDirectory(str(tmp_path / "a" / "run"), CONFIG) as run:
        run.checkpoints.save(1, {})
    return run


def test_new_run_has_config_checkpoints_and_lock(run):
    assert json.loads(Path(run.file("config.json")).read_text()) == json.loads(json.dumps(CONFIG))
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]
    assert run.file("a", "b") == os.path.join(run.path, "a", "b")


def test_empty_folder_is_accepted(tmp_path):
    RunDirectory(str(tmp_path), CONFIG)
    assert (tmp_path / "config.json").is_file()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"train__total_kimg": 20.0},
        {"train__save_every_kimg": 0.5, "train__keep_checkpoints": 1},
        {"data__image_folder": "moved"},
        {"train__bank_per_class": [52, 13]},
        {"data__classes": ["bird", "horse"]},  # JSON has no tuples
    ],
)
def test_fields_that_do_not_affect_steps_may_change(run, fields):
    RunDirectory(run.path, changed(**fields), keep_checkpoints=1)
    assert json.loads(Path(run.file("config.json")).read_text()) == changed(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model__depth": 8}, ["model.depth=8", "16"]),
        ({"train__batch_size": 32}, ["train.batch_size=32", "64"]),
        ({"data__classes": ("horse", "bird")}, ["data.classes", "['horse', 'bird']", "['bird', 'horse']"]),
        ({"data__flip": False}, ["data.flip=False", "True"]),
        ({"model__width": 32}, ["model.width=32", "None"]),
    ],
)
def test_fields_that_affect_steps_may_not_change(run, fields, words):
    before = Path(run.file("config.json")).read_text()
    with pytest.raises(InputError) as error:
        RunDirectory(run.path, changed(**fields))
    for word in (run.path, "--workdir", *words):
        assert word in str(error.value)
    assert Path(run.file("config.json")).read_text() == before


@pytest.mark.parametrize(
    "get_config, variant, schedules",
    [
        (acai.get_config, "pegasus", {"schedule": "cosine"}),
        (acai.get_config, "pegasus", {"critic_schedule": "cosine"}),
        (acai.get_config, "pegasus", None),
        (acai.get_config, "small", {}),
        (acai.get_config, "lines", {}),
        (gan.get_config, "dcgan", {}),
        (gan.get_config, "cgan", {"schedule": "constant"}),
        (classifier.get_config, "classifier", {}),
        (classifier.get_config, "referee", {}),
    ],
)
def test_total_kimg_may_not_change_if_a_learning_rate_depends_on_it(tmp_path, get_config, variant, schedules):
    """Computes the learning rates at step 10 to see whether they depend on total_kimg."""
    config = get_config(variant)
    config.train.update(schedules or {})
    training = importlib.import_module(f"training.{config.family}")
    names = {"acai": ("schedule", "critic_schedule"), "gan": ("schedule",), "classifier": ()}[config.family]
    falls = not names or "cosine" in [config.train[name] for name in names]

    def rates(config):
        if config.family == "acai":
            result = [training.rate(config, 1.0, config.train[name]) for name in names]
        elif config.family == "gan":
            result = [training.rate(config, 1.0)]
        else:
            result = [training.cosine(config, 1.0, config.train.warmup)]
        return [float(rate(10) if callable(rate) else rate) for rate in result]

    def plain(config):
        return json.loads(config.to_json())

    before = rates(config)
    with RunDirectory(str(tmp_path), plain(config)) as run:
        run.checkpoints.save(1, {})
    kept = Path(run.file("config.json")).read_text()
    RunDirectory(run.path, plain(config)).close()
    config.train.total_kimg /= 2
    assert (rates(config) != before) == falls
    if falls:
        with pytest.raises(InputError, match="train.total_kimg=.* where it has .*learning rate depends") as error:
            RunDirectory(run.path, plain(config))
        assert "\n" not in str(error.value) and Path(run.file("config.json")).read_text() == kept
    else:
        RunDirectory(run.path, plain(config)).close()
        assert Path(run.file("config.json")).read_text() != kept


def test_resumed_run_keeps_the_resolved_precision(tmp_path, caplog):
    """It does not depend on the machine that resumes; a different explicit precision is refused."""
    auto, path = changed(train__precision="auto"), str(tmp_path)
    with RunDirectory(path, auto) as run:
        assert run.config["train"]["precision"] == "auto"
        run.record("mixed_float16", {"devices": "1 x T4 (7.5)", "xla": True})
        run.checkpoints.save(1, {})
    assert json.loads((tmp_path / "config.json").read_text())["train"]["precision"] == "mixed_float16"
    with RunDirectory(path, auto) as run:
        assert run.config["train"]["precision"] == "mixed_float16"
        assert run.config["runs_on"] == {"devices": "1 x T4 (7.5)", "xla": True}
        run.record("mixed_float16", {"devices": "1 x T4 (7.5)", "xla": True})
        assert not caplog.records
        run.record("mixed_float16", {"devices": "2 CPU cores", "xla": True})
    assert caplog.messages == [
        "the bits of further steps differ from those before: devices 1 x T4 (7.5) to 2 CPU cores"
    ]
    assert json.loads((tmp_path / "config.json").read_text())["runs_on"]["devices"] == "2 CPU cores"
    with pytest.raises(InputError, match="train.precision='float32' where it has 'mixed_float16'"):
        RunDirectory(path, changed(train__precision="float32"))
    RunDirectory(path, changed(train__precision="mixed_float16")).close()


def test_run_without_resolved_precision_accepts_any(tmp_path):
    """Such as runs of earlier versions, and runs that were stopped before their first step."""
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        run.checkpoints.save(1, {})
    with RunDirectory(str(tmp_path), changed(train__precision="mixed_bfloat16")) as run:
        assert run.config["train"]["precision"] == "mixed_bfloat16"


def test_precision_of_a_run_without_steps_is_discarded(tmp_path):
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        run.record("mixed_float16", {"xla": True})
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        assert run.config["train"]["precision"] == "auto" and "runs_on" not in run.config


def test_missing_field_is_refused(run):
    config = changed()
    del config["model"]
    with pytest.raises(InputError, match="model.depth=None"):
        RunDirectory(run.path, config)


@pytest.mark.parametrize("content", [b"", b'{"family": ', b"[]", b"7", b"\xff\0", b"[" * 100_000])
def test_unreadable_config_is_refused(run, content):
    Path(run.file("config.json")).write_bytes(content)
    with pytest.raises(InputError, match="config.json must be readable") as error:
        RunDirectory(run.path, CONFIG)
    assert run.file("config.json") in str(error.value) and "\n" not in str(error.value)
    assert Path(run.file("config.json")).read_bytes() == content
    os.remove(run.file("config.json"))  # as the message says
    with RunDirectory(run.path, CONFIG) as again:
        assert again.checkpoints.load_latest() == (1, {})
    assert json.loads(Path(run.file("config.json")).read_text()) == json.loads(json.dumps(CONFIG))


def test_files_of_killed_writers_are_removed(run):
    (Path(run.path) / "release").mkdir()
    for folder in (".", "checkpoints", "release"):
        (Path(run.path) / folder / ".unfinished-12").write_bytes(b"half of")
    RunDirectory(run.path, CONFIG).close()
    assert not [path for path in Path(run.path).rglob("*") if "unfinished" in path.name]


def test_folder_of_a_start_killed_at_once_is_accepted(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".unfinished-12").touch()
    RunDirectory(str(tmp_path), CONFIG).close()
    assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoints", "config.json"]


def test_folders_with_other_files_are_refused(tmp_path):
    (tmp_path / "mine").write_text("x")
    for path in (tmp_path, tmp_path / "mine", tmp_path / "mine" / "run"):
        with pytest.raises(InputError, match="--workdir") as error:
            RunDirectory(str(path), CONFIG)
        assert str(path) in str(error.value)
    assert os.listdir(tmp_path) == ["mine"]


# Errors before the first step


def snapshot(folder):
    """{path: bytes, or None for a folder} of all that is in `folder`."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def fail(*_):
    raise InputError("no image")


@pytest.mark.parametrize("exists", [True, False])
def test_an_error_before_the_first_step_leaves_no_folder(tmp_path, exists):
    path = tmp_path / "a" / "run"
    if exists:
        path.mkdir(parents=True)
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="no image"), RunDirectory(str(path), CONFIG) as run:
        assert (path / "config.json").is_file()
        run.record_images(FACTS)
        fail()
    assert snapshot(tmp_path) == before


def test_an_error_before_the_first_step_leaves_a_run_as_it_was(run, tmp_path):
    before = snapshot(tmp_path)
    for error in (InputError, KeyboardInterrupt):
        with pytest.raises(error), RunDirectory(run.path, changed(train__total_kimg=99.0)) as again:
            again.record_images(FACTS)
            assert snapshot(tmp_path) != before
            raise error("no image")
        assert snapshot(tmp_path) == before
    RunDirectory(run.path, CONFIG).close()  # its lock was released


def test_an_error_in_a_step_keeps_what_was_written(tmp_path):
    with pytest.raises(InputError), RunDirectory(str(tmp_path), CONFIG) as run:
        run.record("float32", {"xla": False})
        fail()
    assert json.loads((tmp_path / "config.json").read_text())["runs_on"] == {"xla": False}


def test_a_folder_in_use_keeps_its_lock(tmp_path):
    path = str(tmp_path / "run")
    with RunDirectory(path, CONFIG):
        before = snapshot(tmp_path)
        with pytest.raises(InputError, match="in use"):
            RunDirectory(path, CONFIG)
        assert snapshot(tmp_path) == before
