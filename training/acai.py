"""Training an ACAI: data of any source, its model, its figures, its pictures and its release."""

import functools

import numpy as np

from acai import latent_bank, net2net
from acai.inference import ReleasedACAI
from acai.model import ACAI
from classifiers.inference import bundled_classifier, search_ensemble
from common import release
from common.backend import precision, towers
from common.data import batches, lines
from common.data.cifar10 import CIFAR10_CLASSES
from common.errors import InputError
from common.images import to_uint8
from evaluation.training_metrics import BlendWatch, line_scores
from pictures import acai_training_grid
from training.callbacks import RunawayWatch
from training.schedule import cosine, steps


def watches():
    """Callbacks that warn of the ways in which a training fails."""
    return [RunawayWatch(("reconstruction_loss", "critic_loss"))]


def stream(config, train, step):
    """The batches from `step` on, a tf.data.Dataset."""
    if config.data.source == "lines":
        return lines.batches(config.train.batch_size, config.train.seed, step, config.model.width)
    across = config.data.groups if config.data.pairing == "across" else None
    return batches.batches(
        train, config.train.batch_size, config.train.seed, step, config.data.flip, across=across
    )


def build(config, train):
    """The configured model with its optimizers."""
    judge, judge_classes = jury(train.class_names) if config.model.recognition_weight else (None, None)
    model = ACAI(
        **config.model,
        judge=judge,
        judge_classes=judge_classes,
        features=judge_features() if config.model.feature_weight else None,
        colours=train.images.shape[-1],
        classes=len(train.class_names),
        recognition_from_step=steps(config, config.train.recognition_from_kimg),
        recognition_ramp_steps=steps(config, config.train.recognition_ramp_kimg),
        realism_from_step=steps(config, config.train.realism_from_kimg),
        realism_ramp_steps=steps(config, config.train.realism_ramp_kimg),
        discriminator_from_step=steps(config, config.train.discriminator_from_kimg),
        ema_rate=config.train.ema_rate,
        towers=towers.resolve(config.train.towers, config.train.batch_size),
        precision=precision.resolve(config.train.precision),
        seed=config.train.seed,
    )
    model.compile(
        learning_rate=rate(config, config.train.learning_rate, config.train.schedule),
        critic_learning_rate=rate(config, config.train.critic_learning_rate, config.train.critic_schedule),
        discriminator_learning_rate=config.train.discriminator_learning_rate,
    )
    return model


def start(config, model):
    """Gives a new model the weights of a released one, see `acai.net2net`.

    Raises:
        InputError: for one whose codes are not what its encoder says, or that cannot be widened to the model.
    """
    folder = release.resolve(config.train.start_from, "--config.train.start_from")
    settings, weights, *_ = release.read(folder)
    kind = settings["model"].get("bottleneck", "plain")
    if kind != "plain":
        raise InputError(
            f"--config.train.start_from is required to be of a plain bottleneck. Received: {folder}, {kind}"
        )
    net2net.begin_with(model, weights, folder)


def judge_features():
    """A function of images -> the maps that each block of the bundled classifier leaves."""
    import keras

    network = bundled_classifier("classifier").network
    maps = [layer.output for layer in network.layers if isinstance(layer, keras.layers.Activation)]
    inner = keras.Model(network.input, maps[::2])
    return lambda images: inner(images, training=False)


def jury(class_names):
    """(a function of images -> log probabilities by those that may search, which of its classes the names are).

    Raises:
        InputError: for a class that they do not know.
    """
    judges = search_ensemble()
    unknown = [name for name in class_names if name not in judges.class_names]
    if unknown:
        raise InputError(
            "--config.model.recognition_weight is required to be 0 for classes that the bundled judges do not "
            f"know. Received: the class {unknown[0]!r}"
        )
    return (lambda images: judges.log_probabilities_and_features(images)[0]), [
        judges.class_names.index(name) for name in class_names
    ]


def rate(config, learning_rate, schedule):
    """A learning rate or, where it changes on the way, a Keras schedule."""
    from keras.optimizers import schedules

    if schedule == "cosine":
        return cosine(config, learning_rate, floor=config.train.schedule_floor)
    if config.model.realism_weight:
        last_before = steps(config, config.train.realism_from_kimg) - 1
        rates = [learning_rate, config.train.realism_learning_rate]
        return schedules.PiecewiseConstantDecay([last_before], rates)
    return learning_rate


def evaluate(config, model, datasets):
    """{name: figure} of the released autoencoder: the hold-out's mean squared error, in [-1, 1] units; the paper's
    figures for lines, or those of blends of the two classes of the pictures where the judges know them.
    """
    networks = model.released.encode, model.released.decode
    errors = []
    for images in batches.iterate_in_order(datasets[1]):
        errors.append(np.square(images - np.asarray(model(images))).mean((1, 2, 3), dtype=np.float64))
    found = {"holdout_reconstruction_loss": float(np.concatenate(errors).mean())}
    classes = config.data.first, config.data.second
    if config.data.source == "lines":
        found |= line_scores(*networks)
    elif set(classes) <= {*CIFAR10_CLASSES} & {*datasets[1].class_names} and config.model.width == 32:
        found |= blend_watch(datasets[1], classes)(*networks)
    return found


@functools.cache
def blend_watch(holdout, classes, count=256):
    """Scores blends of the first images of two classes by both judges. Kept: a training asks for it often."""
    judges = {name: bundled_classifier(name) for name in ("referee", "classifier")}
    sides = (picture_images(holdout, name, count) for name in classes)
    return BlendWatch(judges, *sides, classes)


def render(config, model, datasets):
    """{name: picture} of the hold-out's first images of the two classes of the pictures."""
    first, second = (picture_images(datasets[1], name) for name in (config.data.first, config.data.second))
    return acai_training_grid.training_pictures(model.released.encode, model.released.decode, first, second)


def write_release(config, model, datasets, folder):
    """Writes the released networks, with a bank of codes, into `folder`."""
    codes = latent_bank.encode(model.released.encode, datasets, config.train.bank_per_class)
    settings = config.to_dict()
    settings["model"]["colours"] = datasets[0].images.shape[-1]
    if config.data.source == "folder":
        settings["data"]["classes"] = datasets[0].class_names
    release.write(folder, settings, model.release_state(), codes.arrays())


def picture_images(dataset, class_name, count=64):
    """The first `count` images of a class, float32 in [-1, 1], over again where it has fewer.

    All classes' where there is none of that name.
    """
    chosen = dataset.select((class_name,)) if class_name in dataset.class_names else dataset
    return chosen.images[np.arange(count) % len(chosen)] / np.float32(127.5) - 1


def golden_outputs(config, weights, codes, count=8):
    """{"decoded" uint8 [8, H, W, C], "scores" [8], "encoded" [8, h, w, c]} of the bank's first codes.

    `encoded` is the code of the decoded picture, so that all three networks take part; without a critic no scores.
    """
    model = ReleasedACAI(config["model"], weights, "the release")
    decoded = model.decode(codes["latents"][:count])
    outputs = {"decoded": to_uint8(decoded), "encoded": model.encode(decoded)}
    return outputs | ({"scores": model.predict_mix(decoded)} if model.critic else {})
