"""A released model: a folder with config.json, weights.npz and bank.npz, whether bundled or in a run directory."""

import json
import os
from pathlib import Path

import numpy as np

from common.checkpoints import digest, pack, unpack, write_atomically
from common.command import InputError

FILES = ("config.json", "bank.npz", "weights.npz")
BUNDLED = Path(__file__).resolve().parent.parent / "pretrained"


def resolve(source):
    """A bundled model's name, a run directory or a release folder -> the release folder (Path).

    Raises:
        InputError: naming the bundled models, when it is none of them.
    """
    for folder in (Path(source) / "release", Path(source), BUNDLED / source):
        if os.path.isfile(folder / "weights.npz"):
            return folder
    bundled = sorted(path.parent.name for path in BUNDLED.glob("*/weights.npz"))
    state = "a run without a release yet" if os.path.isdir(source) else "no such folder"
    raise InputError(
        f"--source is required to be a run directory or a bundled model ({', '.join(bundled) or 'none yet'}). "
        f"Received: {source}, {state}."
    )


def write(folder, config, weights, bank):
    """Writes a release, every file atomically; weights and codes as float16.

    Args:
        folder: str.
        config: nested dict of plain values.
        weights: {name: variable or array}.
        bank: {name: array}, without "weights_digest", which ties it to the weights.
    """
    os.makedirs(folder, exist_ok=True)
    weights = pack({name: _half(value) for name, value in weights.items()})
    bank = pack({name: _half(value) for name, value in bank.items()} | {"weights_digest": digest(weights)})
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    for name, data in zip(FILES, (text.encode(), bank, weights), strict=True):
        write_atomically(os.path.join(folder, name), data)


def read(folder):
    """(config dict, weights {name: float16 array}, bank {name: array}, digest of the weights).

    Raises:
        InputError: when a file is missing, damaged or of a newer format, or the bank is of other weights.
    """
    contents = {}
    for name in FILES:
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                data = file.read()
            contents[name] = json.loads(data) if name == "config.json" else unpack(data, path)
            if name == "weights.npz":
                weights_digest = digest(data)
        except InputError:
            raise
        except Exception as error:  # zipfile, numpy and json raise a dozen kinds for a damaged file
            raise InputError(
                f"A whole {name} is required. Received: {path} ({error}); train on or fetch it again."
            ) from error
    if str(contents["bank.npz"].get("weights_digest")) != weights_digest:
        raise InputError(
            f"A bank of codes of the same weights is required. Received: {folder}/bank.npz of other weights; "
            "resume the training, which writes both anew."
        )
    return contents["config.json"], contents["weights.npz"], contents["bank.npz"], weights_digest


def _half(value):
    value = np.asarray(value)
    return value.astype(np.float16) if value.dtype.kind == "f" else value
