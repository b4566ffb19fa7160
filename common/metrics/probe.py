"""What codes tell about classes: a linear probe and clustering (Berthelot et al. 2018, arXiv 1807.07543).

Both are fitted on one set of codes and read on others, in float64. A result carries its `hits`, one bool per
test image, so that an interval can be put around an accuracy, and whether the fit `converged`.
"""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

MAX_ITERATIONS = 1000


def linear_probe(train_latents, train_labels, *others, regularisation=1e-4):
    """Accuracy of multinomial logistic regression on codes.

    Every number of a code has the mean subtracted and is divided by the standard deviation that it has over the
    training codes (a constant one is only centred). The fit minimises

        mean cross-entropy + regularisation / 2 * |weights|^2

    with the biases left out of the penalty, by L-BFGS from zero until no component of the gradient exceeds 1e-5,
    so that nothing is random. The official code instead trains one linear layer by Adam on the raw codes while
    the autoencoder itself is training, without a penalty.

    Args:
        train_latents: [N, ...], flattened here.
        train_labels: int [N], at least two classes.
        others: pairs (latents [M, ...], labels int [M]) to read, e.g. the held-out and the test images.
        regularisation: weight of the penalty, > 0.

    Returns:
        A dict: "accuracies" and "hits" (bool [M]), lists with one entry for each of `others`; "converged";
        "iterations".

    Raises:
        ValueError: codes that are not finite, or counts of codes and labels that differ.
    """
    codes, labels = _rows(train_latents, train_labels)
    scaler = StandardScaler().fit(codes)
    model = LogisticRegression(C=1 / (regularisation * len(codes)), tol=1e-5, max_iter=MAX_ITERATIONS)
    converged = _fit(model, scaler.transform(codes), labels)
    hits = []
    for other in others:
        codes, labels = _rows(*other)
        hits.append(model.predict(scaler.transform(codes)) == labels)
    return {
        "accuracies": [float(hit.mean()) for hit in hits],
        "hits": hits,
        "converged": converged,
        "iterations": int(model.n_iter_.max()),
    }


def clustering_accuracy(latents, labels, test_latents, test_labels, clusters=10, n_init=20, seed=0):
    """Accuracy of k-means clusters, each named after the class that suits the test labels best.

    The paper's protocol (`cluster.py` of brain-research/acai): codes are centred and whitened, k-means starts
    from randomly picked training codes, the best of `n_init` starts is kept, and clusters are matched to classes
    one to one ON THE TEST LABELS, which flatters a little; the accuracy with the matching of the training labels
    stands beside it. Two departures: the paper takes 1000 starts; and a direction without variance is set to 0
    here, where the official code divides its rounding errors by their size plus 1e-5.

    Args:
        latents: [N, ...], flattened here; whitening and k-means are fitted on them.
        labels: int [N], >= 0; they only serve the second accuracy.
        test_latents: [M, ...].
        test_labels: int [M], >= 0.
        clusters: number of clusters, the paper's is the number of classes.
        n_init: starts of k-means.
        seed: integer >= 0, of the starts.

    Returns:
        A dict: "accuracy" and "hits" (bool [M]) on the test codes, matched on the test labels;
        "accuracy_matched_on_train"; "converged", False also where fewer than `clusters` codes are distinct.

    Raises:
        ValueError: codes that are not finite, or counts of codes and labels that differ.
    """
    (codes, labels), (test_codes, test_labels) = _rows(latents, labels), _rows(test_latents, test_labels)
    mean, projection = whitening(codes)
    model = KMeans(clusters, init="random", n_init=n_init, max_iter=MAX_ITERATIONS, random_state=seed)
    converged = _fit(model, (codes - mean) @ projection, labels) and model.n_iter_ < MAX_ITERATIONS
    test_clusters = model.predict((test_codes - mean) @ projection)
    hits = match_clusters(test_clusters, test_labels, clusters)[test_clusters] == test_labels
    train_hits = match_clusters(model.labels_, labels, clusters)[test_clusters] == test_labels
    return {
        "accuracy": float(hits.mean()),
        "hits": hits,
        "accuracy_matched_on_train": float(train_hits.mean()),
        "converged": converged,
    }


def whitening(codes):
    """Centre and projection that give codes [N, D] the identity as covariance, by SVD.

    Returns:
        (mean [D], projection [D, min(N, D)]): (codes - mean) @ projection has covariance 1 (divided by N) along
        every principal direction, the largest first. Directions without variance, to within the rounding of
        float32 in which networks compute, come out as 0.
    """
    mean = codes.mean(axis=0)
    # The triangular factor has the singular values and right vectors of the codes and is far smaller.
    triangular = np.linalg.qr(codes - mean, mode="r")
    _, sizes, directions = np.linalg.svd(triangular, full_matrices=False)
    rounding = np.finfo(np.float32).eps * np.linalg.norm(codes)  # the networks' own, of codes in float32
    scale = np.sqrt(len(codes)) / np.where(sizes > rounding, sizes, np.inf)
    return mean, directions.T * scale


def match_clusters(assignments, labels, clusters):
    """The one-to-one naming of clusters by classes that makes most assignments right.

    Args:
        assignments: int [M], in [0, clusters).
        labels: int [M], >= 0.
        clusters: number of clusters.

    Returns:
        int [clusters], the class of each cluster; -1 for clusters that are left over when classes are fewer.
    """
    table = np.zeros((clusters, labels.max() + 1), int)
    np.add.at(table, (assignments, labels), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes = np.full(clusters, -1)
    classes[rows] = columns
    return classes


def _fit(model, codes, labels):
    """Fits a scikit-learn model in place and says whether it did without a ConvergenceWarning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(codes, labels)
    others = [warning.message for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for other in others:
        warnings.warn(other, stacklevel=3)
    return len(others) == len(caught)


def _rows(latents, labels):
    """Checked codes, flattened to float64 [N, D], and labels [N]."""
    latents, labels = np.asarray(latents, np.float64), np.asarray(labels)
    if latents.ndim < 2 or len(latents) == 0 or labels.shape != latents.shape[:1]:
        raise ValueError(
            f"codes [N, ...] and labels [N], N >= 1, required. Received: {latents.shape} and {labels.shape}"
        )
    if not np.isfinite(latents).all():
        raise ValueError(f"codes: finite numbers required. Received: {np.sum(~np.isfinite(latents))} others")
    return latents.reshape(len(latents), -1), labels
