"""Runs a training: the data, model and strategy of its config, its remaining steps and their callbacks."""

import contextlib
import importlib
import json
import math
import sys

import keras
from absl import logging

from common import variables
from common.backend import compiler, gpu, memory, precision, towers
from common.data import datasets, disk_cache
from common.distribute import distribution
from common.errors import InputError
from configs.fields import excludes_holdout, flatten
from training import announcement, callbacks, loop
from training.run_directory import describe_images
from training.schedule import kimg, steps


def train(config, run, arrays=None, data_dir=None, only_check=False):
    """Trains a model to the end of its config and writes its release, or only prints what that would take.

    Args:
        config: a config that passed `configs.check`. Its precision is set to what "auto" resolves to.
        run: RunDirectory; None on workers other than the chief.
        arrays: {name: array}, the checkpoint to resume from; None: a new run.
        data_dir: see `common.data.cifar10.check_cifar10`.
        only_check: take a few steps, see `training.announcement.check`, and write nothing but config.json.

    Raises:
        InputError: the images are of other classes than those of the run, the memory does not suffice, or as
            `take_steps`.
    """
    with memory.explain_exhaustion():
        _train(config, run, arrays, data_dir, only_check)


def _train(config, run, arrays, data_dir, only_check):
    gpu.warn_about_gpus()
    strategy = distribution.make_strategy(config.train.get("strategy", "default"))
    distribution.check_batch_size(strategy, config.train.batch_size)
    family = importlib.import_module(f"training.{config.family}")  # how to build, evaluate and show its models
    keras.utils.set_random_seed(config.train.seed)
    images = load_images(config, data_dir)
    if run and config.data.source != "lines":  # which are rendered
        run.record_images(describe_images(images[0]))
    with distribution.explain_lost_workers(strategy):
        policy = precision.resolve(config.train.precision)
        config.train.precision = distribution.broadcast_choice(strategy, precision.PRECISIONS, policy)
        precision.set_tensor_float_32(config.train.precision)
        names = images[0].class_names
        distribution.check_identical(strategy, f"{shared_settings(config)} {names} {len(images[0])}")
        with strategy.scope():
            model = family.build(config, images[0])
        if arrays:
            variables.restore(model.state(), arrays, run.checkpoints.folder)
            logging.info("resuming %s at %.1f kimg", run.path, kimg(config, distribution.to_int(model.step)))
        elif config.train.get("start_from"):
            family.start(config, model)
        distribution.copy_from_chief(strategy, [*model.state().values()])
        start = distribution.to_int(model.step)
        if run or only_check:
            lines = announcement.describe(config, images, start)
            print(lines, file=sys.stdout if only_check else sys.stderr, flush=True)
        if only_check:
            check_steps(config, family, model, images, strategy)
        elif start < steps(config, config.train.total_kimg):
            take_steps(config, run, family, model, images, strategy)
        elif run:
            family.write_release(config, model, images, run.file("release"))
        distribution.wait_for_all(strategy)  # until the chief has written its last file, too


def load_images(config, data_dir=None):
    """Returns the config's (training set, hold-out), see `common.data.datasets.load` and `choose_ids`."""
    data = config.data
    limit = data.get("memory_limit_gib", -1.0)
    train, holdout = datasets.load(
        data.source,
        config.model.width,
        classes=data.classes,
        image_folder=data.image_folder,
        hold_out=excludes_holdout(config),
        memory_limit=None if limit < 0 else limit * 2**30,
        cache=data.get("cache_folder"),
        data_dir=data_dir,
    )
    return choose_ids(data, train), holdout


def choose_ids(data, train):
    """Returns the images of a training set whose ids are in the field data.ids; all where it has none.

    Ids are those of CIFAR-10. They say nothing about the images of a folder.

    Raises:
        InputError: the set has no image with one of the ids.
    """
    if data.source != "cifar10" or not data.get("ids"):
        return train
    chosen = train.select_ids(data.ids)
    if not len(chosen):
        raise InputError(
            f"--config.data.ids must be of images that are trained on, of {', '.join(train.class_names)}. "
            f"Received: {len(data.ids)} ids of other images"
        )
    return chosen


def shared_settings(config):
    """The settings that all workers must agree on, as text."""
    settings = config.to_dict()
    settings["data"].pop("image_folder", None)
    return json.dumps(settings, sort_keys=True)


def check_steps(config, family, model, images, strategy):
    """Takes a few steps and prints the memory and the time that the training needs."""
    start, compiled = distribution.to_int(model.step), choose_compiler(config, model, strategy)[0]
    num_towers = towers.resolve(config.train.get("towers", 1), config.train.batch_size)
    take_step = loop.compile_step(model, compiled, strategy, num_towers)
    stream = distribution.prefetch_to_device(strategy, family.stream(config, images[0], start))
    compiler.keep_order_of_sums()
    with gpu.explain_gpu_errors(compiled):
        announcement.check(config, model, start, take_step, iter(stream))


def choose_compiler(config, model, strategy):
    """Returns whether XLA compiles the steps, and why."""
    if not distribution.supports_xla(strategy):
        return False, "not supported with several CPU devices"
    return compiler.resolve_for(model, config.train.jit_compile)


def take_steps(config, run, family, model, images, strategy):
    """Runs the remaining steps with callbacks; a signal or the time limit ends them early, with a checkpoint.

    Raises:
        InputError: a loss is not finite, the GPU fails, or the disk or the stored images fail.
    """
    start = distribution.to_int(model.step)
    stream = family.stream(config, images[0], start)
    compiled, reason = choose_compiler(config, model, strategy)
    devices, policy = gpu.describe_devices(strategy), config.train.precision
    logging.info("training on %s, %s, XLA %s (%s)", devices, policy, "on" if compiled else "off", reason)
    try:
        with contextlib.ExitStack() as stack:  # closes every callback even if closing another one fails
            stack.enter_context(disk_cache.explain_read_errors(images[0].images))
            if not distribution.is_multi_worker(strategy):  # there, a lost worker looks like a failing GPU
                stack.enter_context(gpu.explain_gpu_errors(compiled))
            observers = []
            if run:
                run.record(config.train.precision, {"devices": devices, "xla": compiled})
                run.rewind(start, config.train.batch_size)
                observers = make_callbacks(config, run, family, model, images, start)
            for observer in observers:
                stack.callback(observer.close)
            minutes = config.train.max_minutes
            stopped_by = loop.train(
                model,
                stream,
                steps(config, config.train.total_kimg),
                config.train.batch_size,
                steps(config, config.train.log_every_kimg),
                observers,
                compiled,
                strategy,
                towers.resolve(config.train.get("towers", 1), config.train.batch_size),
                run.started + 60 * minutes if run and minutes else math.inf,  # the chief's limit holds for all
            )
    except loop.NonFiniteError as error:
        found = f"{error.name} is {error.value} at {kimg(config, error.step):.4g} kimg"
        overflow = ", or with --config.train.precision=mixed_bfloat16: float16 overflows beyond 65,504"
        raise InputError(
            f"{found}; the checkpoints before it are kept. Start a new --workdir with a lower "
            "--config.train.learning_rate or another --config.train.seed"
            f"{overflow if config.train.precision == 'mixed_float16' else ''}"
        ) from error
    except OSError as error:
        if not run:
            raise
        raise InputError(
            f"--workdir must be a writable folder with free space. Received: {run.path} ({error}). What was saved "
            "is kept; the same command resumes from there."
        ) from error
    if stopped_by:
        print(f"stopped by {stopped_by}; saved: the same command goes on from there")
    elif run:
        announcement.finish(config.family, run.path)


def make_callbacks(config, run, family, model, images, start):
    """Returns the callbacks in the order in which they are called: scalars are logged before a checkpoint."""
    batch_size = config.train.batch_size
    scalars = callbacks.ScalarWriter(run, batch_size, None if start else flatten(config.to_dict()))

    def interval(name):
        return steps(config, config.train[f"{name}_every_kimg"])

    def write_release(step):
        family.write_release(config, model, images, run.file("release"))

    return [
        callbacks.Validation(lambda: family.evaluate(config, model, images), interval("pictures"), start),
        scalars,
        callbacks.Progress(start, steps(config, config.train.total_kimg), batch_size),
        *family.callbacks(config, run, model, images, scalars),
        callbacks.PictureWriter(run, scalars, lambda: family.render(config, model, images), interval("pictures")),
        callbacks.ReleaseWriter(write_release, interval("release")),
        callbacks.CheckpointWriter(run, model, scalars, interval("save")),
    ]
