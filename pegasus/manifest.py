"""The results of a search in a manifest, read back and checked: blends, scores and refined latents."""

from pathlib import Path

import numpy as np

from common import files
from common.errors import InputError
from common.release import record_or_verify_digest
from pegasus import masks

SCORES = ("score", "low_resolution_score", "terms", "nearest", "nearest_training_image")


def load_results(path, pictures, drawn, shape):
    """What a search said of its blends, and its refined latents.

    Args:
        path: of the manifest; refined latents are in an .npz file beside it.
        pictures: the manifest's list of what it says of each picture.
        drawn: what the manifest says was drawn; "refined_digest" stands for refined latents.
        shape: (N, h, w, c) of the latents.

    Returns:
        (list of N dicts, see `pegasus.search.SearchResult.scores`, latents float16 [N, h, w, c],
        or None).

    Raises:
        InputError: where they are missing, damaged or not those of the manifest.
    """
    scores = read_scores(path, pictures, shape[0])
    if "refined_digest" not in drawn:
        return scores, None
    path = Path(path).with_suffix(".npz")
    try:
        data = path.read_bytes()
        latents = files.unpack(data, path)["codes"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"Refined latents must be beside the manifest. Received: {path} ({error})") from error
    record_or_verify_digest(drawn, "refined_digest", files.digest(data), path)
    if latents.shape != shape or latents.dtype != np.float16 or not np.isfinite(latents).all():
        raise InputError(f"Refined latents must be of shape {shape}. Received: {path} of {latents.shape}")
    return scores, latents


def read_scores(path, pictures, count):
    """The SCORES that a manifest at `path` gives to each of `count` pictures, a list of dicts.

    Raises:
        InputError: for values other than names and finite numbers.
    """

    def is_plain(value):
        return isinstance(value, str) or type(value) in (int, float) and abs(value) < np.inf

    fits = isinstance(pictures, list) and all(isinstance(entry, dict) for entry in pictures)
    scores = [{name: entry[name] for name in SCORES if name in entry} for entry in pictures] if fits else []
    values = [value for entry in scores for value in entry.values()]
    plain = [inner for value in values for inner in (value.values() if isinstance(value, dict) else [value])]
    if len(scores) != count or not all(map(is_plain, plain)):
        raise InputError(
            f"The manifest's pictures must be {count}, with names and finite numbers in {', '.join(SCORES)}. "
            f"Received: {path}"
        )
    return scores


def check_blends(blends, count, shape):
    """Raises InputError unless `blends` are as those of a `pegasus.search.SearchResult`.

    Args:
        blends: any value.
        count: number of pictures.
        shape: (h, w) of the latents.
    """
    try:
        fits = isinstance(blends, list) and len(blends) == count
        for blend in blends:
            shares = np.array(blend["shares"])
            fits = fits and shares.shape == shape and shares.dtype.kind in "iuf"
            fits = fits and bool(np.all((shares >= 0) & (shares <= 1)))
            fits = fits and blend["mirrored"] in ([0, 0], [0, 1], [1, 0], [1, 1]) and blend["mask"] in masks.KINDS
    except (TypeError, ValueError, KeyError, OverflowError):
        fits = False
    if not fits:
        raise InputError(
            f"The manifest must have {count} blends: mirrored, mask and shares of shape {shape} in [0, 1]."
        )
