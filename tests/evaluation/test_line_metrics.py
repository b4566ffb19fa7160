"""The metrics of lines against values worked by hand, scipy's cosine distance and the official images."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from common.data import lines
from evaluation import line_metrics
from evaluation.line_metrics import line_figures, match_angles, mean_distance, smoothness

OFFICIAL = Path(__file__).parents[3] / "shared" / "lines" / "official_lines.npz"
BANK_STEP = 2 * np.pi / 10_000
BLANK = -np.ones((32, 32, 1))


def bank_lines(*numbers):
    """Lines at angles of the bank."""
    return lines.render(np.array(numbers) * BANK_STEP)


def turn(first, step, steps=16):
    """A perfect path that turns by `step` bank angles per image, [1, steps, 32, 32, 1]."""
    return bank_lines(*(first + step * np.arange(steps)))[None]


def separation(first, second):
    """Smaller angle between directions."""
    return np.abs(np.angle(np.exp(1j * (first - second))))


# Matching


def test_bank_lines_are_found_exactly():
    numbers = np.array([0, 1, 499, 500, 2500, 3750, 4999, 7321, 9500, 9999])
    angles, distances = match_angles(bank_lines(*numbers))
    np.testing.assert_allclose(angles, numbers * BANK_STEP, atol=1e-12)
    assert distances.min() >= 0 and distances.max() < 1e-12


def test_official_images_are_lines():
    if not OFFICIAL.exists():
        pytest.skip(f"no {OFFICIAL.name} beside the project")
    with np.load(OFFICIAL) as official:
        drawn, images = official["angles"][::4], official["images"][::4]
    angles, distances = match_angles(images[..., None])
    assert separation(angles, drawn).max() < BANK_STEP
    assert distances.max() < 1e-6


def test_other_lines_are_matched_to_the_nearest_of_10_000_angles():
    drawn = np.random.default_rng(0).uniform(0, 2 * np.pi, 60)
    angles, distances = match_angles(lines.render(drawn))
    assert 0.9 * BANK_STEP / 2 < separation(angles, drawn).max() <= BANK_STEP / 2
    assert distances.max() < 1e-6


def test_agrees_with_scipy_when_the_last_block_is_not_full():
    random = np.random.default_rng(1)
    bank = np.arange(700) * 2 * np.pi / 700
    noisy = lines.render(bank[[3, 350, 699]]) * 1.7 + 0.4 * random.standard_normal((3, 32, 32, 1))
    images = np.concatenate([noisy, random.standard_normal((3, 32, 32, 1)), noisy + 0.5])
    expected = cdist(images.reshape(9, -1), lines.render(bank).reshape(700, -1), "cosine")
    angles, distances = match_angles(images, bank_size=700)
    np.testing.assert_allclose(distances, expected.min(axis=1), atol=1e-12)
    np.testing.assert_array_equal(angles, bank[expected.argmin(axis=1)])
    assert angles[2] == bank[699] and distances.max() > 0.9


def test_a_blank_image_by_hand():
    """Nearest is the diagonal to the upper left, 15 / sqrt(2) columns of coverage 1/2, 1, 1/2 (test_lines)."""
    columns = 15 / math.sqrt(2)
    cut = columns - 10  # what is left of the cell in which the line starts
    covered, squares = 2 * columns, 1.5 * (10 + cut**2)
    norm = math.sqrt(1024 - 4 * covered + 4 * squares)  # pixels -1 + 2 c
    angles, distances = match_angles(BLANK[None])
    assert angles[0] == pytest.approx(3 * np.pi / 4, abs=1e-12)
    assert distances[0] == pytest.approx(1 - (1024 - 2 * covered) / (32 * norm), abs=1e-7)
    assert distances[0] == pytest.approx(0.031, abs=5e-4)


def test_an_image_of_zeros_has_no_direction():
    angles, distances = match_angles(np.zeros((1, 32, 32, 1)), bank_size=10)
    assert angles[0] == 0 and distances[0] == 1


@pytest.mark.parametrize("block", [100, 1000], ids=["across blocks", "within a block"])
def test_equally_near_lines_give_the_lowest_angle(block, monkeypatch):
    """Steep lines with their mirror images; lines on one side of the diagonal with their transposes."""
    monkeypatch.setattr(line_metrics, "BLOCK", block)
    steep, aside = np.arange(1300, 2450, 50), np.arange(2600, 3700, 50)
    mirrored = bank_lines(*steep) + bank_lines(*(5000 - steep))
    transposed = bank_lines(*aside) + bank_lines(*(7500 - aside))
    assert match_angles(mirrored, bank_size=1000)[0].max() < np.pi / 2
    assert match_angles(transposed, bank_size=1000)[0].max() < 3 * np.pi / 4


def test_no_images():
    angles, distances = match_angles(np.zeros((0, 32, 32, 1)), bank_size=10)
    assert angles.shape == distances.shape == (0,)


# Smoothness


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((0, 1, 2, 3), 0),
        ((3, 2, 1, 0), 0),
        ((0, 1, 1, 2), 1 / 2 - 1 / 3),
        ((0, 3, 1, 2), 3 / 2 - 1 / 3),  # turns back on the way
        ((1,) * 9 + (2,) * 7, 1 - 1 / 15),  # one jump among 16 images
        ((6.1, 6.2, 6.3 - 2 * np.pi, 6.4 - 2 * np.pi), 0),  # across 2 pi
        ((0.2, 0.1, 2 * np.pi, 2 * np.pi - 0.1), 0),  # and back
        ((0, 4), 0),  # the short way round: 2 pi - 4 in one step
        ((0, 2, 4, 5), 2 / 5 - 1 / 3),  # the long way round: 5 rad, not 2 pi - 5
        ((0, 2.5, 5, 7 - 2 * np.pi), 2.5 / 7 - 1 / 3),  # more than one turn
        ((0, 2e-4), 0),
        ((0, 0.9e-4), math.nan),
        ((1, 2, 1), math.nan),
    ],
)
def test_smoothness_by_hand(angles, expected):
    np.testing.assert_allclose(smoothness([angles]), [expected], atol=1e-9)


def test_a_full_turn_counts_as_an_angle_of_two_pi():
    np.testing.assert_allclose(smoothness([np.linspace(0, 2 * np.pi, 16) % (2 * np.pi)]), [0], atol=1e-12)


def test_smoothness_does_not_depend_on_where_zero_is():
    path = np.cumsum(np.random.default_rng(0).uniform(-1, 2, (5, 16)), axis=1)
    for shift in (1.0, 4.0):
        np.testing.assert_allclose(smoothness((path + shift) % (2 * np.pi)), smoothness(path), atol=1e-12)
    np.testing.assert_allclose(smoothness(path[:, ::-1]), smoothness(path), atol=1e-12)


def test_each_pair_has_its_own_metrics():
    scores = smoothness([(0, 1, 2), (1, 1, 1), (0, 0, 1)])
    np.testing.assert_allclose(scores, [0, math.nan, 1 / 2], atol=1e-15)
    np.testing.assert_allclose(mean_distance([(0, 1, 2), (3, 3, 6)]), [1, 4])


# Figures


def test_perfect_lines():
    across, long_way = turn(-240, 32), turn(100, 600)  # over 2 pi; 9000 of 10000 bank angles
    figures = line_figures(np.concatenate([turn(300, 37), turn(4000, -11), across, long_way]))
    np.testing.assert_allclose(figures["pair_distances"], 0, atol=1e-12)
    np.testing.assert_allclose(figures["pair_smoothness"], 0, atol=1e-9)
    assert (figures["pairs"], figures["steps"], figures["smoothness_nan_share"]) == (4, 16, 0)


def test_a_cross_fade_by_hand():
    """From the upper left to the lower right diagonal: disjoint lines a and b of which the nearer one matches.

    With A = -1 + 2 a: |A|^2 = 1024 - 4 sum(a) + 4 sum(a^2) and A . B = 1024 - 2 sum(a) - 2 sum(b).
    """
    cut = 15 / math.sqrt(2) - 10  # the cell in which the first line starts
    sums, squares = np.array([2 * (10 + cut), 22]), np.array([1.5 * (10 + cut**2), 16.5])
    norm_a, norm_b = 1024 - 4 * sums + 4 * squares
    product = 1024 - 2 * sums.sum()
    t = np.arange(8) / 15  # the first half of the way, nearer to A, and from the other end nearer to B
    distances = []
    for near, far in ((norm_a, norm_b), (norm_b, norm_a)):
        norm = np.sqrt((1 - t) ** 2 * near + 2 * t * (1 - t) * product + t**2 * far)
        distances.append(1 - ((1 - t) * near + t * product) / (norm * np.sqrt(near)))

    first, second = bank_lines(3750, 8750)
    share = np.linspace(0, 1, 16)[:, None, None, None]
    figures = line_figures(((1 - share) * first + share * second)[None])
    np.testing.assert_allclose(figures["pair_distances"], [np.mean(distances)], atol=1e-8)
    np.testing.assert_allclose(figures["pair_smoothness"], [1 - 1 / 15], atol=1e-9)  # all at once
    assert figures["mean_distance"] > 4e-3  # in the middle 0.014, where a blank image is at 0.031


def test_a_collapsed_decoder():
    figures = line_figures(np.tile(BLANK, (5, 16, 1, 1, 1)))
    assert np.isnan(figures["pair_smoothness"]).all() and math.isnan(figures["smoothness"])
    assert figures["smoothness_nan_share"] == 1 and figures["smoothness_official"] == 0
    assert figures["mean_distance"] == pytest.approx(0.031, abs=5e-4)


def test_a_partly_collapsed_decoder_only_looks_smooth_in_the_official_form():
    jump = np.concatenate([turn(100, 0, 8), turn(900, 0, 8)], axis=1)
    figures = line_figures(np.concatenate([jump, turn(40, 0), turn(40, 0), turn(40, 50)]))
    np.testing.assert_allclose(figures["pair_smoothness"], [14 / 15, math.nan, math.nan, 0], atol=1e-9)
    assert figures["smoothness"] == pytest.approx(14 / 30)
    assert figures["smoothness_nan_share"] == 1 / 2
    assert figures["smoothness_official"] == pytest.approx(14 / 60)


def test_metrics_are_python_numbers():
    figures = line_figures(turn(0, 10, steps=2))
    arrays = {name: figures.pop(name) for name in ("pair_distances", "pair_smoothness")}
    assert all(array.dtype == np.float64 and array.shape == (1,) for array in arrays.values())
    assert {type(figure) for figure in figures.values()} == {int, float}


# Errors


@pytest.mark.parametrize("shape", [(2, 32, 32), (2, 32, 31, 1), (2, 32, 32, 3)])
def test_images_of_another_shape(shape):
    with pytest.raises(ValueError, match="must be .* Received"):
        match_angles(np.zeros(shape))


def test_images_that_are_not_finite():
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite. Received: 1024"):
            match_angles(np.stack([BLANK, BLANK * wrong]))


def test_paths_of_another_shape():
    for shape in ((0, 16, 32, 32, 1), (16, 32, 32, 1)):
        with pytest.raises(ValueError, match="interpolations must be .* Received"):
            line_figures(np.zeros(shape))
    for shape in ((3, 1), (3,)):
        with pytest.raises(ValueError, match="steps >= 2. Received"):
            smoothness(np.zeros(shape))
