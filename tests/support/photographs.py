"""Drawn images: of two classes, with a classifier and an extractor, and with the ids of labelled images."""

import functools

import numpy as np

from common.data import datasets
from common.data.cifar10 import CIFAR10_CLASSES
from pegasus import labels as label_tables

CLASSES = ("horse", "bird")
COUNT = 100
HORSE, RED, GREEN = (20, 20, 25), (220, 20, 20), (20, 160, 20)  # colours of labelled images


def make_photographs(count, split, seed):
    """Makes 8x8x3 images of noise with one bright half: the upper for class 0, the lower for class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    images = rng.integers(0, 120, (count, 8, 8, 3))
    images[labels == 0, :4] += 120
    images[labels == 1, 4:] += 120
    return datasets.ImageDataset(images.astype(np.uint8), labels, np.arange(count), CLASSES, split)


TRAIN, HOLDOUT = make_photographs(300, "train", 0), make_photographs(120, "holdout", 1)


class HalvesClassifier:
    """Classifies by the brightness of each half and never predicts "cat"."""

    class_names = ("cat", *CLASSES)

    def __call__(self, images):
        halves = np.stack([images[:, :4].mean((1, 2, 3)), images[:, 4:].mean((1, 2, 3))], axis=1)
        probabilities = np.exp(5 * halves)
        probabilities /= probabilities.sum(1, keepdims=True)
        return np.concatenate([0 * probabilities[:, :1], probabilities], axis=1), halves


class BlockMeans:
    """Extractor whose features are the means of 2x2 blocks."""

    name, comparable = "blocks", "of a test"

    def __call__(self, images):
        return images.reshape(len(images), 4, 2, 4, 2, 3).mean((2, 4)).reshape(len(images), -1)


@functools.cache
def labelled_images(per_group=4):
    """ImageDataset with `per_group` images of each fold of every group that composites need.

    Horses are dark: a body and legs from row 14 to row 29. Spread-winged birds are red triangles, folded ones
    green ovals. Images of other classes are of one pale colour.
    """
    rows, columns = np.mgrid[:32, :32]
    horse = ((rows >= 14) & (rows < 22) & (columns >= 6) & (columns < 26)) | (
        (rows >= 22) & (rows < 30) & ((abs(columns - 9) < 2) | (abs(columns - 22) < 2))
    )
    wings = (rows >= 6) & (rows < 26) & (abs(columns - 16) < (rows - 4) / 2)
    oval = ((rows - 16) / 8) ** 2 + ((columns - 16) / 6) ** 2 < 1

    def draw(mask, colour):
        return np.where(mask[..., None], np.array(colour), 245).astype(np.uint8)

    birds, views, riders = label_tables.bird_wings(), label_tables.horse_side_views(), label_tables.horse_riders()
    clear = {id: bird.wings for id, bird in birds.items() if bird.clear and bird.wings != "down"}
    unlabelled = [id for id in range(200) if id not in birds and id not in views and id not in riders]
    groups = [
        ("bird", [id for id, kind in clear.items() if kind == "spread"], draw(wings, RED)),
        ("bird", [id for id, kind in clear.items() if kind != "spread"], draw(wings, RED)),
        ("bird", unlabelled, draw(oval, GREEN)),
        ("horse", views, draw(horse, HORSE)),
        ("horse", [id for id, rider in riders.items() if rider.use == "train"], draw(horse, HORSE)),
        ("horse", [id for id, rider in riders.items() if rider.use == "control"], draw(horse, HORSE)),
    ]
    for number, name in enumerate(CIFAR10_CLASSES):
        if name not in ("bird", "horse"):
            groups.append(
                (name, range(20_000 + 100 * number, 20_100 + 100 * number), draw(oval & False, HORSE) - number)
            )
    images, kinds, ids = [], [], []
    for name, candidates, image in groups:
        for fold in range(label_tables.FOLDS):
            chosen = [id for id in candidates if label_tables.fold(id) == fold][:per_group]
            images += [image] * len(chosen)
            kinds += [CIFAR10_CLASSES.index(name)] * len(chosen)
            ids += chosen
    return datasets.ImageDataset(
        np.stack(images), np.array(kinds, np.int32), np.array(ids), CIFAR10_CLASSES, "train"
    )
