"""The HTML report of evaluate.py: one page without scripts or external files, with embedded pictures."""

import base64
from html import escape

from common.images import encode_png
from evaluation.report.estimates import (
    HEADINGS,
    WIDE,
    Estimate,
    Spread,
    format_cell,
    format_interval,
    format_number,
    format_rated_interval,
    is_wide,
    table_cells,
)

PAGE_WIDTH = 960  # CSS pixels; narrower pictures keep their size, wider ones are shrunk
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
thead th { color: var(--soft); font-weight: 500; white-space: normal }
tbody th { font-weight: 500; white-space: normal }
.number { text-align: right }
td:last-child:not(.number) { min-width: 12rem; padding-right: 0; white-space: normal; overflow-wrap: anywhere }
.verdict p { font-size: 1.1rem }
details { margin: 1.25rem 0 }
summary { cursor: pointer; color: var(--soft) }
small { display: block; color: var(--soft); font-size: .8rem }
figure { margin: 1.75rem 0 }
figcaption { margin-bottom: .5rem; color: var(--soft); font-size: .9rem }
img { display: block; max-width: 100%; height: auto; border-radius: 3px }
.pixels { image-rendering: pixelated }
@media (max-width: 600px) { table { font-size: .8rem } th, td { padding-right: .8rem } }
"""


def render_html(sections, facts):
    """Renders the page as a string.

    Args:
        sections: list of evaluation.report.estimates.Section.
        facts: flat dict, see `evaluation.report.report.write`.
    """
    title = escape(f"Evaluation of {facts['source']}" if "source" in facts else "Evaluation")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>",
        *map(_render_section, sections),
        *_fold(
            "What this was measured on",
            _render_table((), [(name, format_cell(value)) for name, value in facts.items()]),
        ),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _render_section(section):
    """Renders the verdict, pictures, key figures with their explanations, and folded all else."""
    verdict = _render_paragraphs(section.verdict)
    parts = ['<div class="verdict">', *verdict, "</div>"]
    parts += map(_render_picture, section.plots, section.plots.values())
    key = [(e, section.key_figures[e.name]) for e in section.estimates if e.name in section.key_figures]
    rows = [(e.name, float(e.value), format_rated_interval(e), text) for e, text in key]
    parts.append(_render_table((*HEADINGS[:3], "what it says"), rows))
    rows = [
        (e.name, float(e.value), format_rated_interval(e), e.count, e.better, e.note) for e in section.estimates
    ]
    others = [_render_table((*HEADINGS, "better", "note"), rows)]
    if section.table:
        headings, *rows = table_cells(section.table)
        others.append(_render_table(headings, rows))
    others += _render_paragraphs(section.text)
    if any(map(is_wide, section.estimates)):
        others += _render_paragraphs(f"{WIDE[0].upper()}{WIDE[1:]}.")
    title = f"All {len(section.estimates)} figures, comparisons and how they are computed"
    parts += _fold(title, *others) if key else others
    heading = f"<h2>{escape(section.title)}</h2>"
    return "\n".join(_fold(section.title, *parts) if section.folded else [heading, *parts])


def _fold(title, *parts):
    return ["<details>", f"<summary>{escape(title)}</summary>", *parts, "</details>"]


def _render_paragraphs(text):
    return [f"<p>{escape(paragraph.strip())}</p>" for paragraph in text.split("\n\n") if paragraph.strip()]


def _render_table(headings, rows):
    """Renders rows of values as in a Section's table, headings first. The first row sets the alignment."""
    if not rows:
        return ""
    kinds = ["" if isinstance(value, str | tuple) else ' class="number"' for value in rows[0]]
    head = "".join(
        f'<th scope="col"{kind}>{escape(format_cell(heading))}</th>'
        for kind, heading in zip(kinds, headings, strict=False)
    )
    lines = ['<div class="scroll"><table>', f"<thead><tr>{head}</tr></thead>" if head else "", "<tbody>"]
    for first, *rest in rows:
        cells = (f"<td{kind}>{_render_cell(value)}</td>" for kind, value in zip(kinds[1:], rest, strict=True))
        lines.append(f'<tr><th scope="row"{kinds[0]}>{_render_cell(first)}</th>{"".join(cells)}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])


def _render_cell(value):
    """Renders the content of a cell; an Estimate has its interval below the value, a Spread its deviation."""
    if isinstance(value, Spread):
        mean, deviation = value.format_parts()
        return f"{mean}<small>+- {deviation}</small>" if deviation else mean
    if not isinstance(value, Estimate):
        return escape(format_cell(value))
    interval = f"<small>{format_interval(value)}</small>" if value.low is not None else ""
    return format_number(value.value) + interval


def _render_picture(caption, picture):
    height, width = picture.shape[:2]
    source = f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(caption)}"'
    image += ' class="pixels">' if width < PAGE_WIDTH else ">"
    return f"<figure>\n<figcaption>{escape(caption)}</figcaption>\n{image}\n</figure>"
