"""Trains a model: python train.py --config=configs/acai.py:pegasus --workdir=runs/pegasus

The same command again resumes. Any field of the config can be set, e.g. --config.train.total_kimg=500.
To watch: tensorboard --logdir runs
"""

import json

import numpy as np
from absl import flags, logging
from ml_collections import config_flags

from common import command, data, lines, memory
from common.command import InputError
from common.run_directory import RunDirectory
from configs.check import check

CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/acai.py", "the config file, with a variant behind a colon", lock_config=True
)
WORKDIR = flags.DEFINE_string("workdir", None, "the run directory: checkpoints, logs and pictures go there")
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR, else its default"
)


def main():
    config = CONFIG.value
    if not WORKDIR.value or WORKDIR.value.startswith("-"):  # absl takes a flag that follows for the value
        raise InputError(f"--workdir is required, e.g. --workdir=runs/acai. Received: {WORKDIR.value or 'none'}")
    check(config)
    if config.data.source == "cifar10":
        data.check_cifar10(DATA_DIR.value)
    logging.set_verbosity(logging.INFO)
    run = RunDirectory(WORKDIR.value, json.loads(config.to_json()), config.train.keep_checkpoints)
    step, arrays = run.checkpoints.load_latest()
    total_steps = steps(config, config.train.total_kimg)
    if step >= total_steps:
        print(f"{run.path} is finished at {kimg(config, step):.1f} kimg")
        return

    memory.keep_freed_memory()
    command.import_tensorflow()
    import keras

    from common import checkpoints, loop

    keras.utils.set_random_seed(config.train.seed)
    train, holdout = load(config.data, config.model.width)
    model = build(config, train)
    if arrays:
        checkpoints.restore(model.state(), arrays, run.checkpoints.folder)
        logging.info("resuming %s at %.1f kimg", run.path, kimg(config, step))
    run.rewind(step)
    observers = callbacks(config, run, model, (train, holdout))
    try:
        stopped_by = loop.train(
            model,
            stream(config, train, step),
            total_steps,
            config.train.batch_size,
            steps(config, config.train.log_every_kimg),
            observers,
            config.train.jit_compile,
        )
    except loop.NonFiniteError as error:
        raise InputError(
            f"{error}; the checkpoints before it are kept. Start a new --workdir with a lower "
            "--config.train.learning_rate or another --config.train.seed"
        ) from error
    finally:
        for observer in observers:
            observer.close()
    if stopped_by:
        print(f"stopped by {stopped_by.name}; saved: the same command goes on from there")


def load(settings, width):
    """(train, holdout), two common.data.ImageDataset. Of lines, which never end, some for bank and pictures."""
    if settings.source == "lines":
        return tuple(
            data.ImageDataset(
                images=np.rint(127.5 * lines.render(angles, width) + 127.5).astype(np.uint8),
                labels=np.zeros(len(angles), np.int32),
                ids=np.arange(len(angles)),
                class_names=("line",),
                split=split,
            )
            for split, angles in (
                ("train", np.arange(256) * 2 * np.pi / 256),
                ("holdout", (np.arange(256) + 0.5) * 2 * np.pi / 256),
            )
        )
    if settings.source == "folder":
        whole = data.load_folder(settings.image_folder, width=width, hold_out=False)
    else:
        whole = data.load_cifar10(DATA_DIR.value, classes=settings.classes, hold_out=False)
    train, holdout = data.divide(whole)
    counts = np.bincount(holdout.labels, minlength=len(holdout.class_names))
    if not counts.all():
        name = holdout.class_names[counts.argmin()]
        raise InputError(f"Ten images a class are required: every tenth is held out. Received: fewer of {name}")
    return train if settings.hold_out else whole, holdout


def stream(config, train, step):
    """The batches from `step` on, a tf.data.Dataset."""
    if config.data.source == "lines":
        return lines.batches(config.train.batch_size, config.train.seed, step, config.model.width)
    across = config.data.groups if config.data.pairing == "across" else None
    return data.batches(train, config.train.batch_size, config.train.seed, step, config.data.flip, across)


def build(config, train):
    """The configured model with its optimizers."""
    from acai.model import ACAI
    from common import precision

    model = ACAI(
        **config.model,
        colours=train.images.shape[-1],
        classes=len(train.class_names),
        realism_from_step=steps(config, config.train.realism_from_kimg),
        discriminator_from_step=steps(config, config.train.discriminator_from_kimg),
        ema_rate=config.train.ema_rate,
        precision=precision.resolve(config.train.precision),
        seed=config.train.seed,
    )
    model.compile(
        learning_rate=rate(config, config.train.learning_rate),
        critic_learning_rate=rate(config, config.train.critic_learning_rate),
        discriminator_learning_rate=config.train.discriminator_learning_rate,
    )
    return model


def callbacks(config, run, model, datasets):
    """What happens beside the steps, in its order: a checkpoint comes after what was logged."""
    from acai import bank, pictures
    from common import callbacks as c
    from common import release

    first, second = (picture_images(datasets[1], name) for name in (config.data.first, config.data.second))
    batch_size, start = config.train.batch_size, int(model.step)
    scalars = c.ScalarWriter(run, batch_size, "" if start else str(config))

    def write_release(step):
        codes = bank.encode(model.released_encoder, datasets, config.train.bank_per_class)
        settings = config.to_dict()
        settings["model"]["colours"] = first.shape[-1]
        release.write(run.file("release"), settings, model.release_state(), codes.arrays())

    def render():
        return pictures.training_pictures(model.released_encoder, model.released_decoder, first, second)

    def evaluate():
        return {"holdout_reconstruction_loss": holdout_loss(model, datasets[1])}

    return [
        c.Validation(evaluate, steps(config, config.train.pictures_every_kimg), start),
        scalars,
        c.Progress(start, steps(config, config.train.total_kimg), batch_size),
        c.RunawayWatch(),
        c.PictureWriter(run, scalars, render, steps(config, config.train.pictures_every_kimg)),
        c.ReleaseWriter(write_release, steps(config, config.train.release_every_kimg)),
        c.CheckpointWriter(run, model, scalars, steps(config, config.train.save_every_kimg)),
    ]


def picture_images(dataset, class_name, count=64):
    """The first `count` images of a class, float32 in [-1, 1], over again where it has fewer.

    All classes' where there is none of that name.
    """
    chosen = dataset.select((class_name,)) if class_name in dataset.class_names else dataset
    return chosen.images[np.arange(count) % len(chosen)] / np.float32(127.5) - 1


def holdout_loss(model, holdout, batch_size=250):
    """Mean squared reconstruction error of the released autoencoder on the hold-out, in [-1, 1] units."""
    errors = []
    for start in range(0, len(holdout), batch_size):
        images = holdout.images[start : start + batch_size] / np.float32(127.5) - 1
        errors.append(np.square(images - np.asarray(model(images))).mean((1, 2, 3), dtype=np.float64))
    return float(np.concatenate(errors).mean())


def rate(config, learning_rate):
    """A learning rate or, where it changes on the way, a Keras schedule."""
    from keras.optimizers import schedules

    if config.train.schedule == "cosine":
        return schedules.CosineDecay(learning_rate, steps(config, config.train.total_kimg))
    if config.model.realism_weight:
        last_before = steps(config, config.train.realism_from_kimg) - 1
        rates = [learning_rate, config.train.realism_learning_rate]
        return schedules.PiecewiseConstantDecay([last_before], rates)
    return learning_rate


def steps(config, kimg):
    return max(1, round(kimg * 1000 / config.train.batch_size)) if kimg else 0


def kimg(config, step):
    return step * config.train.batch_size / 1000


if __name__ == "__main__":
    command.run(main)
