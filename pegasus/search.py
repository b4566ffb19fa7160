"""A search for the best of many blends: candidates are drawn, decoded and scored, and the best are selected.

Only the scores of the best candidates so far are stored, so memory does not grow with the number of candidates.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from common import images, progress
from common.inference import in_batches
from common.metrics.features import nearest_neighbours
from pegasus import masks
from pegasus.candidates import blend_candidates, draw_candidate, prepare_parents
from pegasus.refine import refine_latents
from pegasus.scores import BATCH_SIZE, OPTIONAL_TERMS, Scorer, weighted_sum
from pegasus.selection import KernelDistance, select

POOL_SIZE = 2000  # best candidates of one view, which are then scored in all views
MIN_DISTANCE = 0.5  # in typical distances between reconstructions; closer candidates are duplicates


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """The blends that a search selected, as lists of one length.

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
    """Draws candidates, keeps the best, refines them and orders them by `Scorer.low_resolution_score`.

    Args:
        config: pegasus.search_config.SearchConfig.
        model, ensemble: see `pegasus.scores.Scorer`.
        bank: acai.latent_bank.LatentBank.
        rows: two int arrays, the rows of the bank that first and second parents are drawn from.
        classes: names of the two classes.
        seed: of the candidates and of the views in refinement.
        training: common.data.datasets.ImageDataset of both classes, which the results should resemble as a
            whole; None: they should resemble the reconstructions of the bank.

    Returns:
        A SearchResult.
    """
    weights, traits = config.term_weights, (config.first_like, config.second_like)
    parents = prepare_parents(model, ensemble, classes, bank, rows, traits, config.lower_first)
    reference = None
    if training is not None:
        real = images.to_float(training.images)
        classify = tf.function(ensemble.log_probabilities_and_features, autograph=False)
        reference = in_batches(lambda batch: classify(batch)[1], real)
    scorer = Scorer(model, ensemble, classes, parents, active_optional_terms(weights), reference)
    kinds = (config.mask,) if config.mask else masks.KINDS
    selected, latents = select_candidates(scorer, parents, config.candidates, config.keep, seed, weights, kinds)
    if config.refine:
        latents = refine_results(scorer, latents, weights, config.refine, seed)
    terms, features = score_all_views(scorer, parents, latents)
    scores, low_resolution_scores = weighted_sum(terms, weights), scorer.low_resolution_score(latents)
    reserved = num_reserved(weights)
    order = [*range(reserved), *(reserved + np.argsort(-low_resolution_scores[reserved:], kind="stable"))]
    selected, latents, features = [selected[i] for i in order], latents[order], features[order]
    bank_rows = np.concatenate(parents.rows)
    indices, distances = nearest_neighbours(features, parents.features)
    notes = [
        {"score": round(float(scores[k]), 4), "low_resolution_score": round(float(low_resolution_scores[k]), 4)}
        | {"terms": {name: round(float(values[k]), 4) for name, values in terms.items()}}
        | {"nearest": bank.describe(int(bank_rows[row])) | {"distance": round(float(distance), 4)}}
        for k, row, distance in zip(order, indices, distances, strict=True)
    ]
    nearest_images = None
    if training is not None:
        indices, distances = nearest_neighbours(features, scorer.reference)
        nearest_images = real[indices]
        for note, i, distance in zip(notes, indices, distances, strict=True):
            image = {"class": training.class_names[training.labels[i]], "id": int(training.ids[i])}
            note["nearest_training_image"] = image | {"distance": round(float(distance), 4)}
    return SearchResult(
        rows=[[int(parents.rows[side][c.pair[side]]) for side in (0, 1)] for c in selected],
        blends=[{"mirrored": list(c.mirrored), "mask": c.mask, "shares": c.shares.tolist()} for c in selected],
        refined_latents=latents.astype(np.float16) if config.refine else None,
        scores=notes,
        nearest_images=nearest_images,
    )


def active_optional_terms(term_weights):
    """Returns the optional terms that have a weight."""
    return tuple(name for name in OPTIONAL_TERMS if term_weights.get(name))


def num_reserved(term_weights):
    """Number of results reserved for the best low-resolution score: one if visible wings are a term, else none."""
    return 1 if term_weights.get("wings") else 0


def refine_results(scorer, latents, term_weights, steps, seed):
    """Refines all but the reserved result: refinement weakens visible wings.

    Arguments as for `pegasus.refine.refine_latents`; returns float32 [N, h, w, c], rounded to float16.
    """
    reserved = num_reserved(term_weights)
    refined = latents[reserved:]
    if len(refined):
        refined = refine_latents(scorer, refined, term_weights, steps, seed)
    return np.concatenate([latents[:reserved], refined]).astype(np.float16).astype(np.float32)


def select_candidates(scorer, parents, candidates, keep, seed, term_weights, kinds=masks.KINDS):
    """Draws and scores candidates and selects the best.

    Args:
        scorer: pegasus.scores.Scorer.
        parents: pegasus.candidates.Parents.
        candidates: number of candidates to draw.
        keep: number of candidates to select, at most `candidates`.
        seed: of the candidates.
        term_weights: {term: weight}.
        kinds: the kinds of masks to draw from.

    Returns:
        (list of pegasus.candidates.Candidate, their latents float32 [keep, h, w, c]). The reserved candidate has
        the best low-resolution score of those scored in all views and comes first; the others follow by decreasing
        score.
    """
    pool_size = max(POOL_SIZE, 8 * keep)
    numbers, scores = np.empty(0, int), np.empty(0)
    starts = range(0, candidates, BATCH_SIZE)
    for start in progress.track(starts, "decoding and scoring candidates"):
        batch = np.arange(start, min(start + BATCH_SIZE, candidates))
        terms, _ = scorer(blend_candidates(parents, [draw_candidate(parents, seed, k, kinds) for k in batch]))
        numbers, scores = np.append(numbers, batch), np.append(scores, weighted_sum(terms, term_weights))
        best = np.argsort(-scores, kind="stable")[:pool_size]
        numbers, scores = numbers[best], scores[best]
    pool = [draw_candidate(parents, seed, k, kinds) for k in numbers]
    latents = blend_candidates(parents, pool)
    terms, features = score_all_views(scorer, parents, latents)
    reserved = num_reserved(term_weights)
    selected = select(
        weighted_sum(terms, term_weights),
        features,
        [candidate.pair for candidate in pool],
        keep,
        min_distance=MIN_DISTANCE * parents.typical_distance,
        kernel_distance=KernelDistance(scorer.reference),
        kernel_distance_weight=term_weights["together"],
        reserved=np.argsort(-scorer.low_resolution_score(latents))[:reserved].tolist() if reserved else [],
    )
    return [pool[i] for i in selected], latents[selected]


def score_all_views(scorer, parents, latents):
    """Computes all terms of latents [N, h, w, c] in all views: ({term: [N]}, features [N, d])."""
    terms, features = scorer(latents, all_views=True)
    _, distances = nearest_neighbours(features, parents.features)
    novelty = np.minimum(np.log(np.maximum(distances, 1e-6) / parents.typical_distance), 0)
    return terms | {"unlike": novelty}, features
