"""The latent bank: latents of real images, so that blending needs no data set."""

import dataclasses

import numpy as np

from common.errors import InputError

BATCH_SIZE = 256  # images in each call to `encode_images`


@dataclasses.dataclass(frozen=True, eq=False)
class LatentBank:
    """Latents of the images that `draw_subset` draws for each class and split.

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
        """Indices of the rows of a class.

        Raises:
            InputError: for an unknown class; the message lists those of the bank.
        """
        names = [str(name) for name in self.class_names]
        if class_name not in names:
            raise InputError(f"The class must be one of {', '.join(names)}. Received: {class_name}")
        return np.flatnonzero(self.labels == names.index(class_name))

    def describe(self, row):
        """The image of a row: {"row", "class", "split", "id"} in plain Python values."""
        name = str(self.class_names[self.labels[row]])
        return {"row": row, "class": name, "split": str(self.splits[row]), "id": int(self.ids[row])}

    def arrays(self):
        """{name: array} of all attributes, as a release holds them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays):
        """The bank of a release's arrays."""
        return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})


def draw_subset(dataset, per_class, always=()):
    """Row indices of up to `per_class` random images of each class of an ImageDataset, sorted.

    For each class they are the first of numpy's default_rng(0).permutation of the rows of that class. All
    images whose ids are in `always` are added.
    """
    rng = np.random.default_rng(0)
    chosen = [
        rng.permutation(np.flatnonzero(dataset.labels == label))[:per_class]
        for label in range(len(dataset.class_names))
    ]
    return np.unique(np.concatenate([*chosen, np.flatnonzero(np.isin(dataset.ids, [*always]))]))


def build_bank(encode_images, datasets, per_class, always=()):
    """Encodes a subset of images into a LatentBank.

    Args:
        encode_images: function, float32 images [B, H, W, C] in [-1, 1] -> latents [B, h, w, c].
        datasets: list of common.data.datasets.ImageDataset with the same classes, e.g. train and holdout.
        per_class: largest number of images per class, one for each of `datasets`.
        always: ids of images to encode in any case.
    """
    parts = []
    for dataset, count in zip(datasets, per_class, strict=True):
        rows = draw_subset(dataset, count, always=always)
        batches = [rows[i : i + BATCH_SIZE] for i in range(0, len(rows), BATCH_SIZE)]
        latents = [np.asarray(encode_images(dataset.images[b] / np.float32(127.5) - 1)) for b in batches]
        splits = np.full(len(rows), dataset.split)
        parts.append((np.concatenate(latents).astype(np.float16), dataset.labels[rows], dataset.ids[rows], splits))
    latents, labels, ids, splits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return LatentBank(latents, labels, ids, splits, np.array(datasets[0].class_names))
