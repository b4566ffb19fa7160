"""Which candidates of a search are kept: good ones, unlike each other, that together are like the reference.

Scores alone choose pictures of one kind, at which all judges agree. What is looked for is a whole: the mean score
of those that are kept less a weight times the kernel distance of their features to the reference's, that of
`common.metrics.features.kernel_distance` (Binkowski et al. 2018, arXiv 1801.01401). To choose one after the
other by what
it adds to that is kernel herding (Chen, Welling and Smola 2010, arXiv 1203.3472), with scores.
"""

import collections

import numpy as np
import tensorflow as tf

USES = 3  # of one row of the bank among the kept


class KernelDistance:
    """Of features [N, d] to a reference [M, d], as `common.metrics.features.kernel_distance` in tensors, in the
    reference's
    standard deviations and without what the reference has within itself, which is constant.
    """

    def __init__(self, reference):
        self.mean, self.deviation = reference.mean(axis=0), reference.std(axis=0) + 1e-3
        self.reference = (reference - self.mean) / self.deviation

    def kernels(self, features):
        """The kernels of features [N, d] with each other, [N, N], and their means with the reference, [N]."""
        features = (features - self.mean) / self.deviation
        return kernel(features, features), tf.reduce_mean(kernel(features, self.reference), axis=1)

    def __call__(self, features):
        among, reached = self.kernels(features)
        pairs = max(1, features.shape[0] * (features.shape[0] - 1))
        return (tf.reduce_sum(among) - tf.linalg.trace(among)) / pairs - 2 * tf.reduce_mean(reached)


def kernel(first, second):
    """(x.y / d + 1)^3 of all rows of [N, d] and [M, d]: [N, M]."""
    return (tf.matmul(first, second, transpose_b=True) / first.shape[1] + 1) ** 3


def select(scores, features, parents, keep, near, apart, together, uses=USES, begin=()):
    """Indices of `keep` of N, first those to `begin` with, then those of the highest score first.

    They are chosen one after the other, always the one that makes the best whole, leaving out what is too much
    like what is already chosen: a pair chosen before, a parent chosen `uses` times, or features nearer than
    `near`. Where that leaves too few, the best of those left out come last.

    Args:
        scores: [N].
        features: [N, d].
        parents: N pairs (first, second).
        keep, near, uses: see above.
        apart: a KernelDistance.
        together: its weight beside the mean score.
        begin: indices of what is kept in any case, at most `keep`.
    """
    scores = np.asarray(scores, np.float64)
    among, reached = (np.asarray(kernels, np.float64) for kernels in apart.kernels(features))
    fit, chosen, used = np.ones(len(scores), bool), [], collections.Counter()
    with_chosen = np.zeros(len(scores))  # sums of kernels
    while len(chosen) < keep and fit.any():
        gains = scores + 2 * together * (reached - with_chosen / max(1, len(chosen)))
        given = len(chosen) < len(begin)
        best = begin[len(chosen)] if given else int(np.argmax(np.where(fit, gains, -np.inf)))
        with_chosen += among[best]
        chosen.append(best)
        used.update(enumerate(parents[best]))
        fit &= np.linalg.norm(features - features[best], axis=1) >= near
        fit &= [tuple(pair) != tuple(parents[best]) for pair in parents]
        fit &= [max(used[side] for side in enumerate(pair)) < uses for pair in parents]
    chosen = [*begin, *sorted(chosen[len(begin) :], key=lambda i: -scores[i])]
    taken = set(chosen)
    return (chosen + [i for i in np.argsort(-scores, kind="stable").tolist() if i not in taken])[:keep]
