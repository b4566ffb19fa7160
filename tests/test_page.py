"""The page: it holds every figure, parses, fetches nothing, and nothing that a name says can break it."""

import base64
import html.parser
import io
import re

import numpy as np
from PIL import Image

from evaluation import page as page_module
from evaluation.figures import Figure, Section

HOSTILE = "</title><script>alert('x')</script>\"><img src=http://evil.example>&amp; \\u0000"
NOTE = "share nearer to a training image than 99% of the hold-out"
FACTS = {"source": "acai", "weights": "0123456789abcdef", "seed": 3, "scale": 0.1, "nothing": float("nan")}
PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def sections():
    blends = [
        Figure("recognisability_1k", 0.1 + 0.2, 0.25, 0.35, 1000, "higher"),
        Figure("fd_classifier_1k", 123.456, 120.04, 130, 1000, "lower", "not comparable with Inception FID"),
        Figure("copies_1k", 0.01, count=1000, better="lower", note=NOTE),
    ]
    lines = [Figure("smoothness_256", float("nan"), count=256), Figure("distance_256", -1.5e-7)]
    rows = [{"blends": name, **{f.name: f for f in blends}} for name in ("slerp", "lerp")]
    wide = np.broadcast_to(np.uint8([[[1, 2, 3]]]), (2, page_module.PAGE, 3))
    first = Section(
        "Blends", blends, rows, {"some pixels": PICTURE, "wide": wide}, "One paragraph.\n\nAnother\none."
    )
    second = Section("Lines", lines, [{"model": "ours", "smoothness": 0.25, "pairs": 9}] * 3)
    return [first, second]


class Page(html.parser.HTMLParser):
    """A parsed page: `tags` [(name, attributes)], `tables` of rows of cells, `text`. Its tags must be closed."""

    VOID = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.tables, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += ("|" if self.open[-1] == "small" else "") + data

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def parsed(found=None, facts=FACTS):
    """The Page of sections."""
    return Page(page_module.html(sections() if found is None else found, facts))


def test_page_has_every_figure_once_and_the_facts_on_top():
    page = parsed()
    facts, figures, comparison, lines, models = page.tables
    assert facts == [
        ["source", "acai"],
        ["weights", "0123456789abcdef"],
        ["seed", "3"],
        ["scale", "0.1000"],
        ["nothing", "none"],
    ]
    assert figures == [
        ["", "value", "95% interval", "count", "better", "note"],
        ["recognisability_1k", "0.3000", "0.2500 to 0.3500", "1000", "higher", ""],
        ["fd_classifier_1k", "123.5", "120.0 to 130.0", "1000", "lower", "not comparable with Inception FID"],
        ["copies_1k", "0.01000", "", "1000", "lower", NOTE],
    ]
    assert [row[:2] for row in lines[1:]] == [["smoothness_256", "none"], ["distance_256", "-1.500e-07"]]
    # two rows of four columns: on its side, so that slerp and lerp stand side by side
    assert comparison == [
        ["blends", "slerp", "lerp"],
        ["recognisability_1k", *["0.3000|0.2500 to 0.3500"] * 2],
        ["fd_classifier_1k", *["123.5|120.0 to 130.0"] * 2],
        ["copies_1k", "0.01000", "0.01000"],
    ]
    assert models == [["model", "smoothness", "pairs"], *[["ours", "0.2500", "9"]] * 3]
    assert page.text.count("Evaluation of acai") == 2  # title and heading
    assert [page.text.count(title) for title in ("One paragraph.", "Another\none.")] == [1, 1]
    assert len(page.attributes("p")) == 2 and len(page.attributes("h2")) == 2


def test_heads_are_aligned_as_their_columns():
    page = parsed([Section("Lines", [Figure("fd", 1.5)])], {})
    cells = [attributes for tag, attributes in page.tags if tag in ("th", "td")]
    kinds = [attributes.get("class") for attributes in cells]
    assert kinds[:6] == kinds[6:] == [None, "number", None, "number", None, None]
    assert [attributes.get("scope") for attributes in cells] == ["col"] * 6 + ["row"] + [None] * 5


def test_page_needs_no_network_and_adapts():
    page = parsed(facts=FACTS | {"source": "http://elsewhere.example"})
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "a", "base", "object"})
    for _, attributes in page.tags:
        assert {"href", "srcset", "style", "background"}.isdisjoint(attributes)
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
    assert not re.search(r"url\(|@import|http", page_module.STYLE)
    assert "prefers-color-scheme: dark" in page_module.STYLE and "max-width: 960px" in page_module.STYLE
    assert page_module.PAGE == 960
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.attributes("meta")
    assert page.tags[0] == ("html", {"lang": "en"}) and {"charset": "utf-8"} in page.attributes("meta")


def test_pictures_are_embedded_bit_for_bit():
    page = parsed()
    small, wide = page.attributes("img")
    encoded = small["src"].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as decoded:
        assert decoded.format == "PNG" and decoded.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(decoded), PICTURE)
    assert (small["width"], small["height"], small["alt"]) == ("7", "5", "some pixels")
    assert small["class"] == "pixels" and "class" not in wide  # a wide one is made smaller, smoothly
    assert ".pixels { image-rendering: pixelated }" in page_module.STYLE
    assert [page.text.count(caption) for caption in ("some pixels", "wide")] == [1, 1]


def test_hostile_text_is_shown_as_it_is():
    figure = Figure(HOSTILE, 1.5, 1, 2, note=HOSTILE)
    rows = [{HOSTILE: HOSTILE, "b": 1}]
    found = Section(HOSTILE, [figure], rows, {HOSTILE: PICTURE}, HOSTILE)
    page = parsed([found], {"source": HOSTILE, HOSTILE: HOSTILE})
    assert "script" not in {tag for tag, _ in page.tags}
    assert len(page.attributes("img")) == 1 and page.attributes("img")[0]["alt"] == HOSTILE
    # title, h1, two facts (one is name and value), h2, p, the figure's name and note, the row's two, the caption
    assert page.text.count(HOSTILE) == 2 + 3 + 2 + 2 + 2 + 1
