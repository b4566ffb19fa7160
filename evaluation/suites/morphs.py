"""The suite "blend" for a conditional GAN: class morphs, images with half the weight of each of two classes.

A morph has no parents, so the controls are cross-fades of random pairs of training images.
"""

import numpy as np

from common import images, progress
from evaluation.picture_estimates import (
    EXPLANATIONS,
    Neighbours,
    ScoredPictures,
    describe_copies,
    describe_distances,
    describe_holdout,
    estimate_all,
)
from evaluation.report.estimates import Section, choose_key_figures
from evaluation.suites import SCORING_CLASSIFIERS
from evaluation.suites.blend import draw_pairs
from gan.inference import ReleasedGAN

KEY = ("recognisability_referee", "kd_", "sharpness", "coverage", "copies_features")
TEXT = (
    "One image for each noise vector, made with half the weight of each class. The controls are cross-fades of "
    "random pairs of training images. Recognisability is sqrt(P(first) P(second)); balance is the smaller of the "
    "two divided by the larger. Kernel and Frechet distance compare with the held-out images of both classes."
)


def run(inputs):
    model, config = ReleasedGAN(*inputs.release.model_arguments), inputs.config
    shared = inputs.load_scoring_arguments(SCORING_CLASSIFIERS, (config.first, config.second))
    return evaluate(model, first=config.first, second=config.second, **shared)


def evaluate(
    model, classifiers, extractor, train, holdout, first, second, samples=1000, seed=0, cache_folder=None
):
    """Measures the class morphs of a conditional GAN.

    Args:
        model, samples, seed: see `evaluation.suites.gan.evaluate`.
        classifiers, extractor, cache_folder: see `evaluation.suites.blend.evaluate`.
        train, holdout: common.data.datasets.ImageDataset of the model's classes, in the order of its labels.
        first, second: names of two of these classes.

    Returns:
        Section.
    """
    classes = (first, second)
    weights = np.eye(model.classes)[[train.class_names.index(name) for name in classes]].mean(axis=0)
    train, holdout = train.select(classes), holdout.select(classes)
    neighbours = Neighbours(extractor, *(images.to_float(x.images) for x in (train, holdout)), cache_folder)
    parents = draw_pairs(train, samples, seed)
    with progress.show("generating class morphs"):
        morphs = model.sample(model.draw_noise(seed, samples), np.tile(weights, (samples, 1)))
    kinds = {"class morphs": morphs, "cross-fade": (parents[0] + parents[1]) / 2}
    scored = {name: ScoredPictures(x, classifiers, extractor, classes) for name, x in kinds.items()}
    estimates = {name: estimate_all(x, extractor, neighbours, seed) for name, x in scored.items()}
    caption = "Morphs above their nearest training images by features"
    shown = {caption: neighbours.draw_nearest(scored["class morphs"], 8)}
    table = [{"blends": name} | {e.name: e for e in row} for name, row in estimates.items()]
    summary = [
        describe_distances(*estimates.values(), "cross-fades"),
        describe_copies(estimates["class morphs"]),
        describe_holdout(len(holdout)),
    ]
    return Section(
        f"Class morphs of {first} and {second}",
        estimates["class morphs"],
        table,
        shown,
        TEXT,
        "\n\n".join(filter(None, summary)),
        choose_key_figures(estimates["class morphs"], {name: EXPLANATIONS[name] for name in KEY}),
    )
