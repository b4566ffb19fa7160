"""Sections, facts and an HTML parser for the tests of the report."""

import html.parser

import numpy as np

from evaluation.report.estimates import Estimate, Section
from evaluation.report.page import PAGE_WIDTH

HOSTILE = "</title><script>alert('x')</script>\"><img src=http://evil.example>&amp; \\u0000"
NOTE = "share nearer to a training image than 99% of the hold-out"
FACTS = {"source": "pegasus", "weights": "0123456789abcdef", "seed": 3, "scale": 0.1, "nothing": float("nan")}
PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def sections():
    """Two sections: three estimates with a table and pictures, and two estimates with a table."""
    blends = [
        Estimate("recognisability_1k", 0.1 + 0.2, 0.25, 0.35, 1000, "higher"),
        Estimate("fd_classifier_1k", 123.456, 120.04, 130, 1000, "lower", "not comparable with Inception FID"),
        Estimate("copies_1k", 0.01, count=1000, better="lower", note=NOTE),
    ]
    lines = [Estimate("smoothness_256", float("nan"), count=256), Estimate("distance_256", -1.5e-7)]
    rows = [{"blends": name, **{estimate.name: estimate for estimate in blends}} for name in ("slerp", "lerp")]
    wide = np.broadcast_to(np.uint8([[[1, 2, 3]]]), (2, PAGE_WIDTH, 3))
    first = Section(
        "Blends", blends, rows, {"some pixels": PICTURE, "wide": wide}, "One paragraph.\n\nAnother\none."
    )
    second = Section("Lines", lines, [{"model": "ours", "smoothness": 0.25, "pairs": 9}] * 3)
    return [first, second]


class Page(html.parser.HTMLParser):
    """A parsed HTML page; all tags must be closed.

    Attributes:
        tags: [(name, attributes), ...].
        tables: lists of rows, which are lists of the cells' text.
        text: all text of the page.
    """

    VOID = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.tables, self.text, self.open_tags = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open_tags == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open_tags.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open_tags):
            self.tables[-1][-1][-1] += ("|" if self.open_tags[-1] == "small" else "") + data

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]
