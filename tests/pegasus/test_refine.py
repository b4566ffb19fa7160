"""Refinement: what it gains and what it holds to."""

import numpy as np
import tensorflow as tf

from common.metrics.features import kernel_distance
from pegasus import refine

SHAPE = 6, 2, 2, 3


class Scorer:
    """The score of a code is minus its squared distance to 1; its features are its numbers."""

    reference = np.random.default_rng(0).normal(size=(500, 12)).astype(np.float32)

    def terms(self, codes, shifts, mirrored):
        assert mirrored and shifts[0] == (0, 0) and len(shifts) == 2
        flat = tf.reshape(codes, (-1, 12))
        return {"recognised": -tf.reduce_sum(tf.square(flat - 1), axis=1)}, flat


def codes(seed=1):
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def distance(found):
    return np.square(found.astype(np.float32) - 1).sum((1, 2, 3))


def test_every_code_moves_uphill_and_no_further_than_its_steps():
    start = codes()
    found = refine.refine(Scorer(), start, {"recognised": 1.0, "together": 0.0}, 20, seed=0)
    assert found.dtype == np.float16 and found.shape == SHAPE
    assert np.all(distance(found) < distance(start))
    assert np.abs(found - start).max() <= 20 * refine.RATE * np.std(start) * 1.01  # the longest that Adam goes


def test_one_step_of_adam_is_the_rate_towards_the_better_side():
    start = codes()
    found = refine.refine(Scorer(), start, {"recognised": 1.0, "together": 0.0}, 1, seed=0)
    step = refine.RATE * np.std(start) * np.sign(1 - start)
    np.testing.assert_allclose(found, start + step, atol=2e-3)


def test_without_a_step_nothing_moves():
    np.testing.assert_array_equal(
        refine.refine(Scorer(), codes(), {"recognised": 1.0, "together": 0.0}, 0, 0), codes().astype(np.float16)
    )


def test_together_they_stay_nearer_to_the_reference():
    start = codes()
    weights = [{"recognised": 0.01, "together": t} for t in (0.0, 10.0)]
    alone, held = (refine.refine(Scorer(), start, each, 50, 0) for each in weights)
    kd = [kernel_distance(Scorer.reference, found.reshape(6, 12).astype(np.float32)) for found in (alone, held)]
    assert kd[1] < kd[0] - 0.1
