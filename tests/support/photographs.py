"""What several tests share. First of: The blend suite on models whose failures are known: each must show in
the figure that is there to show it."""

import numpy as np

from common.data import datasets

CLASSES = ("horse", "bird")
COUNT = 100


def photographs(count, split, seed):
    """Two classes told apart by which half is bright, with noise; 8x8x3."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    images = rng.integers(0, 120, (count, 8, 8, 3))
    images[labels == 0, :4] += 120
    images[labels == 1, 4:] += 120
    return datasets.ImageDataset(images.astype(np.uint8), labels, np.arange(count), CLASSES, split)


TRAIN, HOLDOUT = photographs(300, "train", 0), photographs(120, "holdout", 1)


class Judge:
    """Sees how bright each half is, and no other class in either."""

    class_names = ("cat", *CLASSES)

    def __call__(self, images):
        halves = np.stack([images[:, :4].mean((1, 2, 3)), images[:, 4:].mean((1, 2, 3))], axis=1)
        shares = np.exp(5 * halves)
        shares /= shares.sum(1, keepdims=True)
        return np.concatenate([0 * shares[:, :1], shares], axis=1), halves


class Features:
    """Means of 2x2 blocks."""

    name, comparable = "blocks", "of a test"

    def __call__(self, images):
        return images.reshape(len(images), 4, 2, 4, 2, 3).mean((2, 4)).reshape(len(images), -1)
