"""Trains a model: python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus

The same command again resumes. Any field of the config can be set, e.g. --config.train.total_kimg=500.
To watch: tensorboard --logdir runs
"""

import json
import os
from pathlib import Path

from absl import flags, logging
from ml_collections.config_flags import config_flags

from common import cli, release
from common.backend import memory, towers
from common.data import folders
from common.data.cifar10 import check_cifar10
from common.distribute import cluster
from common.errors import InputError
from common.files import expand_path
from configs import tuple_flags
from configs.check import check
from training.run_directory import RunDirectory
from training.schedule import kimg, steps

_workdir = "the run directory, which gets checkpoints, logs and pictures"
flags.DEFINE(cli.PathParser(), "workdir", None, _workdir)
_data_dir = "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR, else its default"
flags.DEFINE(cli.PathParser(), "data_dir", None, _data_dir)
FLAGS = flags.FLAGS
ROOT = Path(__file__).parent
PATH_FIELDS = ("data.image_folder", "data.cache_folder", "train.start_from", "train.leading_layers")


class ConfigParser(config_flags.ConfigFileFlagParser):
    """Parses --config, a path in the working folder or in this project, perhaps with a colon and a variant."""

    def parse(self, path):
        name, colon, variant = expand_path(path, "--config").partition(":")
        if not os.path.exists(name) and (ROOT / name).is_file():
            name = os.path.relpath(ROOT / name)  # an absolute one can have a colon
        return super().parse(f"{name}{colon}{variant}")


def define_config():
    """Defines --config, which reads the config file and its overridden fields, so that errors are reported."""
    tuple_flags.register()
    text = "the config file; a colon precedes the variant"
    default = os.path.relpath(ROOT / "configs" / "acai.py")
    config_flags.DEFINE_config_file("config", default, text, lock_config=True)
    FLAGS["config"].parser = ConfigParser("config", lock_config=True)


def main():
    config = FLAGS.config
    if not FLAGS.workdir or FLAGS.workdir.startswith("-"):  # absl would take a following flag as the value
        raise InputError(f"--workdir must be given, e.g. --workdir=runs/acai. Received: {FLAGS.workdir or 'none'}")
    for section, field in (name.split(".") for name in PATH_FIELDS):
        if isinstance(path := config[section].get(field), str):
            config[section][field] = expand_path(path, f"--config.{section}.{field}")
    check(config)
    if config.data.source == "cifar10":
        check_cifar10(FLAGS.data_dir)
    logging.set_verbosity(logging.INFO)
    if config.train.get("strategy") == "multi_worker" and cluster.worker_index() > 0:
        train(config, run=None)  # only worker 0, the chief, writes
        return
    with RunDirectory(FLAGS.workdir, json.loads(config.to_json()), config.train.keep_checkpoints) as run:
        config.train.precision = run.config["train"]["precision"]
        if config.data.source == "folder":
            run.check_classes(folders.list_class_names(config.data.image_folder))
        train(config, run)


def train(config, run):
    """Trains from the newest checkpoint of a run to the end of its config.

    Args:
        config: a config that passed `check`.
        run: RunDirectory; None on workers other than the chief.
    """
    settings = config.train
    strategy = settings.get("strategy", "default")
    step, arrays = run.checkpoints.load_latest() if run else (0, None)
    if is_finished(config, run, step) and strategy != "multi_worker" and has_release(config, run):
        return

    memory.keep_freed_memory()
    num_towers = towers.plan(
        settings.get("towers", 1), settings.batch_size, strategy, settings.jit_compile, settings.precision
    )
    cli.import_tensorflow(strategy, num_towers > 1, settings.deterministic)
    from training import session

    session.train(config, run, arrays, FLAGS.data_dir)


def is_finished(config, run, step):
    """Whether a run has reached the last step of its config; prints a line if so."""
    finished = step >= steps(config, config.train.total_kimg)
    if finished:
        print(f"{run.path} is finished at {kimg(config, step):.1f} kimg")
    return finished


def has_release(config, run):
    """Whether a finished run has an undamaged release; otherwise it is written again from the checkpoint."""
    try:
        release.read(run.file("release"), config.family)
    except InputError as error:
        logging.warning("%s", error)
        return False
    return True


if __name__ == "__main__":
    cli.run(main, define_config)
