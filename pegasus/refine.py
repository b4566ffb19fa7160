"""Refinement of a search's results: gradient ascent of their latents on the score.

In each step the score sees the picture as it is, shifted anew, and both mirrored, so that no single pattern of
pixels pays off. The terms "typical" and "realism" keep each picture close to the bank, and the kernel distance of
`pegasus.selection` keeps all of them together close to the reference. The gain is in the opinion
of the classifiers that are maximised: measure it with one that took no part.
"""

import numpy as np
import tensorflow as tf

from common import progress
from common.backend import compiler
from pegasus.scores import SHIFTS, weighted_sum
from pegasus.selection import KernelDistance

LEARNING_RATE = 0.02  # of Adam, in standard deviations of the latents


def refine_latents(scorer, latents, term_weights, steps, seed):
    """Moves latents uphill with Adam.

    Args:
        scorer: pegasus.scores.Scorer.
        latents: float32 [N, h, w, c].
        term_weights: {term: weight}; "unlike" has no gradient and is ignored.
        steps: number of steps.
        seed: of the views.

    Returns:
        Latents float16 [N, h, w, c].
    """
    start = tf.constant(latents)
    deviation = float(np.std(latents))
    offset, first_moment, second_moment = (tf.Variable(tf.zeros_like(start)) for _ in range(3))
    kernel_distance = KernelDistance(scorer.reference)

    @tf.function(jit_compile=compiler.resolve("auto", "float32"), autograph=False)
    def gradient(shift):
        with tf.GradientTape() as tape:
            views = SHIFTS[0], tf.unstack(shift)
            terms, features = scorer.terms(start + deviation * offset, views, mirrored=True)
            score = tf.reduce_mean(weighted_sum(terms, term_weights))
            score -= term_weights["together"] * kernel_distance(features)
        return tape.gradient(score, offset)

    random = np.random.default_rng(seed)
    for step in progress.track(range(1, steps + 1), "refining latents"):
        gradients = gradient(tf.constant(SHIFTS[random.integers(1, len(SHIFTS))]))
        first_moment.assign(0.9 * first_moment + 0.1 * gradients)
        second_moment.assign(0.99 * second_moment + 0.01 * tf.square(gradients))
        mean, square = first_moment / (1 - 0.9**step), second_moment / (1 - 0.99**step)
        offset.assign_add(LEARNING_RATE * mean / (tf.sqrt(square) + 1e-8))
    return (start + deviation * offset).numpy().astype(np.float16)
