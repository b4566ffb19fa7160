"""Placed pairs in the batches of an ACAI: where they stand, what they are, and that a resumed stream goes on."""

import numpy as np
import pytest
import tensorflow as tf

from common.errors import InputError
from pegasus.candidates import cell_shares
from tests.pegasus.winged_horses import make_dataset
from training import placed_pairs

BATCH, COUNT, SIZE = 8, 3, (2, 2)


def batches(start=0):
    """Batch k has pictures of grey level 10 k to 10 k + 7, and labels 5."""

    def make(k):
        greys = tf.cast(10 * k + tf.range(BATCH, dtype=tf.int64), tf.uint8)
        return {"image": tf.tile(greys[:, None, None, None], (1, 4, 4, 3)), "label": tf.fill([BATCH], 5)}

    return tf.data.Dataset.range(start, 10).map(make)


def pairs():
    """Pair n: a picture of 200 + n, one of 100 + n, shares n / 10."""
    numbers = np.arange(5)
    shapes = np.ones((5, 4, 4, 3), np.uint8)
    column = numbers[:, None, None, None]
    shares = np.float32(np.ones((5, 2, 2)) * numbers[:, None, None] / 10)
    return np.uint8((200 + column) * shapes), np.uint8((100 + column) * shapes), shares


def stream(start=0, seed=1):
    return placed_pairs.insert(batches(start), pairs(), (1, 0), COUNT, SIZE, seed, start)


def test_a_pair_stands_in_rows_that_are_blended_with_each_other():
    seen = set()
    for k, batch in enumerate(stream().as_numpy_iterator()):
        grey, shares = batch["image"][:, 0, 0, 0].astype(int), batch["shares"][..., 0]
        assert batch["image"].dtype == np.uint8 and np.ptp(batch["image"], axis=(1, 2, 3)).max() == 0
        numbers = grey[:COUNT] - 200
        np.testing.assert_array_equal(grey[::-1][:COUNT] - 100, numbers)
        np.testing.assert_array_equal(grey[COUNT:-COUNT], 10 * k + np.arange(COUNT, BATCH - COUNT))
        assert batch["label"].tolist() == [1, 1, 1, 5, 5, 0, 0, 0]
        assert np.isnan(shares[:-COUNT]).all()
        np.testing.assert_allclose(shares[::-1][:COUNT], np.ones((COUNT, 2, 2)) * numbers[:, None, None] / 10)
        seen |= set(numbers.tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_draws_depend_on_seed_and_step_only():
    whole, rest, other = (list(s.as_numpy_iterator()) for s in (stream(), stream(start=4), stream(seed=2)))
    for one, two in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
    assert any(not np.array_equal(one["image"], two["image"]) for one, two in zip(whole, other, strict=True))


def test_pairs_are_placed_horses_and_birds_with_wings_above():
    horses, birds, shares = placed_pairs.make_pairs(make_dataset(), 20, (8, 8), seed=0)
    assert horses.shape == birds.shape == (20, 32, 32, 3) and horses.dtype == birds.dtype == np.uint8
    assert shares.shape == (20, 8, 8) and shares.dtype == np.float32 and shares.min() == 0 and shares.max() == 1
    assert shares[:, 6:].max() == 0, "wings are above the back, not at the feet"
    light = birds.mean(axis=-1) > 160  # the drawn birds are white
    drawn = cell_shares(np.float32(light), (8, 8))
    assert np.all(drawn[shares > 0.9] > 0.3)
    again = placed_pairs.make_pairs(make_dataset(), 20, (8, 8), seed=0)
    np.testing.assert_array_equal(again[1], birds)
    assert not np.array_equal(placed_pairs.make_pairs(make_dataset(), 20, (8, 8), seed=1)[1], birds)


def test_pictures_without_a_plausible_pair_are_refused(monkeypatch):
    monkeypatch.setattr(placed_pairs, "is_plausible", lambda composition: np.zeros(len(composition.wings), bool))
    with pytest.raises(InputError, match="labelled horses and birds. Received: other pictures, with 0 plausible"):
        placed_pairs.make_pairs(make_dataset(), 1, (8, 8), seed=0)
