"""What a suite hands to the report: figures, each with its interval and count, in sections."""

import collections
import dataclasses

import numpy as np

HEADS = ("", "value", "95% interval", "count")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured number.

    Args:
        name: the field's standard term with the count in it, e.g. "fd_classifier_1k".
        value: NaN where there is none.
        low, high: the 95% interval, or None twice.
        count: how many images or pairs it is of.
        better: "lower", "higher", or "" where neither is.
        note: what a reader has to know, e.g. "not comparable with Inception FID".

    Raises:
        ValueError: half an interval or one that does not hold the value, or another `better`.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    count: int = 0
    better: str = ""
    note: str = ""

    def __post_init__(self):
        ends = (self.low, self.high)
        if ends != (None, None) and (None in ends or not self.low <= self.value <= self.high):
            raise ValueError(f"{self.name}: an interval around {self.value} required. Received: {ends}")
        if self.better not in ("lower", "higher", ""):
            raise ValueError(f'{self.name}: better "lower", "higher" or "" required. Received: {self.better!r}')


@dataclasses.dataclass(frozen=True)
class Section:
    """What one suite found.

    Args:
        title: of the section; no other of the report may have it.
        figures: list of Figure, their names unique.
        table: rows of a comparison, dicts with the same keys, their values str, int, float or Figure.
        plots: {caption: uint8 [H, W, 3]}.
        text: paragraphs with an empty line between.

    Raises:
        ValueError: two figures of one name, or rows with different keys.
    """

    title: str
    figures: list
    table: list = ()
    plots: dict = dataclasses.field(default_factory=dict)
    text: str = ""

    def __post_init__(self):
        check_unique(figure.name for figure in self.figures)
        if any(list(row) != list(self.table[0]) for row in self.table):
            raise ValueError(f"table: rows with the same keys required. Received: {[*map(list, self.table)]}")


def check_unique(names):
    """Raises ValueError where a name comes twice."""
    twice = [name for name, times in collections.Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"One figure or section of a name required. Received: several of {', '.join(twice)}")


def comparison(table):
    """The table of a Section as rows of cells, its heads the first; on its side where it is wider than long."""
    rows = [list(table[0]), *(list(row.values()) for row in table)] if table else []
    return [list(row) for row in zip(*rows, strict=True)] if rows and len(rows[0]) > len(rows) else rows


def interval(figure):
    """Text of a figure's interval, empty where it has none."""
    return "" if figure.low is None else f"{number(figure.low)} to {number(figure.high)}"


def number(value):
    """Text of a number with 4 significant digits; "none" for NaN."""
    return "none" if np.isnan(value) else f"{float(value):#.4g}".rstrip(".")


def shown(value):
    """Text of whatever a table holds: a Figure's value; only numbers that are not whole are rounded."""
    if isinstance(value, Figure):
        return number(value.value)
    return number(value) if isinstance(value, float | np.floating) else str(value)
