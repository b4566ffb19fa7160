"""Latent banks: which images they hold, what they record of each, and their round trip through a release."""

import json

import numpy as np
import pytest

from acai import latent_bank
from acai.latent_bank import LatentBank
from common import release
from common.data.datasets import ImageDataset
from common.errors import InputError


def dataset(count=30, split="train"):
    """Makes images of three classes; image k has grey level k, class k % 3 and the id 1000 + k."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, 3))
    labels = np.arange(count, dtype=np.int32) % 3
    return ImageDataset(images, labels, 1000 + np.arange(count), ("a", "b", "c"), split)


def test_subsets_have_equal_classes_and_are_nested():
    labels = dataset().labels
    small, large = latent_bank.draw_subset(dataset(), 4), latent_bank.draw_subset(dataset(), 7)
    assert np.bincount(labels[small]).tolist() == [4, 4, 4] and np.bincount(labels[large]).tolist() == [7, 7, 7]
    assert set(small) < set(large) and (np.diff(large) > 0).all()
    np.testing.assert_array_equal(latent_bank.draw_subset(dataset(), 99), np.arange(30))
    np.testing.assert_array_equal(latent_bank.draw_subset(dataset(), 4), small)
    added = latent_bank.draw_subset(dataset(), 4, always=(1000 + small[0], 1029, 7))  # the data set lacks id 7
    np.testing.assert_array_equal(added, np.union1d(small, [29]))


def test_bank_records_the_image_of_each_latent(monkeypatch):
    monkeypatch.setattr(latent_bank, "BATCH_SIZE", 5)

    def encode(images):
        assert images.dtype == np.float32 and len(images) <= 5
        return images[..., :1] * 2

    bank = latent_bank.build_bank(encode, [dataset(), dataset(9, "holdout")], (4, 2))
    assert len(bank) == 3 * 4 + 3 * 2 and bank.latents.dtype == np.float16 and bank.latents.shape[1:] == (2, 2, 1)
    for row in range(len(bank)):
        image = bank.describe(row)
        k = image["id"] - 1000
        assert image == {
            "row": row,
            "class": "abc"[k % 3],
            "split": "train" if row < 12 else "holdout",
            "id": k + 1000,
        }
        np.testing.assert_allclose(bank.latents[row], 2 * (k / 127.5 - 1), atol=2**-10)
        assert row in bank.rows(image["class"])
    json.dumps(bank.describe(0))
    with pytest.raises(InputError, match="a, b, c. Received: d"):
        bank.rows("d")


def test_bank_is_unchanged_by_a_release(tmp_path):
    bank = latent_bank.build_bank(lambda images: images, [dataset()], (2,))
    release.write(tmp_path, {}, {"a": np.float32([1])}, bank.arrays())
    read_bank = LatentBank.from_arrays(release.read(tmp_path)[2])
    for name, array in bank.arrays().items():
        np.testing.assert_array_equal(getattr(read_bank, name), array)
        assert getattr(read_bank, name).dtype == array.dtype
