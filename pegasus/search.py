"""The best of many blends: candidates decoded, scored, and the best kept for score and variety.

Nothing of a candidate is stored but its score while it is among the best: memory does not grow with their number.
"""

import numpy as np

from common import images, progress
from common.inference import in_batches
from common.metrics.features import nearest
from pegasus import masks
from pegasus.candidates import codes_of, draw, prepare
from pegasus.refine import refine
from pegasus.scores import BATCH_SIZE, OPTIONAL, Scorer, total
from pegasus.selection import KernelDistance, select

POOL = 2000  # best candidates that are seen in all views
NEAR = 0.5  # of the typical distance between reconstructions: nearer ones are duplicates


def complete(recipe, model, judge, bank, rows, training=None):
    """Searches: adds "rows" and "blends", and "count" of them, to a recipe (see pictures.acai_recipes).

    Args:
        recipe: with "candidates", "count", "seed", "weights", "refine", "first" and "second", perhaps "mask",
            "first_like", "second_like" and "lower_first" (see `pegasus.candidates.prepare`).
        model, judge: see `pegasus.scores.Scorer`.
        bank, rows: a LatentBank and its rows of either class.
        training: common.data.datasets.ImageDataset of both classes, which what is kept shall be like as a
        whole; None: it
            shall be like the bank's reconstructions.

    Returns:
        (refined codes float16 [count, h, w, c] or None, [{"score", "terms", "nearest", ...} of each kept], and
        with `training` {"nearest": images [count, H, W, C]}, the nearest of them by the judges' features). What
        is kept stands in the order of `pegasus.scores.Scorer.glance`, after what `leading` says.
    """
    weights, classes = recipe["weights"], (recipe["first"], recipe["second"])
    scorer = Scorer(model, judge, classes, asked(weights))
    likes = [recipe.get(f"{side}_like") for side in ("first", "second")]
    parents = prepare(scorer, bank, rows, likes, recipe.get("lower_first", 0))
    if training is not None:
        real = images.to_float(training.images)
        scorer.reference = in_batches(lambda part: scorer.look(part)[1], real)
    kinds = (recipe["mask"],) if recipe["mask"] else masks.KINDS
    chosen, codes = find(scorer, parents, recipe["candidates"], recipe["count"], recipe["seed"], weights, kinds)
    if recipe["refine"]:
        codes = refined(scorer, codes, weights, recipe["refine"], recipe["seed"])
    terms, features = thorough(scorer, parents, codes)
    glance = scorer.glance(codes)
    ahead = leading(weights)
    order = [*range(ahead), *(ahead + np.argsort(-glance[ahead:], kind="stable"))]
    chosen, codes, glance, features = [chosen[i] for i in order], codes[order], glance[order], features[order]
    terms = {name: values[order] for name, values in terms.items()}
    scores = total(terms, weights)
    stored = codes.astype(np.float16) if recipe["refine"] else None
    recipe["rows"] = [[int(parents.rows[side][c.places[side]]) for side in (0, 1)] for c in chosen]
    recipe["blends"] = [
        {"mirrored": list(c.mirrored), "mask": c.mask, "shares": c.shares.tolist()} for c in chosen
    ]
    rows = np.concatenate(parents.rows)
    near, away = nearest(features, parents.features)
    entries = [
        {"score": round(float(scores[k]), 4), "glance": round(float(glance[k]), 4)}
        | {"terms": {n: round(float(v[k]), 4) for n, v in terms.items()}}
        | {"nearest": bank.describe(int(rows[near[k]])) | {"distance": round(float(away[k]), 4)}}
        for k in range(len(chosen))
    ]
    if training is None:
        return stored, entries, {}
    near, away = nearest(features, scorer.reference)
    for entry, i, distance in zip(entries, near, away, strict=True):
        image = {"class": training.class_names[training.labels[i]], "id": int(training.ids[i])}
        entry["nearest_training_image"] = image | {"distance": round(float(distance), 4)}
    return stored, entries, {"nearest": real[near]}


def asked(weights):
    """Those of the optional terms that {term: weight} asks for."""
    return tuple(name for name in OPTIONAL if weights.get(name))


def leading(weights):
    """How many of what is kept are there for their glance alone, and first: one where wings are asked for."""
    return 1 if weights.get("wings") else 0


def refined(scorer, codes, weights, steps, seed):
    """Codes float32 [N, h, w, c] that `find` found, made better by `pegasus.refine.refine` but for the
    `leading`: of
    those, refined, judges see more of both classes and viewers less of wings."""
    ahead = leading(weights)
    better = refine(scorer, codes[ahead:], weights, steps, seed) if len(codes) > ahead else codes[ahead:]
    return np.concatenate([codes[:ahead], better]).astype(np.float16).astype(np.float32)


def find(scorer, parents, candidates, keep, seed, weights, kinds=masks.KINDS):
    """The best of `candidates`, best first, but for the `leading`: of all that are seen in all views the best at a
    glance.

    Args:
        scorer, parents: that `pegasus.candidates.prepare` has introduced to each other.
        candidates, keep: how many are drawn and kept; keep at most candidates.
        seed: of the candidates.
        weights: {term: weight}, also of "together".
        kinds: of masks, each as likely as the others.

    Returns:
        (list of pegasus.candidates.Candidate, codes float32 [keep, h, w, c]).
    """
    size = max(POOL, 8 * keep)
    numbers, scores = np.empty(0, int), np.empty(0)
    starts = range(0, candidates, BATCH_SIZE)
    for start in progress.track(starts, "decoding and scoring candidates"):
        drawn = np.arange(start, min(start + BATCH_SIZE, candidates))
        terms, _ = scorer(codes_of(parents, [draw(parents, seed, k, kinds) for k in drawn]))
        numbers, scores = np.append(numbers, drawn), np.append(scores, total(terms, weights))
        best = np.argsort(-scores, kind="stable")[:size]
        numbers, scores = numbers[best], scores[best]
    drawn = [draw(parents, seed, k, kinds) for k in numbers]
    codes = codes_of(parents, drawn)
    terms, features = thorough(scorer, parents, codes)
    places = [c.places for c in drawn]
    near, apart, ahead = NEAR * parents.spacing, KernelDistance(scorer.reference), leading(weights)
    begin = np.argsort(-scorer.glance(codes))[:ahead].tolist() if ahead else []
    chosen = select(total(terms, weights), features, places, keep, near, apart, weights["together"], begin=begin)
    return [drawn[i] for i in chosen], codes[chosen]


def thorough(scorer, parents, codes):
    """All terms in all views, {term: [N]}, and features [N, d] of codes [N, h, w, c]."""
    terms, features = scorer(codes, thorough=True)
    _, distances = nearest(features, parents.features)
    return terms | {"unlike": np.minimum(np.log(np.maximum(distances, 1e-6) / parents.spacing), 0)}, features
