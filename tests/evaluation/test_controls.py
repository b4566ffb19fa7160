"""Controls: the same horses without wings, with something else in their place, and collages."""

import numpy as np
import pytest

from evaluation import controls
from pegasus import search
from pegasus.candidates import cell_shares
from pegasus.search_config import Search
from tests.pegasus.winged_horses import MODEL, LightClassifier, make_parents, paint


@pytest.fixture(scope="module")
def result():
    return search.run_search(Search(60, 4), MODEL, LightClassifier(), make_parents(), seed=1)


def mean_inside(pictures, masks):
    return np.array([picture[mask > 0.9].mean() for picture, mask in zip(pictures, masks, strict=True)])


def test_dark_blobs_have_the_wings_places(result):
    pictures, wings = controls.with_dark_blobs(MODEL, result), result.composition.wings
    discs = np.stack([controls.draw_disc(mask > 0.5) for mask in wings])
    assert mean_inside(pictures, discs).max() < -0.3
    elsewhere = np.kron(cell_shares(discs, (8, 8)) == 0, np.ones((4, 4), bool))
    np.testing.assert_allclose(pictures[elsewhere], result.composition.first[elsewhere], atol=1e-5)


def test_a_disc_has_the_area_the_lower_end_and_the_middle_of_a_mask():
    mask = np.zeros((32, 32), bool)
    mask[10:20, 4:20] = True  # 160 pixels: a radius of 7.1
    disc = controls.draw_disc(mask)
    assert disc.sum() == pytest.approx(160, rel=0.03)
    rows, columns = np.nonzero(disc > 0.5)
    assert rows.max() == 19 and columns.mean() == pytest.approx(11.5)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)


def test_collages_are_cross_fades_of_the_photographs_by_the_share_of_the_wings(result):
    """A pixel's share is the mean of the wings over 3 x 3 pixels, weighted by (1, 2, 1) down and across."""
    pictures, composition = controls.collages(result), result.composition
    padded = np.pad(composition.wings, ((0, 0), (1, 1), (1, 1)), "edge")
    across = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    shares = sum(across[i, j] * padded[:, i : i + 32, j : j + 32] for i in range(3) for j in range(3))[..., None]
    assert np.mean((shares > 0.1) & (shares < 0.9)) > 0.02, "edges are soft"
    expected = composition.first + shares * (composition.second - composition.first)
    np.testing.assert_allclose(pictures, expected, atol=1e-6)


def test_folded_birds_are_as_high_as_the_wings_and_on_the_back(result):
    mask = np.zeros((32, 32), bool)
    mask[10:20, 12:21] = True
    for wings in result.composition.wings:
        placement = controls.fit_to(mask, wings > 0.5)
        rows, _ = placement.target((32, 32), *np.nonzero(mask))
        wing_rows = np.nonzero(wings > 0.5)[0]
        assert rows.max() == pytest.approx(wing_rows.max())
        assert placement.scale == pytest.approx((np.ptp(wing_rows) + 1) / 10)
    birds = np.stack([paint(mask, colour=(0.9, -0.9, -0.9))] * 4)
    pictures = controls.with_folded_birds(MODEL, result, birds, np.stack([mask] * 4))
    red = np.sum(pictures[..., 0] - pictures[..., 1] > 1, axis=(1, 2))
    heights = [np.ptp(np.nonzero(wings > 0.5)[0]) + 1 for wings in result.composition.wings]
    np.testing.assert_allclose(red, [90 * (height / 10) ** 2 for height in heights], rtol=0.2)
