"""The suite "blend": do an ACAI's blends of two classes look like both, like photographs, and like no copies?

All figures are also computed for two controls on the SAME pairs of training images: linear interpolation of the
latents, and the cross-fade of the pixels. A model is only worth its training if it beats the cross-fade.
"""

import numpy as np

from acai.inference import ReleasedACAI
from common import images, interpolation, progress
from common.metrics import intervals
from common.metrics.features import kernel_distance
from evaluation.picture_estimates import (
    EXPLANATIONS,
    Neighbours,
    ScoredPictures,
    describe_copies,
    describe_holdout,
    estimate_all,
    format_count,
    jackknife,
)
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section, choose_key_figures
from evaluation.suites import SCORING_CLASSIFIERS

MIXES, NUM_PATHS = np.linspace(0, 1, 9), 200  # of the plot of class probabilities
KEY = ("recognisability_referee", "recognisability_gain", "kd_", "sharpness", "copies_features")
TEXT = (
    "Pairs of training images, one of each class, blended half and half. Recognisability is sqrt(P(first) "
    "P(second)); balance is the smaller of the two divided by the larger. Kernel and Frechet distance compare "
    "with the held-out images of both classes. Sharpness is the high-frequency energy relative to real images. "
    "Nearest is the mean distance to the nearest training image; the note gives that of the hold-out. The referee "
    "is a classifier that was used in no search, loss or ranking. Intervals are over pairs, and too narrow where "
    "many pairs share images, as with more pairs than images. Figures in the classifier's features are not "
    "comparable with Inception's."
)


def run(inputs):
    model, config = ReleasedACAI(*inputs.release.model_arguments), inputs.config
    shared = inputs.load_scoring_arguments(SCORING_CLASSIFIERS, (config.first, config.second))
    return evaluate(model, first=config.first, second=config.second, **shared)


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
    blends = blend_each_way(model, *parents)
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
    estimates = rows["slerp"] + gains
    summary = [describe_gains(gains), describe_copies(estimates), describe_holdout(len(holdout))]
    return Section(
        f"Blends of {first} and {second}",
        estimates,
        table,
        shown,
        TEXT,
        "\n\n".join(filter(None, summary)),
        choose_key_figures(estimates, {name: EXPLANATIONS[name] for name in KEY}),
    )


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


def decode_blends(model, first, second, path):
    """Decodes what is halfway between the latents of two sets of images on a `path` (slerp or lerp), clipped."""
    return np.clip(model.decode(path(model.encode(first), model.encode(second), 0.5)), -1, 1)


def blend_each_way(model, first, second):
    """Returns {"slerp", "lerp" and, of the pixels, "cross-fade": the blends of two sets of images}."""
    with progress.show("encoding pairs and decoding their blends"):
        return {
            "slerp": decode_blends(model, first, second, interpolation.slerp),
            "lerp": decode_blends(model, first, second, interpolation.lerp),
            "cross-fade": (first + second) / 2,
        }


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
    if all(gain.high < 0 for gain in gains):
        return (
            "The blends are worse than the cross-fade of the same pairs in both recognisability and kernel "
            "distance to real images."
        )
    recognisability, distance = (
        "beat" if gain.low > 0 else "do not beat" if gain.high < 0 else "cannot be told from" for gain in gains
    )
    return (
        f"In recognisability the blends {recognisability} the cross-fade of the same pairs; in kernel distance to "
        f"real images they {distance} it."
    )


def draw_probabilities(model, classifier, parents, classes, seed):
    """Plots the mean class probabilities along slerp paths between the first NUM_PATHS pairs, with intervals."""
    first, second = (model.encode(x[:NUM_PATHS]) for x in parents)
    mixes = progress.track(MIXES, "class probabilities along paths")
    steps = [classifier(np.clip(model.decode(interpolation.slerp(first, second, m)), -1, 1))[0] for m in mixes]
    probabilities = np.stack(steps)  # [mixes, paths, classes]
    pair = [classifier.class_names.index(name) for name in classes]
    columns = {name: probabilities[:, :, i] for name, i in zip(classes, pair, strict=True)}
    columns["any other"] = 1 - probabilities[:, :, pair].sum(2)
    curves = {
        name: tuple(np.array([intervals.bootstrap_mean(step, seed=seed) for step in values]).T)
        for name, values in columns.items()
    }
    return plots.draw_curves(MIXES, curves, "share of the second class", "mean probability")
