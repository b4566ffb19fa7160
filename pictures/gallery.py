"""What a command writes for people: pictures in full batches, grids, strips, PNGs and the manifest beside them.

A recipe is plain data, a JSON object from flags or a manifest: "action", "source", "count", "seed", "mix",
"strip", "scale" and what a family's recipes (pictures.acai_recipes, pictures.gan_recipes) need beside. It holds
no random state: the
same recipe and weights give the same pictures.
"""

import json
import os
import re

import numpy as np

from common import images
from common.errors import InputError
from common.files import digest, pack, write_atomically

PATHS = ("slerp", "lerp", "pixel")
LAYOUTS = ("strip", "j", "mine")
OUR_FILES = re.compile(
    r"manifest\.npz|(grid|parents|strips|best|nearest|(blend|interpolate|reconstruct|sample|strip|diagram)-\d{3,6})\.png"
)


def between(recipe, pictures_at):
    """The pictures between pairs that a recipe asks for.

    Args:
        recipe: see the module.
        pictures_at: function, list of the second's shares in [0, 1] -> list of images [N, H, W, C].

    Returns:
        {"parents" [N, 2, H, W, C]} and, where asked for, "pictures" [N, H, W, C] at the recipe's mix and "strips"
        [N, strip, H, W, C]; "interpolate" has no pictures. Each share is taken once, so that equal shares give
        equal bits: a strip ends in the parents, and picture k is the same whatever else is asked for.
    """
    mixes = {"parents": [0.0, 1.0]}
    if recipe["action"] != "interpolate":
        mixes["pictures"] = [recipe["mix"]]
    if recipe["strip"]:
        mixes["strips"] = np.linspace(0, 1, recipe["strip"]).tolist()
    each = sorted(set().union(*mixes.values()))
    found = dict(zip(each, pictures_at(each), strict=True))
    rendered = {name: np.stack([found[mix] for mix in chosen], axis=1) for name, chosen in mixes.items()}
    if "pictures" in rendered:
        rendered["pictures"] = rendered["pictures"][:, 0]
    return rendered


def map_side(recipe):
    """(anchors along a side, steps from one to the next) of a recipe's diagrams: corners, or every second cell.

    Raises:
        InputError: for a MINE grid of an even number of cells, or one that is no more than its anchors.
    """
    if recipe["layout"] == "j":
        return 2, recipe["strip"] - 1
    if recipe["strip"] % 2 == 0 or recipe["strip"] < 3:
        raise InputError(
            f"--layout=mine: an odd --strip of at least 3 is required. Received: --strip={recipe['strip']}"
        )
    return (recipe["strip"] + 1) // 2, 2


def write(out, recipe, rendered, entries):
    """Writes pictures and manifest.json into a folder in place of those that its manifest.json lists.

    File names are ours alone: action, "strip" or "diagram" and the number. Of the files that an older manifest
    lists only names that could be ours are removed.

    Args:
        out: an existing folder.
        recipe: see the module.
        rendered: of `between`, or {"pictures": [N, H, W, C]}, or {"diagrams": [N, rows, columns, H, W, C]}. A
            search's also has "best" [1 + others, H, W, C], perhaps "nearest" [N, H, W, C], real images, and
            "codes" of its pictures, which become manifest.npz.
        entries: for each of the N what the manifest is to say beside its files, a dict of plain values.

    Returns:
        The paths that a person wants to open, the manifest last.
    """
    scale, files = recipe["scale"], []
    pictures = {name: images.to_uint8(array) for name, array in rendered.items() if name != "codes"}

    def save(name, picture):
        files.append(name)
        images.write_png(os.path.join(out, name), picture)

    def save_grid(name, cells, columns):
        save(name, images.grid(cells.reshape(-1, *cells.shape[-3:]), columns, scale))

    if "pictures" in pictures:
        save_grid("grid.png", pictures["pictures"], 8)
    for name, columns in (("parents", 8), ("strips", recipe["strip"])):
        if name in pictures:
            save_grid(f"{name}.png", pictures[name], columns)
    if "best" in pictures:
        save("best.png", enlarged_best(pictures["best"], scale))
    if "nearest" in pictures:
        pairs = np.stack([pictures["pictures"], pictures["nearest"]], axis=1)
        save_grid("nearest.png", pairs, 8)
    for k, diagram in enumerate(pictures.get("diagrams", ())):
        save_grid(f"diagram-{k:03d}.png", diagram, diagram.shape[1])
    ours = list(files)
    if "codes" in rendered:
        codes = pack({"codes": rendered["codes"]})
        recipe["refined_digest"] = digest(codes)
        files.append("manifest.npz")
        write_atomically(os.path.join(out, "manifest.npz"), codes)
    listed = []
    for k, entry in enumerate(entries):
        named = {}
        if "pictures" in pictures:
            named["file"] = f"{recipe['action']}-{k:03d}.png"
            save(named["file"], images.enlarge(pictures["pictures"][k], scale))
        if "strips" in pictures:
            named["strip"] = f"strip-{k:03d}.png"
            save_grid(named["strip"], pictures["strips"][k], recipe["strip"])
        if "diagrams" in pictures:
            named["diagram"] = f"diagram-{k:03d}.png"
        listed.append(named | entry)
    manifest = os.path.join(out, "manifest.json")
    surplus = files_of(manifest) - set(files)
    text = json.dumps({"recipe": recipe, "pictures": listed, "files": files}, indent=1)
    write_atomically(manifest, text.encode())
    for name in surplus:
        if os.path.isfile(os.path.join(out, name)):
            os.remove(os.path.join(out, name))
    return [os.path.join(out, name) for name in (*ours, "manifest.json")]


def enlarged_best(pictures, scale):
    """The first of uint8 [1 + n, H, W, C] n times as large as the others, which stand to its right."""
    first, *others = pictures
    return np.concatenate(
        [images.enlarge(first, scale * len(others)), images.grid(np.stack(others), 1, scale)], axis=1
    )


def files_of(manifest):
    """The names in a manifest's "files" that are of our pattern; none where it cannot be read."""
    try:
        with open(manifest, encoding="utf-8") as file:
            names = json.load(file)["files"]
        return {name for name in names if isinstance(name, str) and OUR_FILES.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
