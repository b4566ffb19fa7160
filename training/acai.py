"""Training an ACAI: its batches, model, validation metrics, pictures and release."""

import functools
import os

import numpy as np
from absl import logging

from acai import latent_bank, networks
from acai.adversaries.critic import Critic
from acai.adversaries.patch_discriminator import PatchDiscriminator
from acai.adversaries.ramp import LinearRamp
from acai.autoencoder import Autoencoder
from acai.inference import ReleasedACAI
from acai.mixing import MaskedMix, UniformMix
from acai.model import ACAI
from classifiers.inference import bundled_classifier
from common import release, variables
from common.backend import precision
from common.data import batches, lines
from common.data.cifar10 import CIFAR10_CLASSES
from common.errors import InputError
from common.images import to_float, to_uint8
from evaluation.training_metrics import BlendMetrics, measure_lines
from pegasus.labels import parent_ids
from training import acai_grids
from training.callbacks import WarnOnDivergence
from training.checkpoints import Checkpoints
from training.projector import ProjectorWriter
from training.schedule import cosine, release_settings, steps


def callbacks(config, run, model, datasets, scalars):
    """The callbacks of this family: a warning when the training diverges, and TensorBoard's projector."""
    warning = WarnOnDivergence(("reconstruction_loss", "critic_loss"), config.train.batch_size)
    every_steps = steps(config, config.train.release_every_kimg)
    return [warning, ProjectorWriter(run, lambda: embed(model, datasets[1]), every_steps)]


def stream(config, train, step):
    """The batches from `step` on, a tf.data.Dataset."""
    if config.data.source == "lines":
        return lines.batches(config.train.batch_size, config.train.seed, step, config.model.width)
    across = config.data.groups if config.data.pairing == "across" else None
    return batches.batches(
        train, config.train.batch_size, config.train.seed, step, config.data.flip, across=across
    )


def build(config, train):
    """The configured model with its optimizers.

    The order in which networks are created decides their initial weights: do not change it.
    """
    fields, policy = config.model, precision.resolve(config.train.precision)
    colours, classes = train.images.shape[-1], len(train.class_names)
    autoencoder = Autoencoder(
        fields.width,
        fields.latent_width,
        fields.latent_channels,
        fields.depth,
        colours,
        fields.bottleneck,
        fields.bottleneck_strength,
        fields.codebook_size,
        policy,
    )
    critic = make_critic(fields, colours, policy)
    latent_classifier = networks.classifier(fields.latent_width, fields.latent_channels, classes)
    discriminator = make_discriminator(config, colours, policy)
    model = ACAI(
        autoencoder,
        latent_classifier,
        (*critic, *discriminator),
        make_mixing(config),
        config.train.ema_rate,
        config.train.seed,
        make_regulariser_ramp(config),
    )
    critic_rate = rate(config, config.train.critic_learning_rate, config.train.critic_schedule)
    model.compile(
        rate(config, config.train.learning_rate, config.train.schedule),
        {"critic": critic_rate, "discriminator": config.train.discriminator_learning_rate},
    )
    return model


def make_mixing(config):
    """How the latents of blends are mixed, see `acai.mixing`."""
    masked = config.model.masked_blends
    return MaskedMix(masked) if masked else UniformMix()


def make_regulariser_ramp(config):
    """How the weight of an AAE's adversarial loss rises; None for other bottlenecks."""
    train = config.train
    if config.model.bottleneck != "aae":
        return None
    return LinearRamp(1.0, steps(config, train.adversarial_from_kimg), steps(config, train.adversarial_ramp_kimg))


def make_critic(fields, colours, policy):
    """A list of the configured critic, empty without one."""
    if not fields.mix_weight:
        return []
    sizes = fields.width, fields.latent_width, fields.latent_channels, fields.critic_depth
    network = networks.critic(*sizes, colours, policy)
    return [Critic(network, fields.mix_weight, fields.regularisation)]


def make_discriminator(config, colours, policy):
    """A list of the configured patch discriminator, empty without one."""
    fields, train = config.model, config.train
    if not fields.adversarial_weight:
        return []
    network = networks.patch_discriminator(fields.width, fields.discriminator_channels, colours, policy)
    from_step, ramp_steps = steps(config, train.adversarial_from_kimg), steps(config, train.adversarial_ramp_kimg)
    weight = LinearRamp(fields.adversarial_weight, from_step, ramp_steps)
    return [PatchDiscriminator(network, weight, fields.r1_weight, steps(config, train.discriminator_from_kimg))]


def start(config, model):
    """Copies into a new model every network that both it and its source have, and Adam's state of each.

    The source is a run's newest checkpoint or, without one, a release. A checkpoint gives the weights in float32,
    the averages of weights, and Adam's moments and count of steps. The model's `step`, learning rates and loss
    scales begin anew, as do networks and optimizers that the source lacks.

    Raises:
        InputError: the source is of another family or bottleneck or does not fit, or all its checkpoints are
            damaged.
    """
    arrays, folder = read_source(config.train.start_from)
    ours = group_by_network(model.state())
    theirs = group_by_network(choose_weights(arrays, with_averages=model.ema_rate > 0))
    shared = ours.keys() & theirs.keys()
    state = {name: variable for network in shared for name, variable in ours[network].items()}
    given = {name: array for network in shared for name, array in theirs[network].items()}
    variables.restore(state, given, folder)


def read_source(source):
    """Returns ({name: array}, its folder) of a run's newest checkpoint or, without one, of a release.

    Nothing is written, and a training may be writing there.

    Args:
        source: path or name of a bundled model.
    """
    folder = os.path.join(source, "checkpoints")
    step, arrays = Checkpoints(folder).load_latest() if os.path.isdir(folder) else (0, None)
    if arrays is None:
        folder = release.resolve(source, "--config.train.start_from")
        config, arrays, *_ = release.read(folder)
    else:
        config = release.read_config(source)
    family, fields = config.get("family", "acai"), config.get("model")
    bottleneck = fields.get("bottleneck", "plain") if isinstance(fields, dict) else "unknown"
    if (family, bottleneck) != ("acai", "plain"):
        kind = f"of the family {family}" if family != "acai" else f"with the bottleneck {bottleneck}"
        raise InputError(f"--config.train.start_from must be a plain ACAI. Received: {source} {kind}")
    logging.info("starting from %s of %s", f"step {step}" if step else "the release", source)
    return arrays, folder


def choose_weights(arrays, with_averages):
    """Chooses the arrays for a model with or without averages of weights, {name in its `state`: array}.

    In a checkpoint with averages, "encoder/..." is the average of "trained_encoder/...". Without them, averages
    begin at the weights. A model without averages gets the trained weights of a checkpoint and the averages of a
    release, which has nothing else.

    Args:
        arrays: {name: array} of a checkpoint or release.
        with_averages: whether the model has averages. Each array is then also given as "trained_...", though a
            model has such names for its autoencoder alone.
    """
    chosen = {}
    for name, array in arrays.items():
        if not name.startswith("trained_"):
            trained = arrays.get(f"trained_{name}", array)
            chosen |= {name: array, f"trained_{name}": trained} if with_averages else {name: trained}
    return chosen


def group_by_network(state):
    """Groups what another training can go on from: {network or optimizer: {name: value}}, without the step.

    Args:
        state: {name: variable or array} as of `ACAI.state`.
    """
    groups = {}
    for name, value in state.items():
        groups.setdefault(name.partition("/")[0], {})[name] = value
    groups.pop("step", None)
    for group, values in groups.items():
        if group.endswith("_optimizer"):
            adam = enumerate(select_adam_state([*values.values()]))
            groups[group] = {f"{group}/{number}": value for number, value in adam}
    return groups


def select_adam_state(values):
    """Selects [count of steps, *moments] from the variables of an Adam in their order.

    Left out are the learning rate and the variables of loss scaling, which only some schedules and precisions
    have. Loss scaling comes first and has an integer of its own, so Adam's count is the last integer.
    """
    integers = [value for value in values if len(value.shape) == 0 and "int" in str(value.dtype)]
    return [integers[-1], *(value for value in values if len(value.shape))]


def rate(config, learning_rate, schedule):
    """A constant learning rate or a Keras schedule."""
    from keras.optimizers import schedules

    if schedule == "cosine":
        return cosine(config, learning_rate, floor=config.train.schedule_floor)
    if config.model.adversarial_weight:
        last_before = steps(config, config.train.adversarial_from_kimg) - 1
        rates = [learning_rate, config.train.adversarial_learning_rate]
        return schedules.PiecewiseConstantDecay([last_before], rates)
    return learning_rate


def evaluate(config, model, datasets):
    """{name: value} of validation metrics of the released autoencoder.

    They are the mean squared error on the hold-out set, in [-1, 1] units, and either the paper's metrics of lines
    or metrics of blends of the config's two picture classes, if these are classes of CIFAR-10 that the hold-out
    has and images are 32 pixels wide.
    """
    functions = model.released.encode, model.released.decode
    errors = []
    for images in batches.iterate_in_order(datasets[1]):
        errors.append(np.square(images - np.asarray(model(images))).mean((1, 2, 3), dtype=np.float64))
    metrics = {"holdout_reconstruction_loss": float(np.concatenate(errors).mean())}
    classes = config.data.first, config.data.second
    if config.data.source == "lines":
        metrics |= measure_lines(*functions)
    elif set(classes) <= {*CIFAR10_CLASSES} & {*datasets[1].class_names} and config.model.width == 32:
        metrics |= blend_metrics(datasets[1], classes)(*functions)
    return metrics


@functools.cache
def blend_metrics(holdout, classes, count=256):
    """Scores blends of the first `count` images of two classes with both bundled classifiers. Cached."""
    classifiers = {name: bundled_classifier(name) for name in ("referee", "classifier")}
    sides = (picture_images(holdout, name, count) for name in classes)
    return BlendMetrics(classifiers, *sides, classes)


def embed(model, holdout, count=512):
    """The latents [N, d], reconstructions uint8 [N, H, W, C] and class names of the first hold-out images."""
    images = to_float(holdout.images[:count])
    latents = model.released.encode(images)
    pictures = to_uint8(np.clip(model.released.decode(latents), -1, 1))
    names = [holdout.class_names[label] for label in holdout.labels[:count]]
    return np.asarray(latents).reshape(len(images), -1), pictures, names


def render(config, model, datasets):
    """{name: picture} of hold-out images of the config's two picture classes."""
    first, second = config.data.first, config.data.second
    images = picture_images(datasets[1], first), picture_images(datasets[1], second, quarters=int(first == second))
    return acai_grids.training_pictures(model.released.encode, model.released.decode, *images)


def write_release(config, model, datasets, folder):
    """Writes the released networks and a bank of latents, those of a search's parents included, into `folder`."""
    always = parent_ids() if config.data.source == "cifar10" else ()
    bank = latent_bank.build_bank(model.released.encode, datasets, config.train.bank_per_class, always=always)
    settings = release_settings(config, model)
    settings["model"]["colours"] = datasets[0].images.shape[-1]
    if config.data.source == "folder":
        settings["data"]["classes"] = datasets[0].class_names
    release.write(folder, settings, model.release_state(), bank.arrays())


def picture_images(dataset, class_name, count=64, quarters=0):
    """`count` images of a class, float32 in [-1, 1], repeated if it has fewer.

    They are its first or, with `quarters`, those that begin after that many quarters of the class. Lines stand in
    the order of their angles, so a quarter turns each by a right angle. Without a class of that name they are of
    all classes.
    """
    chosen = dataset.select((class_name,)) if class_name in dataset.class_names else dataset
    return to_float(chosen.images[(np.arange(count) + quarters * len(chosen) // 4) % len(chosen)])


def golden_outputs(config, weights, bank, count=8):
    """{"decoded" uint8 [8, H, W, C], "encoded" [8, h, w, c], "scores" [8]} of the bank's first latents.

    The decoded pictures are encoded again and scored by the critic. Without a critic there are no scores.
    """
    model = ReleasedACAI(config["model"], weights, "the release")
    decoded = model.decode(bank["latents"][:count])
    outputs = {"decoded": to_uint8(decoded), "encoded": model.encode(decoded)}
    return outputs | ({"scores": model.predict_mix(decoded)} if model.critic else {})
