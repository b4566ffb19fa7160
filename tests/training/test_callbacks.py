"""Callbacks: their files, read by other readers, and their warnings."""

import errno
import io
import json
import logging
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorflow")
from training import callbacks  # noqa: E402
from training.run_directory import RunDirectory  # noqa: E402


@pytest.fixture
def run(tmp_path):
    return RunDirectory(str(tmp_path / "run"), {})


def read_events(folder):
    """Returns {(tag, step): tensor protos} of all event files, read by TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    tensors = {}
    for name in sorted(os.listdir(folder)):
        if "tfevents" in name:
            for event in EventFileLoader(os.path.join(folder, name)).Load():
                for value in event.summary.value:
                    tensors.setdefault((value.tag, event.step), []).append(value.tensor)
    return tensors


def scalars_of(events):
    from tensorboard.util.tensor_util import make_ndarray

    values = {key: make_ndarray(protos[0]) for key, protos in events.items()}
    return {key: float(value) for key, value in values.items() if value.dtype == np.float32 and not value.ndim}


# ScalarWriter


def test_scalars_are_written_to_metrics_and_tensorboard(run):
    writer = callbacks.ScalarWriter(run, 64, {"model.depth": 16, "data.classes": ["bird", "horse"]})
    writer.on_scalars(50, {"critic_loss": 0.25, "images_per_second": 100.0})
    writer.on_scalars(100, {"critic_loss": 0.125, "images_per_second": 200.0})
    writer.flush()  # and no close: a kill may follow
    lines = open_lines(run)
    assert lines == [
        {"step": 50, "kimg": 3.2, "critic_loss": 0.25, "images_per_second": 100.0},
        {"step": 100, "kimg": 6.4, "critic_loss": 0.125, "images_per_second": 200.0},
    ]
    events = read_events(run.path)
    assert scalars_of(events) == {
        **{("critic_loss", 3200): 0.25, ("images_per_second", 3200): 100.0},  # 50 steps of 64 images
        **{("critic_loss", 6400): 0.125, ("images_per_second", 6400): 200.0},
    }
    (config,) = events["config", 0]
    text = config.string_val[0].decode()
    assert text == "    model.depth: 16\n    data.classes: ['bird', 'horse']"  # a code block in Markdown
    writer.close()


def test_metrics_are_described_in_tensorboard(run):
    """Critics guess at a ratio of 1; a name without a description, as of a user's new metric, gets none."""
    writer = callbacks.ScalarWriter(run, 1)
    writer.on_scalars(1, {"critic_error_ratio": 0.5, "new": 1.0})
    writer.close()
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (path,) = Path(run.path).glob("*tfevents*")
    values = [value for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    texts = {value.tag: value.metadata.summary_description for value in values}
    assert "1 is guessing" in texts["critic_error_ratio"] and texts["new"] == ""


def open_lines(run):
    with open(run.file("metrics.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), np.float32("nan"), np.float64("-inf"), -np.float32("inf")],
)
def test_values_that_are_not_finite_are_left_out(run, value):
    """Such as the diversity of samples, relative to that of images, where all images are the same."""
    writer = callbacks.ScalarWriter(run, 1)
    writer.on_scalars(1, {"sample_diversity": value, "loss": 0.5})
    writer.close()
    with open(run.file("metrics.jsonl"), encoding="utf-8") as file:
        assert json.loads(file.read(), parse_constant=pytest.fail) == {"step": 1, "kimg": 0.001, "loss": 0.5}
    assert scalars_of(read_events(run.path)) == {("loss", 1): 0.5}


def test_resumed_run_appends_scalars(run):
    for step in (1, 2):
        writer = callbacks.ScalarWriter(run, 1)
        writer.on_scalars(step, {"loss": float(step)})
        writer.close()
    assert [line["step"] for line in open_lines(run)] == [1, 2]


# PictureWriter


def test_pictures_are_written_as_png_and_to_tensorboard(run):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (6, 9, 3), np.uint8)
    grey = rng.integers(0, 256, (4, 4, 1), np.uint8)
    writer = callbacks.ScalarWriter(run, 1)
    pictures = callbacks.PictureWriter(run, writer, lambda: {"blends": colour, "lines": grey}, 10)
    assert pictures.every_steps == 10
    pictures.on_interval(20)
    writer.close()
    names = ["blends-000000020.png", "lines-000000020.png"]
    assert sorted(os.listdir(run.file("pictures"))) == names
    for name, picture in zip(names, (colour, grey), strict=True):
        with Image.open(run.file("pictures", name)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)
    events = read_events(run.path)
    (proto,) = events["blends", 20]
    assert proto.string_val[:2] == [b"9", b"6"]  # width, height, then the PNG
    callbacks.PictureWriter(run, writer, dict, 10)  # a resumed run finds the folder there
    assert sorted(os.listdir(run.file("pictures"))) == names


# Validation


def steps_with_validation(interval, start, steps):
    evaluated = []
    validation = callbacks.Validation(lambda: {"holdout": 1.0}, interval, start)
    for step in steps:
        scalars = {"loss": 0.0}
        validation.on_scalars(step, scalars)
        if "holdout" in scalars:
            assert scalars == {"loss": 0.0, "holdout": 1.0}
            evaluated.append(step)
    return evaluated


@pytest.mark.parametrize(
    ("interval", "start", "steps", "expected"),
    [
        (10, 0, range(1, 31), [10, 20, 30]),
        (10, 0, range(4, 40, 4), [12, 20, 32]),  # the first log in or after each multiple
        (10, 0, range(25, 101, 25), [25, 50, 75, 100]),  # logs are rarer than its interval
        (10, 20, [24, 28, 32], [32]),  # resumed at 20, where it had been evaluated
        (10, 19, [20, 24], [20]),  # resumed just before
        (0, 0, range(1, 5), []),
    ],
)
def test_validation_runs_once_per_interval(interval, start, steps, expected):
    assert steps_with_validation(interval, start, steps) == expected


def test_validation_steps_do_not_depend_on_where_a_run_was_stopped():
    straight = steps_with_validation(7, 0, range(2, 61, 2))
    for stop in range(2, 60, 2):
        first = steps_with_validation(7, 0, range(2, stop + 1, 2))
        assert first + steps_with_validation(7, stop, range(stop + 2, 61, 2)) == straight


# WarnOnDivergence


def warnings_of(caplog, losses, name="critic_loss"):
    """[(step, message)] of the warnings while the loss `name` takes these values; the other one is fixed."""
    callback = callbacks.WarnOnDivergence(("reconstruction_loss", "critic_loss"), 64)
    warnings = []
    for step, loss in enumerate(losses, 1):
        caplog.clear()
        callback.on_scalars(step, {"reconstruction_loss": 0.02, "critic_loss": 0.02, name: loss})
        warnings += [(step, r.getMessage()) for r in caplog.records if r.levelno == logging.WARNING]
    return warnings


@pytest.mark.parametrize("name", ["critic_loss", "reconstruction_loss"])
def test_rising_loss_is_reported_with_its_values(caplog, name):
    losses = [0.5, 0.1, 0.2, 0.39, 0.45, 0.5, 0.8, 0.95, 2.0, 8.0]
    warnings = warnings_of(caplog, losses, name)
    assert [step for step, _ in warnings] == [
        5,
        8,
        9,
        10,
    ]  # above 4 times; then above twice the last ratio: 9, 19, 40
    assert warnings[0][1].startswith("0.3 kimg: ") and name in warnings[0][1]
    assert "0.45" in warnings[0][1] and "4.5 times" in warnings[0][1] and "(0.1)" in warnings[0][1]


def test_noisy_falling_loss_gives_no_warning(caplog):
    rng = np.random.default_rng(0)
    falling = 0.3 * 0.99 ** np.arange(500) * rng.uniform(0.6, 1.4, 500) + 0.05
    assert warnings_of(caplog, falling) == []


# Progress


def scalars(**values):
    return {"images_per_second": 100.0, "critic_loss": 0.051234, "loss_scale": 1.0, **values}


def test_progress_prints_lines_without_a_terminal(capsys, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = callbacks.Progress(0, 1000, 64)  # 64 kimg
    printed = []
    for step, seconds in ((100, 0), (200, 5), (300, 29), (400, 31), (500, 50), (1000, 51)):
        clock[0] = 1000.0 + seconds
        progress.on_scalars(step, scalars())
        if text := capsys.readouterr().err:
            assert text.count("\n") == 1
            printed.append((step, text))
    progress.close()
    assert [step for step, _ in printed] == [100, 400, 1000]  # the first, one in 30 seconds, the last
    first = printed[0][1]
    assert first.startswith("6.4/64 kimg, 10 min left, 100 images/s")  # 900 steps of 64 at 100 a second: 576 s
    assert "critic_loss 0.05123" in first and "loss_scale" not in first


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, errno.EIO), (False, errno.EIO), (False, errno.EPIPE)])
def test_progress_that_nobody_reads_does_not_end_a_training(monkeypatch, is_terminal, kind):
    """A lost terminal gives EIO, a closed pipe EPIPE."""

    class Lost(io.StringIO):
        def isatty(self):
            return is_terminal

        def write(self, text):
            raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(sys, "stderr", Lost())
    progress = callbacks.Progress(0, 1000, 64)
    for step in (500, 1000):
        progress.on_scalars(step, {"loss": 0.5, "images_per_second": 640.0})
    progress.close()


def test_progress_shows_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = callbacks.Progress(500, 1000, 64)
    progress.on_scalars(750, scalars())
    progress.bar.refresh()
    progress.close()
    text = capsys.readouterr().err
    assert "32.0/64 kimg" in text and "48.0/64 kimg" in text and "left" in text
    assert "100 images/s" in text and "critic_loss 0.05123" in text
    assert " min left" not in text  # no lines beside the bar


# CheckpointWriter and ReleaseWriter


def test_checkpoint_is_written_after_the_log_is_on_the_disk(run):
    class Model:
        def state(self):
            assert [line["step"] for line in open_lines(run)] == [4]  # flushed before
            return {"weight": np.arange(3.0)}

    writer = callbacks.ScalarWriter(run, 1)
    saver = callbacks.CheckpointWriter(run, Model(), writer, 4)
    writer.on_scalars(4, {"loss": 1.0})
    saver.on_interval(4)
    assert saver.every_steps == 4
    assert ("loss", 4) in read_events(run.path)
    step, arrays = run.checkpoints.load_latest()
    assert step == 4 and arrays["weight"].tolist() == [0.0, 1.0, 2.0]
    writer.close()


def test_release_writer_passes_the_step():
    steps = []
    writer = callbacks.ReleaseWriter(steps.append, 8)
    writer.on_interval(8)
    assert (steps, writer.every_steps) == ([8], 8)
