"""Estimates of pictures: copies, nearest training images, intervals of shares, and the progress of an interval."""

import contextlib

import numpy as np

from common.images import to_float
from common.metrics import intervals
from evaluation import picture_estimates
from tests.support.photographs import COUNT, HOLDOUT, TRAIN, BlockMeans


def test_progress_counts_the_replicates_of_an_interval(monkeypatch):
    """20 without a group each and one of everything; the progress bar does not change the result."""
    counts = []

    @contextlib.contextmanager
    def show(stage, total):
        counts.append([stage, total, 0])
        yield lambda: counts[-1].__setitem__(2, counts[-1][2] + 1)

    monkeypatch.setattr(picture_estimates.progress, "show", show)
    samples = np.random.default_rng(0).normal(size=(2, 50, 3))

    def statistic(first, second):
        return first.mean() - second.std()

    result = picture_estimates.jackknife(statistic, *samples, seed=3, stage="a difference")
    assert result == intervals.jackknife(statistic, *samples, seed=3)
    assert counts == [["a difference", 21, 21]]


def test_copies_are_nearer_than_the_hundredth_part_of_the_holdout():
    """Of 1, 2, ..., 101 the second is the quantile 0.01; what is as near as it is no copy."""
    distances = np.array([0.5, 1.9, 2.0, 2.1])
    assert picture_estimates.share_of_copies(distances, np.arange(1, 102)) == 0.5


def test_pictures_are_drawn_above_their_nearest_training_images():
    """Pictures that are training images in another order, but for a noise of at most one grey level."""
    noise = np.random.default_rng(0).uniform(-1.4, 1.4, (6, 8, 8, 3)) / 127.5
    rows, extractor = [250, 3, 77, 141, 8, 299], BlockMeans()
    neighbours = picture_estimates.Neighbours(extractor, to_float(TRAIN.images), to_float(HOLDOUT.images))
    scored = picture_estimates.ScoredPictures(to_float(TRAIN.images[rows]) + noise, {}, extractor, ())
    drawn = neighbours.draw_nearest(scored, 4)
    upper, lower = drawn[::3, ::3].reshape(2, 8, 4, 8, 3).swapaxes(1, 2).astype(int)
    np.testing.assert_array_equal(lower, TRAIN.images[rows[:4]])
    assert np.abs(upper - lower).max() == 1


def test_intervals_of_shares_are_clipped_to_0_and_1(monkeypatch):
    def widen(*arguments, jackknife=picture_estimates.jackknife, **options):
        estimate, low, high = jackknife(*arguments, **options)
        return estimate, low - 9, high + 9

    monkeypatch.setattr(picture_estimates, "jackknife", widen)
    extractor, images = BlockMeans(), to_float(TRAIN.images[:COUNT])
    neighbours = picture_estimates.Neighbours(extractor, to_float(TRAIN.images), to_float(HOLDOUT.images))
    scored = picture_estimates.ScoredPictures(images, {}, extractor, ())
    estimates = picture_estimates.estimate_all(scored, extractor, neighbours, seed=0)
    estimates = {estimate.name.removesuffix(f"_{COUNT}"): estimate for estimate in estimates}
    for name in ("precision", "recall", "coverage"):
        estimate = estimates[f"{name}_blocks"]
        assert (estimate.low, estimate.high) == (0, 1)
    assert estimates["density_blocks"].low < 0 and estimates["density_blocks"].high > 1
