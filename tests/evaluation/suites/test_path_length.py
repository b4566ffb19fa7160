"""The suite "path" on models and extractors for which its figures are known in closed form."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.images import to_float
from common.interpolation import lerp
from common.metrics.features import kernel_distance
from evaluation.suites import path_length
from tests.support.photographs import BlockMeans, make_photographs

SAMPLES, HOLDOUT = 100, make_photographs(400, "holdout", 1)
JUMP = 1 - 1 / 15
EPSILON = path_length.EPSILON
MIXES = np.random.default_rng(0).uniform(0, 1 - EPSILON, SAMPLES)
FIRST, SECOND = np.random.default_rng(1).uniform(-1, 1, (2, SAMPLES, 8, 8, 3))
DISTANCES = np.linalg.norm(BlockMeans()(SECOND) - BlockMeans()(FIRST), axis=1)


def measure(draw):
    return path_length.measure(draw, BlockMeans(), MIXES)


def evaluate(encode=lambda images: images, decode=lambda latents: latents, seed=0, samples=SAMPLES):
    """Returns ({path: {column: Estimate or NaN}}, Section) of a model whose latents are the images by default."""
    model = SimpleNamespace(encode=encode, decode=decode)
    section = path_length.evaluate(model, BlockMeans(), HOLDOUT, samples, seed)
    return {row["path"]: row for row in section.table}, section


def test_a_straight_line_in_closed_form():
    """Features linear in the pixels: the speed is the distance of the ends, at every t."""
    length, relative, smoothness = measure(lambda mix: lerp(FIRST, SECOND, mix))
    np.testing.assert_allclose(length, DISTANCES**2, rtol=1e-6)
    np.testing.assert_allclose(relative, 1, rtol=1e-6)
    np.testing.assert_allclose(smoothness, 0, atol=1e-6)


def test_a_jump_in_closed_form():
    """Between two of the 16 pictures; of the random t, those less than EPSILON before it see all of the jump."""
    mixes = np.where(np.arange(SAMPLES) % 3 == 0, 0.5 - EPSILON / 2, MIXES / 3)

    def draw(mix):
        return np.where(np.broadcast_to(mix, SAMPLES)[:, None, None, None] < 0.5, FIRST, SECOND)

    length, relative, smoothness = path_length.measure(draw, BlockMeans(), mixes)
    np.testing.assert_allclose(length, np.where(mixes > 0.4, (DISTANCES / EPSILON) ** 2, 0), rtol=1e-6)
    np.testing.assert_allclose(relative, 1, rtol=1e-6)
    np.testing.assert_allclose(smoothness, JUMP, rtol=1e-6)


def test_a_detour_and_an_uneven_way_in_closed_form():
    """There and two thirds back is 5 times as long as straight; a path of t^2 ends with a step of 29 / 225."""
    _, relative, smoothness = measure(lambda mix: lerp(FIRST, SECOND, 0.6 - np.abs(mix - 0.6)))
    np.testing.assert_allclose(relative, (9 + 6) / 3, rtol=1e-5)
    np.testing.assert_allclose(smoothness, 0, atol=1e-6)
    length, relative, smoothness = measure(lambda mix: lerp(FIRST, SECOND, np.square(mix)))
    np.testing.assert_allclose(relative, 1, rtol=1e-6)
    np.testing.assert_allclose(smoothness, 29 / 225 - 1 / 15, rtol=1e-5)
    np.testing.assert_allclose(length, (DISTANCES * (2 * MIXES + EPSILON)) ** 2, rtol=1e-6)


def test_pairs_are_of_different_images_none_of_which_the_middles_are_compared_with():
    pairs, mixes, others = path_length.draw_pairs(41, 37, seed=3)
    assert pairs.shape == (2, 37) and len(others) == 21 and not {*pairs.ravel()} & {*others}
    assert np.all(pairs[0] != pairs[1]) and np.all((mixes >= 0) & (mixes < 1 - EPSILON))
    counts = np.unique(pairs[:, :30], return_counts=True)[1]  # three rounds of ten pairs
    assert len(counts) == 20 and set(counts) == {3}
    again, fewer, another = (path_length.draw_pairs(41, *given) for given in ((37, 3), (8, 3), (37, 4)))
    assert np.array_equal(again[0], pairs) and np.array_equal(again[1], mixes)
    assert np.array_equal(fewer[0], pairs[:, :8]) and np.array_equal(fewer[1], mixes[:8])
    assert not np.array_equal(another[0], pairs) and not np.array_equal(another[1], mixes)


def test_an_identity_model_is_its_own_cross_fade():
    rows, section = evaluate()
    assert list(rows) == ["lerp", "slerp", "cross-fade", path_length.RECONSTRUCTED, "reconstructions"]
    for column in ("path length", "relative length", "smoothness", "kernel distance", "sharpness"):
        for control in ("cross-fade", path_length.RECONSTRUCTED):
            assert rows["lerp"][column].value == pytest.approx(rows[control][column].value, abs=1e-9), column
    assert rows["lerp"]["relative length"].value == pytest.approx(1, abs=1e-6)
    assert rows["slerp"]["relative length"].value > 1.001  # an arc
    assert np.isnan(rows["reconstructions"]["path length"])
    kinds = [rows[name]["kernel distance"] for name in ("reconstructions", "lerp")]
    assert kinds[0].low < 0 < kinds[0].high and 0 < kinds[1].low
    assert rows["reconstructions"]["sharpness"].value == pytest.approx(1, rel=0.05)
    assert 0.1 < rows["lerp"]["sharpness"].value < 0.8  # noise of a mean of two
    names = [estimate.name for estimate in section.estimates]
    assert names[:4] == [f"{n}_lerp_100" for n in ("path_length", "relative_length", "smoothness", "kd_blocks")]
    assert len(names) == 22 and len(section.key_figures) == 5
    assert "Along lerp the features' way is 1.000 (1.000 to 1.000) times the straight line" in section.summary
    ((caption, picture),) = section.plots.items()
    assert "6 pairs: lerp, slerp, cross-fade" in caption and picture.shape == (18 * 8 * 2, 16 * 8 * 2, 3)
    pairs, *_ = path_length.draw_pairs(len(HOLDOUT), SAMPLES, 0)
    np.testing.assert_array_equal(picture[::2, ::2][:8, :8], HOLDOUT.images[pairs[0, 0]])
    np.testing.assert_array_equal(picture[::2, ::2][-8:, -8:], HOLDOUT.images[pairs[1, 5]])


def test_each_image_is_reconstructed_once_where_pairs_share_images():
    """1,000 pairs of 200 images begin with at most 200; the images are their own reconstructions."""
    rows, _ = evaluate(samples=1000)
    pairs, _, others = path_length.draw_pairs(len(HOLDOUT), 1000, 0)
    once = np.unique(pairs[0])
    distance = kernel_distance(*(BlockMeans()(to_float(HOLDOUT.images[rows])) for rows in (others, once)))
    found = rows["reconstructions"]
    assert found["kernel distance"].count == found["sharpness"].count == len(once) <= 200
    assert found["kernel distance"].value == pytest.approx(distance, rel=1e-5)


def test_only_paths_that_mostly_jump_have_no_length():
    """A length of 0 on a way that leads somewhere is a jump; without a way (inf, NaN) nothing changes."""
    ways = np.array([1.0, 1.0, 1.0, np.inf, np.nan])
    assert np.isnan(path_length.hide_jumps(np.array([0.0, 0, 0, 0, 5]), ways)).all()
    for lengths in ([0.0, 0, 3, 0, 0], [1.0, 2, 3, 0, 0]):
        np.testing.assert_array_equal(path_length.hide_jumps(np.array(lengths), ways), lengths)


def test_a_decoder_that_jumps_and_one_that_collapses():
    """One draws black for latents below 0 and else white; the other the same picture always, without any way."""

    def encode(pictures):  # each row of latents has one sign; some pairs have two
        return np.where(pictures[:, :1, :1, :1] < np.median(pictures[:, 0, 0, 0]), -1.0, 1.0)

    def decode(latents):
        return np.broadcast_to(np.where(latents < 0, -1.0, 1.0), (len(latents), 8, 8, 3))

    rows, section = evaluate(encode, decode)
    for path in ("lerp", "slerp"):
        assert rows[path]["relative length"].value == pytest.approx(1)
        assert rows[path]["smoothness"].value == pytest.approx(JUMP)
        assert rows[path]["smoothness"].count == rows[path]["relative length"].count < SAMPLES
        assert np.isnan(rows[path]["path length"].value) and rows[path]["path length"].count == 0
    rows, section = evaluate(decode=lambda latents: np.full_like(latents, 0.25))
    assert rows["lerp"]["path length"].value == 0
    for column in ("relative length", "smoothness"):
        assert np.isnan(rows["lerp"][column].value) and rows["lerp"][column].count == 0
    assert rows["lerp"]["sharpness"].value == pytest.approx(0, abs=1e-9)
    assert "the features' way is none" in section.summary
