"""The results of a search in a manifest, read back and checked: blends, notes and the parents' latents."""

from pathlib import Path

import numpy as np

from common import files
from common.errors import InputError
from common.release import record_or_verify_digest

NOTES = ("candidate", "score", "terms", "parents")


def load_results(path, pictures, drawn, shape, num_rows):
    """What a search said of its blends, and the latents of their parents.

    Args:
        path: of the manifest; the latents are in an .npz file beside it.
        pictures: the manifest's list of what it says of each picture.
        drawn: what the manifest says was drawn, with "parents_digest" of the latents.
        shape: (N, h, w, c) of the blends' latents.
        num_rows: number of rows of the latent bank.

    Returns:
        (list of N dicts, see `pegasus.search.SearchResult.notes`, latents float16 [N, 2, h, w, c]).

    Raises:
        InputError: where they are missing, damaged or not those of the manifest.
    """
    notes, shape = read_notes(path, pictures, shape[0]), (shape[0], 2, *shape[1:])
    check_parents(path, notes, num_rows)
    path = Path(path).with_suffix(".npz")
    try:
        data = path.read_bytes()
        latents = files.unpack(data, path)["parents"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The parents' latents must be beside the manifest. Received: {path} ({error})"
        ) from error
    record_or_verify_digest(drawn, "parents_digest", files.digest(data), path)
    if latents.shape != shape or latents.dtype != np.float16 or not np.isfinite(latents).all():
        raise InputError(f"The latents must be of shape {shape}. Received: {path} of {latents.shape}")
    return notes, latents


def read_notes(path, pictures, count):
    """The NOTES that a manifest at `path` gives to each of `count` pictures, a list of dicts.

    Raises:
        InputError: for values other than names and finite numbers, and lists and dicts of these.
    """

    def is_plain(value):
        if isinstance(value, dict | list):
            return all(map(is_plain, value.values() if isinstance(value, dict) else value))
        return isinstance(value, str) or type(value) in (int, float) and abs(value) < np.inf

    fits = isinstance(pictures, list) and all(isinstance(entry, dict) for entry in pictures)
    notes = [{name: entry[name] for name in NOTES if name in entry} for entry in pictures] if fits else []
    if len(notes) != count or not is_plain(notes):
        raise InputError(
            f"The manifest's pictures must be {count}, with names and finite numbers in {', '.join(NOTES)}. "
            f"Received: {path}"
        )
    return notes


def check_parents(path, notes, num_rows):
    """Raises InputError unless each of `notes` has two "parents" with a "row" of the bank, or -1 for none."""
    try:
        rows = [parent["row"] for note in notes for parent in note["parents"]]
        fits = all(len(note["parents"]) == 2 for note in notes)
        fits = fits and all(type(row) is int and -1 <= row < num_rows for row in rows)
    except (KeyError, TypeError):
        fits = False
    if not fits:
        raise InputError(
            f"The manifest's pictures must have two parents each, with rows from -1 to {num_rows - 1}. "
            f"Received: {path}"
        )


def check_blends(blends, count, shape):
    """Raises InputError unless `blends` are dicts with "shares", as those of a `pegasus.search.SearchResult`.

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
    except (TypeError, ValueError, KeyError, OverflowError):
        fits = False
    if not fits:
        raise InputError(f"The manifest must have {count} blends with shares of shape {shape} in [0, 1].")
