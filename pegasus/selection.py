"""Selection of a search's results: high scores, little duplication, and together similar to a reference.

Scores alone choose pictures of one kind, on which all classifiers agree. The selection therefore maximises the
mean score minus a weight times the kernel distance of the results' features to the reference's (Binkowski et al.
2018, arXiv 1801.01401; `common.metrics.features.kernel_distance`). Adding one candidate at a time, each time the
one that improves the total most, is kernel herding (Chen, Welling and Smola 2010, arXiv 1203.3472) with scores.
"""

import collections

import numpy as np
import tensorflow as tf

MAX_USES = 3  # of one parent among the results


class KernelDistance:
    """Kernel distance of features [N, d] to a reference [M, d], as differentiable tensors.

    Features are standardised by the reference's mean and standard deviation. The constant part, the reference's
    kernels with itself, is left out.

    Args:
        reference: float32 [M, d].
    """

    def __init__(self, reference):
        self.mean, self.deviation = reference.mean(axis=0), reference.std(axis=0) + 1e-3
        self.reference = (reference - self.mean) / self.deviation

    def kernels(self, features):
        """Kernels of features [N, d] with each other, [N, N], and their mean kernels with the reference, [N]."""
        features = (features - self.mean) / self.deviation
        return kernel(features, features), tf.reduce_mean(kernel(features, self.reference), axis=1)

    def __call__(self, features):
        within, to_reference = self.kernels(features)
        pairs = max(1, features.shape[0] * (features.shape[0] - 1))
        return (tf.reduce_sum(within) - tf.linalg.trace(within)) / pairs - 2 * tf.reduce_mean(to_reference)


def kernel(first, second):
    """(x.y / d + 1)^3 for all pairs of rows of [N, d] and [M, d], [N, M]."""
    return (tf.matmul(first, second, transpose_b=True) / first.shape[1] + 1) ** 3


def select(
    scores,
    features,
    parents,
    keep,
    min_distance,
    kernel_distance,
    kernel_distance_weight,
    max_uses=MAX_USES,
    reserved=(),
):
    """Selects `keep` of N candidates.

    After the reserved ones, each step adds the candidate that improves the total most, see the module. It skips
    candidates too similar to those already selected: with the same pair of parents, with a parent selected
    `max_uses` times, or with features closer than `min_distance`. If too few remain, the skipped ones with the
    highest scores fill up the end.

    Args:
        scores: [N].
        features: [N, d].
        parents: N pairs (first, second) of indices.
        keep: number of candidates to select.
        min_distance: least distance between the features of two selected candidates.
        kernel_distance: KernelDistance to the reference.
        kernel_distance_weight: its weight relative to the mean score.
        max_uses: how often a parent may be selected.
        reserved: indices of candidates that are selected in any case, at most `keep`.

    Returns:
        List of `keep` indices: the reserved ones, then the selected by decreasing score.
    """
    scores = np.asarray(scores, np.float64)
    within, to_reference = (np.asarray(kernels, np.float64) for kernels in kernel_distance.kernels(features))
    allowed, selected, uses = np.ones(len(scores), bool), [], collections.Counter()
    with_selected = np.zeros(len(scores))  # sum of each candidate's kernels with the selected
    while len(selected) < keep and allowed.any():
        if len(selected) < len(reserved):
            best = reserved[len(selected)]
        else:
            similarity = to_reference - with_selected / max(1, len(selected))
            gains = scores + 2 * kernel_distance_weight * similarity
            best = int(np.argmax(np.where(allowed, gains, -np.inf)))
        with_selected += within[best]
        selected.append(best)
        uses.update(enumerate(parents[best]))
        allowed &= np.linalg.norm(features - features[best], axis=1) >= min_distance
        allowed &= [tuple(pair) != tuple(parents[best]) for pair in parents]
        allowed &= [max(uses[side] for side in enumerate(pair)) < max_uses for pair in parents]
    selected = [*reserved, *sorted(selected[len(reserved) :], key=lambda i: -scores[i])]
    taken = set(selected)
    return (selected + [i for i in np.argsort(-scores, kind="stable").tolist() if i not in taken])[:keep]
