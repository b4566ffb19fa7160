"""Converts a release or a run of versions before November 28, 2026: python -m training.convert OLD NEW

Those named variables by number ("encoder/02_kernel"); now a variable has the name of its layer
("encoder/conv2d_0/kernel"). Fields of the config have new names, too. OLD stays as it is. This module goes when no
such release or run is left.
"""

import importlib
import json
import os
import shutil
import sys
import types

import numpy as np

from common import cli, release
from common.errors import InputError
from common.files import write_atomically
from common.variables import names_by_number
from training.checkpoints import Checkpoints
from training.earlier_configs import GONE, GONE_OF_DISCRIMINATORS, NEUTRAL, RENAMED


def new_config(config):
    """The config with the new names of fields, neutral values of new ones, and without those that are gone."""
    defaults = importlib.import_module(f"configs.{config['family']}").get_config().to_dict()
    for section in ("data", "model", "train"):
        prefix = f"{section}."
        fields = {RENAMED.get(prefix + name, prefix + name): value for name, value in config[section].items()}
        gone = {*GONE, *GONE_OF_DISCRIMINATORS}
        fields = {name.removeprefix(prefix): value for name, value in fields.items() if name not in gone}
        new = {name: NEUTRAL[prefix + name] for name in defaults[section] if prefix + name in NEUTRAL}
        config = config | {section: defaults[section] | new | fields}
    return config


def new_names(config):
    """{old name: new name} of the variables of the model of a config with the new names of fields."""
    family, model = config["family"], config["model"]
    complete = importlib.import_module(f"configs.{family}").get_config()
    for section in ("data", "model", "train"):
        with complete[section].ignore_type():
            complete[section].update({n: v for n, v in config[section].items() if n in complete[section]})
    classes = model.get("class_names") or config["data"].get("classes") or ["line"]
    images = np.zeros((1, 1, 1, model.get("colours", 3)), np.uint8)
    data = types.SimpleNamespace(images=images, class_names=tuple(classes))
    state = importlib.import_module(f"training.{family}").build(complete, data).state()
    names = [name for name in state if name != "step" and "optimizer" not in name.partition("/")[0]]
    return {old: new for new, old in names_by_number(names).items()}


def renamed(arrays, names, source):
    """{name: array} with the new names; InputError unless there are some to rename."""
    if not names.keys() & arrays.keys():
        raise InputError(f"OLD must have variables named by number. Received: {source}, which has none.")
    return {names.get(name, name): array for name, array in arrays.items()}


def convert_release(source, folder, names):
    """Writes a release with new names into a folder; manifests beside it get the digest of the new weights."""
    family = release.family(source)
    config, weights, bank, digest = release.read(source, family)
    bank.pop("weights_digest", None)
    if str(source) != str(folder):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    config = new_config({"family": family} | config)
    release.write(folder, config, renamed(weights, names, source), bank or None)
    *_, new_digest = release.read(folder, family)
    for name in os.listdir(folder):
        if name.endswith(".json") and name != "config.json":
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            write_atomically(path, text.replace(digest, new_digest).encode())


def convert_run(source, folder, config, names):
    """Copies a run with the newest checkpoint and the release under new names."""
    step, arrays = Checkpoints(os.path.join(source, "checkpoints")).load_latest()
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("checkpoints", ".lock"))
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    write_atomically(os.path.join(folder, "config.json"), text.encode())
    if arrays is not None:
        Checkpoints(os.path.join(folder, "checkpoints")).save(step, renamed(arrays, names, source))
    if os.path.exists(os.path.join(folder, "release", "weights.npz")):
        convert_release(os.path.join(folder, "release"), os.path.join(folder, "release"), names)


def main(words):
    if len(words) != 2 or os.path.exists(words[1]):
        raise InputError(
            f"OLD and NEW, a folder that is not there yet, must be given. Received: {' '.join(words)}"
        )
    source, folder = words
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = new_config({"family": "acai"} | json.load(file))
    cli.import_tensorflow()
    names = new_names(config)
    if os.path.isdir(os.path.join(source, "checkpoints")):
        convert_run(source, folder, config, names)
    else:
        convert_release(source, folder, names)
    print(folder)


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # what is left has no flags
    cli.run(lambda: main(words))
