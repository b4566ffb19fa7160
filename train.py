"""Trains a model: python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus

The same command again resumes. Any field of the config can be set, e.g. --config.train.total_kimg=500.
To watch: tensorboard --logdir runs

    python train.py --config=configs/acai.py:quick --workdir=runs/quick                    a first try
    python train.py --config=configs/acai.py:folder --config.data.image_folder=DIR --workdir=runs/mine
    python train.py --config=configs/gan.py:cgan --check                                   what it would take
"""

import json
import shlex

from absl import flags, logging

from common import cli, release
from common.backend import memory, towers
from common.data import folders
from common.data.cifar10 import check_cifar10
from common.distribute import cluster
from common.errors import InputError
from configs import describe, own_images
from configs.check import check
from configs.config_flag import define_config, expand_paths
from configs.fields import flatten
from training import announcement
from training.run_directory import RunDirectory, may_change
from training.schedule import kimg, steps

_workdir = "the run directory, which gets checkpoints, logs and pictures"
flags.DEFINE(cli.PathParser(), "workdir", None, _workdir)
_data_dir = "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR, else its default"
flags.DEFINE(cli.PathParser(), "data_dir", None, _data_dir)
_check = "print classes, counts, memory, steps and minutes, from a few real steps, and end without a run directory"
flags.DEFINE_bool("check", False, _check)
FLAGS = flags.FLAGS
SECTIONS = {"Flags": ("config", "workdir", "data_dir", "check")}


def main():
    config, name, workdir, only_check = FLAGS.config, FLAGS["config"].config_filename, FLAGS.workdir, FLAGS.check
    if not (workdir or only_check) or workdir and workdir.startswith("-"):  # absl takes a following flag for it
        raise InputError(f"--workdir must be given, e.g. --workdir=runs/acai. Received: {workdir or 'none'}")
    expand_paths(config)
    own_images.fit(config, workdir)
    check(config)
    if config.data.source == "cifar10":
        check_cifar10(FLAGS.data_dir)
    elif config.data.source == "folder":
        class_names = folders.list_class_names(config.data.image_folder)
    logging.set_verbosity(logging.INFO)
    multi_worker = config.train.get("strategy") == "multi_worker"
    if multi_worker and only_check:
        raise InputError("--check cannot be combined with --config.train.strategy=multi_worker.")
    if multi_worker and cluster.worker_index() > 0 or not workdir:
        train(config, None, name, only_check)  # of several workers only worker 0, the chief, writes
        return
    with RunDirectory(workdir, json.loads(config.to_json()), config.train.keep_checkpoints) as run:
        config.train.precision = run.config["train"]["precision"]
        if config.data.source == "folder":
            run.check_classes(class_names)
        train(config, run, name, only_check)
        if only_check:
            run.withdraw()


def train(config, run, name="a model", only_check=False):
    """Trains from the newest checkpoint of a run to the end of its config.

    Args:
        config: a config that passed `check`.
        run: RunDirectory; None on workers other than the chief.
        name: of the config, to print.
        only_check: print what that would take instead.
    """
    settings = config.train
    strategy = settings.get("strategy", "default")
    step, arrays = run.checkpoints.load_latest() if run else (0, None)
    finished = run and is_finished(config, run, step)
    if finished and (only_check or strategy != "multi_worker" and has_release(config, run)):
        return
    if only_check:
        print(f"checking {name}; nothing is kept", flush=True)
    elif run:
        announcement.announce(name, run.path)

    memory.keep_freed_memory()
    num_towers = towers.plan(
        settings.get("towers", 1), settings.batch_size, strategy, settings.jit_compile, settings.precision
    )
    cli.import_tensorflow(strategy, num_towers > 1, settings.deterministic)
    from training import session

    session.train(config, run, arrays, FLAGS.data_dir, only_check)


def is_finished(config, run, step):
    """Whether a run has reached the last step of its config; prints a line if so."""
    finished = step >= steps(config, config.train.total_kimg)
    if finished:
        print(f"{run.path} is finished at {kimg(config, step):.1f} kimg{advise_on_length(config, run.path)}")
    return finished


def advise_on_length(config, path):
    """Returns, for a line about a finished run in `path`, how to train for longer."""
    if may_change("train.total_kimg", flatten(config.to_dict())):
        return "; a higher --config.train.total_kimg goes on from there"
    longer = f"; for more use a new --workdir with --config.train.start_from={shlex.quote(path)}"
    return f", the length it was started with{longer if 'start_from' in config.train else ''}"


def has_release(config, run):
    """Whether a finished run has an undamaged release; otherwise it is written again from the checkpoint."""
    try:
        release.read(run.file("release"), config.family)
    except InputError as error:
        logging.warning("%s", error)
        return False
    return True


if __name__ == "__main__":
    cli.run(main, define_config, SECTIONS, lambda: describe.describe(FLAGS["config"]))
