"""The search for winged horses: candidates are placed, blended, decoded and scored, and the best are selected."""

import dataclasses

import numpy as np
import tensorflow as tf

from common.errors import InputError
from pegasus import scores
from pegasus.blending import blend_cells
from pegasus.candidates import Composition, cell_shares, compose, draw_candidate
from pegasus.parents import CLASSES
from pegasus.selection import MIN_DIFFERENCE, arrange, find_best, make_notes, make_thumbnails, select

GRID_COLUMNS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """The blends that a search selected, as lists and arrays of one length.

    Attributes:
        latents: float16 [N, 2, h, w, c], of both parents as they are blended.
        blends: [{"shares": the second parent's share in each cell, [h][w], ...}, ...], plain values.
        notes: [{"score", "terms", "parents", ...}, ...], plain values for a manifest.
        source: what the parents are made from, "images" or "reconstructions".
        composition: pegasus.candidates.Composition of the placed parents; None for the search of any two classes.
    """

    latents: np.ndarray
    blends: list
    notes: list
    source: str
    composition: Composition | None = None


class CompositionScorer:
    """Encodes, blends and decodes compositions, and computes the terms of their scores.

    Args:
        model: acai.inference.ReleasedACAI.
        wing_classifier: classifiers.inference.ReleasedWingClassifier.
    """

    def __init__(self, model, wing_classifier):
        signature = [tf.TensorSpec((None, model.width, model.width, model.colours))]

        def compiled(function, signature=signature):
            return tf.function(function, input_signature=signature, autograph=False)

        latents = [tf.TensorSpec((None, *model.decoder.input_shape[1:]))]
        self.size = model.decoder.input_shape[1:3]
        self.encode = compiled(model.autoencoder.encode)
        self.decode = compiled(lambda x: tf.clip_by_value(model.autoencoder.decode(x), -1, 1), latents)
        self.classify = compiled(lambda x: tf.sigmoid(wing_classifier.logits(x)))
        network = model.discriminator
        self.judge = network and compiled(lambda x: tf.reduce_mean(network(x), axis=(1, 2)))

    def __call__(self, composition):
        """Decodes N compositions.

        Returns:
            (pictures [N, H, W, C], {term: [N]}).
        """
        first, second = self.encode(composition.first).numpy(), self.encode(composition.second).numpy()
        blends = blend_cells(first, second, cell_shares(composition.wings, self.size))
        pictures, horses = self.decode(blends).numpy(), self.decode(first).numpy()
        logits = [self.judge(x).numpy() for x in (pictures, horses)] if self.judge else [None, None]
        terms = scores.picture_terms(composition, pictures, horses)
        return pictures, terms | scores.network_terms(self.classify(pictures).numpy(), *logits)


def run_search(config, model, wing_classifier, parents, seed):
    """Draws candidates and selects the best.

    Args:
        config: pegasus.search_config.Search.
        model: acai.inference.ReleasedACAI.
        wing_classifier: classifiers.inference.ReleasedWingClassifier.
        parents: pegasus.parents.Parents.
        seed: of the candidates.

    Returns:
        SearchResult, best first, but that no bird is twice in one row of a grid of GRID_COLUMNS. It has fewer
        than `config.keep` blends where fewer candidates are plausible.

    Raises:
        InputError: where none is.
    """
    scorer = CompositionScorer(model, wing_classifier)

    def score(numbers):
        composition = compose(parents, [draw_candidate(parents, seed, k) for k in numbers])
        plausible = np.flatnonzero(scores.is_plausible(composition))
        if not len(plausible):
            return None
        pictures, terms = scorer(Composition(*(part[plausible] for part in composition)))
        return numbers[plausible], scores.weighted_sum(terms), make_thumbnails(pictures)

    best = find_best(config, score)
    if best is None:
        raise InputError(
            "--candidates must be more, for a horse with wings large enough, whole and not at its head. "
            f"Received: {config.candidates} candidates, none of them plausible"
        )
    numbers, totals, thumbnails = best
    candidates = [draw_candidate(parents, seed, k) for k in numbers]
    pairs = [(candidate.horse, candidate.bird) for candidate in candidates]
    chosen = select(totals, thumbnails, pairs, config.keep, MIN_DIFFERENCE)
    chosen = arrange(chosen, [candidates[i].bird for i in chosen], GRID_COLUMNS)
    return describe(scorer, parents, [candidates[i] for i in chosen], numbers[chosen])


def describe(scorer, parents, candidates, numbers):
    """The SearchResult of N candidates, numbers [N]."""
    composition = compose(parents, candidates)
    _, terms = scorer(composition)
    latents = np.stack([scorer.encode(side) for side in (composition.first, composition.second)], axis=1)
    described = [
        [
            {"row": int(group.rows[i]), "class": name, "id": group.labels[i].id}
            for name, group, i in zip(
                CLASSES, (parents.horses, parents.birds), (candidate.horse, candidate.bird), strict=True
            )
        ]
        for candidate in candidates
    ]
    notes = make_notes(numbers, scores.weighted_sum(terms), terms, described)
    blends = describe_blends(candidates, composition, scorer.size)
    return SearchResult(latents.astype(np.float16), blends, notes, parents.source, composition)


def describe_blends(candidates, composition, size):
    """The `blends` of a SearchResult of N candidates, as they are composed for latents of a size (h, w)."""
    shares = cell_shares(composition.wings, size).tolist()
    return [
        {"placements": [dataclasses.asdict(placement) for placement in candidate.placements], "shares": cells}
        for candidate, cells in zip(candidates, shares, strict=True)
    ]
