"""What the suites measured, in three forms: a table for the terminal, metrics.json and one page of HTML.

The same figures give the same bytes: nothing here knows the time or the machine.
"""

import base64
import collections
import dataclasses
import io
import json
import math
import os
import textwrap
from html import escape

import numpy as np
from PIL import Image

from common.checkpoints import write_atomically

TERMINAL = 100  # characters in a line
PAGE = 960  # CSS pixels of the page's column; a narrower picture is shown pixel by pixel, a wider one made smaller
HEADS = ("", "value", "95% interval", "count")
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5c6570; --line: #dfe3e8; --paper: #fdfdfc }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #9aa4b0; --line: #343a42; --paper: #15181c }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 960px; margin: 0 auto; padding: 2rem 1rem 4rem }
h1 { margin: 0 0 1rem; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere }
h2 { margin: 3rem 0 .5rem; font-size: 1.25rem; overflow-wrap: anywhere }
p { max-width: 44rem; margin: .5rem 0 }
.scroll { overflow-x: auto; margin: 1.25rem 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem 1.25rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left }
th, td { vertical-align: baseline; white-space: nowrap }
thead th { color: var(--soft); font-weight: 500 }
tbody th { font-weight: 500 }
.number { text-align: right }
td:last-child:not(.number) { min-width: 12rem; padding-right: 0; white-space: normal; overflow-wrap: anywhere }
small { display: block; color: var(--soft); font-size: .8rem }
figure { margin: 1.75rem 0 }
figcaption { margin-bottom: .5rem; color: var(--soft); font-size: .9rem }
img { display: block; max-width: 100%; height: auto; border-radius: 3px }
.pixels { image-rendering: pixelated }
@media (max-width: 600px) { table { font-size: .8rem } th, td { padding-right: .8rem } }
"""


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
        _check_unique(figure.name for figure in self.figures)
        if any(list(row) != list(self.table[0]) for row in self.table):
            raise ValueError(f"table: rows with the same keys required. Received: {[*map(list, self.table)]}")


def terminal_table(sections):
    """The figures of all sections as lines of at most 100 characters, where the names leave room for that."""
    rows = [(figure.name, *_columns(figure)) for section in sections for figure in section.figures]
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    room = max(TERMINAL - indent, 20)

    def line(name, *columns):
        aligned = [name.ljust(widths[0]), *map(str.rjust, columns, widths[1:])]
        return "  ".join(aligned)

    lines = []
    for section in sections:
        lines += [section.title, line(*HEADS) + "  note"]
        for figure in section.figures:
            first, *rest = textwrap.wrap(figure.note, room, break_on_hyphens=False) or [""]
            lines.append(f"{line(figure.name, *_columns(figure))}  {first}".rstrip())
            lines += [" " * indent + more for more in rest]
        lines.append("")
    return "\n".join(lines[:-1])


def write(folder, sections, facts):
    """Writes metrics.json and report.html into an existing folder, each of them whole or not at all.

    In the JSON NaN and infinities are null.

    Args:
        folder: path.
        sections: list of Section.
        facts: flat dict of what the figures depend on: source, digest of the weights, seed and the like.

    Returns:
        [path of metrics.json, path of report.html].

    Raises:
        ValueError: two sections with one title.
        OSError: the folder does not exist or cannot be written to.
    """
    _check_unique(section.title for section in sections)
    contents = {"metrics.json": _json(sections, facts), "report.html": _html(sections, facts)}
    for name, text in contents.items():
        write_atomically(os.path.join(folder, name), text.encode("utf-8", "replace"))
    return [os.path.join(folder, name) for name in contents]


def png(picture):
    """uint8 [H, W, 3] as the bytes of a PNG; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _check_unique(names):
    twice = [name for name, times in collections.Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"One figure or section of a name required. Received: several of {', '.join(twice)}")


def _columns(figure):
    """(value, interval, count) of a figure as text."""
    return _number(figure.value), _interval(figure), str(figure.count)


def _interval(figure):
    return "" if figure.low is None else f"{_number(figure.low)} to {_number(figure.high)}"


def _number(value):
    """Text of a number with 4 significant digits; "none" for NaN."""
    return "none" if np.isnan(value) else f"{float(value):#.4g}".rstrip(".")


def _shown(value):
    """Text of whatever a table holds: only numbers that are not whole are rounded."""
    return _number(value) if isinstance(value, float | np.floating) else str(value)


def _json(sections, facts):
    found = {}
    for section in sections:
        found[section.title] = {"figures": {figure.name: figure for figure in section.figures}}
        if section.table:
            found[section.title]["table"] = section.table
    content = _plain({"facts": facts, "sections": found})
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _plain(value):
    """`value` as JSON has it: figures as dicts, numpy's numbers as Python's, NaN and infinities as None."""
    if isinstance(value, Figure):
        value = {key: part for key, part in vars(value).items() if key != "name"}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _html(sections, facts):
    title = escape(f"Evaluation of {facts['source']}" if "source" in facts else "Evaluation")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>",
        _html_table((), [(name, _shown(value)) for name, value in facts.items()]),
        *map(_html_section, sections),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _html_section(section):
    paragraphs = [paragraph.strip() for paragraph in section.text.split("\n\n") if paragraph.strip()]
    figures = [(f.name, float(f.value), _interval(f), f.count, f.better, f.note) for f in section.figures]
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)]
    parts.append(_html_table((*HEADS, "better", "note"), figures))
    if section.table:
        rows = [list(section.table[0]), *(list(row.values()) for row in section.table)]
        if len(rows[0]) > len(rows):  # wider than long: on its side it fits the page
            rows = list(zip(*rows, strict=True))
        parts.append(_html_table(rows[0], rows[1:]))
    return "\n".join([*parts, *map(_html_picture, section.plots, section.plots.values())])


def _html_table(heads, rows):
    """A table of str, numbers and Figures; a row begins with its heading, the first row aligns the columns."""
    if not rows:
        return ""
    kinds = ["" if isinstance(value, str) else ' class="number"' for value in rows[0]]
    head = "".join(f'<th scope="col"{k}>{escape(_shown(v))}</th>' for k, v in zip(kinds, heads, strict=False))
    lines = ['<div class="scroll"><table>', f"<thead><tr>{head}</tr></thead>" if head else "", "<tbody>"]
    for first, *rest in rows:
        cells = (f"<td{kind}>{_cell(value)}</td>" for kind, value in zip(kinds[1:], rest, strict=True))
        lines.append(f'<tr><th scope="row"{kinds[0]}>{_cell(first)}</th>{"".join(cells)}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def _cell(value):
    """The content of a cell: a Figure is its value with the interval below."""
    if not isinstance(value, Figure):
        return escape(_shown(value))
    return _number(value.value) + (f"<small>{_interval(value)}</small>" if value.low is not None else "")


def _html_picture(caption, picture):
    height, width = picture.shape[:2]
    source = f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(caption)}"'
    image += ' class="pixels">' if width < PAGE else ">"
    return f"<figure>\n<figcaption>{escape(caption)}</figcaption>\n{image}\n</figure>"
