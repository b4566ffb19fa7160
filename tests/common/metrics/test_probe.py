"""Linear probe and clustering on latents whose classes are known, and against slow reference implementations."""

import math
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize

from common.metrics import probe
from common.metrics.probe import linear_probe, match_clusters


def blobs(count, seed, centres=3, spread=1.0, distance=20.0):
    """Draws latents [count, 2, 2, 1] around `centres` corners of a square, and their labels."""
    corners = distance * np.array([(0, 0, 1, 2), (1, 0, 0, 0), (0, 1, 0, 5), (1, 1, -1, 0)])
    labels = np.arange(count) % centres
    noise = spread * np.random.default_rng(seed).standard_normal((count, 4))
    return (corners[labels] + noise).reshape(count, 2, 2, 1), labels


def noise(count, seed, classes=10, size=8):
    """Draws latents [count, size] that are independent of their labels."""
    random = np.random.default_rng(seed)
    return random.standard_normal((count, size)), random.permutation(np.arange(count) % classes)


def clustering_accuracy(latents, labels, test, test_labels, *options, **more):
    """Clusters one test set; the lists of the result have one entry each, which takes their place."""
    options = dict(zip(("clusters", "n_init"), options, strict=False)) | more
    result = probe.clustering_accuracy(latents, labels, (test, test_labels), **options)
    (hits,), (matched_on_train,) = result["hits"], result["accuracies_matched_on_train"]
    return result | {"accuracy": hits.mean(), "hits": hits, "accuracy_matched_on_train": matched_on_train}


# Linear probe


def test_probe_of_separable_classes_makes_no_error():
    result = linear_probe(*blobs(60, 0), blobs(30, 1), blobs(9, 2))
    assert result["converged"]
    assert [hits.shape for hits in result["hits"]] == [(30,), (9,)]
    assert all(hits.dtype == bool and hits.all() for hits in result["hits"])


def reference_predictions(train, labels, test, regularisation):
    """Predicts labels by softmax regression on standardised latents, fitted by a general minimiser."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    latents, targets, classes = (train - mean) / deviation, np.eye(3)[labels], 3

    def loss(parameters):
        weights, biases = parameters[:-classes].reshape(-1, classes), parameters[-classes:]
        scores = latents @ weights + biases
        log_probabilities = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        errors = (np.exp(log_probabilities) - targets) / len(latents)
        gradient = latents.T @ errors + regularisation * weights
        value = -np.mean(np.sum(targets * log_probabilities, axis=1)) + regularisation / 2 * np.sum(weights**2)
        return value, np.concatenate([gradient.ravel(), errors.sum(axis=0)])

    start = np.zeros((train.shape[1] + 1) * classes)
    best = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-8}).x
    return ((test - mean) / deviation @ best[:-classes].reshape(-1, classes) + best[-classes:]).argmax(axis=1)


@pytest.mark.parametrize("regularisation", [1e-4, 0.3])
def test_probe_agrees_with_a_general_minimiser(regularisation):
    random = np.random.default_rng(0)
    labels, test_labels = (random.choice(3, count, p=(0.6, 0.3, 0.1)) for count in (150, 600))
    centres = np.array([(0, 0), (2, 1), (1, 9)])
    noise_scale = (1, 6)
    train, test = (centres[y] + random.standard_normal((len(y), 2)) * noise_scale for y in (labels, test_labels))
    expected = reference_predictions(train, labels, test, regularisation)
    result = linear_probe(train, labels, (test, test_labels), regularisation=regularisation)
    np.testing.assert_array_equal(result["hits"][0], expected == test_labels)
    other = reference_predictions(train, labels, test, regularisation * 10)
    assert (expected != other).any()  # so the comparison depends on the regularisation


def test_a_constant_feature_is_ignored():
    (train, labels), (test, test_labels) = blobs(60, 0, spread=15), blobs(300, 1, spread=15)
    train, test = train.reshape(60, 4), test.reshape(300, 4)
    plain = linear_probe(train, labels, (test, test_labels))["hits"][0]
    wider = [np.pad(latents, ((0, 0), (0, 1)), constant_values=0.1) for latents in (train, test)]
    np.testing.assert_array_equal(linear_probe(wider[0], labels, (wider[1], test_labels))["hits"][0], plain)


def test_probe_does_not_depend_on_numpys_global_random_state():
    runs = []
    for seed in (0, 1):
        np.random.seed(seed)
        runs.append(linear_probe(*noise(200, 0), noise(200, 1)))
    np.testing.assert_array_equal(runs[0]["hits"][0], runs[1]["hits"][0])
    assert runs[0]["iterations"] == runs[1]["iterations"]


def test_a_fit_that_stops_early_is_not_converged_and_does_not_warn(monkeypatch):
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = linear_probe(*noise(200, 0), noise(50, 1))
        clustered = clustering_accuracy(*noise(200, 0), *noise(50, 1), n_init=2)
    assert result["converged"] is False and result["iterations"] == 1
    assert clustered["converged"] is False


def test_other_warnings_are_passed_on():
    class Estimator:
        def fit(self, latents, labels):
            warnings.warn("the disk is full", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="the disk is full"):
        assert probe._fit(Estimator(), None, None)


# Clustering


def test_clusters_of_separable_classes_are_the_classes():
    result = clustering_accuracy(*blobs(90, 0), *blobs(30, 1), clusters=3)
    assert result["accuracy"] == result["accuracy_matched_on_train"] == 1.0
    assert result["hits"].shape == (30,) and result["hits"].dtype == bool and result["hits"].all()
    assert result["converged"] is True


def test_clusters_of_noise_are_at_chance_and_matching_on_the_test_set_is_optimistic():
    result = clustering_accuracy(*noise(1000, 0), *noise(2000, 1), n_init=2)
    unbiased = result["accuracy_matched_on_train"]
    assert abs(unbiased - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 2000)
    assert result["accuracy"] > unbiased


def test_whitening_makes_clusters_independent_of_a_linear_map():
    (train, labels), (test, test_labels) = noise(300, 0, size=4), noise(200, 1, size=4)
    mixing = np.random.default_rng(3).standard_normal((4, 4)) * (1, 10, 0.1, 3)
    plain = clustering_accuracy(train, labels, test, test_labels, n_init=2)
    mixed = clustering_accuracy(train @ mixing + 5, labels, test @ mixing + 5, test_labels, n_init=2)
    np.testing.assert_array_equal(mixed["hits"], plain["hits"])


def test_clusters_depend_on_the_training_latents_only():
    """With clusters matched on the training set, two parts of the test set have as many hits as the whole."""
    train, (test, labels) = blobs(90, 0, spread=12), blobs(60, 1, spread=12)
    parts = [labels == 0, labels > 0]
    shares = [clustering_accuracy(*train, test[part], labels[part], 3, 5) for part in parts]
    whole = clustering_accuracy(*train, test, labels, 3, 5)["accuracy_matched_on_train"]
    hits = sum(part.sum() * share["accuracy_matched_on_train"] for part, share in zip(parts, shares, strict=True))
    assert hits == pytest.approx(whole * 60) and whole < 1


def test_the_order_of_test_rows_does_not_matter_and_a_seed_gives_the_same_clusters():
    train, (test, labels) = noise(300, 0), noise(200, 1)
    whole = clustering_accuracy(*train, test, labels, n_init=1)
    order = np.random.default_rng(2).permutation(200)
    shuffled = clustering_accuracy(*train, test[order], labels[order], n_init=1)
    np.testing.assert_array_equal(shuffled["hits"], whole["hits"][order])
    other = clustering_accuracy(*train, test, labels, n_init=1, seed=1)
    assert (other["hits"] != whole["hits"]).any()


def test_more_starts_find_clusters_that_one_misses():
    random = np.random.default_rng(0)
    labels = np.arange(300) % 9
    latents = np.stack([labels % 3, labels // 3], axis=1) + 0.05 * random.standard_normal((300, 2))
    one, many = (clustering_accuracy(latents, labels, latents, labels, 9, n_init=starts) for starts in (1, 60))
    assert one["accuracy"] < 1 and many["accuracy"] == 1


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_equal_latents_are_one_cluster(value):
    train, test = np.full((30, 4), value), np.full((9, 4), value)
    result = clustering_accuracy(train, np.arange(30) % 3, test, np.arange(9) % 3, clusters=3)
    assert result["accuracy"] == 1 / 3 and result["converged"] is False


def test_several_sets_are_evaluated_with_the_same_clusters():
    train, (one, other) = noise(300, 0), (noise(200, 1), noise(90, 2))
    result = probe.clustering_accuracy(*train, one, other, n_init=2)
    alone = [clustering_accuracy(*train, *each, n_init=2) for each in (one, other)]
    for hits, expected in zip(result["hits"], alone, strict=True):
        np.testing.assert_array_equal(hits, expected["hits"])
    assert result["accuracies_matched_on_train"] == [each["accuracy_matched_on_train"] for each in alone]


# Matching


def repeat_cells(table):
    """Returns the assignments and labels whose contingency table is `table` [clusters, classes]."""
    rows, columns = np.indices(np.shape(table))
    counts = np.ravel(table)
    return np.repeat(rows.ravel(), counts), np.repeat(columns.ravel(), counts)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([(0, 7, 0), (0, 0, 7), (7, 0, 0)], (1, 2, 0)),
        (
            [(5, 4, 0), (5, 0, 0), (0, 1, 2)],
            (1, 0, 2),
        ),  # 11 correct; a greedy choice of the largest counts gives 7
        ([(5, 1), (6, 0), (0, 3)], (-1, 0, 1)),  # one cluster more than classes: 9 correct
        ([(1, 5, 2), (0, 3, 4)], (1, 2)),  # one class more than clusters
    ],
)
def test_matching_by_hand(table, expected):
    np.testing.assert_array_equal(match_clusters(*repeat_cells(table), clusters=len(table)), expected)


def test_clusters_are_matched_with_the_test_labels():
    """With permuted test labels the accuracy stays 1, and that of a matching on the training set falls to 0."""
    (train, labels), (test, test_labels) = blobs(90, 0), blobs(30, 1)
    result = clustering_accuracy(train, labels, test, (test_labels + 1) % 3, clusters=3)
    assert result["accuracy"] == 1 and result["accuracy_matched_on_train"] == 0


# Inputs


def test_inputs_are_not_changed():
    (train, labels), (test, test_labels) = noise(100, 0), noise(50, 1)
    copies = [array.copy() for array in (train, labels, test, test_labels)]
    linear_probe(train, labels, (test, test_labels))
    clustering_accuracy(train, labels, test, test_labels, n_init=1)
    for array, copy in zip((train, labels, test, test_labels), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("call", [linear_probe, lambda *args: clustering_accuracy(*args, *noise(50, 1))])
def test_invalid_inputs_are_refused(call):
    latents, labels = noise(50, 0)
    with pytest.raises(ValueError, match=r"must be .* labels \[N\], N >= 1. Received: \(50, 8\) and \(49,\)"):
        call(latents, labels[:-1])
    latents[3, 2:4] = math.nan, math.inf
    with pytest.raises(ValueError, match="latents must be finite. Received: 2"):
        call(latents, labels)
