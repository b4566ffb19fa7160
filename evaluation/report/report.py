"""What the suites measured, in three forms: a table for the terminal, metrics.json and one page of HTML.

The same figures give the same bytes: nothing here knows the time or the machine.
"""

import json
import math
import os
import textwrap

import numpy as np

from common.files import write_atomically
from evaluation.report.estimates import HEADS, Figure, Section, check_unique, comparison, interval, number, shown
from evaluation.report.page import html

__all__ = ["Figure", "Section", "terminal_table", "write"]  # the suites need no other import
TERMINAL = 100  # characters in a line


def terminal_table(sections):
    """Figures and comparisons of all sections, in lines of at most 100 characters where names leave room."""
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
        lines += ["", *comparison_lines(section.table), ""] if section.table else [""]
    return "\n".join(lines[:-1])


def comparison_lines(table):
    """The comparison of a Section as lines; intervals beside the values where 100 characters hold them all."""
    for cell in (_with_interval, shown):
        rows = [[cell(value) for value in row] for row in comparison(table)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= TERMINAL:
            break
    aligned = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return ["  ".join(row).rstrip() for row in aligned]


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
    check_unique(section.title for section in sections)
    contents = {"metrics.json": _json(sections, facts), "report.html": html(sections, facts)}
    for name, text in contents.items():
        write_atomically(os.path.join(folder, name), text.encode("utf-8", "replace"))
    return [os.path.join(folder, name) for name in contents]


def _columns(figure):
    """(value, interval, count) of a figure as text."""
    return number(figure.value), interval(figure), str(figure.count)


def _with_interval(value):
    known = isinstance(value, Figure) and value.low is not None
    return f"{shown(value)} ({interval(value)})" if known else shown(value)


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
