"""Estimates of generated pictures that several suites share: class scores, distances, sharpness and copies."""

import numpy as np

from common import images, progress
from common.metrics import classification, intervals
from common.metrics.features import (
    density_coverage,
    diversity,
    frechet_distance,
    high_frequency_energy,
    kernel_distance,
    nearest_neighbours,
    precision_recall,
)
from evaluation.features import load_or_extract
from evaluation.report.estimates import Estimate, format_interval, format_number

NUM_DIVERSITY = 64  # pictures of which the diversity is measured
COPIES = "share nearer to a training image than 99% of the hold-out"
SMALL_HOLDOUT = 200  # images; distances to fewer get a warning
EXPLANATIONS = {  # of the key figures of pictures, by the beginning of their names
    "accuracy_referee": "Share that a classifier, which no training used, assigns to the class asked for.",
    "recognisability_referee": "How much a classifier that no training used sees of both classes; 0.5 is most.",
    "recognisability_gain": "How much more of both classes is recognised than in cross-fades of the same pairs.",
    "kd_": "Distance of the pictures to held-out photographs in a network's features; 0 is as if drawn from them.",
    "sharpness": "Fine detail relative to photographs; 1 is as sharp.",
    "coverage": "Share of the held-out photographs that have a picture nearby: low when pictures are all alike.",
    "copies_features": "Share nearer to a training image than 99% of the hold-out; about 0.01 is no copying.",
}
SHARES = ("precision", "recall", "coverage")  # their intervals are clipped to [0, 1]


class ScoredPictures:
    """Pictures with their features and class scores.

    Args:
        pictures: [N, H, W, C] in [-1, 1].
        classifiers: {name: classifiers.inference.ReleasedClassifier}.
        extractor: function, images [N, H, W, C] -> features [N, d].
        classes: names of two classes; unused without classifiers.

    Attributes:
        pictures, features: [N, H, W, C] and [N, d].
        recognisability, balance: {name of a classifier: [N]}, see common.metrics.classification.
    """

    def __init__(self, pictures, classifiers, extractor, classes):
        self.pictures, self.features = pictures, extractor(pictures)
        self.recognisability, self.balance = {}, {}
        for name, classifier in classifiers.items():
            probabilities, _ = classifier(pictures)
            pair = [classifier.class_names.index(c) for c in classes]
            self.recognisability[name] = classification.recognisability(probabilities, *pair)
            self.balance[name] = classification.balance(probabilities, *pair)


class Neighbours:
    """Finds the nearest training images of pictures, by features and by pixels.

    Args:
        extractor: see `ScoredPictures`.
        train: training images float32 [N, H, W, C] in [-1, 1].
        holdout: held-out images float32 [M, H, W, C] in [-1, 1], to compare with.
        cache_folder: where the features of both sets are stored; None: nowhere.

    Attributes:
        real_features: [M, d], of the hold-out.
        real_energy: mean high-frequency energy of the hold-out.
    """

    def __init__(self, extractor, train, holdout, cache_folder=None):
        self.train = train
        self.train_features, self.real_features = (
            load_or_extract(extractor, x, cache_folder) if cache_folder else extractor(x) for x in (train, holdout)
        )
        self.real_energy = high_frequency_energy(holdout).mean()
        self.holdout_distances = self._nearest_distances(holdout, self.real_features)

    def distances(self, pictures, features):
        """Distances to the nearest training image.

        Returns:
            {"features" and "pixels": (distances of the pictures [N], distances of the hold-out [M])}.
        """
        distances = self._nearest_distances(pictures, features)
        return {space: (values, self.holdout_distances[space]) for space, values in distances.items()}

    def _nearest_distances(self, pictures, features):
        spaces = {"features": (features, self.train_features), "pixels": (flatten(pictures), flatten(self.train))}
        with progress.show("nearest training images"):
            return {space: nearest_neighbours(*arrays)[1] for space, arrays in spaces.items()}

    def draw_nearest(self, scored, count):
        """Draws the first `count` pictures in a row and below them their nearest training images by features."""
        rows, _ = nearest_neighbours(scored.features[:count], self.train_features)
        cells = np.concatenate([scored.pictures[:count], self.train[rows]])
        return images.grid(images.to_uint8(cells), count, 3)


def share_of_copies(distances, holdout_distances):
    """Share of pictures nearer to a training image than 99% of the hold-out.

    Args:
        distances, holdout_distances: [N] and [M], of pictures and of the hold-out to the nearest training images.
    """
    return float(np.mean(distances < np.quantile(holdout_distances, 0.01)))


def flatten(pictures):
    return pictures.reshape(len(pictures), -1)


def estimate_all(scored, extractor, neighbours, seed):
    """Makes all Estimates of pictures.

    Args:
        scored: ScoredPictures.
        extractor: evaluation.features.Extractor that made their features.
        neighbours: Neighbours.
        seed: of the intervals.

    Returns:
        List of Estimates.
    """
    count = len(scored.pictures)
    size = format_count(count)

    def estimate_mean(name, values, better, note=""):
        return Estimate(f"{name}_{size}", *intervals.bootstrap_mean(values, seed=seed), count, better, note)

    def estimate_distances(names, statistic, better, stage):
        results = jackknife(statistic, neighbours.real_features, scored.features, seed=seed, stage=stage)
        estimates = []
        for name, *values in zip(names, *map(np.atleast_1d, results), strict=True):
            values = np.clip(values, 0, 1) if name in SHARES else values
            full_name = f"{name}_{extractor.name}_{size}"
            estimates.append(Estimate(full_name, *values, count, better, extractor.comparable))
        return estimates

    estimates = []
    for name in scored.recognisability:
        estimates.append(estimate_mean(f"recognisability_{name}", scored.recognisability[name], "higher"))
        estimates.append(estimate_mean(f"balance_{name}", scored.balance[name], "higher"))
    estimates += estimate_distances(["kd"], kernel_distance, "lower", "kernel distance and its interval")
    estimates += estimate_distances(["fd"], frechet_distance, "lower", "Frechet distance and its interval")
    stage = "precision, recall and their intervals"
    estimates += estimate_distances(["precision", "recall"], precision_recall, "higher", stage)
    stage = "density, coverage and their intervals"
    estimates += estimate_distances(["density", "coverage"], density_coverage, "higher", stage)
    energy = high_frequency_energy(scored.pictures) / neighbours.real_energy
    estimates.append(estimate_mean("sharpness", energy, "", "1 is as sharp as real images"))
    for space, (distances, holdout) in neighbours.distances(scored.pictures, scored.features).items():
        note = f"the hold-out's: {holdout.mean():.4g}"
        estimates.append(estimate_mean(f"nearest_{space}", distances, "higher", note))
        share = share_of_copies(distances, holdout)
        estimates.append(Estimate(f"copies_{space}_{size}", share, count=count, better="lower", note=COPIES))
    subset = scored.features[:NUM_DIVERSITY]
    name = f"diversity_{extractor.name}_{len(subset)}"
    estimates.append(Estimate(name, diversity(subset), count=len(subset)))
    return estimates


def describe_copies(estimates):
    """Says in a sentence how many pictures are copies, of the Estimates of `estimate_all`."""
    shares = [f"{e.value:.1%}" for e in estimates if e.name.startswith("copies_")]
    return (
        f"Nearer to a training image than 99% of the hold-out are {shares[0]} by features and {shares[1]} by "
        "pixels; about 1% is to be expected without copying."
    )


def describe_holdout(count):
    """Warns in a sentence of a hold-out of few images; "" for others."""
    if count >= SMALL_HOLDOUT:
        return ""
    return f"SMALL HOLD-OUT: with {count} held-out images, what is compared with them says little."


def describe_distances(estimates, reference, what):
    """Compares the first kernel distance of each of two lists of Estimates in a sentence.

    Args:
        estimates, reference: of the pictures and of a control.
        what: plural name of the control.
    """
    ours, theirs = (
        next(estimate for estimate in of if estimate.name.startswith("kd_")) for of in (estimates, reference)
    )
    return (
        f"Their kernel distance to held-out photographs is {format_number(ours.value)} "
        f"({format_interval(ours)}); that of {what} is {format_number(theirs.value)} ({format_interval(theirs)})."
    )


def jackknife(statistic, *samples, seed, stage):
    """`intervals.jackknife` in 20 groups with a progress bar."""
    groups = 20
    with progress.show(stage, groups + 1) as advance:  # one without each group, and one of everything

        def advancing_statistic(*parts):
            value = statistic(*parts)
            advance()
            return value

        return intervals.jackknife(advancing_statistic, *samples, groups=groups, seed=seed)


def format_count(count):
    """Formats a count for the name of an estimate: "100", "1k", "2.5k"."""
    return f"{count / 1000:g}k" if count >= 1000 else str(count)
