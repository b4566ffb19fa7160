"""Defines --config: a file of configs/, perhaps with a colon and a variant, whose fields are flags, too."""

import os
from pathlib import Path

from absl import flags
from ml_collections.config_flags import config_flags

from common.errors import InputError
from common.files import expand_path
from configs import tuple_flags

ROOT = Path(__file__).parents[1]
PATH_FIELDS = (
    "data.image_folder",
    "data.cache_folder",
    "data.decoder",
    "train.start_from",
    "train.leading_layers",
)


class ConfigParser(config_flags.ConfigFileFlagParser):
    """Parses --config, a path in the working folder or in this project, perhaps with a colon and a variant."""

    def parse(self, path):
        name, colon, variant = expand_path(path, "--config").partition(":")
        if not os.path.exists(name) and (ROOT / name).is_file():
            name = os.path.relpath(ROOT / name)  # an absolute one can have a colon
        try:
            return super().parse(f"{name}{colon}{variant}")
        except InputError as error:  # ml_collections adds a traceback to what the file raised
            raise error.__context__ from None


def define_config():
    """Defines --config, which reads the config file and its overridden fields, so that errors are reported."""
    tuple_flags.register()
    default = os.path.relpath(ROOT / "configs" / "acai.py")
    text = f"the config file; a colon precedes the variant (default: {default})"
    config_flags.DEFINE_config_file("config", default, text, lock_config=True)
    flags.FLAGS["config"].parser = ConfigParser("config", lock_config=True)


def expand_paths(config):
    """Expands `~` in the fields that are paths. Raises InputError for one that is not on this machine."""
    for section, field in (name.split(".") for name in PATH_FIELDS):
        if isinstance(path := config[section].get(field), str):
            config[section][field] = expand_path(path, f"--config.{section}.{field}")
