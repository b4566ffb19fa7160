"""What pictures are made of, as plain data: a JSON object from flags or a manifest, then codes, images, files.

A recipe holds "action" ("blend", "interpolate", "reconstruct" or "sample"), "first" and "second" (classes),
"count", "seed", "mix", "strip", "path", "bandwidth", "scale", perhaps "first_image" and "second_image" (files)
and, once drawn, "rows": [[first, second], ...], the rows of the latent bank. It holds no random state: the same
recipe and weights give the same pictures.
"""

import json
import os
import re

import numpy as np

from acai import interpolation
from common import images
from common.checkpoints import write_atomically
from common.command import InputError

PATHS = ("slerp", "lerp", "pixel")
PARENTS = {"blend": 2, "interpolate": 2, "reconstruct": 1, "sample": 0}  # rows of the bank a picture has
BATCH_SIZE = 64  # of every pass, filled up: the last bits of a picture vary with the size of its batch
OUR_FILES = re.compile(rf"(grid|parents|strips|({'|'.join(PARENTS)}|strip)-\d{{3,6}})\.png")


def draw(recipe, bank):
    """Adds "rows" to a recipe that has none. Entry k is a function of (seed, k) only.

    Blends pair the first class with the second; interpolations, any two of both; reconstructions have one
    parent; samples and blends of the user's own pictures none. A pair's rows differ where its classes hold
    more than one.

    Raises:
        InputError: for a class that the bank does not hold, or rows that are not as described.
    """
    per_picture = 0 if recipe["first_image"] else PARENTS[recipe["action"]]
    wanted = recipe["count"] if per_picture else 0
    first, second = class_rows(recipe, bank)
    if "rows" not in recipe:
        recipe["rows"] = []
        for k in range(wanted):
            random = np.random.default_rng(np.random.SeedSequence(recipe["seed"], spawn_key=(k,)))
            row = int(random.choice(first))
            others = second[second != row] if len(second) > 1 else second
            recipe["rows"].append([row, int(random.choice(others))][:per_picture])
    rows = recipe["rows"]
    fit = isinstance(rows, list) and len(rows) == wanted
    fit = fit and all(isinstance(entry, list) and len(entry) == per_picture for entry in rows)
    if not fit or not all(type(row) is int and 0 <= row < len(bank) for entry in rows for row in entry):
        raise InputError(
            f"The manifest's rows are required to be {wanted} lists of {per_picture} numbers from 0 to "
            f"{len(bank) - 1}. Received: others"
        )


def class_rows(recipe, bank):
    """(first, second): the rows of the bank that a recipe's parents come from; InputError when there are none."""
    if recipe["first_image"]:
        return None, None
    first, second = bank.rows(recipe["first"]), bank.rows(recipe["second"])
    for name, rows in ((recipe["first"], first), (recipe["second"], second)):
        if not len(rows):
            raise InputError(f"A class with codes in the bank is required. Received: {name}, which has none")
    both = np.union1d(first, second)
    return (first, second) if recipe["action"] == "blend" else (both, both)


def parents(recipe, bank):
    """(first, second): latents float32 [count, h, w, c] each; the second is None but for pairs."""
    if recipe["action"] == "sample":
        codes = bank.latents[class_rows(recipe, bank)[0]]
        return interpolation.kernel_density_sample(
            codes, recipe["count"], recipe["bandwidth"], recipe["seed"]
        ), None
    columns = [bank.latents[list(column)].astype(np.float32) for column in zip(*recipe["rows"], strict=True)]
    return columns[0], columns[1] if len(columns) > 1 else None


def render(recipe, model, first, second):
    """Decodes a recipe.

    Args:
        recipe: see the module.
        model: has `decode`, latents [BATCH_SIZE, h, w, c] -> images [BATCH_SIZE, H, W, C].
        first, second: latents [N, h, w, c]; `second` may be None.

    Returns:
        {"pictures": float32 [N, H, W, C]} and, where asked for, "parents" [N, 2, H, W, C], the two
        reconstructions, and "strips" [N, strip, H, W, C]; "interpolate" has no pictures. Equal mixes give equal
        bits: a strip ends in the parents, and picture k is the same whatever else is asked for.
    """
    if second is None:
        return {"pictures": in_batches(model.decode, first)}
    mixes = {"parents": [0.0, 1.0]}
    if recipe["action"] != "interpolate":
        mixes["pictures"] = [recipe["mix"]]
    if recipe["strip"]:
        mixes["strips"] = np.linspace(0, 1, recipe["strip"]).tolist()
    each = sorted(set().union(*mixes.values()))
    blends = dict(zip(each, blend(model, first, second, each, recipe["path"]), strict=True))
    rendered = {name: np.stack([blends[mix] for mix in chosen], axis=1) for name, chosen in mixes.items()}
    if "pictures" in rendered:
        rendered["pictures"] = rendered["pictures"][:, 0]
    return rendered


def blend(model, first, second, mixes, path):
    """Images, a list of [N, H, W, C], on the way between codes [N, h, w, c]: one for each of the second's shares.

    `path` is "slerp", "lerp" or "pixel", the cross-fade of the reconstructions.
    """
    if path == "pixel":
        first, second = in_batches(model.decode, first), in_batches(model.decode, second)
        return [interpolation.lerp(first, second, mix) for mix in mixes]
    between = {"slerp": interpolation.slerp, "lerp": interpolation.lerp}[path]
    return [in_batches(model.decode, between(first, second, mix)) for mix in mixes]


def in_batches(function, inputs):
    """`function` over inputs [N, ...] in full batches of BATCH_SIZE: result k depends on input k and k alone."""
    filled = np.concatenate([inputs, np.zeros((-len(inputs) % BATCH_SIZE, *inputs.shape[1:]), inputs.dtype)])
    parts = [function(filled[i : i + BATCH_SIZE]) for i in range(0, len(filled), BATCH_SIZE)]
    return np.concatenate(parts)[: len(inputs)]


def write(out, recipe, bank, rendered, scores):
    """Writes pictures and manifest.json into a folder in place of those that its manifest.json lists.

    File names are ours alone: action or "strip" and the number. Of the files that an older manifest lists only
    names that could be ours are removed.

    Args:
        out: an existing folder.
        recipe: see the module.
        bank: LatentBank.
        rendered: of `render`.
        scores: the critic's predicted mix for each picture, or [].

    Returns:
        The paths that a person wants to open, the manifest last.
    """
    scale, files = recipe["scale"], []
    entries = [{} for _ in next(iter(rendered.values()))]
    pictures = {name: images.to_uint8(array) for name, array in rendered.items()}

    def save(name, picture):
        files.append(name)
        images.write_png(os.path.join(out, name), picture)

    if "pictures" in pictures:
        save("grid.png", images.grid(pictures["pictures"], 8, scale))
    for name, columns in (("parents", 8), ("strips", recipe["strip"])):
        if name in pictures:
            flat = pictures[name].reshape(-1, *pictures[name].shape[2:])
            save(f"{name}.png", images.grid(flat, columns, scale))
    ours = list(files)
    for k, entry in enumerate(entries):
        if "pictures" in pictures:
            entry["file"] = f"{recipe['action']}-{k:03d}.png"
            entry["critic_score"] = round(float(scores[k]), 4)
            save(entry["file"], images.enlarge(pictures["pictures"][k], scale))
        if "strips" in pictures:
            entry["strip"] = f"strip-{k:03d}.png"
            save(entry["strip"], images.grid(pictures["strips"][k], recipe["strip"], scale))
        if recipe["rows"]:
            entry["parents"] = [bank.describe(row) for row in recipe["rows"][k]]
    manifest = os.path.join(out, "manifest.json")
    surplus = files_of(manifest) - set(files)
    text = json.dumps({"recipe": recipe, "pictures": entries, "files": files}, indent=1)
    write_atomically(manifest, text.encode())
    for name in surplus:
        if os.path.isfile(os.path.join(out, name)):
            os.remove(os.path.join(out, name))
    return [os.path.join(out, name) for name in (*ours, "manifest.json")]


def files_of(manifest):
    """The names in a manifest's "files" that are of our pattern; none where it cannot be read."""
    try:
        with open(manifest, encoding="utf-8") as file:
            names = json.load(file)["files"]
        return {name for name in names if isinstance(name, str) and OUR_FILES.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
