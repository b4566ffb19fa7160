"""What an ACAI's pictures are made of, as plain data: a recipe (see pictures.gallery), then codes, then images.

Beside what every recipe holds: "first" and "second" (classes), "path", "layout", "bandwidth", perhaps
"first_image" and "second_image" (files) and, once drawn, "rows": [[first, second], ...], the rows of the latent
bank. Blends with a mask or from a search also have, once drawn, "blends": [{"mirrored": [0 or 1, 0 or 1], "mask",
"shares": the second's in each cell, [h][w]}, ...], perhaps "lower_first", the pixels by which first parents are
moved down, and refined ones "refined_digest" of their codes, which lie in an .npz file beside the manifest. A
manifest of blends also says of each picture what its search said, see pegasus.manifest.
"""

import typing

import numpy as np

from acai.latent_bank import LatentBank
from common import files, images, release
from common.errors import InputError
from common.inference import in_batches
from common.release import record_or_verify_digest
from pegasus import masks
from pegasus.manifest import check_blends
from pegasus.search_config import SearchConfig
from pictures import decoding, gallery, latents

ACTIONS = {  # and the flags that each takes
    "blend": "first second mix strip path first_image second_image "
    "mask candidates refine first_like second_like lower_first",
    "reconstruct": "first second",
    "interpolate": "first second strip path layout",
    "sample": "first second bandwidth",
    "explore": "first second",
    "diagram": "",
}
PARENTS = {"blend": 2, "interpolate": 2, "reconstruct": 1, "sample": 0}  # rows of the bank a picture has; else 0


class Source(typing.NamedTuple):
    """A release, read and checked, the user's own pictures uint8 [width, width, colours], and what
    pegasus.manifest
    reads of a search: refined codes and what it said of each picture.
    """

    folder: str
    sizes: dict
    weights: dict
    bank: LatentBank
    own: list
    refined: np.ndarray = None  # float16 [count, h, w, c]
    scores: list = ()  # of dicts, one a picture


def load(folder, recipe):
    """The Source in a release folder; completes the recipe. All that can be refused is, before TensorFlow.

    Raises:
        InputError: for a release that is not whole, or a recipe that does not go with it.
    """
    config, weights, arrays, digest = release.read(folder)
    try:
        sizes, bank = config["model"], LatentBank.from_arrays(arrays)
        code = tuple(sizes[name] for name in ("latent_width", "latent_width", "latent_channels"))
        fit = [sizes[name] in range(1, 4097) for name in ("width", "colours", "depth")]
        fit += [bank.latents.shape[1:] == code, len(bank) == len(bank.labels) == len(bank.ids) == len(bank.splits)]
        fit += [np.isfinite(array).all() for array in (bank.latents, *weights.values())]
        fit += [array.dtype.kind in "iu" and array.ndim == 1 for array in (bank.labels, bank.ids)]
        fit += [bool(np.all((bank.labels >= 0) & (bank.labels < len(bank.class_names))))]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"A whole release of an ACAI is required. Received: {folder} ({error!r})") from error
    if not all(fit):
        raise InputError(f"A release of parts that fit is required. Received: {folder}; fetch or train it again.")
    record_or_verify_digest(recipe, "weights_digest", digest, f"--source={folder}")
    codes_digest = files.digest(bank.latents.tobytes() + bank.labels.tobytes())
    record_or_verify_digest(recipe, "codes_digest", codes_digest, f"--source={folder}")
    own = [read_own(recipe, name, sizes) for name in ("first_image", "second_image") if recipe[name]]
    for name, usual in (("first", "horse"), ("second", "bird")):
        if recipe[name] is None:
            known = usual in bank.class_names.tolist()
            recipe[name] = usual if known else config.get("data", {}).get(name) or usual
    check_masked(recipe)
    draw(recipe, bank)
    return Source(str(folder), sizes, weights, bank, own)


def check_masked(recipe):
    """Raises InputError where --candidates or --mask do not go with the other flags."""
    if recipe["candidates"] and recipe["candidates"] < recipe["count"]:
        raise InputError(
            f"--candidates is required to be at least --keep. Received: {recipe['candidates']} and "
            f"{recipe['count']}"
        )
    if recipe["candidates"] and recipe["mix"] != 0.5:
        raise InputError(f"--candidates draws its mixes: no --mix is required. Received: --mix={recipe['mix']}")
    if "blends" in recipe and recipe["action"] != "blend":
        raise InputError(f"A manifest's blends are required with --blend. Received: --{recipe['action']}")
    if recipe["mask"] or recipe["candidates"] or "blends" in recipe:
        if recipe["path"] != "slerp" or recipe["first_image"]:
            raise InputError(
                "--mask and --candidates blend codes of the bank by slerp: no --path and no --first_image are "
                "required. Received: one of them"
            )
        if not 0 < recipe["mix"] < 1:
            raise InputError(f"--mask: a --mix above 0 and below 1 is required. Received: {recipe['mix']}")


def read_own(recipe, name, sizes):
    """The user's own picture as uint8 [width, width, colours]; its digest goes into the recipe."""
    picture = images.read_picture(recipe[name], sizes["width"], sizes["colours"])
    record_or_verify_digest(recipe, f"{name}_digest", files.digest(picture.tobytes()), recipe[name])
    return picture


def draw(recipe, bank):
    """Adds "rows" to a recipe that has none. Entry k is a function of (seed, k) only.

    Blends pair the first class with the second; interpolations, any two of both; reconstructions have one
    parent; samples and blends of the user's own pictures none. J-diagrams have three corners, MINE grids a code
    and its nearest neighbours of both classes. An entry's rows differ where its classes hold enough.

    Raises:
        InputError: for a class that the bank does not hold, too few codes for a layout, a layout that does not go
            with the path, or rows that are not as described.
    """
    per_picture = count_parents(recipe)
    if recipe.get("candidates") and "blends" not in recipe:  # a search will draw them
        recipe["rows"] = []
        class_rows(recipe, bank)
        return
    wanted = recipe["count"] if per_picture else 0
    first, second = class_rows(recipe, bank)
    if "rows" not in recipe:
        recipe["rows"] = []
        for k in range(wanted):
            random = np.random.default_rng(np.random.SeedSequence(recipe["seed"], spawn_key=(k,)))
            chosen = [int(random.choice(first))]
            if recipe["layout"] == "mine":
                chosen = around(chosen[0], first, bank, recipe)
            while len(chosen) < per_picture:
                others = np.setdiff1d(second, chosen)
                chosen.append(int(random.choice(others if len(others) else second)))
            recipe["rows"].append(chosen)
    rows = recipe["rows"]
    fit = isinstance(rows, list) and len(rows) == wanted
    fit = fit and all(isinstance(entry, list) and len(entry) == per_picture for entry in rows)
    if not fit or not all(type(row) is int and 0 <= row < len(bank) for entry in rows for row in entry):
        raise InputError(
            f"The manifest's rows are required to be {wanted} lists of {per_picture} numbers from 0 to "
            f"{len(bank) - 1}. Received: others"
        )
    if recipe.get("mask") and "blends" not in recipe:
        recipe["blends"] = masked(recipe, bank)
    if "blends" in recipe:
        check_blends(recipe["blends"], wanted, bank.latents.shape[1:3])


def masked(recipe, bank):
    """The "blends" of a recipe's rows with its mask; blend k is a function of the recipe, row and k."""
    shape, evidence = bank.latents.shape[1:3], None
    if recipe["mask"] == "learned":
        learned = masks.ClassEvidence(*(bank.latents[rows] for rows in class_rows(recipe, bank)))
    blends = []
    for k, rows in enumerate(recipe["rows"]):
        random = np.random.default_rng(np.random.SeedSequence(recipe["seed"], spawn_key=(k, 1)))
        if recipe["mask"] == "learned":
            evidence = [learned(bank.latents[[row]], side)[0] for side, row in enumerate(rows)]
        shares = masks.mix_shares(recipe["mix"], 0.5, masks.make_pattern(recipe["mask"], shape, random, evidence))
        blends.append({"mirrored": [0, 0], "mask": recipe["mask"], "shares": shares.round(3).tolist()})
    return blends


def count_parents(recipe):
    """How many rows of the bank a picture has; InputError for a layout that cannot be."""
    if recipe["layout"] == "strip":
        return 0 if recipe["first_image"] else PARENTS.get(recipe["action"], 0)
    if recipe["path"] == "pixel":
        raise InputError(f"--layout={recipe['layout']} is required without --path=pixel. Received: both")
    side, _ = gallery.map_side(recipe)
    return 3 if recipe["layout"] == "j" else side * side


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


def around(row, rows, bank, recipe):
    """The rows of a MINE grid's anchors, row by row, among `rows`; InputError where these are too few."""
    side, _ = gallery.map_side(recipe)
    if len(rows) < side * side:
        raise InputError(
            f"--layout=mine with --strip={recipe['strip']}: {side * side} codes of both classes are required. "
            f"Received: {len(rows)}"
        )
    places = latents.neighbourhood(bank.latents[rows], int(np.searchsorted(rows, row)), side)
    return rows[places].ravel().tolist()


def render(recipe, source, judge=None, training=None):
    """Decodes a recipe: ({name: images}, [what the manifest says of each picture]), see `pictures.gallery.write`.

    Args:
        recipe: with "candidates" and no "blends" it is completed by a search.
        source: of `load`.
        judge: classifiers.inference.ClassifierEnsemble that scores a search's candidates; of a search only.
        training: common.data.datasets.ImageDataset to find a search's nearest images in; None: no such picture.
    """
    from acai.inference import ReleasedACAI

    try:
        model = ReleasedACAI(source.sizes, source.weights, source.folder)
    except (TypeError, ValueError) as error:  # sizes that do not make networks, or not those of the weights
        raise InputError(str(error)) from error
    entries, real = None, {}
    if recipe["candidates"] and "blends" not in recipe:
        from pegasus import search

        rows = class_rows(recipe, source.bank)
        names = ("candidates", "keep", "refine", "mask", "lower_first", "first_like", "second_like")
        config = SearchConfig(**{name: recipe[name] for name in names}, term_weights=recipe["weights"])
        classes = (recipe["first"], recipe["second"])
        result = search.run_search(config, model, judge, source.bank, rows, classes, recipe["seed"], training)
        recipe |= {"rows": result.rows, "blends": result.blends}
        entries = result.scores
        real = {} if result.nearest_images is None else {"nearest": result.nearest_images}
        source = source._replace(refined=result.refined_latents)
    if recipe["layout"] != "strip":
        rendered = {"diagrams": decoding.diagrams(recipe, model, source.bank)}
    elif "blends" in recipe:
        first, code, second = blended(recipe, model, source)
        rendered = decoding.through(recipe, model, first, code, second)
        if recipe["candidates"]:
            nearest = in_batches(model.decode, nearest_code(code[0], source.bank, recipe["rows"][0])[None])
            rendered["best"] = np.concatenate([rendered["pictures"][:1], rendered["parents"][0], nearest])
    else:
        own = [model.encode(images.to_float(picture[None])) for picture in source.own]
        rendered = decoding.decoded(recipe, model, *(own or parents(recipe, source.bank)))
    entries = entries or source.scores or [{} for _ in next(iter(rendered.values()))]
    if "pictures" in rendered and model.critic:
        scores = in_batches(model.predict_mix, rendered["pictures"])
        for entry, score in zip(entries, scores, strict=True):
            entry["critic_score"] = round(float(score), 4)
    if recipe["rows"]:
        for entry, rows in zip(entries, recipe["rows"], strict=True):
            entry["parents"] = [source.bank.describe(row) for row in rows]
    if "blends" in recipe:
        for entry, blend in zip(entries, recipe["blends"], strict=True):
            entry["mix"] = round(float(np.mean(blend["shares"])), 4)
            entry |= {name: blend[name] for name in ("mask", "mirrored", "shares")}
    if source.refined is not None:
        rendered["codes"] = source.refined
    return rendered | real, entries


def blended(recipe, model, source):
    """(first, code, second), latents [count, h, w, c] each, of a recipe's "blends"."""
    sides = []
    for side, codes in enumerate(parents(recipe, source.bank)):
        codes = masks.lower_latents(model, codes, 0 if side else recipe.get("lower_first", 0))
        turned = np.array([blend["mirrored"][side] for blend in recipe["blends"]], bool)
        if turned.any():
            codes[turned] = masks.mirror_latents(model, codes[turned])
        sides.append(codes)
    if source.refined is not None:
        code = source.refined.astype(np.float32)
    else:
        code = masks.blend_cells(*sides, np.array([blend["shares"] for blend in recipe["blends"]]))
    return sides[0], code, sides[1]


def nearest_code(code, bank, parents):
    """The code of the bank nearest to one [h, w, c], but for those of the rows `parents`; float32."""
    away = np.sum(np.square(bank.latents.astype(np.float32) - code), axis=(1, 2, 3))
    away[list(parents)] = np.inf
    return bank.latents[np.argmin(away)].astype(np.float32)


def parents(recipe, bank):
    """(first, second): latents float32 [count, h, w, c] each; the second is None but for pairs."""
    if recipe["action"] == "sample":
        codes = bank.latents[class_rows(recipe, bank)[0]]
        return latents.kernel_density_sample(codes, recipe["count"], recipe["bandwidth"], recipe["seed"]), None
    columns = [bank.latents[list(column)].astype(np.float32) for column in zip(*recipe["rows"], strict=True)]
    return columns[0], columns[1] if len(columns) > 1 else None
