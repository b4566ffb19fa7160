"""What a config may say, checked before TensorFlow is imported."""

import math
import os

from common import data
from common.command import InputError
from common.precision import PRECISIONS

CHOICES = {
    "data.source": ("cifar10", "lines", "folder"),
    "data.pairing": ("shuffled", "across"),
    "model.width": (32, 64),
    "model.latent_width": (1, 2, 4, 8, 16),
    "model.architecture": ("plain", "residual"),
    "train.schedule": ("constant", "cosine"),
    "train.precision": PRECISIONS,
}
LEAST = {
    1: "model.depth model.critic_depth model.latent_channels model.discriminator_channels "
    "train.batch_size train.keep_checkpoints",
    0.001: "train.total_kimg train.log_every_kimg",
    0: "model.mix_weight model.regularisation model.realism_weight train.learning_rate train.critic_learning_rate "
    "train.discriminator_learning_rate train.pictures_every_kimg train.save_every_kimg train.release_every_kimg "
    "train.discriminator_from_kimg train.realism_from_kimg train.realism_learning_rate train.weight_decay "
    "train.seed data.shift",
}


def check(config):
    """Raises InputError, one line that names the field, for a value that no training can start with."""

    def require(name, requirement, holds):
        section, field = name.split(".")
        value = config[section].get(field)
        if field in config[section] and not holds(value):
            raise InputError(f"--config.{name} is required to be {requirement}. Received: {value!r}")

    for name, choices in CHOICES.items():
        require(name, f"one of {', '.join(map(str, choices))}", choices.__contains__)
    for least, names in LEAST.items():
        for name in names.split():
            require(name, f"finite and at least {least}", lambda value, least=least: least <= value < math.inf)
    for name in ("train.ema_rate", "train.momentum", "train.warmup", "model.label_smoothing"):
        require(name, "at least 0 and below 1", lambda value: 0 <= value < 1)
    require("train.bank_per_class", "two positive counts", _is_two_counts)
    require("model.channels", "positive counts, two at least", lambda value: len(value) > 1 and min(value) > 0)
    if config.data.source == "folder":
        require("data.image_folder", "a folder", lambda path: os.path.isdir(os.path.expanduser(path)))
    pairing = config.data.get("pairing")
    if config.data.source != "lines" and pairing == "across":
        require("train.batch_size", "even for pairs across", lambda size: size % 2 == 0)
    if config.data.source == "cifar10":
        require("model.width", "32, that of CIFAR-10", lambda width: width == 32)
        data.check_classes(config.data.classes)
        if pairing == "across":
            data.check_groups(config.data.groups, config.data.classes)


def _is_two_counts(value):
    return len(value) == 2 and all(isinstance(count, int) and count > 0 for count in value)
