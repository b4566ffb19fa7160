"""The suite "gan": do a GAN's images look like photographs of their classes, diverse and no copies?"""

import numpy as np

from common import images, progress
from common.metrics import intervals
from evaluation.picture_estimates import (
    EXPLANATIONS,
    Neighbours,
    ScoredPictures,
    describe_copies,
    describe_distances,
    describe_holdout,
    estimate_all,
    format_count,
)
from evaluation.report.estimates import Estimate, Section, choose_key_figures
from evaluation.suites import SCORING_CLASSIFIERS
from gan.inference import ReleasedGAN

KEY = ("accuracy_referee", "kd_", "sharpness", "coverage", "copies_features")
NUM_SHOWN = 64  # samples in the picture
TEXT = (
    "One image for each noise vector, of the model's classes in turn if it is conditional. Kernel and Frechet "
    "distance compare with the held-out images of these classes. Accuracy is the share that a classifier assigns "
    "to the requested class, or to any of the model's classes if it is unconditional. For reference, as many "
    "different training images are drawn at random: a generator that does not copy comes no closer. If there are "
    "fewer than --samples, only as many samples as training images are measured. Nearest is the mean distance to "
    "the nearest training image; the note gives that of the hold-out. Figures in the classifier's features are "
    "not comparable with Inception's."
)


def run(inputs):
    model = ReleasedGAN(*inputs.release.model_arguments)
    return evaluate(model, **inputs.load_scoring_arguments(SCORING_CLASSIFIERS))


def evaluate(model, classifiers, extractor, train, holdout, samples=1000, seed=0, cache_folder=None):
    """Measures the samples of a GAN.

    Args:
        model: has `draw_noise`, `sample` and `classes`, e.g. gan.inference.ReleasedGAN.
        classifiers, extractor, cache_folder: see `evaluation.suites.blend.evaluate`.
        train, holdout: common.data.datasets.ImageDataset of the model's classes, in the order of its labels.
        samples: number of images, at most that of the training images: repeats among these, which are the
            control, would raise its distances and all but end its recall.
        seed: of the noise and the intervals.

    Returns:
        Section.
    """
    neighbours = Neighbours(extractor, *(images.to_float(x.images) for x in (train, holdout)), cache_folder)
    samples = min(samples, len(train))
    labels = np.arange(samples) % model.classes if model.classes else None
    rows = np.random.default_rng(seed).choice(len(train), samples, replace=False)
    with progress.show("generating samples"):
        generated = model.sample(model.draw_noise(seed, samples), labels)
    reference = images.to_float(train.images[rows]), train.labels[rows] if model.classes else None
    kinds = {"samples": (generated, labels), "training images": reference}
    estimates, scored = {}, {}
    for name, (pictures, expected) in kinds.items():
        scored[name] = ScoredPictures(pictures, {}, extractor, ())
        estimates[name] = estimate_accuracies(pictures, expected, classifiers, train.class_names, seed)
        estimates[name] += estimate_all(scored[name], extractor, neighbours, seed)
    shown = {
        "Samples": images.grid(images.to_uint8(generated[:NUM_SHOWN]), 8, 2),
        "Samples above their nearest training images by features": neighbours.draw_nearest(scored["samples"], 8),
    }
    table = [{"images": name} | {e.name: e for e in row} for name, row in estimates.items()]
    summary = [
        describe_distances(*estimates.values(), "as many training images"),
        describe_copies(estimates["samples"]),
        describe_holdout(len(holdout)),
    ]
    return Section(
        f"Samples of {', '.join(train.class_names)}",
        estimates["samples"],
        table,
        shown,
        TEXT,
        "\n\n".join(filter(None, summary)),
        choose_key_figures(estimates["samples"], {name: EXPLANATIONS[name] for name in KEY}),
    )


def estimate_accuracies(pictures, labels, classifiers, class_names, seed):
    """Estimates how many pictures each classifier assigns to the expected class.

    Args:
        pictures: [N, H, W, C].
        labels: int [N], indices into `class_names`; None: any of these classes is right.
        classifiers: see `evaluate`.
        class_names: names of the model's classes.
        seed: of the intervals.

    Returns:
        List of Estimates, one for each classifier.
    """
    estimates = []
    for name, classifier in classifiers.items():
        indices = np.array([classifier.class_names.index(c) for c in class_names])
        predictions = classifier(pictures)[0].argmax(axis=1)
        hits = np.isin(predictions, indices) if labels is None else predictions == indices[labels]
        full_name = f"accuracy_{name}_{format_count(len(pictures))}"
        interval = intervals.bootstrap_mean(hits, seed=seed)
        estimates.append(Estimate(full_name, *interval, len(pictures), "higher"))
    return estimates
