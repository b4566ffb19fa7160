"""A released model: a folder with config.json, weights.npz and, of an ACAI, bank.npz.

It is bundled in `pretrained/` or a part of a run directory.
"""

import json
import os
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import digest, pack, unpack, write_atomically

FILES = ("config.json", "bank.npz", "weights.npz")  # the bank of an ACAI only
BUNDLED = Path(__file__).resolve().parent.parent / "pretrained"


def resolve(source, flag="--source"):
    """A bundled model's name, a run directory or a release folder -> the release folder (Path).

    Args:
        source: which.
        flag: what an error calls it.

    Raises:
        InputError: naming the bundled models, when it is none of them.
    """
    for folder in (Path(source) / "release", Path(source), BUNDLED / source):
        if os.path.isfile(folder / "weights.npz"):
            return folder
    bundled = sorted(path.parent.name for path in BUNDLED.glob("*/weights.npz"))
    state = "a run without a release yet" if os.path.isdir(source) else "no such folder"
    raise InputError(
        f"{flag} is required to be a run directory or a bundled model ({', '.join(bundled) or 'none yet'}). "
        f"Received: {source}, {state}."
    )


def write(folder, config, weights, bank=None):
    """Writes a release, every file atomically; weights and codes as float16.

    Args:
        folder: str.
        config: nested dict of plain values.
        weights: {name: variable or array}.
        bank: {name: array}, without "weights_digest", which ties it to the weights; None: there is none.
    """
    os.makedirs(folder, exist_ok=True)
    contents = {"config.json": (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()}
    tied = {"config_digest": digest(contents["config.json"])}
    weights = pack({name: _half(value) for name, value in weights.items()} | tied)
    if bank is not None:
        codes = {name: _half(value) for name, value in bank.items()}
        contents["bank.npz"] = pack(codes | {"weights_digest": digest(weights)})
    contents["weights.npz"] = weights  # last: with it a folder is a release
    for name, data in contents.items():
        write_atomically(os.path.join(folder, name), data)


def read(folder, family="acai"):
    """(config dict, weights {name: float16 array}, bank {name: array}, digest of the weights).

    Args:
        folder: of a release.
        family: what the config has to be of; only an ACAI has a bank, others' are {}.

    Raises:
        InputError: when a file is missing, damaged or of a newer format, the model is of another family, or
            the bank or the config is of other weights.
    """
    config, text = _content(folder, "config.json", _parse_config)
    if config.get("family", family) != family:
        raise InputError(
            f"A model of the family {family} is required. Received: {folder} of the family {config['family']}"
        )
    weights, data = _content(folder, "weights.npz", unpack)
    weights_digest, bank = digest(data), {}
    if str(weights.pop("config_digest", digest(text))) != digest(text):  # releases before 0.1.0 lack it
        raise InputError(
            f"A config.json of the same weights is required. Received: {folder}/config.json, of others or "
            "changed; train on or fetch it again."
        )
    if family == "acai":
        bank, _ = _content(folder, "bank.npz", unpack)
        if str(bank.get("weights_digest")) != weights_digest:
            raise InputError(
                f"A bank of codes of the same weights is required. Received: {folder}/bank.npz of other weights; "
                "resume the training, which writes both anew."
            )
    return config, weights, bank, weights_digest


def family(folder):
    """The family that the release in `folder` is of; InputError as in `read`."""
    config, _ = _content(folder, "config.json", _parse_config)
    return config.get("family", "acai")


def _parse_config(data, _):
    config = json.loads(data)
    if not isinstance(config, dict):
        raise ValueError("no JSON object")
    return config


def _content(folder, name, parse):
    """(`parse(bytes, path)`, bytes) of a file of a release; InputError when it is missing or damaged."""
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            data = file.read()
        return parse(data, path), data
    except InputError:
        raise
    except Exception as error:  # zipfile, numpy and json raise a dozen kinds for a damaged file
        raise InputError(
            f"A whole {name} is required. Received: {path} ({error}); train on or fetch it again."
        ) from error


def _half(value):
    value = np.asarray(value)
    return value.astype(np.float16) if value.dtype.kind == "f" else value


def record_or_verify_digest(recipe, name, digest, received):
    """Notes what a recipe's pictures are made of; InputError when its manifest noted something else."""
    if recipe.setdefault(name, digest) != digest:
        what = name.removesuffix("_digest").replace("_", " ")
        raise InputError(
            f"The {what} of the manifest ({recipe[name]}) required. Received: {received} with {digest}"
        )
