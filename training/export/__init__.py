"""Copies of a run's release: what is bundled, with golden outputs, and ONNX files.

Golden outputs are outputs of the released networks for fixed inputs; a test reproduces them.
"""

import importlib
import os

from common import release
from common.errors import InputError
from common.files import pack, write_atomically


def golden_outputs(folder):
    """Returns {name: array}, outputs of the released model in `folder` for its family's fixed inputs."""
    family = release.family(folder)
    return importlib.import_module(f"training.{family}").golden_outputs(*release.read(folder, family)[:3])


def bundle(source, folder, without=()):
    """Writes the release of `source`, except the networks in `without`, and its golden.npz to `folder`.

    Of the run that it went on from (train.start_from) the name remains, without the path on this machine.

    Raises:
        InputError: `source` has no release, or the release has no network of a given name.
    """
    origin = release.resolve(source)
    config, weights, bank, _ = release.read(origin, release.family(origin))
    networks = {name.partition("/")[0] for name in weights}
    if unknown := set(without) - networks:
        raise InputError(
            f"Networks to omit must be among {', '.join(sorted(networks))}. Received: {', '.join(sorted(unknown))}"
        )
    kept = {name: array for name, array in weights.items() if name.partition("/")[0] not in without}
    bank = {name: array for name, array in bank.items() if name != "weights_digest"}
    if config.get("train", {}).get("start_from"):
        config["train"]["start_from"] = os.path.basename(os.path.normpath(config["train"]["start_from"]))
    release.write(folder, config, kept, bank or None)
    write_atomically(os.path.join(folder, "golden.npz"), pack(golden_outputs(folder)))
