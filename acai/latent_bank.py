"""The latent bank: codes of real images, so that blending needs no data set."""

import dataclasses

import numpy as np

from common.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class LatentBank:
    """Codes of a documented subset of the images: per class and split those that `subset` draws.

    Attributes:
        latents: float16 [N, h, w, c].
        labels: int32 [N], indices into `class_names`.
        ids: int64 [N], the images' numbers in their split.
        splits: str [N], "train" or "holdout".
        class_names: str [classes].
    """

    latents: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    splits: np.ndarray
    class_names: np.ndarray

    def __len__(self):
        return len(self.latents)

    def rows(self, class_name):
        """Indices of a class's rows; InputError naming the classes there are."""
        names = [str(name) for name in self.class_names]
        if class_name not in names:
            raise InputError(f"A class of this model is required: {', '.join(names)}. Received: {class_name}")
        return np.flatnonzero(self.labels == names.index(class_name))

    def describe(self, row):
        """Which image a row is the code of: {"row", "class", "split", "id"}, plain values."""
        name = str(self.class_names[self.labels[row]])
        return {"row": row, "class": name, "split": str(self.splits[row]), "id": int(self.ids[row])}

    def arrays(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays):
        return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})


def subset(dataset, per_class, seed=0):
    """Up to `per_class` images of each class of a common.data.datasets.ImageDataset, drawn by `seed`, in id order.

    Returns the row indices. The draw is numpy's default_rng(seed).permutation of each class's rows.
    """
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(np.flatnonzero(dataset.labels == label))[:per_class]
        for label in range(len(dataset.class_names))
    ]
    return np.sort(np.concatenate(chosen))


def encode(encode_images, datasets, per_class, batch_size=256):
    """Makes a LatentBank.

    Args:
        encode_images: function, float32 images [B, H, W, C] in [-1, 1] -> latents [B, h, w, c].
        datasets: of common.data.datasets.ImageDataset, e.g. train and holdout, of the same classes.
        per_class: how many images of a class at most, one number for each of `datasets`.
        batch_size: of one call to `encode_images`.
    """
    parts = []
    for dataset, count in zip(datasets, per_class, strict=True):
        rows = subset(dataset, count)
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
        latents = [np.asarray(encode_images(dataset.images[b] / np.float32(127.5) - 1)) for b in batches]
        splits = np.full(len(rows), dataset.split)
        parts.append((np.concatenate(latents).astype(np.float16), dataset.labels[rows], dataset.ids[rows], splits))
    latents, labels, ids, splits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return LatentBank(latents, labels, ids, splits, np.array(datasets[0].class_names))
