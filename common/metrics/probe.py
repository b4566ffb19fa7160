"""Measures class information in latents: a linear probe and clustering (Berthelot et al. 2018, arXiv 1807.07543).

Both are fitted on training latents and evaluated on others, in float64. Results include `hits`, one bool per test
image, for confidence intervals of the accuracy, and whether the fit `converged`.
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
    """Accuracy of multinomial logistic regression on latents.

    Each latent feature is standardised by its mean and standard deviation over the training latents (constant ones
    are only centred). The fit minimises

        mean cross-entropy + regularisation / 2 * |weights|^2

    without a penalty on the biases, by L-BFGS from zero until no component of the gradient exceeds 1e-5. It is
    deterministic. Two classes have one vector of weights, so their penalty is twice that of two vectors. The
    official code instead trains a linear layer with Adam on the raw latents, without a penalty, while the
    autoencoder is training.

    Args:
        train_latents: [N, ...], flattened.
        train_labels: int [N], at least two classes.
        others: pairs (latents [M, ...], labels int [M]) to evaluate, e.g. of held-out and test images.
        regularisation: weight of the penalty, > 0.

    Returns:
        A dict: "hits", a list with a bool [M] for each of `others`; "converged", a bool; "iterations".

    Raises:
        ValueError: latents are not finite, or the numbers of latents and labels differ.
    """
    latents, labels = _rows(train_latents, train_labels)
    scaler = StandardScaler().fit(latents)
    model = LogisticRegression(C=1 / (regularisation * len(latents)), tol=1e-5, max_iter=MAX_ITERATIONS)
    converged = _fit(model, scaler.transform(latents), labels)
    hits = []
    for other in others:
        latents, labels = _rows(*other)
        hits.append(model.predict(scaler.transform(latents)) == labels)
    return {"hits": hits, "converged": converged, "iterations": int(model.n_iter_.max())}


def clustering_accuracy(train_latents, train_labels, *others, clusters=10, n_init=20, seed=0):
    """Accuracy of k-means clusters that are matched to classes.

    The paper's protocol (`cluster.py` of brain-research/acai): latents are centred and whitened, k-means starts
    from random training latents, the best of `n_init` starts is kept, and clusters are matched to classes one to
    one ON THE LABELS THAT ARE EVALUATED, which is optimistic where these are few; the accuracies with a matching
    on the training labels are also returned. There are two differences: the paper uses 1000 starts, and
    directions without variance are set to 0 here, where the official code divides their rounding errors by their
    size plus 1e-5.

    Args:
        train_latents: [N, ...], flattened; whitening and k-means are fitted on them.
        train_labels: int [N], >= 0, used for the second accuracies only.
        others: pairs (latents [M, ...], labels int [M], >= 0) to evaluate, e.g. of held-out and test images.
        clusters: number of clusters; the paper uses the number of classes.
        n_init: number of starts of k-means.
        seed: integer >= 0, of the starts.

    Returns:
        A dict: "hits" (bool [M]) and "accuracies_matched_on_train", lists with one entry for each of `others`;
        "converged", also False if fewer than `clusters` latents are distinct.

    Raises:
        ValueError: latents are not finite, or the numbers of latents and labels differ.
    """
    latents, labels = _rows(train_latents, train_labels)
    mean, projection = whitening(latents)
    model = KMeans(clusters, init="random", n_init=n_init, max_iter=MAX_ITERATIONS, random_state=seed)
    converged = _fit(model, (latents - mean) @ projection, labels) and model.n_iter_ < MAX_ITERATIONS
    classes_of_train = match_clusters(model.labels_, labels, clusters)
    hits, accuracies_matched_on_train = [], []
    for other in others:
        latents, labels = _rows(*other)
        assigned = model.predict((latents - mean) @ projection)
        hits.append(match_clusters(assigned, labels, clusters)[assigned] == labels)
        accuracies_matched_on_train.append(float((classes_of_train[assigned] == labels).mean()))
    return {
        "hits": hits,
        "accuracies_matched_on_train": accuracies_matched_on_train,
        "converged": converged,
    }


def whitening(latents):
    """Computes the mean and projection that whiten latents [N, D], by SVD.

    Returns:
        (mean [D], projection [D, min(N, D)]): (latents - mean) @ projection has variance 1 (divided by N) along
        every principal direction, largest first. Directions without variance, up to the float32 rounding of
        networks, become 0.
    """
    mean = latents.mean(axis=0)
    # The triangular factor has the singular values and right vectors of the latents but is much smaller.
    triangular = np.linalg.qr(latents - mean, mode="r")
    _, sizes, directions = np.linalg.svd(triangular, full_matrices=False)
    rounding = np.finfo(np.float32).eps * np.linalg.norm(latents)  # of networks that compute in float32
    scale = np.sqrt(len(latents)) / np.where(sizes > rounding, sizes, np.inf)
    return mean, directions.T * scale


def match_clusters(assignments, labels, clusters):
    """Matches clusters to classes one to one, maximizing the number of correct assignments.

    Args:
        assignments: int [M], in [0, clusters).
        labels: int [M], >= 0.
        clusters: number of clusters.

    Returns:
        int [clusters], the class of each cluster; -1 for clusters without a class.
    """
    table = np.zeros((clusters, labels.max() + 1), int)
    np.add.at(table, (assignments, labels), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes = np.full(clusters, -1)
    classes[rows] = columns
    return classes


def _fit(model, latents, labels):
    """Fits a scikit-learn model in place; returns whether it converged without a ConvergenceWarning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(latents, labels)
    others = [warning.message for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for other in others:
        warnings.warn(other, stacklevel=3)
    return len(others) == len(caught)


def _rows(latents, labels):
    """Returns latents as float64 [N, D] and labels [N]; checks them."""
    latents, labels = np.asarray(latents, np.float64), np.asarray(labels)
    if latents.ndim < 2 or len(latents) == 0 or labels.shape != latents.shape[:1]:
        raise ValueError(
            f"There must be latents [N, ...] and labels [N], N >= 1. Received: {latents.shape} and {labels.shape}"
        )
    if not np.isfinite(latents).all():
        raise ValueError(f"latents must be finite. Received: {np.sum(~np.isfinite(latents))} other numbers")
    return latents.reshape(len(latents), -1), labels
