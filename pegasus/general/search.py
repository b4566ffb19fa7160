"""A search for the best of many blends of any two classes: candidates are drawn, decoded, scored and selected.

The score is recognisability, log sqrt(P(first) P(second)), plus feature typicality: minus half the squared
Mahalanobis distance per dimension of the classifiers' features to those of the parents' reconstructions, beyond
the mean of these. It is highest where classifiers are in doubt between the classes.
"""

import numpy as np
import tensorflow as tf

from common.inference import in_batches
from pegasus.blending import blend_cells
from pegasus.general import masks
from pegasus.general.candidates import draw_candidate, parent_latents, prepare_parents
from pegasus.search import SearchResult
from pegasus.selection import find_best, make_notes, select

TYPICALITY_WEIGHT = 0.5
SHRINKAGE = 0.1  # share of the features' covariance that is replaced by the identity times the mean variance
MIN_DISTANCE = 0.5  # in standard deviations of the features; closer candidates are duplicates


class Scorer:
    """Decodes and scores latents.

    Args:
        model: acai.inference.ReleasedACAI.
        classifiers: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier.
        classes: names of the two classes that a blend should show.
        latents: of the parents, [N, h, w, c], the measure of what is typical.
    """

    def __init__(self, model, classifiers, classes, latents):
        self.indices = [classifiers.class_names.index(name) for name in classes]

        @tf.function(autograph=False)
        def classify(batch):
            pictures = tf.clip_by_value(model.autoencoder.decode(batch), -1, 1)
            return tf.concat(classifiers.log_probabilities_and_features(pictures), axis=1)

        self.classify, self.num_classes = classify, len(classifiers.class_names)
        features = self._measure(latents)[1].astype(np.float64)
        covariance = np.cov(features.T)
        variance = np.mean(np.diag(covariance))
        values, axes = np.linalg.eigh(
            (1 - SHRINKAGE) * covariance + SHRINKAGE * variance * np.eye(len(covariance))
        )
        self.mean, self.whitening, self.deviation = features.mean(axis=0), axes / np.sqrt(values), variance**0.5

    def __call__(self, latents):
        """({term: [N]}, features [N, d], of which an average one is 1 from the mean) of latents [N, h, w, c]."""
        log_probabilities, features = self._measure(latents)
        distances = np.square((features - self.mean) @ self.whitening).mean(axis=1)
        terms = {
            "recognised": log_probabilities[:, self.indices].mean(axis=1),
            "typical": -TYPICALITY_WEIGHT * np.maximum(distances - 1, 0),
        }
        return terms, features / (self.deviation * features.shape[1] ** 0.5)

    def _measure(self, latents):
        outputs = in_batches(self.classify, np.asarray(latents, np.float32))
        return outputs[:, : self.num_classes], outputs[:, self.num_classes :]


def run_search(config, model, ensemble, bank, rows, classes, seed):
    """Draws candidates and selects the best.

    Args:
        config: pegasus.search_config.MaskSearch.
        model, ensemble, classes: see `Scorer`.
        bank: acai.latent_bank.LatentBank.
        rows: two int arrays, the rows of the bank that first and second parents are drawn from.
        seed: of the candidates.

    Returns:
        A `pegasus.search.SearchResult`, best first.
    """
    parents = prepare_parents(model, bank, rows)
    scorer = Scorer(model, ensemble, classes, np.concatenate([latents[:, 0] for latents in parents.latents]))
    kinds = (config.mask,) if config.mask else masks.KINDS

    def blend(numbers):
        candidates = [draw_candidate(parents, seed, k, kinds) for k in numbers]
        latents, shares = parent_latents(parents, candidates), np.stack([c.shares for c in candidates])
        return candidates, latents, blend_cells(latents[:, 0], latents[:, 1], shares)

    def score(numbers):
        terms, features = scorer(blend(numbers)[2])
        return numbers, sum(terms.values()), features

    numbers, totals, features = find_best(config, score)
    pairs = [draw_candidate(parents, seed, k, kinds).pair for k in numbers]
    numbers = numbers[select(totals, features, pairs, config.keep, MIN_DISTANCE)]
    candidates, latents, blended = blend(numbers)
    terms, _ = scorer(blended)
    described = [[bank.describe(int(parents.rows[side][c.pair[side]])) for side in (0, 1)] for c in candidates]
    blends = [{"mirrored": list(c.mirrored), "mask": c.mask, "shares": c.shares.tolist()} for c in candidates]
    notes = make_notes(numbers, sum(terms.values()), terms, described)
    return SearchResult(latents.astype(np.float16), blends, notes, "latents")
