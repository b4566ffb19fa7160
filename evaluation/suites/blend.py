"""The suite "blend": do an ACAI's pictures between two classes look like both, like photographs, and like no
copies?

All figures are also computed for two controls on the SAME pairs of training images: linear interpolation of the
latents, and the cross-fade of the pixels. A model is only worth its training if it beats the cross-fade.
"""

import numpy as np

from acai.inference import ReleasedACAI
from common import images, interpolation, progress
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
from evaluation import features
from evaluation.inputs import CACHE_FOLDER
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section
from evaluation.suites import SCORING_CLASSIFIERS

MIXES = np.linspace(0, 1, 9)
NUM_DIVERSITY = 64  # pictures of which the diversity is measured
COPIES = "share nearer to a training image than 99% of the hold-out"
SHARES = ("precision", "recall", "coverage")  # their intervals are clipped to [0, 1]
TEXT = (
    "Pairs of training images, one of each class, blended half and half. Recognisability is sqrt(P(first) "
    "P(second)); balance is the smaller of the two divided by the larger. Kernel and Frechet distance compare "
    "with the held-out images of both classes. Sharpness is the high-frequency energy relative to real images. "
    "Nearest is the mean distance to the nearest training image; the note gives that of the hold-out. The referee "
    "is a classifier that was used in no search, loss or ranking. Figures in the classifier's features are not "
    "comparable with Inception's."
)


def run(inputs):
    train, holdout = inputs.load_train_and_holdout()
    config = inputs.config
    return evaluate(
        ReleasedACAI(*inputs.release.model_arguments),
        inputs.build_classifiers(SCORING_CLASSIFIERS),
        features.make_extractor(config.features),
        train,
        holdout,
        config.first,
        config.second,
        config.samples,
        config.seed,
        CACHE_FOLDER,
    )


def evaluate(
    model, classifiers, extractor, train, holdout, first, second, samples=1000, seed=0, cache_folder=None
):
    """Measures the blends of an ACAI.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        classifiers: {name: classifiers.inference.ReleasedClassifier}, the most independent one first.
        extractor: function, images [N, H, W, C] -> features [N, d], with `name` and `comparable`, e.g.
            evaluation.features.Extractor.
        train, holdout: common.data.datasets.ImageDataset with both classes.
        first, second: names of the classes.
        samples: number of pairs.
        seed: of the pairs and the intervals.
        cache_folder: where the features of the data set are stored; None: nowhere.

    Returns:
        Section.
    """
    classes = (first, second)
    train, holdout = train.select(classes), holdout.select(classes)
    parents = draw_pairs(train, samples, seed)
    real = images.to_float(holdout.images)
    neighbours = Neighbours(extractor, images.to_float(train.images), real, cache_folder)
    with progress.show("encoding pairs and decoding their blends"):
        blends = {
            "slerp": decode_blends(model, *parents, interpolation.slerp),
            "lerp": decode_blends(model, *parents, interpolation.lerp),
            "cross-fade": (parents[0] + parents[1]) / 2,
        }
    scored = {name: ScoredPictures(x, classifiers, extractor, classes) for name, x in blends.items()}
    rows = {name: estimate_all(x, extractor, neighbours, seed) for name, x in scored.items()}
    table = [{"blends": name} | {e.name: e for e in estimates} for name, estimates in rows.items()]
    gains = estimate_gains(scored["slerp"], scored["cross-fade"], neighbours, seed)
    referee = next(iter(classifiers.values()))
    shown = {
        "Blends above their nearest training images by features": neighbours.draw_nearest(scored["slerp"], 8),
        f"Class probabilities between {first} and {second}": draw_probabilities(
            model, referee, parents, classes, seed
        ),
    }
    text = f"{TEXT}\n\n{describe_gains(gains)}"
    return Section(f"Blends of {first} and {second}", rows["slerp"] + gains, table, shown, text)


def draw_pairs(dataset, count, seed):
    """Draws pairs of images of the classes 0 and 1: two float32 [count, H, W, C] in [-1, 1].

    Pair k is a function of (seed, k).
    """
    chosen = np.empty((2, count), int)
    by_class = [np.flatnonzero(dataset.labels == label) for label in (0, 1)]
    for k in range(count):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        chosen[:, k] = [random.choice(rows) for rows in by_class]
    return [images.to_float(dataset.images[rows]) for rows in chosen]


def decode_blends(model, first, second, path, mix=0.5):
    """Interpolates the latents of two sets of images with `path` (slerp or lerp) and decodes them, clipped."""
    return np.clip(model.decode(path(model.encode(first), model.encode(second), mix)), -1, 1)


class ScoredPictures:
    """Pictures with their features and class scores.

    Attributes:
        pictures: [N, H, W, C].
        features: [N, d].
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


def estimate_all(scored, extractor, neighbours, seed):
    """Returns the list of Estimates of ScoredPictures."""
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
        share = np.mean(distances < np.quantile(holdout, 0.01))
        estimates.append(Estimate(f"copies_{space}_{size}", share, count=count, better="lower", note=COPIES))
    subset = scored.features[:NUM_DIVERSITY]
    name = f"diversity_{extractor.name}_{len(subset)}"
    estimates.append(Estimate(name, diversity(subset), count=len(subset)))
    return estimates


def jackknife(statistic, *samples, seed, stage):
    """`intervals.jackknife` in 20 groups with a progress bar."""
    groups = 20
    with progress.show(stage, groups + 1) as advance:  # one without each group, and one of everything

        def advancing_statistic(*parts):
            value = statistic(*parts)
            advance()
            return value

        return intervals.jackknife(advancing_statistic, *samples, groups=groups, seed=seed)


def estimate_gains(blends, control, neighbours, seed):
    """Estimates how much better the blends are than the control on the same pairs; positive is better.

    Args:
        blends, control: ScoredPictures of the same pairs.
        neighbours: Neighbours.
        seed: of the intervals.

    Returns:
        [Estimate of the gain in recognisability by the first classifier, Estimate of that in kernel distance].
    """
    name = next(iter(blends.recognisability))
    size = format_count(len(blends.pictures))
    difference = blends.recognisability[name] - control.recognisability[name]

    def distance_gain(real, ours, theirs):
        return kernel_distance(real, theirs) - kernel_distance(real, ours)

    samples = (neighbours.real_features, blends.features, control.features)
    stage = "gain in kernel distance and its interval"
    gains = {
        f"recognisability_gain_{name}": intervals.bootstrap_mean(difference, seed=seed),
        "kd_gain": jackknife(distance_gain, *samples, seed=seed, stage=stage),
    }
    note = "over the cross-fade of the same pairs; above 0 is better"
    return [Estimate(f"{n}_{size}", *values, len(difference), "higher", note) for n, values in gains.items()]


def describe_gains(gains):
    """Describes the result of `estimate_gains` in one sentence."""
    recognisability, distance = (
        "beat" if gain.low > 0 else "do not beat" if gain.high < 0 else "cannot be told from" for gain in gains
    )
    return (
        f"In recognisability the blends {recognisability} the cross-fade of the same pairs; in kernel distance to "
        f"real images they {distance} it."
    )


def format_count(count):
    """Formats a count for the name of an estimate: "100", "1k", "2.5k"."""
    return f"{count / 1000:g}k" if count >= 1000 else str(count)


class Neighbours:
    """Finds the nearest training images of pictures, by features and by pixels.

    Args:
        extractor: see `evaluate`.
        train: training images float32 [N, H, W, C] in [-1, 1].
        holdout: held-out images float32 [M, H, W, C] in [-1, 1], to compare with.
        cache_folder: see `evaluate`.

    Attributes:
        real_features: [M, d], of the hold-out.
        real_energy: mean high-frequency energy of the hold-out.
    """

    def __init__(self, extractor, train, holdout, cache_folder=None):
        self.train = train
        self.train_features, self.real_features = (
            features.load_or_extract(extractor, x, cache_folder) if cache_folder else extractor(x)
            for x in (train, holdout)
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

    def draw_nearest(self, scored, count, scale=3):
        """Draws the first `count` pictures in a row and below them their nearest training images by features."""
        rows, _ = nearest_neighbours(scored.features[:count], self.train_features)
        cells = np.concatenate([scored.pictures[:count], self.train[rows]])
        return images.grid(images.to_uint8(cells), count, scale)


def flatten(pictures):
    return pictures.reshape(len(pictures), -1)


def draw_probabilities(model, classifier, parents, classes, seed, count=200):
    """Plots the mean class probabilities along slerp paths, with intervals."""
    first, second = (model.encode(x[:count]) for x in parents)
    mixes = progress.track(MIXES, "class probabilities along paths")
    steps = [classifier(np.clip(model.decode(interpolation.slerp(first, second, m)), -1, 1))[0] for m in mixes]
    probabilities = np.stack(steps)  # [mixes, count, classes]
    pair = [classifier.class_names.index(name) for name in classes]
    columns = {name: probabilities[:, :, i] for name, i in zip(classes, pair, strict=True)}
    columns["any other"] = 1 - probabilities[:, :, pair].sum(2)
    curves = {
        name: tuple(np.array([intervals.bootstrap_mean(step, seed=seed) for step in values]).T)
        for name, values in columns.items()
    }
    return plots.draw_curves(MIXES, curves, "share of the second class", "mean probability", "")
