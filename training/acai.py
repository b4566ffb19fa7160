"""Training an ACAI: its batches, model, validation metrics, pictures and release."""

import functools

import numpy as np

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
from common.images import to_float, to_uint8
from evaluation.training_metrics import BlendMetrics, measure_lines
from pegasus.labels import parent_ids
from training import acai_grids
from training.callbacks import WarnOnDivergence
from training.projector import ProjectorWriter
from training.schedule import cosine, release_settings, steps


def callbacks(config, run, model, datasets, scalars):
    """The callbacks of this family: a warning when the training diverges, and TensorBoard's projector."""
    return [
        WarnOnDivergence(("reconstruction_loss", "critic_loss"), config.train.batch_size),
        ProjectorWriter(run, lambda: embed(model, datasets[1]), steps(config, config.train.release_every_kimg)),
    ]


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


def make_critic(fields, colours, policy):
    """A list of the configured critic, empty without one."""
    if not fields.mix_weight:
        return []
    depth = fields.critic_depth or fields.depth
    network = networks.critic(fields.width, fields.latent_width, fields.latent_channels, depth, colours, policy)
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
    """Copies the weights of a release into a new model of the same sizes.

    Networks that the release lacks keep their initial weights.

    Raises:
        InputError: for a release whose weights do not fit.
    """
    folder = release.resolve(config.train.start_from, "--config.train.start_from")
    _, arrays, *_ = release.read(folder)
    released, state = model.release_state(), model.state()
    shared = {name.split("/")[0] for name in released} & {name.split("/")[0] for name in arrays}
    arrays = {name: array for name, array in arrays.items() if name.split("/")[0] in shared}
    variables.restore({n: v for n, v in released.items() if n.split("/")[0] in shared}, arrays, folder)
    for name, array in arrays.items():
        if f"trained_{name}" in state:  # `released` has the average of this variable
            state[f"trained_{name}"].assign(array)


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
    or metrics of blends of the config's two picture classes, if these are classes of CIFAR-10.
    """
    networks = model.released.encode, model.released.decode
    errors = []
    for images in batches.iterate_in_order(datasets[1]):
        errors.append(np.square(images - np.asarray(model(images))).mean((1, 2, 3), dtype=np.float64))
    metrics = {"holdout_reconstruction_loss": float(np.concatenate(errors).mean())}
    classes = config.data.first, config.data.second
    if config.data.source == "lines":
        metrics |= measure_lines(*networks)
    elif set(classes) <= {*CIFAR10_CLASSES} & {*datasets[1].class_names} and config.model.width == 32:
        metrics |= blend_metrics(datasets[1], classes)(*networks)
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
    """{name: picture} of the first hold-out images of the config's two picture classes."""
    first, second = (picture_images(datasets[1], name) for name in (config.data.first, config.data.second))
    return acai_grids.training_pictures(model.released.encode, model.released.decode, first, second)


def write_release(config, model, datasets, folder):
    """Writes the released networks and a bank of latents, those of a search's parents included, into `folder`."""
    always = parent_ids() if config.data.source == "cifar10" else ()
    bank = latent_bank.build_bank(model.released.encode, datasets, config.train.bank_per_class, always=always)
    settings = release_settings(config, model)
    settings["model"]["colours"] = datasets[0].images.shape[-1]
    if config.data.source == "folder":
        settings["data"]["classes"] = datasets[0].class_names
    release.write(folder, settings, model.release_state(), bank.arrays())


def picture_images(dataset, class_name, count=64):
    """The first `count` images of a class, float32 in [-1, 1], repeated if it has fewer.

    Without a class of that name they are of all classes.
    """
    chosen = dataset.select((class_name,)) if class_name in dataset.class_names else dataset
    return chosen.images[np.arange(count) % len(chosen)] / np.float32(127.5) - 1


def golden_outputs(config, weights, bank, count=8):
    """{"decoded" uint8 [8, H, W, C], "encoded" [8, h, w, c], "scores" [8]} of the bank's first latents.

    The decoded pictures are encoded again and scored by the critic. Without a critic there are no scores.
    """
    model = ReleasedACAI(config["model"], weights, "the release")
    decoded = model.decode(bank["latents"][:count])
    outputs = {"decoded": to_uint8(decoded), "encoded": model.encode(decoded)}
    return outputs | ({"scores": model.predict_mix(decoded)} if model.critic else {})
