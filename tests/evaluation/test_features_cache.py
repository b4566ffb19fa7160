"""Extractors of features: their batches, and the cache, by which they are extracted once."""

import os

import numpy as np
import pytest

from common.files import pack
from evaluation import features
from evaluation.features import Extractor
from tests.support.feature_networks import half, pictures, write_keras_file


def averaging(name="mine", weights="0" * 16, sizes=None, batch_size=3):
    """An Extractor of mean colours that appends the size of every batch to `sizes`."""

    def network(images):
        if sizes is not None:
            sizes.append(images.shape[0])
        return images.mean(axis=(1, 2))

    return Extractor(name, weights, "", (None, None, 3), network, batch_size)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 16, 16, 3), np.uint8), np.zeros((16, 16, 3)), np.zeros((0, 16, 16, 3))]
)
def test_only_floats_that_are_images(wrong):
    with pytest.raises(ValueError, match="floats"):
        averaging()(wrong)


def test_batches_are_bounded():
    sizes = []
    averaging(sizes=sizes)(pictures(7))
    assert sizes == [3, 3, 1]


def test_a_network_sees_float32():
    seen = []
    extract = Extractor(
        "mine", "", "", (None, None, 3), lambda images: seen.append(images.dtype) or images[:, 0, 0]
    )
    assert extract(pictures().astype(np.float64)).dtype == np.float32 and seen == [np.float32]


def test_every_batch_counts_as_progress(monkeypatch):
    seen = []
    monkeypatch.setattr(
        features.progress, "track", lambda items, stage: seen.append((list(items), stage)) or items
    )
    averaging()(pictures(7))
    assert seen == [([0, 3, 6], "features of pictures by mine")]


# The cache


def test_features_are_extracted_once(tmp_path):
    sizes, images = [], pictures()
    extract = averaging(sizes=sizes)
    first = features.cached(extract, images, tmp_path / "new" / "cache")
    assert sum(sizes) == 7
    second = features.cached(extract, images.copy(), tmp_path / "new" / "cache")
    assert sum(sizes) == 7
    for found in (first, second):
        np.testing.assert_array_equal(found, extract(images))
        assert found.dtype == np.float32
    [path] = (tmp_path / "new" / "cache").iterdir()
    parts = path.stem.split("-")
    assert parts[:2] == ["mine", "0" * 16] and len(parts[2]) == 16 and path.suffix == ".npz"


def changed_pixel(images):
    images = images.copy()
    images[-1, -1, -1, -1] += 1e-6
    return images


@pytest.mark.parametrize(
    "change",
    [
        changed_pixel,
        lambda images: images[::-1],
        lambda images: images.astype(np.float64),
        lambda images: images.view(np.int32),
        lambda images: images.reshape(7, 8, 32, 3),
    ],
    ids=["a pixel", "order", "values as another dtype", "bytes as another dtype", "shape"],
)
def test_other_images_are_extracted_anew(tmp_path, change):
    images = pictures()
    features.cached(averaging(), images, tmp_path)
    other, sizes = change(images), []
    extract = averaging(sizes=sizes)
    if other.dtype.kind == "i":
        with pytest.raises(ValueError, match="floats"):  # reached the network, not the cache
            features.cached(extract, other, tmp_path)
        return
    np.testing.assert_array_equal(features.cached(extract, other, tmp_path), averaging()(other))
    assert sum(sizes) == 7


@pytest.mark.parametrize("other", [{"weights": "1" * 16}, {"name": "other"}])
def test_other_weights_and_names_are_extracted_anew(tmp_path, other):
    features.cached(averaging(), pictures(), tmp_path)
    sizes = []
    features.cached(averaging(sizes=sizes, **other), pictures(), tmp_path)
    assert sum(sizes) == 7 and len(list(tmp_path.iterdir())) == 2


def test_a_keras_file_written_anew_is_other_weights(tmp_path):
    found = []
    for kernel in (1.0, 2.0):
        extract = features.extractor(write_keras_file(tmp_path / "small.keras", kernel))
        found.append(features.cached(extract, pictures(), tmp_path))
    np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-5)


def flipped_bit(path):
    data = bytearray(path.read_bytes())
    data[200] ^= 1  # of the features
    path.write_bytes(data)


def pickled(path):
    with open(path, "wb") as file:
        np.savez(file, features=np.array([{}]), written_as=path.name)


def of_other_images(path):
    """As if copied from another cache: whole, of the same shape, under the wrong name."""
    other = path.parent / "other"
    features.cached(averaging(), pictures(seed=1), other)
    os.replace(next(other.iterdir()), path)


@pytest.mark.parametrize(
    "damage",
    [
        half,
        flipped_bit,
        pickled,
        of_other_images,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not an archive"),
        lambda path: path.write_bytes(pack({"features": np.zeros((7, 3), np.float32)})),
        lambda path: path.write_bytes(pack({"written_as": path.name})),
    ],
    ids=["half", "bit", "pickle", "other images", "empty", "foreign", "no name", "no features"],
)
def test_a_damaged_or_foreign_file_is_ignored_and_rewritten(tmp_path, damage):
    expected = features.cached(averaging(), pictures(), tmp_path)
    [path] = tmp_path.iterdir()
    damage(path)
    sizes = []
    for _ in range(2):
        np.testing.assert_array_equal(features.cached(averaging(sizes=sizes), pictures(), tmp_path), expected)
    assert sum(sizes) == 7, "once: the file is whole again"
