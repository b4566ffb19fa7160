"""Callbacks that write scalars, pictures, checkpoints and releases, show progress, and warn of rising losses.

TensorBoard's horizontal axis is in images. It shows 14,800 of them as 14.8k, which is 14.8 kimg.
"""

import contextlib
import json
import math
import os
import sys
import time

import tensorflow as tf
from absl import logging
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm

from common.images import write_png
from training.loop import Callback
from training.metric_descriptions import DESCRIPTIONS


class ScalarWriter(Callback):
    """Writes finite scalars to metrics.jsonl and, with pictures and the config, to TensorBoard.

    Checkpoints are written only after `flush`, so that a resumed run has every line up to its checkpoint.

    Args:
        run: RunDirectory.
        batch_size: images per step.
        config: {"section.field": plain value}, to show in TensorBoard; empty: none.
    """

    def __init__(self, run, batch_size, config=None):
        self.batch_size = batch_size
        self.file = open(run.file("metrics.jsonl"), "a", encoding="utf-8")
        self.events = tf.summary.create_file_writer(run.path)
        if config:
            with self.events.as_default():
                tf.summary.text(
                    "config", "\n".join(f"    {name}: {value}" for name, value in config.items()), step=0
                )
                plain = (bool, int, float, str)
                hparams.hparams({n: v if isinstance(v, plain) else str(v) for n, v in config.items()}, run.path)

    def on_scalars(self, step, scalars):
        scalars = {name: value for name, value in scalars.items() if math.isfinite(value)}
        record = {"step": step, "kimg": step * self.batch_size / 1000, **scalars}
        self.file.write(json.dumps(record, allow_nan=False) + "\n")
        with self.events.as_default():
            for name, value in scalars.items():
                tf.summary.scalar(name, value, step * self.batch_size, DESCRIPTIONS.get(name))

    def write_picture(self, step, name, picture):
        with self.events.as_default():
            tf.summary.image(name, picture[None], step * self.batch_size)

    def write_histogram(self, step, name, values):
        with self.events.as_default():
            tf.summary.histogram(name, values, step * self.batch_size)

    def flush(self):
        """Writes everything to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.events.flush()

    def close(self):
        self.file.close()
        self.events.close()


class Progress(Callback):
    """Shows kimg, images/s, time left and losses: a bar on a terminal, otherwise occasional lines."""

    SECONDS_BETWEEN_LINES = 30

    def __init__(self, start_step, total_steps, batch_size):
        self.total, self.batch_size, self.last_line = total_steps, batch_size, 0.0
        self.bar = tqdm(
            total=total_steps * batch_size / 1000,
            initial=start_step * batch_size / 1000,
            unit="kimg",
            disable=not sys.stderr.isatty(),
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} kimg, {remaining} left{postfix}",
        )

    def on_scalars(self, step, scalars):
        rate = scalars["images_per_second"]
        kimg = step * self.batch_size / 1000
        names = [name for name in scalars if name.endswith(("loss", "ratio"))]
        text = f"{rate:.0f} images/s, " + ", ".join(f"{name} {scalars[name]:.4g}" for name in names)
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(kimg - self.bar.n)
        now, is_last = time.monotonic(), step == self.total
        if self.bar.disable and (is_last or now - self.last_line > self.SECONDS_BETWEEN_LINES):
            minutes = (self.total - step) * self.batch_size / rate / 60
            line = f"{kimg:.1f}/{self.total * self.batch_size / 1000:.0f} kimg, {minutes:.0f} min left, {text}"
            with contextlib.suppress(OSError):  # nobody reads it any more, as after a lost connection
                print(line, file=sys.stderr, flush=True)
            self.last_line = now

    def close(self):
        self.bar.close()


class Validation(Callback):
    """Adds held-out metrics to the scalars of the first log in each interval of `every_steps`.

    Args:
        evaluate: function without arguments that returns {name: float}.
        every_steps: interval; 0: never.
        start_step: step at which the training started.
    """

    def __init__(self, evaluate, every_steps, start_step):
        self.evaluate, self.interval, self.last_step = evaluate, every_steps, start_step

    def on_scalars(self, step, scalars):
        if self.interval and step // self.interval > self.last_step // self.interval:
            scalars |= self.evaluate()
        self.last_step = step


class PictureWriter(Callback):
    """Writes pictures to TensorBoard and to `pictures/NAME-STEP.png`.

    Args:
        run: RunDirectory.
        scalars: the ScalarWriter, which writes to TensorBoard.
        render: function without arguments that returns {name: uint8 [H, W, C]}.
        every_steps: interval; 0: only at the end.
    """

    def __init__(self, run, scalars, render, every_steps):
        self.run, self.scalars, self.render, self.every_steps = run, scalars, render, every_steps
        os.makedirs(run.file("pictures"), exist_ok=True)

    def on_interval(self, step):
        for name, picture in self.render().items():
            self.scalars.write_picture(step, name, picture)
            write_png(self.run.file("pictures", f"{name}-{step:09d}.png"), picture)


class HistogramWriter(Callback):
    """Writes histograms to TensorBoard.

    Args:
        scalars: the ScalarWriter, which writes to TensorBoard.
        measure: function without arguments that returns {name: list of numbers}.
        every_steps: interval; 0: only at the end.
    """

    def __init__(self, scalars, measure, every_steps):
        self.scalars, self.measure, self.every_steps = scalars, measure, every_steps

    def on_interval(self, step):
        for name, values in self.measure().items():
            self.scalars.write_histogram(step, name, values)


class CheckpointWriter(Callback):
    """Saves the model's state, after writing all logs up to this step to the disk."""

    saves = True

    def __init__(self, run, model, scalars, every_steps):
        self.run, self.model, self.scalars, self.every_steps = run, model, scalars, every_steps

    def on_interval(self, step):
        self.scalars.flush()
        self.run.checkpoints.save(step, self.model.state())


class ReleaseWriter(Callback):
    """Calls `write(step)`, which writes a release into the run directory."""

    def __init__(self, write, every_steps):
        self.on_interval, self.every_steps = write, every_steps


class WarnOnDivergence(Callback):
    """Warns when a loss rises above `FACTOR` times its minimum so far, and each time that ratio doubles.

    In published reimplementations of ACAI, the critic or the autoencoder diverged at about epoch 20.

    Args:
        names: of the losses.
        batch_size: images per step.
    """

    FACTOR = 4.0

    def __init__(self, names, batch_size):
        self.names, self.batch_size = names, batch_size
        self.lowest, self.warned = {}, {}

    def on_scalars(self, step, scalars):
        for name in self.names & scalars.keys():
            value = scalars[name]
            lowest = self.lowest[name] = min(value, self.lowest.get(name, value))
            limit = self.warned.get(name, self.FACTOR)
            if value > limit * lowest:
                self.warned[name] = 2 * value / lowest
                logging.warning(
                    "%.1f kimg: %s is %.3g, %.1f times its minimum (%.3g): training may be diverging; a lower "
                    "learning rate or mix weight prevents it",
                    *(step * self.batch_size / 1000, name, value, value / lowest, lowest),
                )
