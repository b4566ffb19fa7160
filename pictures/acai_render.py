"""Decoding the plans of an ACAI into pictures.

Latents are [N, h, w, c], pictures float32 images [N, H, W, C], unclipped. A `model` is an
acai.inference.ReleasedACAI.
"""

import numpy as np

from common import interpolation
from common.errors import InputError
from pegasus.blending import blend_cells
from pictures import latents
from pictures.acai_plan import class_rows
from pictures.render import decode_diagrams, decode_pairs


def load_model(plan):
    """The model of an ACAIPlan; InputError where its config makes no networks or others than its weights."""
    from acai.inference import ReleasedACAI

    try:
        return ReleasedACAI(plan.model_config, plan.weights, plan.folder)
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from error


def render(plan, model):
    """Decodes a plan whose rows are drawn.

    Returns:
        ({name: array}, [dict of what the manifest says of each picture]), see `pictures.gallery.write`.
    """
    request, drawn = plan.request, plan.drawn
    if getattr(request, "layout", "strip") != "strip":
        points = plan.bank.latents[np.array(drawn["rows"])].astype(np.float32)
        rendered = decode_diagrams(model.decode, points, request, request.path)
    elif "blends" in drawn:
        rendered = decode_blends(plan, model)
    else:
        first, second = endpoints(plan, model)
        if second is None:
            rendered = {"pictures": model.decode(first)}
        else:
            rendered = decode_pairs(
                lambda shares: decode_path(model, first, second, shares, request.path),
                getattr(request, "mix", None),
                request.strip,
            )
    entries = [dict(entry) for entry in plan.notes] or [{} for _ in next(iter(rendered.values()))]
    if "pictures" in rendered and model.critic:
        scores = model.predict_mix(rendered["pictures"])
        for entry, score in zip(entries, scores, strict=True):
            entry["critic_score"] = round(float(score), 4)
    if drawn["rows"]:
        for entry, rows in zip(entries, drawn["rows"], strict=True):
            entry["parents"] = [plan.bank.describe(row) for row in rows]
    if "blends" in drawn:
        for entry, blend in zip(entries, drawn["blends"], strict=True):
            entry["mix"] = round(float(np.mean(blend["shares"])), 4)
            entry |= blend
    if plan.parent_latents is not None:
        rendered["latents"] = plan.parent_latents
    return rendered, entries


def endpoints(plan, model):
    """(first, second): latents float32 [N, h, w, c] each; the second is None where a picture has one alone."""
    if plan.query_images:
        return tuple(model.encode(image[None]) for image in plan.query_images)
    if plan.parent_latents is not None:
        return tuple(plan.parent_latents.astype(np.float32).swapaxes(0, 1))
    if plan.given_latents is not None:
        return plan.given_latents, None
    request, bank, rows = plan.request, plan.bank, plan.drawn["rows"]
    if request.action == "sample":
        known = bank.latents[class_rows(request, bank)[0]]
        return latents.kernel_density_sample(known, request.count, request.bandwidth, request.seed), None
    columns = [bank.latents[list(column)].astype(np.float32) for column in zip(*rows, strict=True)]
    return columns[0], columns[1] if len(columns) > 1 else None


def picture_latents(plan, model):
    """The latents float32 [N, h, w, c] that the pictures of a plan are decoded from."""
    first, second = endpoints(plan, model)
    if second is None:
        return first
    if "blends" in plan.drawn:
        return blend_cells(first, second, np.array([blend["shares"] for blend in plan.drawn["blends"]]))
    return getattr(interpolation, plan.request.path)(first, second, plan.request.mix)


def decode_path(model, first, second, shares, path):
    """Images, a list of [N, H, W, C], one for each share of the second of two latents [N, h, w, c].

    `path` is "slerp", "lerp" or "pixel", the cross-fade of the reconstructions.
    """
    if path == "pixel":
        first, second = model.decode(first), model.decode(second)
        return [interpolation.lerp(first, second, share) for share in shares]
    interpolate = getattr(interpolation, path)
    return [model.decode(interpolate(first, second, share)) for share in shares]


def decode_blends(plan, model):
    """Pictures of a plan's "blends", and paths through them, as `decode_pairs`; of a search also "best".

    "best" [4, H, W, C] is the first picture, its two parents and the nearest other image of the bank.
    """
    request, mix = plan.request, plan.request.mix
    first, second = endpoints(plan, model)
    cells = np.array([blend["shares"] for blend in plan.drawn["blends"]])

    def decode_at(share):
        """From the first parent (0) to the blends (`mix`) and the second parent (1)."""
        shares = cells * share / mix if share <= mix else cells + (1 - cells) * (share - mix) / (1 - mix)
        return model.decode(blend_cells(first, second, shares))

    rendered = decode_pairs(lambda shares: [decode_at(share) for share in shares], mix, request.strip)
    if request.search:
        rows = [parent["row"] for parent in plan.notes[0]["parents"]]
        nearest = nearest_latents(blend_cells(first[:1], second[:1], cells[:1])[0], plan.bank, rows)
        nearest = model.decode(nearest[None])
        rendered["best"] = np.concatenate([rendered["pictures"][:1], rendered["parents"][0], nearest])
    return rendered


def nearest_latents(query, bank, parents):
    """The bank's latents nearest to a query, float32 [h, w, c], but for the rows `parents`; -1 is none."""
    distances = np.sum(np.square(bank.latents.astype(np.float32) - query), axis=(1, 2, 3))
    distances[[row for row in parents if row >= 0]] = np.inf
    return bank.latents[np.argmin(distances)].astype(np.float32)
