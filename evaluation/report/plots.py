"""Plots as uint8 pictures. The same data and library versions give the same bytes; no global state is changed."""

import numpy as np

from common import figures

WIDTH, DPI = 6.4, 250  # inches and pixels per inch: 1600 pixels, sharp on high-density screens
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito 2008
GREY = "#9aa0a6"


@figures.default_settings()
def draw_curves(x, lines, xlabel, ylabel, log=False):
    """Draws lines over a common x axis, with 95% intervals as shaded areas.

    Args:
        x: numbers [N].
        lines: {label: (y [N], low [N] or None, high [N] or None)}. Where y is NaN, a line has no marker.
        xlabel, ylabel: plain text; "" for none.
        log: use a logarithmic y axis, on which values <= 0 are not drawn.

    Returns:
        uint8 [900, 1600, 3].

    Raises:
        ValueError: if there are no lines, lengths differ, or only one end of an interval is given.
    """
    x = np.asarray(x, np.float64)
    if not lines:
        raise ValueError("lines must not be empty.")
    figure, (axes,) = _figure(3.6, [1])
    for index, (label, (y, low, high)) in enumerate(lines.items()):
        if (low is None) != (high is None):
            raise ValueError(f"{label}: low and high must be given together. Received: only one of them")
        y, low, high = (_to_float(label, values, x.shape) for values in (y, low, high))
        colour = COLOURS[index % len(COLOURS)]
        known = ~np.isnan(y)
        axes.plot(x[known], y[known], color=colour, marker="o", markersize=3, label=str(index))
        if low is not None:
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if log:
        axes.set_yscale("log", nonpositive="mask")
    _set_labels(axes, xlabel, ylabel)
    entries = axes.legend(loc="best", frameon=False).get_texts()
    for text, label in zip(entries, lines, strict=True):
        text.set(text=label, parse_math=False)
    return _render(figure)


@figures.default_settings()
def draw_reliability_diagram(confidence, accuracy, count):
    """Draws a classifier's accuracy against its confidence, and below a histogram of the confidence.

    The diagonal is a perfectly calibrated classifier.

    Args:
        confidence, accuracy, count: arrays [bins] from `common.metrics.classification.reliability`; bins with
            a NaN are left out.

    Returns:
        uint8 [1100, 1600, 3].

    Raises:
        ValueError: if the arrays' lengths differ.

    Reference:
        Guo et al. 2017, arXiv 1706.04599, section 2.
    """
    shape = np.shape(confidence)
    confidence, accuracy, count = (_to_float("bins", array, shape) for array in (confidence, accuracy, count))
    filled = ~(np.isnan(confidence) | np.isnan(accuracy))
    centres = (np.arange(len(count)) + 0.5) / len(count)
    figure, (above, below) = _figure(4.4, [3, 1])
    above.plot([0, 1], [0, 1], color=GREY, linestyle="--")
    above.plot(confidence[filled], accuracy[filled], color=COLOURS[0], marker="o", markersize=4)
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    below.bar(centres[filled], count[filled], width=0.9 / len(count), color=COLOURS[0])
    below.set(xlim=(0, 1))
    _set_labels(above, "", "accuracy")
    _set_labels(below, "confidence", "count")
    return _render(figure)


def _to_float(label, values, shape):
    """Converts values to float64 and checks their shape; None stays None."""
    if values is not None and np.shape(values) != shape:
        raise ValueError(f"{label}: the shape must be {shape}. Received: {np.shape(values)}")
    return None if values is None else np.asarray(values, np.float64)


def _figure(height, ratios):
    """Returns a matplotlib figure and its axes, stacked vertically with the given height ratios."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    axes = figure.subplots(len(ratios), squeeze=False, height_ratios=ratios)[:, 0]
    for panel in axes:
        panel.grid(color=GREY, alpha=0.3, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _set_labels(axes, xlabel, ylabel):
    """Sets labels without parsing formulas, since the name of a figure or run may contain a dollar sign."""
    axes.set_xlabel(xlabel, parse_math=False)
    axes.set_ylabel(ylabel, parse_math=False)


def _render(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
