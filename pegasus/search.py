"""The best of many blends: candidates decoded, scored, and the best kept for score and variety.

Nothing of a candidate is stored but its score while it is among the best: memory does not grow with their number.
"""

import dataclasses

import numpy as np

from common import images, progress
from common.inference import in_batches
from common.metrics.features import nearest_neighbours
from pegasus import masks
from pegasus.candidates import codes_of, draw, prepare
from pegasus.refine import refine
from pegasus.scores import BATCH_SIZE, OPTIONAL, Scorer, total
from pegasus.selection import KernelDistance, select

POOL = 2000  # best candidates that are seen in all views
NEAR = 0.5  # of the typical distance between reconstructions: nearer ones are duplicates


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """The blends that a search has kept, as lists of one length.

    Attributes:
        rows: [[row of the first parent, row of the second], ...] in the latent bank.
        blends: [{"mirrored": [0 or 1, 0 or 1], "mask", "shares": the second parent's share, [h][w]}, ...].
        refined_latents: float16 [N, h, w, c]; None without refinement.
        scores: [{"score", "low_resolution_score", "terms", "nearest", ...}, ...], plain values for a manifest.
        nearest_images: the nearest training images [N, H, W, C] by the ensemble's features; None without any.
    """

    rows: list
    blends: list
    refined_latents: np.ndarray | None
    scores: list
    nearest_images: np.ndarray | None


def run_search(config, model, ensemble, bank, rows, classes, seed, training=None):
    """Draws candidates, keeps the best, refines them and orders them by `pegasus.scores.Scorer.glance`.

    Args:
        config: pegasus.search_config.SearchConfig.
        model, ensemble: see `pegasus.scores.Scorer`.
        bank: acai.latent_bank.LatentBank.
        rows: two int arrays, the rows of the bank that first and second parents are drawn from.
        classes: names of the two classes.
        seed: of the candidates and of the views in refinement.
        training: common.data.datasets.ImageDataset of both classes, which the kept blends shall resemble as a
            whole; None: they shall resemble the reconstructions of the bank.

    Returns:
        A SearchResult.
    """
    weights = config.term_weights
    scorer = Scorer(model, ensemble, classes, asked(weights))
    parents = prepare(scorer, bank, rows, (config.first_like, config.second_like), config.lower_first)
    if training is not None:
        real = images.to_float(training.images)
        scorer.reference = in_batches(lambda part: scorer.look(part)[1], real)
    kinds = (config.mask,) if config.mask else masks.KINDS
    chosen, latents = find(scorer, parents, config.candidates, config.keep, seed, weights, kinds)
    if config.refine:
        latents = refined(scorer, latents, weights, config.refine, seed)
    terms, features = thorough(scorer, parents, latents)
    glance = scorer.glance(latents)
    reserved = leading(weights)
    order = [*range(reserved), *(reserved + np.argsort(-glance[reserved:], kind="stable"))]
    chosen, latents, glance, features = [chosen[i] for i in order], latents[order], glance[order], features[order]
    terms = {name: values[order] for name, values in terms.items()}
    scores = total(terms, weights)
    bank_rows = np.concatenate(parents.rows)
    indices, distances = nearest_neighbours(features, parents.features)
    notes = [
        {"score": round(float(scores[k]), 4), "low_resolution_score": round(float(glance[k]), 4)}
        | {"terms": {n: round(float(v[k]), 4) for n, v in terms.items()}}
        | {"nearest": bank.describe(int(bank_rows[indices[k]])) | {"distance": round(float(distances[k]), 4)}}
        for k in range(len(chosen))
    ]
    nearest_images = None
    if training is not None:
        indices, distances = nearest_neighbours(features, scorer.reference)
        nearest_images = real[indices]
        for note, i, distance in zip(notes, indices, distances, strict=True):
            image = {"class": training.class_names[training.labels[i]], "id": int(training.ids[i])}
            note["nearest_training_image"] = image | {"distance": round(float(distance), 4)}
    return SearchResult(
        rows=[[int(parents.rows[side][c.places[side]]) for side in (0, 1)] for c in chosen],
        blends=[{"mirrored": list(c.mirrored), "mask": c.mask, "shares": c.shares.tolist()} for c in chosen],
        refined_latents=latents.astype(np.float16) if config.refine else None,
        scores=notes,
        nearest_images=nearest_images,
    )


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
    _, distances = nearest_neighbours(features, parents.features)
    return terms | {"unlike": np.minimum(np.log(np.maximum(distances, 1e-6) / parents.spacing), 0)}, features
