"""Extractors: their batches, and the cache of features."""

import os

import numpy as np
import pytest

from common.files import pack
from evaluation import features
from evaluation.features import Extractor
from tests.support.feature_networks import make_pictures, truncate


def make_extractor(name="mean", weights="0" * 16, sizes=None, batch_size=3):
    """Makes an Extractor of mean colours that appends the size of every batch to `sizes`."""

    def network(images):
        if sizes is not None:
            sizes.append(images.shape[0])
        return images.mean(axis=(1, 2))

    return Extractor(name, weights, "", 3, network, batch_size)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 16, 16, 3), np.uint8), np.zeros((16, 16, 3)), np.zeros((0, 16, 16, 3))]
)
def test_images_must_be_floats_of_rank_4(wrong):
    with pytest.raises(ValueError, match="floats"):
        make_extractor()(wrong)


def test_batches_are_bounded():
    sizes = []
    make_extractor(sizes=sizes)(make_pictures(7))
    assert sizes == [3, 3, 1]


def test_the_network_gets_float32():
    dtypes = []
    extract = Extractor("mean", "", "", 3, lambda images: dtypes.append(images.dtype) or images[:, 0, 0])
    assert extract(make_pictures().astype(np.float64)).dtype == np.float32 and dtypes == [np.float32]


def test_progress_counts_batches(monkeypatch):
    calls = []
    monkeypatch.setattr(
        features.progress, "track", lambda items, stage: calls.append((list(items), stage)) or items
    )
    make_extractor()(make_pictures(7))
    assert calls == [([0, 3, 6], "computing features with mean")]


# The cache


def test_features_are_extracted_once(tmp_path):
    sizes, images = [], make_pictures()
    extract = make_extractor(sizes=sizes)
    first = features.load_or_extract(extract, images, tmp_path / "new" / "cache")
    assert sum(sizes) == 7
    second = features.load_or_extract(extract, images.copy(), tmp_path / "new" / "cache")
    assert sum(sizes) == 7
    for stored in (first, second):
        np.testing.assert_array_equal(stored, extract(images))
        assert stored.dtype == np.float32
    [path] = (tmp_path / "new" / "cache").iterdir()
    parts = path.stem.split("-")
    assert parts[:2] == ["mean", "0" * 16] and len(parts[2]) == 16 and path.suffix == ".npz"


def change_pixel(images):
    images = images.copy()
    images[-1, -1, -1, -1] += 1e-6
    return images


@pytest.mark.parametrize(
    "change",
    [
        change_pixel,
        lambda images: images[::-1],
        lambda images: images.astype(np.float64),
        lambda images: images.view(np.int32),
        lambda images: images.reshape(7, 8, 32, 3),
    ],
    ids=["a pixel", "order", "values as another dtype", "bytes as another dtype", "shape"],
)
def test_other_images_are_not_taken_from_the_cache(tmp_path, change):
    images = make_pictures()
    features.load_or_extract(make_extractor(), images, tmp_path)
    other, sizes = change(images), []
    extract = make_extractor(sizes=sizes)
    if other.dtype.kind == "i":
        with pytest.raises(ValueError, match="floats"):  # raised by the extractor, so the cache was not used
            features.load_or_extract(extract, other, tmp_path)
        return
    np.testing.assert_array_equal(features.load_or_extract(extract, other, tmp_path), make_extractor()(other))
    assert sum(sizes) == 7


@pytest.mark.parametrize("other", [{"weights": "1" * 16}, {"name": "other"}])
def test_other_weights_and_names_are_not_taken_from_the_cache(tmp_path, other):
    features.load_or_extract(make_extractor(), make_pictures(), tmp_path)
    sizes = []
    features.load_or_extract(make_extractor(sizes=sizes, **other), make_pictures(), tmp_path)
    assert sum(sizes) == 7 and len(list(tmp_path.iterdir())) == 2


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[200] ^= 1  # of the features
    path.write_bytes(data)


def replace_by_pickle(path):
    with open(path, "wb") as file:
        np.savez(file, features=np.array([{}]), written_as=path.name)


def replace_by_other_images(path):
    """Copies a file of other images, undamaged and of the same shape, to the wrong name."""
    other = path.parent / "other"
    features.load_or_extract(make_extractor(), make_pictures(seed=1), other)
    os.replace(next(other.iterdir()), path)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_bit,
        replace_by_pickle,
        replace_by_other_images,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not an archive"),
        lambda path: path.write_bytes(pack({"features": np.zeros((7, 3), np.float32)})),
        lambda path: path.write_bytes(pack({"written_as": path.name})),
    ],
    ids=["half", "bit", "pickle", "other images", "empty", "foreign", "no name", "no features"],
)
def test_a_damaged_or_foreign_file_is_ignored_and_rewritten(tmp_path, damage):
    expected = features.load_or_extract(make_extractor(), make_pictures(), tmp_path)
    [path] = tmp_path.iterdir()
    damage(path)
    sizes = []
    for _ in range(2):
        np.testing.assert_array_equal(
            features.load_or_extract(make_extractor(sizes=sizes), make_pictures(), tmp_path), expected
        )
    assert sum(sizes) == 7, "once: the file is whole again"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("a file")
    images = make_pictures()
    found = features.load_or_extract(make_extractor(), images, tmp_path / "file" / "below")
    np.testing.assert_array_equal(found, make_extractor()(images))


def test_the_cache_is_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    features.load_or_extract(make_extractor(), make_pictures(), "features")
    assert len(list((tmp_path / "pegasus-acai" / "features").iterdir())) == 1
