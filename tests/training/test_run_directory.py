"""What a run directory accepts, and how it goes back to a checkpoint's step."""

import importlib
import json
import os
from pathlib import Path

import pytest

from common.errors import InputError
from configs import acai, classifier, gan
from training import run_directory
from training.run_directory import RunDirectory

CONFIG = {
    "family": "acai",
    "data": {"classes": ("bird", "horse"), "image_folder": "", "flip": True},
    "model": {"depth": 16},
    "train": {"total_kimg": 10.0, "save_every_kimg": 1.0, "keep_checkpoints": 3, "batch_size": 64},
}


def changed(**fields):
    """CONFIG with "section__field" changed."""
    config = json.loads(json.dumps(CONFIG))
    for name, value in fields.items():
        section, field = name.split("__")
        config[section][field] = value
    return config


@pytest.fixture
def run(tmp_path):
    with RunDirectory(str(tmp_path / "a" / "run"), CONFIG) as run:  # closed: its lock is free again
        run.checkpoints.save(1, {})
    return run


# the config


def test_a_new_run_explains_itself(run):
    assert json.loads(Path(run.file("config.json")).read_text()) == json.loads(json.dumps(CONFIG))
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]
    assert run.file("a", "b") == os.path.join(run.path, "a", "b")


def test_an_empty_folder_will_do(tmp_path):
    RunDirectory(str(tmp_path), CONFIG)
    assert (tmp_path / "config.json").is_file()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"train__total_kimg": 20.0},
        {"train__save_every_kimg": 0.5, "train__keep_checkpoints": 1},
        {"data__image_folder": "moved"},
        {"data__classes": ["bird", "horse"]},  # JSON has no tuples
    ],
)
def test_changes_that_are_allowed(run, fields):
    RunDirectory(run.path, changed(**fields), keep_checkpoints=1)
    assert json.loads(Path(run.file("config.json")).read_text()) == changed(
        **fields
    )  # the file says what goes on now


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
def test_changes_that_are_refused(run, fields, words):
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
def test_the_end_stays_where_a_learning_rate_falls_up_to_it(tmp_path, get_config, variant, schedules):
    """By the rates themselves, at step 10: they tell whether another end changes them, and so what is refused."""
    config = get_config(variant)
    config.train.update(schedules or {})
    training = importlib.import_module(f"training.{config.family}")
    names = {"acai": ("schedule", "critic_schedule"), "gan": ("schedule",), "classifier": ()}[config.family]
    falls = not names or "cosine" in [config.train[name] for name in names]

    def rates(config):
        if config.family == "acai":
            found = [training.rate(config, 1.0, config.train[name]) for name in names]
        elif config.family == "gan":
            found = [training.rate(config, 1.0)]
        else:
            found = [training.cosine(config, 1.0, config.train.warmup)]
        return [float(rate(10) if callable(rate) else rate) for rate in found]

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
        with pytest.raises(InputError, match="train.total_kimg=.* where it has .*learning rate falls") as error:
            RunDirectory(run.path, plain(config))
        assert "\n" not in str(error.value) and Path(run.file("config.json")).read_text() == kept
    else:
        RunDirectory(run.path, plain(config)).close()
        assert Path(run.file("config.json")).read_text() != kept


def test_a_resumed_run_keeps_the_precision_that_auto_meant(tmp_path, caplog):
    """Whatever "auto" would mean on the machine that goes on; another one asked for by name is refused."""
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
        "from here on the steps' bits differ from those before: devices 1 x T4 (7.5) to 2 CPU cores"
    ]
    assert json.loads((tmp_path / "config.json").read_text())["runs_on"]["devices"] == "2 CPU cores"
    with pytest.raises(InputError, match="train.precision='float32' where it has 'mixed_float16'"):
        RunDirectory(path, changed(train__precision="float32"))
    RunDirectory(path, changed(train__precision="mixed_float16")).close()


def test_a_run_that_does_not_say_what_auto_meant_takes_any_precision(tmp_path):
    """As runs of earlier versions, and runs that were stopped before their first step."""
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        run.checkpoints.save(1, {})
    with RunDirectory(str(tmp_path), changed(train__precision="mixed_bfloat16")) as run:
        assert run.config["train"]["precision"] == "mixed_bfloat16"


def test_a_precision_without_a_step_is_forgotten(tmp_path):
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        run.record("mixed_float16", {"xla": True})
    with RunDirectory(str(tmp_path), changed(train__precision="auto")) as run:
        assert run.config["train"]["precision"] == "auto" and "runs_on" not in run.config


def test_a_field_that_is_gone_is_refused(run):
    config = changed()
    del config["model"]
    with pytest.raises(InputError, match="model.depth=None"):
        RunDirectory(run.path, config)


@pytest.mark.parametrize("content", [b"", b'{"family": ', b"[]", b"7", b"\xff\0", b"[" * 100_000])
def test_an_unreadable_config_is_named(run, content):
    Path(run.file("config.json")).write_bytes(content)
    with pytest.raises(InputError, match="A readable config.json") as error:
        RunDirectory(run.path, CONFIG)
    assert run.file("config.json") in str(error.value) and "\n" not in str(error.value)
    assert Path(run.file("config.json")).read_bytes() == content
    os.remove(run.file("config.json"))  # as the message says
    with RunDirectory(run.path, CONFIG) as again:
        assert again.checkpoints.load_latest() == (1, {})
    assert json.loads(Path(run.file("config.json")).read_text()) == json.loads(json.dumps(CONFIG))


def test_what_killed_writers_left_is_removed(run):
    (Path(run.path) / "release").mkdir()
    for folder in (".", "checkpoints", "release"):
        (Path(run.path) / folder / ".unfinished-12").write_bytes(b"half of")
    RunDirectory(run.path, CONFIG).close()
    assert not [path for path in Path(run.path).rglob("*") if "unfinished" in path.name]


def test_a_start_that_was_killed_at_once_is_no_foreign_folder(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".unfinished-12").touch()
    RunDirectory(str(tmp_path), CONFIG).close()
    assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoints", "config.json"]


def test_other_folders_and_files_are_refused(tmp_path):
    (tmp_path / "mine").write_text("x")
    for path in (tmp_path, tmp_path / "mine", tmp_path / "mine" / "run"):
        with pytest.raises(InputError, match="--workdir") as error:
            RunDirectory(str(path), CONFIG)
        assert str(path) in str(error.value)
    assert os.listdir(tmp_path) == ["mine"]


def test_flatten():
    tree = {"a": {"b": 1, "c": {"d": [2]}}, "e": None, "f": {}}
    assert run_directory.flatten(tree) == {"a.b": 1, "a.c.d": [2], "e": None}


# rewinding metrics.jsonl


def write_metrics(run, text):
    Path(run.file("metrics.jsonl")).write_text(text)


def test_rewind_metrics(run):
    lines = [f'{{"step": {step}, "loss": {step / 10}}}\n' for step in (5, 10, 15, 20)]
    write_metrics(run, "".join(lines))
    run.rewind(20)
    assert Path(run.file("metrics.jsonl")).read_text() == "".join(lines)
    run.rewind(14)
    assert Path(run.file("metrics.jsonl")).read_text() == "".join(lines[:2])
    run.rewind(0)
    assert Path(run.file("metrics.jsonl")).read_text() == ""


@pytest.mark.parametrize("torn", ['{"step": 10, "lo', '{"step"', "{", '{"st', '{"step": 1'])
def test_a_torn_last_line_goes(run, torn):
    write_metrics(run, '{"step": 5}\n' + torn)
    run.rewind(10)
    assert Path(run.file("metrics.jsonl")).read_text() == '{"step": 5}\n'


def test_nothing_to_rewind(run):
    run.rewind(3)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


# rewinding event files

NAME = "events.out.tfevents.1700000000.host.1.0.v2"


def write_events(run, steps):
    """An event file as TensorFlow's summary writer makes it: a version record, then a scalar a step."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(run.file(NAME)) as writer:
        writer.write(tf.compat.v1.Event(file_version="brain.Event:2").SerializeToString())
        for step in steps:
            summary = tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag="loss", simple_value=step / 8)])
            writer.write(tf.compat.v1.Event(step=step, summary=summary).SerializeToString())
    return os.path.getsize(run.file(NAME))


def read_events(run):
    """[(step, value)] as TensorBoard's own reader finds them."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = list(EventFileLoader(run.file(NAME)).Load())
    assert events[0].file_version == "brain.Event:2"
    return [(event.step, event.summary.value[0].tensor.float_val[0]) for event in events[1:]]


def test_rewind_events(run):
    write_events(run, [5, 10, 15, 20])
    content = Path(run.file(NAME)).read_bytes()
    run.rewind(20)
    assert Path(run.file(NAME)).read_bytes() == content  # nothing to drop: not written anew
    run.rewind(10)
    assert read_events(run) == [(5, 0.625), (10, 1.25)]
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json", NAME]


@pytest.mark.parametrize("left", [1, 8, 12, 20, -1])
def test_a_torn_event_goes(run, left):
    """What a kill leaves of a record: a length (8 bytes) and its checksum (4), or less, or more."""
    begins = write_events(run, [5])
    ends = write_events(run, [5, 10])
    os.truncate(run.file(NAME), (ends if left < 0 else begins) + left)
    run.rewind(10)
    assert read_events(run) == [(5, 0.625)]
    assert os.path.getsize(run.file(NAME)) == begins  # nothing torn is left for a reader to stumble on


@pytest.mark.parametrize("steps", [None, [], [0]], ids=["empty", "only a header", "step 0"])
def test_an_event_file_without_a_step_is_removed(run, steps):
    """A training that is killed again and again before its first checkpoint must not leave a file each time."""
    Path(run.file(NAME)).touch() if steps is None else write_events(run, steps)
    run.rewind(10)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


def test_a_training_that_begins_anew_keeps_no_event(run):
    write_events(run, [0, 5])  # at step 0 stands the config, which it will write again
    run.rewind(0)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


@pytest.mark.parametrize("line", ["7", "[7]", '{"step": "x"}', '{"step": null}', "[" * 100_000, '"\xff"', "\0"])
def test_a_damaged_line_of_metrics_goes(run, line):
    Path(run.file("metrics.jsonl")).write_bytes(b'{"step": 5}\n' + line.encode("latin-1") + b'\n{"step": 6}\n')
    run.rewind(6)
    assert Path(run.file("metrics.jsonl")).read_text() == '{"step": 5}\n{"step": 6}\n'


def test_a_kill_while_rewinding_leaves_nothing_that_tensorboard_reads(run, monkeypatch):
    """TensorBoard reads every file whose name holds "tfevents"; so would the next rewind."""
    write_events(run, [5, 10])

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        run_directory.rewind_events(run.file(NAME), 5)
    assert [name for name in os.listdir(run.path) if "tfevents" in name] == [NAME]
    assert read_events(run) == [(5, 0.625), (10, 1.25)]
