"""Converts a release or a run of versions before November 28, 2026: python -m training.convert OLD NEW

Those named variables by number ("encoder/02_kernel"); now a variable has the name of its layer
("encoder/conv2d_0/kernel"). OLD stays as it is. This module goes when no such release or run is left.
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

NO_VARIABLES = {"recognition_weight": 0.0, "feature_weight": 0.0}  # fields of parts that need bundled classifiers


def new_names(config):
    """{old name: new name} of the variables of a config's model."""
    family, model = config["family"], config["model"]
    complete = importlib.import_module(f"configs.{family}").get_config()
    for section in ("data", "model", "train"):
        known = {name: value for name, value in config[section].items() if name in complete[section]}
        with complete[section].ignore_type():
            complete[section].update(known | {n: v for n, v in NO_VARIABLES.items() if n in known})
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
    release.write(folder, config, renamed(weights, names, source), bank or None)
    *_, new_digest = release.read(folder, family)
    for name in os.listdir(folder):
        if name.endswith(".json") and name != "config.json":
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            write_atomically(path, text.replace(digest, new_digest).encode())


def convert_run(source, folder, names):
    """Copies a run with the newest checkpoint and the release under new names."""
    step, arrays = Checkpoints(os.path.join(source, "checkpoints")).load_latest()
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("checkpoints", ".lock"))
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
        config = json.load(file)
    cli.import_tensorflow()
    names = new_names({"family": "acai"} | config)
    is_run = os.path.isdir(os.path.join(source, "checkpoints"))
    (convert_run if is_run else convert_release)(source, folder, names)
    print(folder)


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # what is left has no flags
    cli.run(lambda: main(words))
