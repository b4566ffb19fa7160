"""Selection: by hand without the kernel distance, and with it against a slow plain implementation."""

import numpy as np
import pytest
import tensorflow as tf

from common.metrics.features import kernel_distance
from pegasus import selection


def select(scores, features, parents, keep, **options):
    """Selects without the kernel distance, with a minimum distance of 1."""
    features = np.array(features, np.float32)[:, None]
    kernel_distance = selection.KernelDistance(features)
    return selection.select(scores, features, parents, keep, 1.0, kernel_distance, 0.0, **options)


def test_the_highest_scores_come_first():
    assert select([1, 3, 2], [0, 10, 20], [(0, 0), (1, 1), (2, 2)], 2) == [1, 2]


def test_near_duplicates_and_equal_pairs_come_last():
    pairs = [(0, 0), (1, 1), (2, 2), (0, 0), (4, 4)]
    assert select([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 3) == [0, 2, 4]
    assert select([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 5) == [0, 2, 4, 1, 3]


def test_each_parent_is_used_a_limited_number_of_times():
    pairs = [(7, 0), (7, 1), (7, 2), (0, 7), (1, 7)]
    assert select([5, 4, 3, 2, 1], [0, 10, 20, 30, 40], pairs, 4, max_uses=2) == [0, 1, 3, 4]


def test_reserved_candidates_come_first_and_exclude_similar_ones():
    """They count for the uses of a parent, as neighbours and as pairs."""
    features, pairs = [0, 10, 20, 20.5, 40, 50], [(7, 0), (7, 1), (7, 2), (3, 3), (4, 4), (7, 2)]
    selected = select([6, 5, 1, 4, 3, 2], features, pairs, 3, max_uses=2, reserved=[2])
    assert selected == [2, 0, 4]  # not 1, the third use of 7, nor 3, which is near 2
    assert select([6, 5, 1, 4, 3, 2], features, pairs, 1, reserved=[2]) == [2]


def plain_objective(scores, features, selected, reference, weight):
    """The mean score minus the weighted kernel distance."""
    standard = (features - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    kernels = (standard @ standard.T / standard.shape[1] + 1) ** 3
    with_reference = (reference - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    to_reference = np.mean((standard @ with_reference.T / standard.shape[1] + 1) ** 3, axis=1)
    pairs = [kernels[i, j] for i in selected for j in selected if i != j]
    distance = (np.mean(pairs) if pairs else 0) - 2 * np.mean(to_reference[selected])
    return np.mean(scores[selected]) - weight * distance


@pytest.mark.parametrize("weight", [0.1, 1.0, 10.0])
def test_each_step_maximises_the_objective(weight):
    random = np.random.default_rng(0)
    scores, features = random.normal(size=40), random.normal(size=(40, 4)).astype(np.float32)
    reference = (random.normal(size=(90, 4)) + [1, 0, 0, 0]).astype(np.float32)
    pairs, expected = [(i, i) for i in range(40)], []
    for _ in range(8):
        remaining = [i for i in range(40) if i not in expected]
        objectives = [plain_objective(scores, features, [*expected, i], reference, weight) for i in remaining]
        expected.append(remaining[int(np.argmax(objectives))])
    selected = selection.select(scores, features, pairs, 8, 0.0, selection.KernelDistance(reference), weight)
    assert selected == sorted(expected, key=lambda i: -scores[i])


def test_the_kernel_distance_balances_groups_as_in_the_reference():
    """Though the scores favour one of the two groups a little."""
    features = np.repeat([[-1.0], [1.0]], 20, axis=0).astype(np.float32)
    scores, pairs = np.repeat([0.0, 0.01], 20), [(i, i) for i in range(40)]
    kernel_distance = selection.KernelDistance(features)
    selected = {w: selection.select(scores, features, pairs, 10, 0.0, kernel_distance, w) for w in (0.0, 1.0)}
    assert np.mean(features[selected[0.0]]) == 1
    assert np.mean(features[selected[1.0]]) == 0


def test_kernel_distance_equals_the_metric_up_to_a_constant():
    random = np.random.default_rng(2)
    reference = 3 * random.normal(size=(40, 5)).astype(np.float32) + 7
    scaled = (reference - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
    distances, expected = [], []
    for shift in (0, 1):
        features = 3 * random.normal(size=(9, 5)).astype(np.float32) + 7 + shift
        distances.append(float(selection.KernelDistance(reference)(tf.constant(features))))
        standard = (features - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-3)
        expected.append(kernel_distance(scaled, standard))
    assert distances[1] - distances[0] == pytest.approx(expected[1] - expected[0], rel=1e-3)


def test_kernel_distance_of_one_sample_has_no_pairs():
    reference = np.array([[-1.0], [1.0]], np.float32)  # standardised: about -1 and 1
    distance = float(selection.KernelDistance(reference)(tf.constant([[1.0]])))
    assert distance == pytest.approx(-(2**3 + 0), rel=5e-3)
