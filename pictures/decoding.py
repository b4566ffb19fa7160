"""From codes to pictures: what a recipe shows of codes and of what lies between them.

Codes are latents [N, h, w, c], pictures float32 images [N, H, W, C], unclipped. A `model` has `decode`, latents ->
images, as acai.inference.ReleasedACAI.
"""

import numpy as np

from common import interpolation
from common.inference import in_batches
from common.interpolation import analogy_corners, interpolate_grid
from pictures import gallery


def decoded(recipe, model, first, second):
    """Decodes codes and what lies between them.

    Args:
        recipe: see pictures.acai_recipes.
        model: decodes full batches, see common.inference.in_batches.
        first, second: latents [N, h, w, c]; `second` may be None.

    Returns:
        {"pictures": float32 [N, H, W, C]}, or of pairs as `pictures.gallery.between`.
    """
    if second is None:
        return {"pictures": in_batches(model.decode, first)}
    return gallery.between(recipe, lambda mixes: blend(model, first, second, mixes, recipe["path"]))


def blend(model, first, second, mixes, path):
    """Images, a list of [N, H, W, C], on the way between codes [N, h, w, c]: one for each of the second's shares.

    `path` is "slerp", "lerp" or "pixel", the cross-fade of the reconstructions.
    """
    if path == "pixel":
        first, second = in_batches(model.decode, first), in_batches(model.decode, second)
        return [interpolation.lerp(first, second, mix) for mix in mixes]
    between = {"slerp": interpolation.slerp, "lerp": interpolation.lerp}[path]
    return [in_batches(model.decode, between(first, second, mix)) for mix in mixes]


def diagrams(recipe, model, bank):
    """J-diagrams or MINE grids (White 2016, arXiv 1609.04468) of a recipe's rows.

    A J-diagram has three codes in its corners, the fourth by analogy. A MINE grid has a code and its nearest
    neighbours, all of them real images, at every second place.
    Returns images [N, strip, strip, H, W, C].
    """
    side, gap = gallery.map_side(recipe)
    codes = bank.latents[np.array(recipe["rows"])].astype(np.float32)  # [N, 3 or side * side, h, w, c]
    if recipe["layout"] == "j":
        anchors = analogy_corners(*np.moveaxis(codes, 1, 0))
    else:
        anchors = codes.reshape(-1, side, side, *codes.shape[2:])
    cells = interpolate_grid(anchors, gap, recipe["path"])
    pictures = in_batches(model.decode, cells.reshape(-1, *cells.shape[3:]))
    return pictures.reshape(*cells.shape[:3], *pictures.shape[1:])


def through(recipe, model, first, code, second):
    """As `decoded`, of ways from the first to `code` at the recipe's mix, and on from there to the second."""
    mix = recipe["mix"]

    def at(share):
        if share <= mix:
            codes = interpolation.slerp(first, code, share / mix)
        else:
            codes = interpolation.slerp(code, second, (share - mix) / (1 - mix))
        return in_batches(model.decode, codes)

    return gallery.between(recipe, lambda shares: [at(share) for share in shares])
