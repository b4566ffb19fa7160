"""Refinement: how far latents move, and that the kernel distance limits it."""

import numpy as np
import tensorflow as tf

from common.metrics.features import kernel_distance
from pegasus import refine

SHAPE = 6, 2, 2, 3


class Scorer:
    """Scores latents by minus their squared distance to 1; their features are their values."""

    reference = np.random.default_rng(0).normal(size=(500, 12)).astype(np.float32)

    def terms(self, latents, shifts, mirrored):
        assert mirrored and shifts[0] == (0, 0) and len(shifts) == 2
        flat = tf.reshape(latents, (-1, 12))
        return {"recognised": -tf.reduce_sum(tf.square(flat - 1), axis=1)}, flat


def random_latents(seed=1):
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def distance(latents):
    return np.square(latents.astype(np.float32) - 1).sum((1, 2, 3))


def test_all_latents_move_uphill_and_no_further_than_the_steps_allow():
    start = random_latents()
    refined = refine.refine_latents(Scorer(), start, {"recognised": 1.0, "together": 0.0}, 20, seed=0)
    assert refined.dtype == np.float16 and refined.shape == SHAPE
    assert np.all(distance(refined) < distance(start))
    assert (
        np.abs(refined - start).max() <= 20 * refine.LEARNING_RATE * np.std(start) * 1.01
    )  # the longest way of Adam


def test_one_step_of_adam_moves_by_the_learning_rate():
    start = random_latents()
    refined = refine.refine_latents(Scorer(), start, {"recognised": 1.0, "together": 0.0}, 1, seed=0)
    step = refine.LEARNING_RATE * np.std(start) * np.sign(1 - start)
    np.testing.assert_allclose(refined, start + step, atol=2e-3)


def test_without_steps_latents_do_not_change():
    np.testing.assert_array_equal(
        refine.refine_latents(Scorer(), random_latents(), {"recognised": 1.0, "together": 0.0}, 0, 0),
        random_latents().astype(np.float16),
    )


def test_the_kernel_distance_keeps_latents_near_the_reference():
    start = random_latents()
    weights = [{"recognised": 0.01, "together": t} for t in (0.0, 10.0)]
    results = [refine.refine_latents(Scorer(), start, w, 50, 0).reshape(6, 12).astype(np.float32) for w in weights]
    without, with_distance = (kernel_distance(Scorer.reference, features) for features in results)
    assert with_distance < without - 0.1
