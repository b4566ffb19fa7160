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
    "train.schedule": ("constant", "cosine"),
    "train.precision": PRECISIONS,
}
LEAST = {
    1: "model.depth model.critic_depth model.latent_channels model.discriminator_channels "
    "train.batch_size train.keep_checkpoints",
    0.001: "train.total_kimg train.log_every_kimg",
    0: "model.mix_weight model.regularisation model.realism_weight train.learning_rate train.critic_learning_rate "
    "train.discriminator_learning_rate train.pictures_every_kimg train.save_every_kimg train.release_every_kimg "
    "train.realism_from_kimg train.discriminator_from_kimg train.realism_learning_rate train.seed train.ema_rate",
}


def check(config):
    """Raises InputError, one line that names the field, for a value that no training can start with."""

    def require(name, requirement, holds):
        section, field = name.split(".")
        value = config[section][field]
        if not holds(value):
            raise InputError(f"--config.{name} is required to be {requirement}. Received: {value!r}")

    for name, choices in CHOICES.items():
        require(name, f"one of {', '.join(map(str, choices))}", choices.__contains__)
    for least, names in LEAST.items():
        for name in names.split():
            require(name, f"finite and at least {least}", lambda value, least=least: least <= value < math.inf)
    require("train.ema_rate", "below 1", lambda rate: rate < 1)
    require("train.bank_per_class", "two positive counts", _is_two_counts)
    if config.data.source == "folder":
        require("data.image_folder", "a folder", lambda path: os.path.isdir(os.path.expanduser(path)))
    if config.data.source != "lines" and config.data.pairing == "across":
        require("train.batch_size", "even for pairs across", lambda size: size % 2 == 0)
    if config.data.source == "cifar10":
        require("model.width", "32, that of CIFAR-10", lambda width: width == 32)
        data.check_classes(config.data.classes)
        if config.data.pairing == "across":
            data.check_groups(config.data.groups, config.data.classes)


def _is_two_counts(value):
    return len(value) == 2 and all(isinstance(count, int) and count > 0 for count in value)
