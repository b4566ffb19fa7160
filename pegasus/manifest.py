"""What a search has found, read back from a manifest and checked: blends, what was said of them, refined codes."""

import json
from pathlib import Path

import numpy as np

from common import files
from common.errors import InputError
from common.release import record_or_verify_digest
from pegasus import masks

SCORES = (
    "score",
    "low_resolution_score",
    "terms",
    "nearest",
    "nearest_training_image",
)  # of run_search


def attach(source, recipe, manifest):
    """An pictures.acai_recipes.Source with what a manifest says of its blends, and the refined codes in the
    .npz beside it.

    Raises:
        InputError: where they are missing, damaged or not those of the manifest.
    """
    source = source._replace(scores=scores_of(manifest, recipe["count"]))
    if "refined_digest" not in recipe:
        return source
    path = Path(manifest).with_suffix(".npz")
    try:
        data = path.read_bytes()
        codes = files.unpack(data, path)["codes"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"Refined codes beside the manifest are required. Received: {path} ({error})") from error
    record_or_verify_digest(recipe, "refined_digest", files.digest(data), path)
    wanted = (recipe["count"], *source.bank.latents.shape[1:])
    if codes.shape != wanted or codes.dtype != np.float16 or not np.isfinite(codes).all():
        raise InputError(f"Refined codes of shape {wanted} are required. Received: {path} of {codes.shape}")
    return source._replace(refined=codes)


def scores_of(manifest, count):
    """[{"score", "terms", ...} of each of `count` pictures], {} for what a manifest says nothing of, see SCORES.

    Raises:
        InputError: where it says other things there than names and finite numbers.
    """

    def is_plain(value):
        return isinstance(value, str) or type(value) in (int, float) and abs(value) < np.inf

    try:
        with open(manifest, encoding="utf-8") as file:
            entries = json.load(file).get("pictures", [{}] * count)
        scores = [{name: entry[name] for name in SCORES if name in entry} for entry in entries]
        values = [value for entry in scores for value in entry.values()]
        inner = [plain for value in values for plain in (value.values() if isinstance(value, dict) else [value])]
        fit = len(scores) == count and all(isinstance(e, dict) for e in entries) and all(map(is_plain, inner))
    except (OSError, ValueError, TypeError, AttributeError):
        fit = False
    if not fit:
        raise InputError(
            f"The manifest's pictures are required to be {count}, with names and finite numbers in their "
            f"{', '.join(SCORES)}. Received: others in {manifest}"
        )
    return scores


def check_blends(blends, count, shape):
    """Raises InputError unless `blends` are `count` as pictures.acai_recipes describes, with shares of `shape`."""
    try:
        fit = isinstance(blends, list) and len(blends) == count
        for blend in blends:
            shares = np.array(blend["shares"])
            fit = (
                fit
                and shares.shape == shape
                and shares.dtype.kind in "iuf"
                and bool(np.all((shares >= 0) & (shares <= 1)))
            )
            fit = fit and blend["mirrored"] in ([0, 0], [0, 1], [1, 0], [1, 1]) and blend["mask"] in masks.KINDS
    except (TypeError, ValueError, KeyError, OverflowError):
        fit = False
    if not fit:
        raise InputError(
            f"The manifest's blends are required to be {count}, each with mirrored, mask and shares of shape "
            f"{shape} in [0, 1]. Received: others"
        )
