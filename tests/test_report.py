"""The report: what is in the three forms, that they parse, and that nothing a name says can break them."""

import base64
import html.parser
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import report
from evaluation.report import Figure, Section

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
    wide = np.broadcast_to(np.uint8([[[1, 2, 3]]]), (2, report.PAGE, 3))
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


def written(folder, found=None, facts=FACTS):
    """(content of metrics.json, Page) of a report."""
    data, page = report.write(folder, sections() if found is None else found, facts)
    with open(data, encoding="utf-8") as one, open(page, encoding="utf-8") as other:
        return json.load(one, parse_constant=pytest.fail), Page(other.read())


# Figure and Section


@pytest.mark.parametrize(
    "interval", [(0.4, 0.6), (-1, 0.2), (0.3, None), (None, 0.3), (float("nan"), 1), (0.4, 0.2), (0, float("nan"))]
)
def test_an_interval_holds_the_value(interval):
    with pytest.raises(ValueError, match="fd: an interval around 0.3 required. Received: "):
        Figure("fd", 0.3, *interval)


def test_intervals_that_are_allowed():
    assert Figure("fd", 0.3, 0.3, 0.3).low == 0.3
    assert Figure("fd", 0.0, 0.0, 1.0).high == 1
    assert np.isnan(Figure("fd", float("nan")).value)
    with pytest.raises(ValueError, match="an interval around nan required"):
        Figure("fd", float("nan"), 0.1, 0.2)


def test_better_is_one_of_three():
    assert [Figure("fd", 1, better=better).better for better in ("lower", "higher", "")] == ["lower", "higher", ""]
    with pytest.raises(ValueError, match="fd: better .* required. Received: 'smaller'"):
        Figure("fd", 1, better="smaller")


def test_nothing_may_be_lost_by_a_name_used_twice(tmp_path):
    with pytest.raises(ValueError, match="Received: several of fd"):
        Section("Lines", [Figure("fd", 1), Figure("kd", 1), Figure("fd", 2)])
    with pytest.raises(ValueError, match="Received: several of Lines"):
        report.write(tmp_path, [Section("Lines", []), Section("Lines", [])], {})
    with pytest.raises(ValueError, match="rows with the same keys required"):
        Section("Lines", [], [{"a": 1}, {"b": 1}])
    assert os.listdir(tmp_path) == []


# The terminal


def test_terminal_table_by_hand():
    assert report.terminal_table([Section("Lines", sections()[0].figures)]) == "\n".join(
        [
            "Lines",
            "                      value      95% interval  count  note",
            "recognisability_1k   0.3000  0.2500 to 0.3500   1000",
            "fd_classifier_1k      123.5    120.0 to 130.0   1000  not comparable with Inception FID",
            "copies_1k           0.01000                     1000  share nearer to a training image than 99% of",
            "                                                      the hold-out",
        ]
    )


def test_terminal_columns_align_across_sections():
    found = sections() + [Section("Long", [Figure("x" * 40, 1e-9, -1e-9, 12345.6, 20000, note="word " * 60)])]
    lines = report.terminal_table(found).split("\n")
    heads = [line for line in lines if line.endswith("  note")]
    assert len(heads) == 3 and len(set(heads)) == 1
    edges = [heads[0].index(head) + len(head) for head in ("value", "interval", "count")]
    figures = [line for line in lines if re.match(r"[a-z_0-9]+ {2,}\S", line)]
    assert len(figures) == 6
    for line in figures:
        assert line[edges[0] - 1] != " " and line[edges[2] - 1] != " "
        assert all(line[edge : edge + 2].strip() == "" for edge in edges)
    assert sum(line.count("word") for line in lines) == 60


def test_terminal_lines_fit_and_long_notes_go_on_below():
    found = [Section("Blends", [Figure("fd_1k", 1.5, 1, 2, 1000, "lower", "a comparison " * 20)])]
    lines = report.terminal_table(found).split("\n")
    assert 90 < max(map(len, lines)) <= 100
    column = lines[1].index("note")
    assert " ".join(line[column:] for line in lines[2:]).split() == ["a", "comparison"] * 20
    assert all(line[:column].strip() == "" for line in lines[3:])


@pytest.mark.parametrize(
    "value, text",
    [
        (float("nan"), "none"),
        (0.5, "0.5000"),
        (1, "1.000"),
        (0.0, "0.000"),
        (1234.4, "1234"),
        (12345.6, "1.235e+04"),
        (-0.00123456, "-0.001235"),
        (1.5e-7, "1.500e-07"),
        (np.float32(0.25), "0.2500"),
        (np.int64(7), "7.000"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    table = report.terminal_table([Section("Lines", [Figure("fd", value)])])
    assert table.split("\n")[2].split() == ["fd", text, "0"]


def test_every_figure_appears_once_in_the_terminal():
    words = report.terminal_table(sections()).split()
    for name in ("recognisability_1k", "fd_classifier_1k", "copies_1k", "smoothness_256", "distance_256"):
        assert words.count(name) == 1
    assert words.count("none") == 1


# metrics.json


def test_json_holds_everything_to_the_last_digit(tmp_path):
    found, _ = written(tmp_path)
    fd = {
        "value": 123.456,
        "low": 120.04,
        "high": 130,
        "count": 1000,
        "better": "lower",
        "note": "not comparable with Inception FID",
    }
    copies = {"value": 0.01, "low": None, "high": None, "count": 1000, "better": "lower", "note": NOTE}
    first = found["sections"]["Blends"]
    assert first["figures"].keys() == {"recognisability_1k", "fd_classifier_1k", "copies_1k"}
    assert first["figures"]["fd_classifier_1k"] == fd and first["figures"]["copies_1k"] == copies
    assert first["figures"]["recognisability_1k"]["value"] == 0.1 + 0.2  # not 0.3
    assert [row["blends"] for row in first["table"]] == ["slerp", "lerp"]
    assert first["table"][1]["fd_classifier_1k"] == fd
    second = found["sections"]["Lines"]
    assert second["figures"]["smoothness_256"]["value"] is None
    assert second["table"] == [{"model": "ours", "smoothness": 0.25, "pairs": 9}] * 3
    assert found["facts"] == FACTS | {"nothing": None}


def test_json_takes_numpy_numbers_and_is_strict(tmp_path):
    figures = [
        Figure("fd", np.float64(1.5), np.float32(1.25), np.float64(2), np.int64(9)),
        Figure("kd", float("-inf")),
    ]
    rows = [{"a": np.float32("nan"), "b": np.int32(4)}]
    found, _ = written(
        tmp_path, [Section("Lines", figures, rows)], {"seed": np.int64(3), "none": None, "yes": True}
    )
    section = found["sections"]["Lines"]
    assert [section["figures"]["fd"][key] for key in ("value", "low", "high", "count")] == [1.5, 1.25, 2, 9]
    assert section["figures"]["kd"]["value"] is None
    assert section["table"] == [{"a": None, "b": 4}]
    assert found["facts"] == {"seed": 3, "none": None, "yes": True}


def test_json_is_sorted_and_indented(tmp_path):
    report.write(tmp_path, sections()[::-1], dict(reversed(FACTS.items())))
    text = (tmp_path / "metrics.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    report.write(tmp_path, sections(), FACTS)
    assert (tmp_path / "metrics.json").read_text() == text  # the order of what is given does not matter


# Files


def test_same_input_same_bytes_and_only_the_two_files(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    contents = []
    for folder in folders:
        folder.mkdir()
        paths = report.write(folder, sections(), FACTS)
        assert [str(path) for path in paths] == [str(folder / n) for n in ("metrics.json", "report.html")]
        assert sorted(os.listdir(folder)) == ["metrics.json", "report.html"]
        contents.append([Path(path).read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in b"".join(contents[0])


def test_what_cannot_be_written_leaves_the_old_files(tmp_path):
    before = [Path(path).read_bytes() for path in report.write(tmp_path, sections(), FACTS)]
    with pytest.raises(TypeError):
        report.write(tmp_path, [], {"source": object()})
    broken = Section("Lines", [], plots={"no picture": np.zeros((2, 2, 3))})
    with pytest.raises(TypeError):
        report.write(tmp_path, [broken], {})
    assert [(tmp_path / name).read_bytes() for name in ("metrics.json", "report.html")] == before
    with pytest.raises(OSError):
        report.write(tmp_path / "absent", sections(), FACTS)


# report.html


def test_page_has_every_figure_once_and_the_facts_on_top(tmp_path):
    _, page = written(tmp_path)
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


def test_heads_are_aligned_as_their_columns(tmp_path):
    _, page = written(tmp_path, [Section("Lines", [Figure("fd", 1.5)])], {})
    cells = [attributes for tag, attributes in page.tags if tag in ("th", "td")]
    kinds = [attributes.get("class") for attributes in cells]
    assert kinds[:6] == kinds[6:] == [None, "number", None, "number", None, None]
    assert [attributes.get("scope") for attributes in cells] == ["col"] * 6 + ["row"] + [None] * 5


def test_page_needs_no_network_and_adapts(tmp_path):
    _, page = written(tmp_path, facts=FACTS | {"source": "http://elsewhere.example"})
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "a", "base", "object"})
    for _, attributes in page.tags:
        assert {"href", "srcset", "style", "background"}.isdisjoint(attributes)
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
    assert not re.search(r"url\(|@import|http", report.STYLE)
    assert "prefers-color-scheme: dark" in report.STYLE and "max-width: 960px" in report.STYLE
    assert report.PAGE == 960
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.attributes("meta")
    assert page.tags[0] == ("html", {"lang": "en"}) and {"charset": "utf-8"} in page.attributes("meta")


def test_pictures_are_embedded_bit_for_bit(tmp_path):
    _, page = written(tmp_path)
    small, wide = page.attributes("img")
    encoded = small["src"].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as decoded:
        assert decoded.format == "PNG" and decoded.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(decoded), PICTURE)
    assert (small["width"], small["height"], small["alt"]) == ("7", "5", "some pixels")
    assert small["class"] == "pixels" and "class" not in wide  # a wide one is made smaller, smoothly
    assert ".pixels { image-rendering: pixelated }" in report.STYLE
    assert [page.text.count(caption) for caption in ("some pixels", "wide")] == [1, 1]


def test_hostile_text_is_shown_as_it_is(tmp_path):
    figure = Figure(HOSTILE, 1.5, 1, 2, note=HOSTILE)
    rows = [{HOSTILE: HOSTILE, "b": 1}]
    found = Section(HOSTILE, [figure], rows, {HOSTILE: PICTURE}, HOSTILE)
    metrics, page = written(tmp_path, [found], {"source": HOSTILE, HOSTILE: HOSTILE})
    assert "script" not in {tag for tag, _ in page.tags}
    assert len(page.attributes("img")) == 1 and page.attributes("img")[0]["alt"] == HOSTILE
    # title, h1, two facts (one is name and value), h2, p, the figure's name and note, the row's two, the caption
    assert page.text.count(HOSTILE) == 2 + 3 + 2 + 2 + 2 + 1
    assert metrics["sections"][HOSTILE]["figures"][HOSTILE]["note"] == HOSTILE
    assert metrics["facts"][HOSTILE] == HOSTILE


def test_a_path_that_is_no_text_can_be_written(tmp_path):
    path = os.fsdecode(b"runs/\xff")
    metrics, page = written(tmp_path, [], {"source": path})
    assert metrics["facts"]["source"] == path
    assert page.tables == [[["source", "runs/?"]]]


def test_an_empty_report(tmp_path):
    metrics, page = written(tmp_path, [Section("Nothing", [])], {})
    assert metrics == {"facts": {}, "sections": {"Nothing": {"figures": {}}}}
    assert page.tables == [] and "Nothing" in page.text
    assert report.terminal_table([]) == ""
