"""A small model, classifier and latent bank for tests of searches: 8x8 pictures whose latents are 2x2 squares."""

from types import SimpleNamespace

import keras
import numpy as np

from acai.latent_bank import LatentBank
from common.images import to_float
from tests.support.photographs import CLASSES, make_photographs

TRAIN, HOLDOUT = make_photographs(240, "train", 0), make_photographs(120, "holdout", 1)


def encode(images):
    """Images [N, 8, 8, 3] -> latents [N, 4, 4, 12]: each cell is a square of 2x2 pixels."""
    return np.reshape(images, (-1, 4, 2, 4, 2, 3)).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, 12)


def decode(latents):
    """The inverse of `encode`, for tensors and arrays."""
    squares = keras.ops.reshape(latents, (-1, 4, 4, 2, 2, 3))
    return keras.ops.reshape(keras.ops.transpose(squares, (0, 1, 3, 2, 4, 5)), (-1, 8, 8, 3))


MODEL = SimpleNamespace(encode=encode, decode=decode, autoencoder=SimpleNamespace(decode=decode), critic=None)


def make_bank():
    """Latents of some images of both splits: two held-out images among training images."""
    rows = [(TRAIN, 7), (HOLDOUT, 4), (HOLDOUT, 3), *((TRAIN, i) for i in range(20, 220))]
    latents = np.stack([encode(to_float(dataset.images[[i]]))[0] for dataset, i in rows])
    columns = ([dataset.labels[i], dataset.ids[i], dataset.split] for dataset, i in rows)
    labels, ids, splits = map(np.array, zip(*columns, strict=True))
    return LatentBank(latents.astype(np.float16), labels, ids, splits, np.array(CLASSES))


class HalvesClassifier:
    """Classifies by the brightness of each half; its features are the means of 2x2 squares."""

    class_names = ("cat", *CLASSES)

    def log_probabilities_and_features(self, pictures):
        logits, features = self._outputs(pictures)
        return keras.ops.log_softmax(logits), features

    def __call__(self, pictures):
        logits, features = self._outputs(pictures)
        return np.asarray(keras.ops.softmax(logits)), np.asarray(features)

    def _outputs(self, pictures):
        upper, lower = keras.ops.mean(pictures[:, :4], (1, 2, 3)), keras.ops.mean(pictures[:, 4:], (1, 2, 3))
        halves = keras.ops.stack([upper, lower], 1)
        logits = keras.ops.concatenate([-9 + 0 * halves[:, :1], 5 * halves], 1)
        means = keras.ops.mean(keras.ops.reshape(pictures, (-1, 4, 2, 4, 2, 3)), (2, 4))
        return logits, keras.ops.reshape(means, (-1, 48))
