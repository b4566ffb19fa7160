"""Says what a training will do, and estimates its time and memory from a few real steps.

TensorFlow is imported where it is used, so that the first lines appear at once.
"""

import os
import shlex
import statistics
import sys
import time
from collections import Counter

import numpy as np
import psutil

from common.backend import memory
from common.errors import one_line
from configs.fields import excludes_holdout
from training.schedule import kimg, steps

MOST_CLASSES = 12  # that are named
TIMED_STEPS, TIMED_SECONDS = 20, 5.0  # of each kind of step: so many, or until so much time has passed
DRAWN_STEPS = 1000  # of which the shares of the kinds are estimated


def announce(name, path):
    """Prints to stderr what is trained, where, and how to watch and stop it.

    Args:
        name: of the config, with its variant.
        path: of the run directory.
    """
    lines = (
        f"training {name}",
        f"  run folder  {path}",
        f"  to watch    tensorboard --logdir {shlex.quote(path)}",
        "  to stop     Ctrl-C, which saves; the same command goes on from there",
    )
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def finish(family, path):
    """Prints to stderr where the pictures of a finished training are, and what draws more.

    Args:
        family: of the config.
        path: of the run directory.
    """
    line, mode = f"finished: {path}", {"acai": "--blend", "gan": "--sample"}.get(family)
    if mode:
        pictures, source = os.path.join(path, "pictures"), shlex.quote(path)
        line = f"finished: pictures in {pictures}; next: python generate.py {mode} --source={source}"
    print(line, file=sys.stderr, flush=True)


def describe(config, datasets, start):
    """Describes the images and the length of a training as lines.

    Args:
        config: of the training.
        datasets: (training set, hold-out), each an ImageDataset.
        start: number of steps taken before.
    """
    train, holdout = datasets
    total, size = steps(config, config.train.total_kimg), config.train.batch_size
    images = "rendered lines, without end"
    if config.data.source != "lines":
        names = train.class_names
        counts = np.bincount(train.labels, minlength=len(names))
        classes = [f"{one_line(name)} {count:,}" for name, count in zip(names, counts, strict=True)][:MOST_CLASSES]
        classes += [f"{len(names) - MOST_CLASSES} more"] if len(names) > MOST_CLASSES else []
        images = f"{len(train):,} in {len(names)} classes ({', '.join(classes)})"
        images += f"; {len(holdout):,} others are held out" if excludes_holdout(config) else ""
    length = f"{kimg(config, total):.5g} kimg, in {total:,} steps of {size} images"
    length += f", of which {kimg(config, start):.5g} kimg are done" if start else ""
    return f"  images      {images}\n  length      {length}"


def check(config, model, start, take_step, batches):
    """Prints the memory and the time that a training needs, estimated from a few real steps.

    Args:
        config: of the training.
        model: new or restored. These steps train it.
        start: number of steps that it has taken.
        take_step: of `training.loop.compile_step`.
        batches: iterator of batches.
    """
    total = steps(config, config.train.total_kimg)
    drawn = np.random.default_rng(0).integers(start, total, DRAWN_STEPS)
    kinds = Counter(tuple(model.static_arguments(int(step)).items()) for step in drawn)
    seconds, compiling, num_timed = 0.0, 0.0, 0
    for kind, count in kinds.items():
        first, *times = time_steps(lambda kind=kind: take_step(next(batches), **dict(kind)))
        seconds += count / DRAWN_STEPS * statistics.median(times)
        compiling, num_timed = compiling + first, num_timed + len(times)
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    used, available = psutil.Process().memory_info().rss, memory.total_bytes()
    minutes = ((total - start) * seconds + compiling) / 60
    speed = f"{config.train.batch_size / seconds:.0f} images/s in {num_timed} steps, timed now"
    print(
        f"  networks    {parameters:,} trained parameters",
        f"  memory      {used / 2**30:.1f} of {available / 2**30:.1f} GiB after these steps",
        f"  time        about {minutes:.2g} minutes: {speed}, after {compiling:.0f} s of compiling; figures and "
        "pictures come on top",
        sep="\n",
    )


def time_steps(take_step):
    """Times steps and returns the seconds of each: of the first, which compiles, and of one more or several."""
    from training.loop import read_finite

    seconds = []
    while len(seconds) < 2 or len(seconds) <= TIMED_STEPS and sum(seconds[1:]) < TIMED_SECONDS:
        started = time.monotonic()
        read_finite([(0, *take_step())])  # waits for the step
        seconds.append(time.monotonic() - started)
    return seconds
