"""The HTML report: it shows every estimate, is valid, needs no network, and escapes all text."""

import base64
import io
import re

import numpy as np
from PIL import Image

from evaluation.report.estimates import Estimate, Section, Spread
from evaluation.report.page import PAGE_WIDTH, STYLE, render_html
from tests.support.report_pages import FACTS, HOSTILE, NOTE, PICTURE, Page, sections


def render(content=None, facts=FACTS):
    """Renders sections and parses the page."""
    return Page(render_html(sections() if content is None else content, facts))


def test_page_shows_the_facts_and_every_estimate_once():
    page = render()
    estimates, comparison, lines, models, facts = page.tables
    assert facts == [
        ["source", "pegasus"],
        ["weights", "0123456789abcdef"],
        ["seed", "3"],
        ["scale", "0.1000"],
        ["nothing", "none"],
    ]
    assert estimates == [
        ["", "value", "95% interval", "count", "better", "note"],
        ["recognisability_1k", "0.3000", "0.2500 to 0.3500", "1000", "higher", ""],
        ["fd_classifier_1k", "123.5", "120.0 to 130.0", "1000", "lower", "not comparable with Inception FID"],
        ["copies_1k", "0.01000", "", "1000", "lower", NOTE],
    ]
    assert [row[:2] for row in lines[1:]] == [["smoothness_256", "none"], ["distance_256", "-1.500e-07"]]
    # two rows of four columns are transposed, so that slerp and lerp are side by side
    assert comparison == [
        ["blends", "slerp", "lerp"],
        ["recognisability_1k", *["0.3000|0.2500 to 0.3500"] * 2],
        ["fd_classifier_1k", *["123.5|120.0 to 130.0"] * 2],
        ["copies_1k", "0.01000", "0.01000"],
    ]
    assert models == [["model", "smoothness", "pairs"], *[["ours", "0.2500", "9"]] * 3]
    assert page.text.count("Evaluation of pegasus") == 2  # title and heading
    assert [page.text.count(title) for title in ("One paragraph.", "Another\none.")] == [1, 1]
    assert len(page.attributes("p")) == 2 and len(page.attributes("h2")) == 2


def test_the_verdict_pictures_and_key_figures_come_first_and_all_else_is_folded():
    estimates = [Estimate("fd_1k", 1.5, 1, 4, 1000), Estimate("kd_1k", 0.25, count=1000)]
    key = {"kd_1k": "Distance to photographs."}
    page = render([Section("Blends", estimates, (), {"some pixels": PICTURE}, "How.", "Good.", key)])
    words = ("Good.", "some pixels", "Distance to photographs.", "All 2 figures", "fd_1k", "How.", "measured on")
    places = [page.text.index(word) for word in words]
    assert places == sorted(places)
    key_table, all_figures, facts = page.tables
    assert key_table == [
        ["", "value", "95% interval", "what it says"],
        ["kd_1k", "0.2500", "", "Distance to photographs."],
    ]
    assert [row[:3] for row in all_figures[1:]] == [
        ["fd_1k", "1.500", "1.000 to 4.000, wide"],
        ["kd_1k", "0.2500", ""],
    ]
    assert len(page.attributes("details")) == len(page.attributes("summary")) == 2 and facts[0][0] == "source"
    assert len(render().attributes("details")) == 1, "without key figures all stand open, but for the facts"


def test_spreads_have_the_deviation_below_the_mean():
    rows = [
        {"model": "a", "fd": Spread(0.25, 0.05, 3), "sources": ("x", "y")},
        {"model": "b", "fd": Spread(0.5, count=1), "sources": None},
    ]
    page = render([Section("Comparison", [], rows)], {})
    assert page.tables == [[["model", "fd", "sources"], ["a", "0.250|+- 0.050", "x, y"], ["b", "0.5000", ""]]]
    kinds = [attributes.get("class") for tag, attributes in page.tags if tag in ("th", "td")]
    assert kinds == [None, "number", None] * 3


def test_a_folded_section_shows_its_title_only():
    content = [Section("Open", [Estimate("fd", 1.5)]), Section("Closed", [Estimate("kd", 2.5)], folded=True)]
    page = render(content, {})
    assert [title for title in ("Open", "Closed") if title in page.text] == ["Open", "Closed"]
    assert [name for name, _ in page.tags if name in ("h2", "details", "table")] == [
        *("h2", "table"),
        *("details", "table"),
        "details",  # of the facts
    ]


def test_headings_are_aligned_like_their_columns():
    page = render([Section("Lines", [Estimate("fd", 1.5)])], {})
    cells = [attributes for tag, attributes in page.tags if tag in ("th", "td")]
    kinds = [attributes.get("class") for attributes in cells]
    assert kinds[:6] == kinds[6:] == [None, "number", None, "number", None, None]
    assert [attributes.get("scope") for attributes in cells] == ["col"] * 6 + ["row"] + [None] * 5


def test_page_needs_no_network_and_follows_colour_scheme_and_width():
    page = render(facts=FACTS | {"source": "http://elsewhere.example"})
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "a", "base", "object"})
    for _, attributes in page.tags:
        assert {"href", "srcset", "style", "background"}.isdisjoint(attributes)
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
    assert not re.search(r"url\(|@import|http", STYLE)
    assert "prefers-color-scheme: dark" in STYLE and "max-width: 960px" in STYLE
    assert PAGE_WIDTH == 960
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.attributes("meta")
    assert page.tags[0] == ("html", {"lang": "en"}) and {"charset": "utf-8"} in page.attributes("meta")


def test_pictures_are_embedded_losslessly():
    page = render()
    small, wide = page.attributes("img")
    encoded = small["src"].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as decoded:
        assert decoded.format == "PNG" and decoded.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(decoded), PICTURE)
    assert (small["width"], small["height"], small["alt"]) == ("7", "5", "some pixels")
    assert small["class"] == "pixels" and "class" not in wide  # a wide picture is shrunk with smoothing
    assert ".pixels { image-rendering: pixelated }" in STYLE
    assert [page.text.count(caption) for caption in ("some pixels", "wide")] == [1, 1]


def test_hostile_text_is_escaped():
    estimate = Estimate(HOSTILE, 1.5, 1, 2, note=HOSTILE)
    rows = [{HOSTILE: HOSTILE, "b": 1}]
    section = Section(HOSTILE, [estimate], rows, {HOSTILE: PICTURE}, HOSTILE)
    page = render([section], {"source": HOSTILE, HOSTILE: HOSTILE})
    assert "script" not in {tag for tag, _ in page.tags}
    assert len(page.attributes("img")) == 1 and page.attributes("img")[0]["alt"] == HOSTILE
    # title and h1; two facts, one with the text as name and value; h2 and p; name and note of the estimate; two
    # cells of the row; the caption
    assert page.text.count(HOSTILE) == 2 + 3 + 2 + 2 + 2 + 1
