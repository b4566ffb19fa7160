"""Selection: by hand without a look at the whole; with one against a slow plain version; the kernel distance."""

import numpy as np
import pytest
import tensorflow as tf

from common.metrics.features import kernel_distance
from pegasus import selection


def kept(scores, features, parents, keep, near=1.0, uses=3, begin=()):
    features = np.array(features, np.float32)[:, None]
    apart = selection.KernelDistance(features)
    return selection.select(scores, features, parents, keep, near, apart, together=0.0, uses=uses, begin=begin)


def test_the_best_come_first():
    assert kept([1, 3, 2], [0, 10, 20], [(0, 0), (1, 1), (2, 2)], 2) == [1, 2]


def test_near_duplicates_and_equal_pairs_are_left_out_while_others_are_there():
    pairs = [(0, 0), (1, 1), (2, 2), (0, 0), (4, 4)]
    assert kept([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 3) == [0, 2, 4]
    assert kept([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 5) == [0, 2, 4, 1, 3]


def test_a_parent_is_used_a_few_times_on_each_side():
    pairs = [(7, 0), (7, 1), (7, 2), (0, 7), (1, 7)]
    assert kept([5, 4, 3, 2, 1], [0, 10, 20, 30, 40], pairs, 4, uses=2) == [0, 1, 3, 4]


def test_what_it_is_to_begin_with_comes_first_and_counts():
    """As a parent used twice, as a neighbour and as an equal pair."""
    features, pairs = [0, 10, 20, 20.5, 40, 50], [(7, 0), (7, 1), (7, 2), (3, 3), (4, 4), (7, 2)]
    found = kept([6, 5, 1, 4, 3, 2], features, pairs, 3, uses=2, begin=[2])
    assert found == [2, 0, 4]  # not 1, the third of 7, nor 3, which is like 2
    assert kept([6, 5, 1, 4, 3, 2], features, pairs, 1, begin=[2]) == [2]


def plain_whole(scores, features, chosen, reference, together):
    """The mean score less the kernel distance, anew for each choice."""
    standard = (features - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    kernels = (standard @ standard.T / standard.shape[1] + 1) ** 3
    with_reference = (reference - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    reached = np.mean((standard @ with_reference.T / standard.shape[1] + 1) ** 3, axis=1)
    others = [kernels[i, j] for i in chosen for j in chosen if i != j]
    return np.mean(scores[chosen]) - together * ((np.mean(others) if others else 0) - 2 * np.mean(reached[chosen]))


@pytest.mark.parametrize("together", [0.1, 1.0, 10.0])
def test_each_is_the_one_that_makes_the_best_whole(together):
    random = np.random.default_rng(0)
    scores, features = random.normal(size=40), random.normal(size=(40, 4)).astype(np.float32)
    reference = (random.normal(size=(90, 4)) + [1, 0, 0, 0]).astype(np.float32)
    pairs, expected = [(i, i) for i in range(40)], []
    for _ in range(8):
        left = [i for i in range(40) if i not in expected]
        wholes = [plain_whole(scores, features, [*expected, i], reference, together) for i in left]
        expected.append(left[int(np.argmax(wholes))])
    apart = selection.KernelDistance(reference)
    found = selection.select(scores, features, pairs, 8, 0.0, apart, together)
    assert found == sorted(expected, key=lambda i: -scores[i])


def test_the_whole_is_like_the_reference_where_scores_say_nothing():
    """Two groups, as in the reference, though the scores favour one a little."""
    features = np.repeat([[-1.0], [1.0]], 20, axis=0).astype(np.float32)
    scores, pairs = np.repeat([0.0, 0.01], 20), [(i, i) for i in range(40)]
    apart = selection.KernelDistance(features)
    found = {t: selection.select(scores, features, pairs, 10, 0.0, apart, t) for t in (0.0, 1.0)}
    assert np.mean(features[found[0.0]]) == 1
    assert np.mean(features[found[1.0]]) == 0


def test_kernel_distance_is_the_metrics_but_for_a_constant():
    random = np.random.default_rng(2)
    reference = 3 * random.normal(size=(40, 5)).astype(np.float32) + 7
    scaled = (reference - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    found, expected = [], []
    for shift in (0, 1):
        features = 3 * random.normal(size=(9, 5)).astype(np.float32) + 7 + shift
        found.append(float(selection.KernelDistance(reference)(tf.constant(features))))
        standard = (features - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
        expected.append(kernel_distance(scaled, standard))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=1e-3)


def test_a_code_alone_has_no_others():
    reference = np.array([[-1.0], [1.0]], np.float32)  # in deviations: -1 and 1, but for a thousandth
    found = float(selection.KernelDistance(reference)(tf.constant([[1.0]])))
    assert found == pytest.approx(-(2**3 + 0), rel=5e-3)
