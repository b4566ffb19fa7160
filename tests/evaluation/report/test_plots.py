"""Plots: positions are measured in pixels, relative to marks with known values."""

import inspect

import matplotlib
import numpy as np
import pytest

from evaluation.report import plots

X = [0, 1, 2]
FLOOR, CEILING = ([0, 0, 0], None, None), ([1, 1, 1], None, None)  # these fix the limits of the y axis
FULL = plots.DPI


@pytest.fixture(autouse=True)
def half_size(monkeypatch):
    """Halves the resolution, which is faster."""
    monkeypatch.setattr(plots, "DPI", FULL // 2)


def draw(y=None, low=None, high=None, **options):
    """Plots lines at 0 and 1 in the first two colours and `y` in the third."""
    lines = {"floor": FLOOR, "ceiling": CEILING} | ({} if y is None else {"line": (y, low, high)})
    return plots.draw_curves(X, lines, "x", "y", **options)


def pixels(picture, colour=0):
    """Rows and columns of all pixels with one of the colours."""
    red, green, blue = bytes.fromhex(plots.COLOURS[colour][1:])
    return np.nonzero((picture[..., 0] == red) & (picture[..., 1] == green) & (picture[..., 2] == blue))


def row(picture, colour):
    """The row of a horizontal line: the middle of the rows with most of its colour."""
    counts = np.bincount(pixels(picture, colour)[0])
    return np.flatnonzero(counts > counts.max() / 2).mean()


def height_of(picture):
    """The height of the third line, from 0 at the first line to 1 at the second."""
    floor, ceiling, line = (row(picture, colour) for colour in range(3))
    assert ceiling < floor  # larger values are higher
    return (floor - line) / (floor - ceiling)


def peak(picture):
    """The column of the third line's highest point."""
    rows, columns = pixels(picture, 2)
    return columns[rows == rows.min()].mean()


def test_curves_have_the_documented_shape_and_change_no_global_state(monkeypatch):
    monkeypatch.setattr(plots, "DPI", FULL)
    before = dict(matplotlib.rcParams)
    picture = draw([0.2, 0.4, 0.3])
    assert picture.shape == (900, 1600, 3) and picture.dtype == np.uint8
    assert (picture[0] == 255).all() and (picture[:, -1] == 255).all()  # white margins: nothing is cut off
    assert all(len(pixels(picture, colour)[0]) > 1000 for colour in range(3))
    assert dict(matplotlib.rcParams) == before
    assert "pyplot" not in inspect.getsource(plots)  # it keeps figures and chooses a screen


@pytest.mark.parametrize("height", [0.25, 0.7])
def test_y_values_are_to_scale(height):
    assert height_of(draw([height] * 3)) == pytest.approx(height, abs=0.005)


def test_log_axis_places_values_by_their_logarithm():
    lines = {"floor": ([0.01] * 3, None, None), "ceiling": ([1] * 3, None, None), "line": ([0.1] * 3, None, None)}
    assert height_of(plots.draw_curves(X, lines, "", "", log=True)) == pytest.approx(0.5, abs=0.005)


def test_x_values_are_to_scale():
    """Draws peaks at x = 0, 1 and 4; the second must be a quarter of the way to the third."""
    x = [0, 1, 4]
    lines = {"floor": FLOOR, "ceiling": CEILING}
    peaks = [
        peak(plots.draw_curves(x, lines | {"line": (np.eye(3)[place] * 0.9, None, None)}, "", ""))
        for place in range(3)
    ]
    assert (peaks[1] - peaks[0]) / (peaks[2] - peaks[0]) == pytest.approx(0.25, abs=0.01)


def test_the_shaded_area_spans_the_interval():
    bare, shaded = draw([0.5] * 3), draw([0.5] * 3, [0.3] * 3, [0.9] * 3)
    middle = bare.shape[1] // 3  # a column between two points
    changed = np.flatnonzero((bare[:, middle] != shaded[:, middle]).any(-1))
    floor, ceiling = row(bare, 0), row(bare, 1)
    heights = (floor - changed[[-1, 0]]) / (floor - ceiling)
    np.testing.assert_allclose(heights, [0.3, 0.9], atol=0.01)


def test_a_line_goes_on_across_a_nan():
    """As between two runs that were logged at different kimg: each lacks the points of the other."""
    whole, without = draw([0.5, 0.5, 0.5]), draw([0.5, np.nan, 0.5])
    areas = [len(pixels(picture, 2)[0]) for picture in (without, whole)]
    assert 0.8 < areas[0] / areas[1] < 1  # a marker less


def ink(label, *texts):
    """Counts the nearly black pixels: axes and text."""
    return (plots.draw_curves(X, {label: FLOOR}, *texts or ("", "")) < 80).all(-1).sum()


def test_labels_are_not_parsed():
    assert ink("_hidden") > ink("") + 100  # matplotlib would omit this label from the legend
    dollar = (ink("$|x|$") - ink("|x|")) / 2
    assert dollar > 10
    dollars = ink("", "$|x|$", "$|x|$") - ink("", "|x|", "|x|")
    assert dollars > 3.5 * dollar  # two in each of two texts
    assert ink("$x^", "$x^", "$x^") > 0  # an incomplete formula


def test_invalid_data_are_refused():
    with pytest.raises(ValueError, match="lines must not be empty"):
        plots.draw_curves(X, {}, "", "")
    with pytest.raises(ValueError, match="line: low and high must be given together"):
        draw([0.5] * 3, low=[0.4] * 3)
    with pytest.raises(ValueError, match=r"line: the shape must be \(3,\). Received: \(2,\)"):
        draw([0.5, 0.5])
    with pytest.raises(ValueError, match="bins: the shape must be"):
        plots.draw_reliability_diagram([0.5], [0.5], [1, 2])


def diagram(points, bins=10, count=7):
    """Draws a reliability diagram of {bin: (confidence, accuracy)} with all other bins empty."""
    confidence, accuracy, counts = np.full(bins, np.nan), np.full(bins, np.nan), np.zeros(bins, int)
    for place, point in points.items():
        confidence[place], accuracy[place] = point
        counts[place] = count
    return plots.draw_reliability_diagram(confidence, accuracy, counts)


def upper_and_lower(picture):
    """[row, column] of the coloured pixels in the diagram and in the histogram."""
    positions = np.stack(pixels(picture), 1)
    upper = positions[:, 0] < 0.65 * len(picture)
    return positions[upper], positions[~upper]


def test_points_of_a_reliability_diagram_are_to_scale():
    """Draws three diagrams of one point each; the first two predict the position of the third."""
    first, second, third = (
        upper_and_lower(diagram({5: point}))[0].mean(0) for point in ((0.52, 0.2), (0.58, 0.8), (0.55, 0.35))
    )
    assert first[0] > second[0] and first[1] < second[1]  # higher accuracy is up, higher confidence right
    np.testing.assert_allclose((third - first) / (second - first), [0.25, 0.5], atol=0.01)


def test_bars_have_the_position_of_their_bin_and_the_height_of_its_count():
    confidence = (np.arange(4) + 0.5) / 4
    picture = plots.draw_reliability_diagram(confidence, confidence, [10, 40, 20, 0])
    columns = np.bincount(upper_and_lower(picture)[1][:, 1], minlength=800)
    edges = np.flatnonzero(np.diff((columns > 5).astype(int))).reshape(-1, 2)  # three bars
    assert len(edges) == 3
    heights = [columns[left + 5 : right - 5].max() for left, right in edges]
    np.testing.assert_allclose(np.array(heights) / heights[1], [0.25, 1, 0.5], atol=0.02)
    # each bar is centred below its point
    centres = edges.mean(1)
    pictures = (diagram({place: (confidence[place],) * 2}, 4, 40) for place in (0, 2))
    points = [upper_and_lower(each)[0][:, 1].mean() for each in pictures]
    np.testing.assert_allclose(centres[[0, 2]], points, atol=2)


def test_empty_bins_are_left_out():
    confidence, accuracy = np.array([0.1, np.nan, 0.9]), np.array([0.2, np.nan, 0.8])
    without = plots.draw_reliability_diagram(confidence, accuracy, [5, 0, 5])
    assert (plots.draw_reliability_diagram(confidence, accuracy, [5, 4, 5]) == without).all()
    above = upper_and_lower(without)[0]
    assert len(np.unique(above[:, 1])) == np.ptp(above[:, 1]) + 1  # one line from the first point to the last
    assert plots.draw_reliability_diagram([np.nan] * 3, [np.nan] * 3, [0] * 3).shape == (550, 800, 3)
