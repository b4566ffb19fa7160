"""Output of evaluate.py: a table for the terminal, metrics.json and report.html.

The same results give the same bytes: no time and no machine is recorded.
"""

import json
import math
import os
import textwrap

import numpy as np

from common.files import write_atomically
from evaluation.report.estimates import (
    HEADINGS,
    WIDE,
    Estimate,
    Spread,
    check_unique,
    format_cell,
    format_interval,
    format_number,
    format_rated_interval,
    is_wide,
    table_cells,
)
from evaluation.report.page import render_html

LINE_LENGTH = 100  # characters


def terminal_table(sections):
    """Formats the estimates and comparisons of all sections for a terminal.

    Lines have at most LINE_LENGTH characters, unless names are too long for that.
    """
    rows = [(estimate.name, *_columns(estimate)) for section in sections for estimate in section.estimates]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    note_width = max(LINE_LENGTH - indent, 20)

    def align(name, *columns):
        return "  ".join([name.ljust(widths[0]), *map(str.rjust, columns, widths[1:])])

    lines = []
    for section in sections:
        lines.append(section.title)
        for paragraph in section.verdict.split("\n\n"):
            lines += textwrap.wrap(paragraph, LINE_LENGTH, break_on_hyphens=False)
        lines += [align(*HEADINGS) + "  note"] if section.estimates else []
        for estimate in section.estimates:
            first, *others = textwrap.wrap(estimate.note, note_width, break_on_hyphens=False) or [""]
            lines.append(f"{align(estimate.name, *_columns(estimate))}  {first}".rstrip())
            lines += [" " * indent + line for line in others]
        lines += [WIDE] if any(map(is_wide, section.estimates)) else []
        lines += ["", *comparison_lines(section.table), ""] if section.table else [""]
    return "\n".join(lines[:-1])


def comparison_lines(table):
    """Formats the table of a Section; intervals are shown if they fit into LINE_LENGTH.

    Columns that do not fit then follow below, after the first column again.
    """
    for format_value in (_format_with_interval, format_cell):
        rows = [[format_value(value) for value in row] for row in table_cells(table)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= LINE_LENGTH:
            break
    blocks = [[0]]
    for column in range(1, len(widths)):
        if len(blocks[-1]) > 1 and sum(widths[c] + 2 for c in [*blocks[-1], column]) - 2 > LINE_LENGTH:
            blocks.append([0])
        blocks[-1].append(column)
    lines = []
    for first, *others in blocks:
        aligned = ([row[first].ljust(widths[first]), *(row[c].rjust(widths[c]) for c in others)] for row in rows)
        lines += [""] if lines else []
        lines += ["  ".join(row).rstrip() for row in aligned]
    return lines


def write(folder, sections, facts):
    """Writes metrics.json and report.html, each atomically.

    NaN and infinite numbers become null in the JSON file.

    Args:
        folder: path of an existing folder.
        sections: list of Section.
        facts: flat dict of what the results depend on: source, digest of the weights, seed and the like.

    Returns:
        [path of metrics.json, path of report.html].

    Raises:
        ValueError: if two sections have the same title.
        OSError: if the folder does not exist or cannot be written to.
    """
    check_unique(section.title for section in sections)
    contents = {"metrics.json": _render_json(sections, facts), "report.html": render_html(sections, facts)}
    for name, text in contents.items():
        write_atomically(os.path.join(folder, name), text.encode("utf-8", "replace"))
    return [os.path.join(folder, name) for name in contents]


def describe_replaced(folder, facts):
    """Says in one line which report in a folder is of other facts and will be replaced; "" if there is none."""
    try:
        with open(os.path.join(folder, "metrics.json"), encoding="utf-8") as file:
            old = json.load(file)["facts"]
        if old == _to_plain(facts):
            return ""
        named = ", ".join(f"{name} {old[name]}" for name in ("source", "suite", "seed") if name in old)
        return f"note: replaces the report in {folder} ({named}); --out=DIR would keep it"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # no report that anybody can use
        return ""


def _columns(estimate):
    return format_number(estimate.value), format_rated_interval(estimate), str(estimate.count)


def _format_with_interval(value):
    has_interval = isinstance(value, Estimate) and value.low is not None
    return f"{format_cell(value)} ({format_interval(value)})" if has_interval else format_cell(value)


def _render_json(sections, facts):
    content = {}
    for section in sections:
        content[section.title] = {"figures": {estimate.name: estimate for estimate in section.estimates}}
        parts = {"summary": section.verdict, "table": section.table}
        content[section.title] |= {name: part for name, part in parts.items() if part}
    plain = _to_plain({"facts": facts, "sections": content})
    return json.dumps(plain, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _to_plain(value):
    """Converts a value for JSON: estimates to dicts, numpy numbers to Python's, NaN and infinite ones to None."""
    if isinstance(value, Estimate | Spread):
        value = {key: field for key, field in vars(value).items() if key != "name"}
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
