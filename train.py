"""Trains a model: python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus

The same command again resumes. Any field of the config can be set, e.g. --config.train.total_kimg=500.
To watch: tensorboard --logdir runs
"""

import contextlib
import importlib
import json

from absl import flags, logging
from ml_collections import config_flags

from common import cli, release
from common.backend import compiler, gpu, memory, precision, towers
from common.data import datasets as data
from common.distribute import cluster
from common.errors import InputError
from configs.check import check
from training.run_directory import RunDirectory
from training.schedule import kimg, steps

flags.DEFINE_string("workdir", None, "the run directory: checkpoints, logs and pictures go there")
flags.DEFINE_string(
    "data_dir", None, "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR, else its default"
)
FLAGS = flags.FLAGS


def define_config():
    """Defines --config. The file is read here, with the fields that are set, so both can be refused."""
    text = "the config file, with a variant behind a colon"
    config_flags.DEFINE_config_file("config", "configs/acai.py", text, lock_config=True)


def main():
    config = FLAGS.config
    if not FLAGS.workdir or FLAGS.workdir.startswith("-"):  # absl takes a flag that follows for the value
        raise InputError(f"--workdir is required, e.g. --workdir=runs/acai. Received: {FLAGS.workdir or 'none'}")
    check(config)
    if config.data.source == "cifar10":
        data.check_cifar10(FLAGS.data_dir)
    logging.set_verbosity(logging.INFO)
    machines = config.train.get("strategy") == "multi_worker"
    if machines and cluster.worker_index() > 0:  # number 0, the chief, alone writes
        train(config, None, machines)
        return
    with RunDirectory(FLAGS.workdir, json.loads(config.to_json()), config.train.keep_checkpoints) as run:
        config.train.precision = run.config["train"]["precision"]
        train(config, run, machines)


def train(config, run, machines=False):
    """Trains from the newest checkpoint of a run to the end of its config.

    Args:
        config: checked.
        run: the RunDirectory; None on machines other than the chief.
        machines: whether several train together.
    """
    step, arrays = run.checkpoints.load_latest() if run else (0, None)
    if is_finished(config, run, step) and not machines and has_release(config, run):
        return

    memory.keep_freed_memory()
    strategy_name = config.train.get("strategy", "default")
    cli.import_tensorflow(strategy_name, towers.wanted(config.train) > 1, config.train.deterministic)
    import keras

    from common import variables
    from common.distribute import distribution
    from training import datasets

    gpu.warn_about_gpus()
    strategy = distribution.make_strategy(strategy_name)
    distribution.check_batch_size(strategy, config.train.batch_size)
    family = importlib.import_module(f"training.{config.family}")  # how each family is built and shown
    keras.utils.set_random_seed(config.train.seed)
    images = datasets.load(config.data, config.model.width, FLAGS.data_dir)
    with distribution.explain_lost_workers(strategy):
        policy = precision.resolve(config.train.precision)
        config.train.precision = distribution.broadcast_choice(strategy, precision.PRECISIONS, policy)
        precision.set_tensor_float_32(config.train.precision)
        distribution.check_identical(strategy, f"{shared(config)} {len(images[0])}")
        with strategy.scope():
            model = family.build(config, images[0])
        if arrays:
            variables.restore(model.state(), arrays, run.checkpoints.folder)
            logging.info("resuming %s at %.1f kimg", run.path, kimg(config, step))
        elif config.train.get("start_from"):
            family.start(config, model)
        distribution.copy_from_chief(strategy, [*model.state().values()])
        step = distribution.to_int(model.step)
        if step < steps(config, config.train.total_kimg):
            take_steps(config, run, family, model, images, strategy)
        elif run:
            family.write_release(config, model, images, run.file("release"))
        distribution.wait_for_all(strategy)  # also for the chief's last file


def is_finished(config, run, step):
    """Whether a run needs no more steps; says so."""
    finished = step >= steps(config, config.train.total_kimg)
    if finished:
        print(f"{run.path} is finished at {kimg(config, step):.1f} kimg")
    return finished


def has_release(config, run):
    """Whether a finished run's release is whole; a damaged one is written anew from the checkpoint."""
    try:
        release.read(run.file("release"), config.family)
    except InputError as error:
        logging.warning("%s", error)
        return False
    return True


def take_steps(config, run, family, model, images, strategy):
    """The steps of a model from its own on, and what happens beside them."""
    from common.data import disk_cache
    from common.distribute import distribution
    from training import loop

    step = distribution.to_int(model.step)
    compiled = distribution.supports_xla(strategy) and compiler.resolve_for(model, config.train.jit_compile)
    devices = gpu.describe_devices(strategy)
    logging.info("training on %s, %s, XLA %s", devices, config.train.precision, "on" if compiled else "off")
    try:
        with contextlib.ExitStack() as stack:  # which closes all, also where closing one fails
            stack.enter_context(disk_cache.explain_read_errors(images[0].images))
            if not distribution.is_multi_worker(strategy):  # where a lost worker looks like a failing GPU
                stack.enter_context(gpu.explain_gpu_errors(compiled))
            observers = []
            if run:
                run.record(config.train.precision, {"devices": devices, "xla": compiled})
                run.rewind(step)
                observers = callbacks(config, run, family, model, images, step)
            for observer in observers:
                stack.callback(observer.close)
            stopped_by = loop.train(
                model,
                family.stream(config, images[0], step),
                steps(config, config.train.total_kimg),
                config.train.batch_size,
                steps(config, config.train.log_every_kimg),
                observers,
                compiled,
                strategy,
            )
    except loop.NonFiniteError as error:
        overflow = ", or with --config.train.precision=mixed_bfloat16: float16 overflows beyond 65,504"
        raise InputError(
            f"{error}; the checkpoints before it are kept. Start a new --workdir with a lower "
            "--config.train.learning_rate or another --config.train.seed"
            f"{overflow if config.train.precision == 'mixed_float16' else ''}"
        ) from error
    except OSError as error:
        if not run:
            raise
        raise InputError(
            f"--workdir is required to be a folder with room that can be written. Received: {run.path} "
            f"({error}); what was saved is kept and the same command goes on from there."
        ) from error
    if stopped_by:
        print(f"stopped by {stopped_by.name}; saved: the same command goes on from there")


def shared(config):
    """What of a config is the same on all machines, as text."""
    settings = config.to_dict()
    settings["data"].pop("image_folder", None)
    return json.dumps(settings, sort_keys=True)


def callbacks(config, run, family, model, datasets, start):
    """What happens beside the steps, in its order: a checkpoint comes after what was logged."""
    from training import callbacks as c

    batch_size = config.train.batch_size
    scalars = c.ScalarWriter(run, batch_size, "" if start else str(config))

    def every(name):
        return steps(config, config.train[f"{name}_every_kimg"])

    def write_release(step):
        family.write_release(config, model, datasets, run.file("release"))

    return [
        c.Validation(lambda: family.evaluate(config, model, datasets), every("pictures"), start),
        scalars,
        c.Progress(start, steps(config, config.train.total_kimg), batch_size),
        *family.watches(),
        c.PictureWriter(run, scalars, lambda: family.render(config, model, datasets), every("pictures")),
        c.ReleaseWriter(write_release, every("release")),
        c.CheckpointWriter(run, model, scalars, every("save")),
    ]


if __name__ == "__main__":
    cli.run(main, define_config)
