"""Data sets of numbered images, picture files and a check of one-line errors, for tests of common/data."""

import numpy as np
from PIL import Image

from common.data import datasets


def numbered(labels, class_names, shape=(2, 3, 1)):
    """A dataset in which image i is filled with the value i."""
    images = np.broadcast_to(np.arange(len(labels)).reshape(-1, 1, 1, 1), (len(labels), *shape))
    labels = np.array(labels, np.int32)
    return datasets.ImageDataset(images.astype(np.uint8), labels, np.arange(len(labels)), class_names, "train")


def assert_one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text and len(text) < 1000
    for word in words:
        assert str(word) in text


def save(path, colour, size=(40, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def save_noise(folder, **counts):
    """Writes so many pictures of noise, 32x32 pixels, of each class, as in horse=25. Returns the folder."""
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder
