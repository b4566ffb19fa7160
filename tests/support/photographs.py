"""Simple images of two classes, with a classifier and an extractor, for tests of the suites."""

import numpy as np

from common.data import datasets

CLASSES = ("horse", "bird")
COUNT = 100


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
