"""The data that suites hand to the report: estimates with intervals and counts, grouped into sections."""

import collections
import dataclasses
import math

import numpy as np

HEADINGS = ("", "value", "95% interval", "count")
MOST_KEY_FIGURES = 5
SMALL_COUNT = 50  # pictures; figures of fewer get a warning
WIDE = "wide: the larger end of the interval is more than twice the smaller; more images would narrow it"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A measured number with its confidence interval.

    Args:
        name: the field's standard term and the count, e.g. "fd_classifier_1k".
        value: the estimate; NaN if it could not be measured.
        low, high: the ends of the 95% interval, or None for both.
        count: number of images or pairs.
        better: "lower", "higher", or "" if neither is better.
        note: what a reader should know, e.g. "not comparable with Inception FID".

    Raises:
        ValueError: if the interval is incomplete or does not contain the value, or `better` is unknown.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    count: int = 0
    better: str = ""
    note: str = ""

    def __post_init__(self):
        interval = (self.low, self.high)
        if interval != (None, None) and (None in interval or not self.low <= self.value <= self.high):
            raise ValueError(f"{self.name}: the interval must contain {self.value}. Received: {interval}")
        if self.better not in ("lower", "higher", ""):
            raise ValueError(f'{self.name}: better must be "lower", "higher" or "". Received: {self.better!r}')


@dataclasses.dataclass(frozen=True)
class Spread:
    """A figure of several trainings that differ only in their seeds.

    Args:
        mean: over the trainings; NaN if it could not be measured.
        deviation: sample standard deviation over the trainings; NaN for one training.
        count: number of trainings; None if it is not known.
    """

    mean: float
    deviation: float = float("nan")
    count: int | None = None

    @classmethod
    def of(cls, values):
        """The spread of one value for each training; at least one."""
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
        return cls(float(np.mean(values)), deviation, len(values))

    def format_parts(self):
        """Formats mean and deviation, e.g. ("0.5277", "0.0045"), to two digits of this; "" if there is none."""
        if not self.deviation > 0:
            return format_number(self.mean), "0" if self.deviation == 0 else ""
        decimals = max(0, 1 - math.floor(math.log10(self.deviation)))
        return f"{self.mean:.{decimals}f}", f"{self.deviation:.{decimals}f}"

    def __str__(self):
        return " +- ".join(filter(None, self.format_parts()))


@dataclasses.dataclass(frozen=True)
class Section:
    """The results of one suite.

    Args:
        title: must be unique in a report.
        estimates: list of Estimate with unique names.
        table: rows of a comparison, dicts with the same keys. Values are str, int, float, Estimate, Spread, a
            tuple of str, or None for an empty cell.
        plots: {caption: uint8 [H, W, 3]}.
        text: paragraphs below the figures, separated by empty lines; only on the page.
        summary: paragraphs above the figures, also in the terminal: the verdict, and what limits it.
        key_figures: {name of an estimate: a sentence that explains it}, of at most MOST_KEY_FIGURES estimates. The
            page shows them first and folds all others; without them it shows all.
        folded: whether the page shows only the title, until it is clicked.

    Raises:
        ValueError: if two estimates have the same name, rows have different keys, or a key figure is no estimate.
    """

    title: str
    estimates: list
    table: list = ()
    plots: dict = dataclasses.field(default_factory=dict)
    text: str = ""
    summary: str = ""
    key_figures: dict = dataclasses.field(default_factory=dict)
    folded: bool = False

    def __post_init__(self):
        names = [estimate.name for estimate in self.estimates]
        check_unique(names)
        if not {*self.key_figures} <= {*names} or len(self.key_figures) > MOST_KEY_FIGURES:
            raise ValueError(
                f"key_figures must be at most {MOST_KEY_FIGURES} of the estimates. Received: {[*self.key_figures]}"
            )
        if any(list(row) != list(self.table[0]) for row in self.table):
            raise ValueError(f"All rows of a table must have the same keys. Received: {[*map(list, self.table)]}")

    @property
    def verdict(self):
        """The summary, with a line where figures are of few images."""
        small = [estimate.count for estimate in self.estimates if 0 < estimate.count < SMALL_COUNT]
        if not small:
            return self.summary
        counts = " to ".join(map(str, sorted({min(small), max(small)})))
        warning = f"SMALL COUNTS: {len(small)} of {len(self.estimates)} figures have counts of {counts} "
        warning += "and say little."
        return f"{self.summary}\n\n{warning}".strip()


def choose_key_figures(estimates, explanations):
    """The key figures of a Section.

    Args:
        estimates: list of Estimate.
        explanations: {beginning of a name: a sentence}. Each explains the first estimate whose name begins so.

    Returns:
        {name: sentence}; without those that fit no estimate.
    """
    found = {}
    for beginning, sentence in explanations.items():
        names = [estimate.name for estimate in estimates if estimate.name.startswith(beginning)]
        found |= {name: sentence for name in names[:1]}
    return found


def is_wide(estimate):
    """Whether an interval is wide, see WIDE; one that contains 0 is not."""
    if estimate.low is None or estimate.low * estimate.high <= 0:
        return False
    return max(abs(estimate.low), abs(estimate.high)) > 2 * min(abs(estimate.low), abs(estimate.high))


def check_unique(names):
    """Raises ValueError if a name occurs twice."""
    repeated = [name for name, count in collections.Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"Names of estimates and sections must be unique. Received twice: {', '.join(repeated)}")


def table_cells(table):
    """Returns the table of a Section as a list of rows, headings first.

    It is transposed if it is wider than high, unless its rows are of several trainings each.
    """
    rows = [list(table[0]), *(list(row.values()) for row in table)] if table else []
    if not rows or len(rows[0]) <= len(rows) or any(isinstance(cell, Spread) for cell in rows[1]):
        return rows
    return [list(row) for row in zip(*rows, strict=True)]


def format_interval(estimate):
    """Formats the interval of an Estimate; "" if it has none."""
    return "" if estimate.low is None else f"{format_number(estimate.low)} to {format_number(estimate.high)}"


def format_rated_interval(estimate):
    """As `format_interval`, with "wide" behind wide ones."""
    return f"{format_interval(estimate)}, wide" if is_wide(estimate) else format_interval(estimate)


def format_number(value):
    """Formats a number with 4 significant digits; "none" for NaN."""
    return "none" if np.isnan(value) else f"{float(value):#.4g}".rstrip(".")


def format_cell(value):
    """Formats a table's value: an Estimate without its interval, a float rounded, anything else as it is."""
    if isinstance(value, Estimate):
        return format_number(value.value)
    if isinstance(value, tuple):
        return ", ".join(value)
    if value is None:
        return ""
    return format_number(value) if isinstance(value, float | np.floating) else str(value)
