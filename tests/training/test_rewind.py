"""RunDirectory.rewind: logs go back to the step of a checkpoint."""

import os
from pathlib import Path

import pytest

from training import rewind
from training.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    with RunDirectory(str(tmp_path / "run"), {"family": "acai"}) as run:
        run.checkpoints.save(1, {})
    return run


# metrics.jsonl


def write_metrics(run, text):
    Path(run.file("metrics.jsonl")).write_text(text)


def test_rewind_removes_metrics_after_a_step(run):
    lines = [f'{{"step": {step}, "loss": {step / 10}}}\n' for step in (5, 10, 15, 20)]
    write_metrics(run, "".join(lines))
    run.rewind(20, 1)
    assert Path(run.file("metrics.jsonl")).read_text() == "".join(lines)
    run.rewind(14, 1)
    assert Path(run.file("metrics.jsonl")).read_text() == "".join(lines[:2])
    run.rewind(0, 1)
    assert Path(run.file("metrics.jsonl")).read_text() == ""


@pytest.mark.parametrize("torn", ['{"step": 10, "lo', '{"step"', "{", '{"st', '{"step": 1'])
def test_rewind_removes_an_incomplete_last_line(run, torn):
    write_metrics(run, '{"step": 5}\n' + torn)
    run.rewind(10, 1)
    assert Path(run.file("metrics.jsonl")).read_text() == '{"step": 5}\n'


def test_rewind_of_a_run_without_logs_does_nothing(run):
    run.rewind(3, 1)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


@pytest.mark.parametrize("line", ["7", "[7]", '{"step": "x"}', '{"step": null}', "[" * 100_000, '"\xff"', "\0"])
def test_rewind_removes_damaged_lines(run, line):
    Path(run.file("metrics.jsonl")).write_bytes(b'{"step": 5}\n' + line.encode("latin-1") + b'\n{"step": 6}\n')
    run.rewind(6, 1)
    assert Path(run.file("metrics.jsonl")).read_text() == '{"step": 5}\n{"step": 6}\n'


# TensorBoard event files

NAME = "events.out.tfevents.1700000000.host.1.0.v2"


def write_events(run, steps):
    """Writes an event file as TensorFlow does: a version record, then a scalar per step. Returns its size."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(run.file(NAME)) as writer:
        writer.write(tf.compat.v1.Event(file_version="brain.Event:2").SerializeToString())
        for step in steps:
            summary = tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag="loss", simple_value=step / 8)])
            writer.write(tf.compat.v1.Event(step=step, summary=summary).SerializeToString())
    return os.path.getsize(run.file(NAME))


def read_events(run):
    """Returns [(step, value)] as read by TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = list(EventFileLoader(run.file(NAME)).Load())
    assert events[0].file_version == "brain.Event:2"
    return [(event.step, event.summary.value[0].tensor.float_val[0]) for event in events[1:]]


def test_rewind_removes_events_after_a_step(run):
    write_events(run, [5, 10, 15, 20])
    content = Path(run.file(NAME)).read_bytes()
    run.rewind(20, 1)
    assert Path(run.file(NAME)).read_bytes() == content  # not written again if nothing is removed
    run.rewind(10, 1)
    assert read_events(run) == [(5, 0.625), (10, 1.25)]
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json", NAME]


def test_rewind_counts_events_in_images(run):
    """Batches of 4: step 2 is 8 images."""
    write_events(run, [4, 8, 12])
    run.rewind(2, 4)
    assert read_events(run) == [(4, 0.5), (8, 1.0)]


@pytest.mark.parametrize("left", [1, 8, 12, 20, -1])
def test_rewind_removes_an_incomplete_last_event(run, left):
    """A kill leaves a part of a record: less or more than its length (8 bytes) and checksum (4)."""
    start = write_events(run, [5])
    end = write_events(run, [5, 10])
    os.truncate(run.file(NAME), (end if left < 0 else start) + left)
    run.rewind(10, 1)
    assert read_events(run) == [(5, 0.625)]
    assert os.path.getsize(run.file(NAME)) == start


@pytest.mark.parametrize("steps", [None, [], [0]], ids=["empty", "only a header", "step 0"])
def test_rewind_deletes_an_event_file_without_steps(run, steps):
    """Otherwise a training that is killed repeatedly before its first checkpoint would leave many files."""
    Path(run.file(NAME)).touch() if steps is None else write_events(run, steps)
    run.rewind(10, 1)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


def test_rewind_to_step_0_deletes_the_event_file(run):
    write_events(run, [0, 5])  # the event of step 0 is the config, which is written again
    run.rewind(0, 1)
    assert sorted(os.listdir(run.path)) == [".lock", "checkpoints", "config.json"]


def test_kill_while_rewinding_leaves_no_file_that_tensorboard_reads(run, monkeypatch):
    """TensorBoard and the next rewind read every file with "tfevents" in its name."""
    write_events(run, [5, 10])

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        rewind.rewind_events(run.file(NAME), 5)
    assert [name for name in os.listdir(run.path) if "tfevents" in name] == [NAME]
    assert read_events(run) == [(5, 0.625), (10, 1.25)]
