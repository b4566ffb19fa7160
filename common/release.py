"""Writes and reads releases: folders with config.json, weights.npz and, for ACAI, bank.npz.

A release is part of a run directory or bundled in `pretrained/`.
"""

import json
import os
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import digest, expand_path, pack, unpack, write_atomically

BUNDLED = Path(__file__).resolve().parent.parent / "pretrained"


def resolve(source, flag="--source"):
    """Finds the release folder of a bundled model, a run directory or a release.

    Args:
        source: name of a bundled model, or path.
        flag: name of the flag or field that holds `source`, for the error.

    Returns:
        Path of the release folder.

    Raises:
        InputError: there is no such release; the message lists the bundled models.
    """
    source = expand_path(source, flag)
    for folder in (Path(source) / "release", Path(source), BUNDLED / source):
        if os.path.isfile(folder / "weights.npz"):
            return folder
    bundled = sorted(path.parent.name for path in BUNDLED.glob("*/weights.npz"))
    state = "a folder without a release" if os.path.isdir(source) else "which does not exist"
    raise InputError(
        f"{flag} must be a run directory or a bundled model ({', '.join(bundled) or 'none yet'}). "
        f"Received: {source}, {state}."
    )


def write(folder, config, weights, bank=None):
    """Writes a release with float16 weights and latents; each file atomically.

    Args:
        folder: str.
        config: nested dict of plain values.
        weights: {name: variable or array}.
        bank: {name: array} of a `acai.latent_bank.LatentBank`; None: no bank. The digest of the weights is added.
    """
    os.makedirs(folder, exist_ok=True)
    contents = {"config.json": (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()}
    config_digest = {"config_digest": digest(contents["config.json"])}
    weights = pack({name: _half(value) for name, value in weights.items()} | config_digest)
    if bank is not None:
        bank = {name: _half(value) for name, value in bank.items()}
        contents["bank.npz"] = pack(bank | {"weights_digest": digest(weights)})
    contents["weights.npz"] = weights  # last, because its existence marks a release
    for name, data in contents.items():
        write_atomically(os.path.join(folder, name), data)


def read(folder, family="acai"):
    """Reads a release.

    Args:
        folder: of the release.
        family: expected model family.

    Returns:
        (config, a nested dict; weights, {name: float16 array}; bank, {name: array}, empty for other families than
        "acai"; digest of the weights).

    Raises:
        InputError: a file is missing, damaged or of a newer format, the model is of another family, or the config
            or the bank does not belong to the weights.
    """
    config, text = _content(folder, "config.json", _parse_config)
    if config.get("family", family) != family:
        raise InputError(
            f"The model must be of the family {family}. Received: {folder} of the family {config['family']}"
        )
    weights, data = _content(folder, "weights.npz", unpack)
    weights_digest, bank = digest(data), {}
    if str(weights.pop("config_digest", None)) != digest(text):
        raise InputError(
            f"config.json must belong to the weights. Received: {folder}/config.json, of other weights or "
            "changed; train on or download it again."
        )
    if family == "acai":
        bank, _ = _content(folder, "bank.npz", unpack)
        if str(bank.get("weights_digest")) != weights_digest:
            raise InputError(
                f"bank.npz must belong to the weights. Received: {folder}/bank.npz of other weights; resume the "
                "training, which writes both again."
            )
    return config, weights, bank, weights_digest


def family(folder):
    """Returns the model family of the release in `folder`. Raises InputError as `read`."""
    return read_config(folder).get("family", "acai")


def read_config(folder):
    """Returns the config of the release in `folder`, a nested dict. Raises InputError as `read`."""
    return _content(folder, "config.json", _parse_config)[0]


def describe_training(config):
    """Describes how far a release was trained, e.g. "14.8 of 600 kimg, after runs/first".

    The answer for earlier releases, which do not hold it, is "not recorded".

    Args:
        config: of the release. Its "trained_kimg" is what was trained, "total_kimg" what its training is for and
            "start_from" the run or model that it went on from, if any.
    """
    if "trained_kimg" not in config:
        return "not recorded"
    before = config["train"].get("start_from")
    trained = f"{config['trained_kimg']:.1f} of {config['train']['total_kimg']:g} kimg"
    return f"{trained}, after {before}" if before else trained


def _parse_config(data, _):
    config = json.loads(data)
    if not isinstance(config, dict):
        raise ValueError("not a JSON object")
    return config


def _content(folder, name, parse):
    """Returns (`parse(bytes, path)`, bytes) of a file. Raises InputError if it is missing or damaged."""
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            data = file.read()
        return parse(data, path), data
    except InputError:
        raise
    except Exception as error:  # zipfile, numpy and json raise a dozen types for a damaged file
        raise InputError(
            f"{name} must be undamaged. Received: {path} ({error}); train on or download it again."
        ) from error


def _half(value):
    value = np.asarray(value)
    return value.astype(np.float16) if value.dtype.kind == "f" else value


def record_or_verify_digest(recorded, name, digest, received):
    """{name: digest}, for a new manifest to record.

    Args:
        recorded: {name: digest} of the manifest whose pictures are made again, or {}.
        name: e.g. "weights_digest".
        digest: of what there is now.
        received: what to call that in an error.

    Raises:
        InputError: where the manifest has recorded another digest.
    """
    if recorded.get(name, digest) != digest:
        what = name.removesuffix("_digest").replace("_", " ")
        raise InputError(
            f"The {what} must be those of the manifest, {recorded[name]}. Received: {received}, {digest}"
        )
    return {name: digest}
