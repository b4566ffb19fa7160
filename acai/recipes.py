"""What pictures are made of, as plain data: a JSON object from flags or a manifest, then codes, then images.

A recipe holds "action" ("blend", "interpolate", "reconstruct" or "sample"), "first" and "second" (classes),
"count", "seed", "mix", "strip", "path", "bandwidth" and, once drawn, "rows": [[first, second], ...], the rows
of the latent bank. It holds no random state: the same recipe and weights give the same pictures.
"""

import numpy as np

from acai import interpolation
from common.command import InputError

PATHS = ("slerp", "lerp", "pixel")


def draw(recipe, bank):
    """Adds "rows" to a recipe that has none. Entry k is a function of (seed, k) only.

    Blends pair the first class with the second; interpolations, any two of both; reconstructions have one
    parent and samples none. A pair's rows differ where its classes hold more than one.

    Raises:
        InputError: for a class that the bank does not hold, or rows outside it.
    """
    first, second = bank.rows(recipe["first"]), bank.rows(recipe["second"])
    both = np.union1d(first, second)
    if recipe["action"] != "blend":
        first = second = both
    if "rows" not in recipe:
        recipe["rows"] = []
        for k in range(recipe["count"] if recipe["action"] != "sample" else 0):
            random = np.random.default_rng(np.random.SeedSequence(recipe["seed"], spawn_key=(k,)))
            row = int(random.choice(first))
            others = second[second != row] if len(second) > 1 else second
            pair = [row, int(random.choice(others))]
            recipe["rows"].append(pair[:1] if recipe["action"] == "reconstruct" else pair)
    if any(not 0 <= row < len(bank) for rows in recipe["rows"] for row in rows):
        raise InputError(f"Rows of the bank, 0 to {len(bank) - 1}, are required. Received: others in the manifest")


def parents(recipe, bank):
    """(first, second): latents float32 [count, h, w, c] each; the second is None but for pairs."""
    if recipe["action"] == "sample":
        both = np.union1d(bank.rows(recipe["first"]), bank.rows(recipe["second"]))
        settings = recipe["count"], recipe["bandwidth"], recipe["seed"]
        return interpolation.kernel_density_sample(bank.latents[both], *settings), None
    columns = [bank.latents[list(column)].astype(np.float32) for column in zip(*recipe["rows"], strict=True)]
    return columns[0], columns[1] if len(columns) > 1 else None


def render(recipe, model, first, second):
    """Decodes a recipe.

    Args:
        recipe: see the module.
        model: has `decode`.
        first, second: latents [N, h, w, c]; `second` may be None.

    Returns:
        {"pictures": float32 [N, H, W, C]} and, where asked for, "parents" [N, 2, H, W, C], the two
        reconstructions, and "strips" [N, strip, H, W, C]; "interpolate" has only strips.
    """
    if second is None:
        return {"pictures": model.decode(first)}
    rendered = {"parents": blend(model, first, second, [0, 1], recipe["path"])}
    if recipe["action"] != "interpolate":
        rendered["pictures"] = blend(model, first, second, [recipe["mix"]], recipe["path"])[:, 0]
    if recipe["strip"]:
        rendered["strips"] = blend(model, first, second, np.linspace(0, 1, recipe["strip"]), recipe["path"])
    return rendered


def blend(model, first, second, mixes, path):
    """Images float32 [N, S, H, W, C] on the way between codes [N, h, w, c], at `mixes` [S], the second's shares.

    `path` is "slerp", "lerp" or "pixel", the cross-fade of the reconstructions.
    """
    between = interpolation.slerp if path == "slerp" else interpolation.lerp
    if path == "pixel":
        first, second = model.decode(first), model.decode(second)
    steps = np.stack([between(first, second, mix) for mix in mixes], axis=1)
    if path == "pixel":
        return steps
    images = model.decode(steps.reshape(-1, *steps.shape[2:]))
    return images.reshape(*steps.shape[:2], *images.shape[1:])
