"""Codes made better by gradient ascent on a search's score.

The score sees the picture as it is, shifted anew in every step, and both mirrored, so that no single pattern of
pixels pays; its terms "typical" and "realism" hold code and picture to what the bank's are like, each for itself.
All pictures together are held to the reference by the kernel distance of `pegasus.selection`. What is gained is
the
judges' opinion: ask one that took no part before believing it.
"""

import numpy as np
import tensorflow as tf

from common import progress
from common.backend import compiler
from pegasus.scores import SHIFTS, total
from pegasus.selection import KernelDistance

RATE = 0.02  # of Adam, in standard deviations of the codes


def refine(scorer, codes, weights, steps, seed):
    """Codes float16 [N, h, w, c], each moved uphill by `steps` of Adam.

    Args:
        scorer: pegasus.scores.Scorer that refers to a bank.
        codes: float32 [N, h, w, c].
        weights: {term: weight}, also of "together"; "unlike" has no gradient and is left out.
        steps: how many.
        seed: of the views.
    """
    start = tf.constant(codes)
    spread = float(np.std(codes))
    offset, first, second = (tf.Variable(tf.zeros_like(start)) for _ in range(3))
    apart = KernelDistance(scorer.reference)

    @tf.function(jit_compile=compiler.resolve("auto", "float32"), autograph=False)
    def gradient(shift):
        with tf.GradientTape() as tape:
            views = SHIFTS[0], tf.unstack(shift)
            terms, features = scorer.terms(start + spread * offset, views, mirrored=True)
            score = tf.reduce_mean(total(terms, weights)) - weights["together"] * apart(features)
        return tape.gradient(score, offset)

    random = np.random.default_rng(seed)
    for step in progress.track(range(1, steps + 1), "refining codes"):
        gradients = gradient(tf.constant(SHIFTS[random.integers(1, len(SHIFTS))]))
        first.assign(0.9 * first + 0.1 * gradients)
        second.assign(0.99 * second + 0.01 * tf.square(gradients))
        offset.assign_add(RATE * (first / (1 - 0.9**step)) / (tf.sqrt(second / (1 - 0.99**step)) + 1e-8))
    return (start + spread * offset).numpy().astype(np.float16)
