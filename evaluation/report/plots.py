"""Plots of evaluate.py as uint8 pictures. Same input and versions, same bytes; nothing global is touched."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH, DPI = 6.4, 250  # inches and pixels an inch: 1600 pixels, so that a dense screen shows them sharp
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito 2008
GREY = "#9aa0a6"


def curves(x, lines, xlabel, ylabel, title, log=False):
    """Lines over a common x, with their 95% intervals as shades.

    Args:
        x: numbers [N].
        lines: {label: (y [N], low [N] or None, high [N] or None)}; a NaN leaves a gap.
        xlabel, ylabel, title: plain text; "" for none.
        log: a logarithmic y axis; numbers <= 0 are not drawn then.

    Returns:
        uint8 [900, 1600, 3].

    Raises:
        ValueError: no lines, arrays of another length, or half an interval.
    """
    x = np.asarray(x, np.float64)
    if not lines:
        raise ValueError("lines: at least one required. Received: none")
    figure, (axes,) = _figure(3.6, [1])
    for index, (label, (y, low, high)) in enumerate(lines.items()):
        if (low is None) != (high is None):
            raise ValueError(f"{label}: both ends of the interval or none required. Received: one")
        y, low, high = (_numbers(label, values, x.shape) for values in (y, low, high))
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(x, y, color=colour, marker="o", markersize=3, label=str(index))
        if low is not None:
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    if log:
        axes.set_yscale("log", nonpositive="mask")
    _describe(axes, xlabel, ylabel, title)
    entries = axes.legend(loc="best", frameon=False).get_texts()
    for text, label in zip(entries, lines, strict=True):
        text.set(text=label, parse_math=False)
    return _pixels(figure)


def reliability_diagram(confidence, accuracy, count):
    """How often a classifier is right against how sure it is, and below how often it is that sure.

    The diagonal is a perfectly calibrated classifier. Guo et al. 2017, arXiv 1706.04599, section 2.

    Args:
        confidence, accuracy, count: [bins] of equal width in [0, 1], as from
        common.metrics.classification.reliability;
            bins with a NaN are left out.

    Returns:
        uint8 [1100, 1600, 3].

    Raises:
        ValueError: arrays of different length.
    """
    shape = np.shape(confidence)
    confidence, accuracy, count = (_numbers("bins", each, shape) for each in (confidence, accuracy, count))
    filled = ~(np.isnan(confidence) | np.isnan(accuracy))
    centres = (np.arange(len(count)) + 0.5) / len(count)
    figure, (above, below) = _figure(4.4, [3, 1])
    above.plot([0, 1], [0, 1], color=GREY, linestyle="--")
    above.plot(confidence[filled], accuracy[filled], color=COLOURS[0], marker="o", markersize=4)
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    below.bar(centres[filled], count[filled], width=0.9 / len(count), color=COLOURS[0])
    below.set(xlim=(0, 1))
    _describe(above, "", "accuracy", "")
    _describe(below, "confidence", "count", "")
    return _pixels(figure)


def _numbers(label, values, shape):
    """float64 array of the values, None for None; ValueError where the shape is another."""
    if values is not None and np.shape(values) != shape:
        raise ValueError(f"{label}: as many numbers as x, {shape}, required. Received: {np.shape(values)}")
    return None if values is None else np.asarray(values, np.float64)


def _figure(height, ratios):
    """(matplotlib figure, its axes one below the other with these height ratios)."""
    figure = Figure((WIDTH, height), DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    axes = figure.subplots(len(ratios), squeeze=False, height_ratios=ratios)[:, 0]
    for each in axes:
        each.grid(color=GREY, alpha=0.3, linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _describe(axes, xlabel, ylabel, title):
    """Sets the texts as they are: a dollar sign in a class name is no formula."""
    axes.set_xlabel(xlabel, parse_math=False)
    axes.set_ylabel(ylabel, parse_math=False)
    axes.set_title(title, parse_math=False)


def _pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
