"""Checks configs before TensorFlow is imported."""

import math
import os

from common import release
from common.backend import compiler, memory
from common.backend.precision import PRECISIONS
from common.data import batches, datasets
from common.data.cifar10 import CIFAR10_CLASSES
from common.distribute import cluster
from common.errors import InputError
from gan import choices

CHOICES = {
    "data.source": ("cifar10", "lines", "folder"),
    "data.pairing": ("shuffled", "across"),
    "data.fold": (0, 1),
    "data.ranges": ("wing_classifier", "wing_referee"),  # composites.ranges.RANGES
    "model.width": (32, 64),
    "model.latent_width": (1, 2, 4, 8, 16),
    "model.bottleneck": ("plain", "dropout", "denoising", "vae", "aae", "vqvae", "projected_vqvae"),  # KINDS
    "model.up": choices.UPSAMPLINGS,
    "model.normalisation": choices.NORMALISATIONS,
    "model.condition": choices.CONDITIONS,
    "model.loss": choices.LOSSES,
    "train.optimizer": ("adam", "rmsprop"),
    "train.schedule": ("constant", "cosine"),
    "train.critic_schedule": ("constant", "cosine"),
    "train.precision": PRECISIONS,
    "train.jit_compile": compiler.CHOICES,
    "train.strategy": cluster.STRATEGIES,
}
ARCHITECTURES = {name: ("plain", "residual") for name in ("classifier", "wing_classifier")}
ARCHITECTURES |= {"gan": choices.ARCHITECTURES}
AUGMENTATIONS = ("flip", "colour", "translation", "cutout")
MINIMUM = {
    -1: "data.memory_limit_gib",
    1: "model.codebook_size model.depth model.critic_depth model.latent_channels model.discriminator_channels "
    "model.generator_channels model.noise_size model.critic_steps train.batch_size train.keep_checkpoints "
    "data.composites",
    0.001: "train.total_kimg train.log_every_kimg",
    0: "model.bottleneck_strength model.mix_weight model.regularisation model.adversarial_weight "
    "model.r1_weight train.learning_rate train.critic_learning_rate train.discriminator_learning_rate "
    "train.pictures_every_kimg train.save_every_kimg train.release_every_kimg train.discriminator_from_kimg "
    "train.adversarial_from_kimg train.adversarial_ramp_kimg train.adversarial_learning_rate train.weight_decay "
    "train.seed data.shift model.gradient_penalty model.weight_clip model.instance_noise model.replay_images "
    "train.instance_noise_kimg train.max_minutes",
}
LARGEST_FLOAT32 = 3.4e38  # TensorFlow makes infinity of larger numbers
MAX_STEPS = 10**9 - 1  # names of checkpoints have nine digits
MAX_CHANNELS = 2**14  # a kernel of 3x3 then takes 10 GB, and so do both moments of Adam
MAXIMUM = {
    2**32 - 1: "train.seed",  # numpy's
    2**31 - 1: "train.keep_checkpoints model.critic_steps",
    2**20: "model.codebook_size",
    MAX_CHANNELS: "model.depth model.critic_depth model.latent_channels model.discriminator_channels "
    "model.generator_channels model.noise_size",
}
BYTES_PER_VALUE = {"train.batch_size": 4, "model.replay_images": 4, "data.composites": 1}  # of images in memory
SHARES = "train.ema_rate train.momentum train.warmup model.label_smoothing train.beta_1 train.beta_2"  # in [0, 1)


def check(config):
    """Raises InputError, which names the field, for a value with which no training can start."""

    def require(name, requirement, holds):
        section, field = name.split(".")
        value = config[section].get(field)
        try:
            valid = field not in config[section] or holds(value)
        except TypeError:  # such as a str in place of a number
            valid = False
        if not valid:
            raise InputError(f"--config.{name} must be {requirement}. Received: {value!r}")

    require("data.source", f"one of {', '.join(CHOICES['data.source'])}", CHOICES["data.source"].__contains__)
    if config.family == "wing_classifier":
        require("data.source", "cifar10, whose horses and birds are labelled", lambda name: name == "cifar10")
        require("data.classes", "all ten, for the composites", lambda names: {*names} == {*CIFAR10_CLASSES})
    if config.data.source == "folder":  # first, because it decides about fields that are "auto"
        require("data.image_folder", "a folder", lambda path: os.path.isdir(os.path.expanduser(path)))
    for name, values in (CHOICES | {"model.architecture": ARCHITECTURES.get(config.family, ())}).items():
        require(name, f"one of {', '.join(map(str, values))}", values.__contains__)
    limits = maximum_of_fields(config)
    for minimum, names in MINIMUM.items():
        for name in names.split():
            high, why = limits.get(name, limits["kimg"] if name.endswith("_kimg") else (LARGEST_FLOAT32, ""))
            require(name, f"finite and at least {minimum}", lambda value, low=minimum: low <= value < math.inf)
            require(name, f"at most {high}{why}", lambda value, high=high: value <= high)
    for name in SHARES.split():
        require(name, "at least 0 and below 1", lambda value: 0 <= value < 1)
    if config.train.get("strategy", "default") != "default":
        require("train.jit_compile", "auto or off for several devices", lambda choice: choice != "on")
        require("train.batch_size", "even for several devices", lambda size: size % 2 == 0)
    if config.train.get("start_from"):
        if not os.path.isdir(os.path.join(config.train.start_from, "checkpoints")):
            release.resolve(config.train.start_from, "--config.train.start_from")
        require("model.bottleneck", "plain to start from another model", lambda kind: kind == "plain")
    for section, field in (("train", "leading_layers"), ("data", "decoder")):
        if source := config[section].get(field):
            release.resolve(source, f"--config.{section}.{field}")
    size, width = config.train.batch_size, config.model.width
    require(
        "train.towers",
        f"0, 1 or a number whose double divides the batch size, {size}",
        lambda count: count in (0, 1) or count > 1 and size % (2 * count) == 0,
    )
    require("train.schedule_floor", "in [0, 1]", lambda share: 0 <= share <= 1)
    if config.model.get("bottleneck") == "dropout":
        require("model.bottleneck_strength", "below 1 for dropout", lambda share: share < 1)
    require("train.bank_per_class", "two positive counts", lambda value: len(value) == 2 and _are_counts(value))
    require("model.channels", "positive counts, two at least", lambda value: len(value) > 1 and _are_counts(value))
    require("train.bank_per_class", "below 2**31", lambda counts: max(counts) < 2**31)
    require("model.channels", f"at most {MAX_CHANNELS} each", lambda value: max(value) <= MAX_CHANNELS)
    if config.model.get("architecture") == "plain":  # each count but the first is of a block that halves the width
        most = width.bit_length()
        require("model.channels", f"at most {most} counts for width {width}", lambda value: len(value) <= most)
    require("data.shift", f"at most {width - 1}, to mirror the border", lambda shift: shift < width)
    require("data.ids", "integers", lambda ids: all(isinstance(id, int) for id in ids))
    require("data.ids", "in [0, 2**63)", lambda ids: all(0 <= id < 2**63 for id in ids))
    require("model.augment", f"names among {', '.join(AUGMENTATIONS)}", set(AUGMENTATIONS).issuperset)
    require("model.masked_blends", "in [0, 1]", lambda share: 0 <= share <= 1)
    if config.model.get("latent_width") == 1:
        require("model.masked_blends", "0 for latents of one cell", lambda share: share == 0)
    pairing = config.data.get("pairing")
    if config.data.source != "lines" and pairing == "across":
        require("train.batch_size", "even for pairs across", lambda size: size % 2 == 0)
    if config.family != "acai":
        require("data.source", "cifar10 or folder; only an ACAI trains on lines", lambda name: name != "lines")
    if config.data.source != "folder":
        require("model.width", "32, that of CIFAR-10 and of lines", lambda width: width == 32)
    if config.data.source == "cifar10":
        datasets.check_classes(config.data.classes)
        if pairing == "across":
            batches.check_groups(config.data.groups, config.data.classes)
    if config.family == "gan":
        check_gan(config, require)


def maximum_of_fields(config):
    """Returns {field, or "kimg" for all that end so: (largest value, its reason)}."""
    limits = {name: (maximum, "") for maximum, names in MAXIMUM.items() for name in names.split()}
    limits["kimg"] = MAX_STEPS * config.train.batch_size / 1000, f", which are {MAX_STEPS:,} steps"
    for name, size in BYTES_PER_VALUE.items():
        limits[name] = memory.total_bytes() // (3 * config.model.width**2 * size), ", which fill the memory"
    return limits


def check_gan(config, require):
    """As `check`, for combinations of a GAN's fields: the rules of `gan.model.GAN`, which needs TensorFlow."""
    model = config.model
    for name in ("model.soft_labels", "model.flipped_labels"):
        require(name, "at least 0 and below 0.5", lambda share: 0 <= share < 0.5)
        if model.loss != choices.LOSS_WITH_TARGETS:
            require(name, f"0 for the loss {model.loss}, which has no targets", lambda share: share == 0)
    if model.architecture == "residual":
        require("model.up", "resize for the residual architecture", lambda up: up == "resize")
        require("model.normalisation", "spectral or none for the residual architecture", lambda n: n != "batch")
    if model.gradient_penalty:
        require("model.normalisation", "spectral or none for a gradient penalty", lambda n: n != "batch")
        require("model.minibatch_deviation", "False for a gradient penalty", lambda wanted: not wanted)
    if model.replay_images:
        least = config.train.batch_size // 2
        require("model.replay_images", f"0 or at least half a batch, {least}", lambda count: count >= least)
    if model.conditional and config.data.source == "cifar10":
        for name in ("data.first", "data.second"):
            require(name, "one of data.classes", lambda name: name in config.data.classes)


def _are_counts(value):
    return all(isinstance(count, int) and count > 0 for count in value)
