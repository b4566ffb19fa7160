"""The suite "gan", and class morphs in the suite "blend": do a generator's images look like photographs of their
classes, are they many, and are they none we have?

The figures are those of an ACAI's blends (see evaluation.suites.blend). A morph has no parents, so its controls
are
cross-fades of random pairs of training images.
"""

import numpy as np

from common import images, progress
from common.metrics import intervals
from evaluation.report.estimates import Estimate, Section
from evaluation.suites import blend

SHOWN = 64  # samples in the picture
TEXT = (
    "One image for each noise, of the model's classes in turn where they can be chosen. Kernel and Frechet "
    "distance compare with the held-out images of these classes. Accuracy is the share that a judge takes for the "
    "class that was asked for, or for any of the classes where none can be. As a reference stand as many training "
    "images, drawn at random: a generator that does not copy comes no closer. Nearest is the mean distance to the "
    "nearest training image; the hold-out's own stands beside it. Figures of the classifier's features are not "
    "comparable with Inception's."
)
MORPHS = (
    "One image for each noise, made with half the weight of each class. The controls are cross-fades of random "
    "pairs of training images. Recognisability is sqrt(P(first) P(second)), balance the smaller of the two over "
    "the larger. Kernel and Frechet distance compare with the held-out images of both classes."
)


def evaluate(model, judges, extract, train, holdout, samples=1000, seed=0, folder=None):
    """The Section of a GAN's samples.

    Args:
        model: has `noise`, `sample` and `classes`, e.g. gan.inference.ReleasedGAN.
        judges: {name: classifiers.inference.ReleasedClassifier}, the one that counts first.
        extract: function, images [N, H, W, C] -> features [N, d]; has `name` and `comparable`.
        train, holdout: common.data.datasets.ImageDataset of the model's classes, in the order of its labels.
        samples: images.
        seed: of the noise and the intervals.
        folder: where the data set's features are kept for the next time; None: nowhere.
    """
    near = neighbours(extract, train, holdout, folder)
    labels = np.arange(samples) % model.classes if model.classes else None
    rows = np.random.default_rng(seed).choice(len(train), samples, replace=samples > len(train))
    with progress.show("generating samples"):
        generated = model.sample(model.draw_noise(seed, samples), labels)
    reference = images.to_float(train.images[rows]), train.labels[rows] if model.classes else None
    kinds = {"samples": (generated, labels), "training images": reference}
    table, judged = {}, {}
    for name, (pictures, wanted) in kinds.items():
        judged[name] = blend.Judged(pictures, {}, extract, ())
        table[name] = accuracies(pictures, wanted, judges, train.class_names, seed)
        table[name] += blend.figures(judged[name], extract, near, seed)
    shown = {
        "Samples": images.grid(images.to_uint8(generated[:SHOWN]), 8, 2),
        "Samples above their nearest training images by features": near.picture(judged["samples"], 8),
    }
    rows = [{"images": name, **{figure.name: figure for figure in found}} for name, found in table.items()]
    return Section(f"Samples of {', '.join(train.class_names)}", table["samples"], rows, shown, TEXT)


def evaluate_morphs(model, judges, extract, train, holdout, first, second, samples=1000, seed=0, folder=None):
    """The Section of a conditional GAN's images with half the weight of each of two classes.

    Args: as in `evaluate`, with
        first, second: names of two of the classes of `train`, whose order is that of the model's labels.
    """
    pair = [train.class_names.index(name) for name in (first, second)]
    weights = np.eye(model.classes)[pair].mean(axis=0)
    train, holdout = train.select((first, second)), holdout.select((first, second))
    near = neighbours(extract, train, holdout, folder)
    parents = blend.draw_pairs(train, samples, seed)
    with progress.show("generating class morphs"):
        morphs = model.sample(model.draw_noise(seed, samples), np.tile(weights, (samples, 1)))
    kinds = {"class morphs": morphs, "cross-fade": (parents[0] + parents[1]) / 2}
    judged = {name: blend.Judged(pictures, judges, extract, (first, second)) for name, pictures in kinds.items()}
    table = {name: blend.figures(found, extract, near, seed) for name, found in judged.items()}
    shown = {"Morphs above their nearest training images by features": near.picture(judged["class morphs"], 8)}
    rows = [{"blends": name, **{figure.name: figure for figure in found}} for name, found in table.items()]
    return Section(f"Class morphs of {first} and {second}", table["class morphs"], rows, shown, MORPHS)


def neighbours(extract, train, holdout, folder):
    return blend.Neighbours(extract, *(images.to_float(part.images) for part in (train, holdout)), folder)


def accuracies(pictures, labels, judges, class_names, seed):
    """Figures of how many pictures [N, H, W, C] each judge takes for what they should be.

    Args:
        labels: int [N], indices into `class_names`; None: any of these is right.
        judges: see `evaluate`.
    """
    found = []
    for name, judge in judges.items():
        own = np.array([judge.class_names.index(c) for c in class_names])
        answers = judge(pictures)[0].argmax(axis=1)
        right = np.isin(answers, own) if labels is None else answers == own[labels]
        figure = f"accuracy_{name}_{blend.size_name(len(pictures))}"
        found.append(Estimate(figure, *intervals.bootstrap_mean(right, seed=seed), len(pictures), "higher"))
    return found
