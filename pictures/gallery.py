"""The files that generate.py writes: grids, strips, single pictures and the manifest beside them."""

import json
import os
import re

import numpy as np

from common import images
from common.errors import InputError
from common.files import pack, write_atomically
from pictures import manifest

OUR_FILES = re.compile(
    r"manifest\.npz|(grid|parents|strips|best|(blend|interpolate|reconstruct|sample|strip|diagram)-\d{3,6})\.png"
)


def write(out, request, drawn, rendered, entries):
    """Writes pictures and manifest.json into a folder in place of those that its manifest.json lists.

    File names are made of the action, "strip" or "diagram" and a number. Only listed files whose names fit that
    pattern are removed.

    Args:
        out: an existing folder.
        request: pictures.request.PictureRequest.
        drawn: what the manifest says was drawn, see pictures.manifest.
        rendered: of `pictures.render.decode_pairs`, or {"pictures": [N, H, W, C]}, or
            {"diagrams": [N, rows, columns, H, W, C]}. A search adds "best" [1 + others, H, W, C] and "latents" of
            its pictures' parents, which become manifest.npz.
        entries: for each of the N pictures what the manifest says beside its files, a dict of plain values.

    Returns:
        The paths that a person wants to open, the manifest last.

    Raises:
        InputError: where the disk is full or cannot be written to.
    """
    try:
        return _write(out, request, drawn, rendered, entries)
    except OSError as error:
        raise InputError(f"--out must have room for the pictures. Received: {out} ({error})") from error


def _write(out, request, drawn, rendered, entries):
    scale, resample, files = request.scale, request.resample, []
    pictures = {name: images.to_uint8(array) for name, array in rendered.items() if name != "latents"}

    def save(name, picture):
        files.append(name)
        images.write_png(os.path.join(out, name), picture)

    def save_grid(name, cells, columns):
        save(name, images.grid(cells.reshape(-1, *cells.shape[-3:]), columns, scale, resample))

    if "pictures" in pictures:
        save_grid("grid.png", pictures["pictures"], choose_columns(len(pictures["pictures"])))
    if "parents" in pictures:
        save_grid("parents.png", pictures["parents"], 2 * choose_columns(len(pictures["parents"]), 4))
    if "strips" in pictures:
        save_grid("strips.png", pictures["strips"], request.strip)
    if "best" in pictures:
        save("best.png", enlarge_best(pictures["best"], scale, resample))
    for k, diagram in enumerate(pictures.get("diagrams", ())):
        save_grid(f"diagram-{k:03d}.png", diagram, diagram.shape[1])
    overviews = list(files)
    if "latents" in rendered:
        files.append("manifest.npz")
        write_atomically(os.path.join(out, "manifest.npz"), pack({"parents": rendered["latents"]}))
    listed = []
    for k, entry in enumerate(entries):
        names = {}
        if "pictures" in pictures:
            names["file"] = f"{request.action}-{k:03d}.png"
            save(names["file"], images.enlarge(pictures["pictures"][k], scale, resample))
        if "strips" in pictures:
            names["strip"] = f"strip-{k:03d}.png"
            save_grid(names["strip"], pictures["strips"][k], request.strip)
        if "diagrams" in pictures:
            names["diagram"] = f"diagram-{k:03d}.png"
        listed.append(names | entry)
    path = os.path.join(out, "manifest.json")
    surplus = files_of(path) - set(files)
    write_atomically(path, manifest.as_text(request, drawn, listed, files).encode())
    for name in surplus:
        if os.path.isfile(os.path.join(out, name)):
            os.remove(os.path.join(out, name))
    return [os.path.join(out, name) for name in (*overviews, "manifest.json")]


def choose_columns(count, most=8):
    """Chooses the number of columns, above `most` / 2 and at most `most`, that leaves the fewest empty cells.

    A grid of at most `most` pictures is one row.
    """
    return min(range(min(count, most), most // 2, -1), key=lambda columns: -count % columns, default=count)


def enlarge_best(pictures, scale, resample):
    """One picture of uint8 [1 + n, H, W, C]: the first n times as large as the others, which are to its right."""
    first, *others = pictures
    large = images.enlarge(first, scale * len(others), resample)
    return np.concatenate([large, images.grid(np.stack(others), 1, scale, resample)], axis=1)


def files_of(path):
    """The names of our pattern in the "files" of the manifest at `path`; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            names = json.load(file)["files"]
        return {name for name in names if isinstance(name, str) and OUR_FILES.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
