"""The report: what is in the terminal's table and in metrics.json, and that files are whole."""

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from evaluation.report import report
from evaluation.report.report import Figure, Section
from tests.support.report_pages import FACTS, HOSTILE, NOTE, Page, sections


def written(folder, found=None, facts=FACTS):
    """(content of metrics.json, Page) of a report."""
    data, page = report.write(folder, sections() if found is None else found, facts)
    with open(data, encoding="utf-8") as one, open(page, encoding="utf-8") as other:
        return json.load(one, parse_constant=pytest.fail), Page(other.read())


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
    found = [dataclasses.replace(section, table=[]) for section in sections()]
    found += [Section("Long", [Figure("x" * 40, 1e-9, -1e-9, 12345.6, 20000, note="word " * 60)])]
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
    words = report.terminal_table([dataclasses.replace(section, table=[]) for section in sections()]).split()
    for name in ("recognisability_1k", "fd_classifier_1k", "copies_1k", "smoothness_256", "distance_256"):
        assert words.count(name) == 1
    assert words.count("none") == 1


def test_the_comparison_stands_below_the_figures():
    rows = [
        {"blends": name, "fd_1k": Figure("fd_1k", value, 1, 20), "share": 0.25, "note": "x"}
        for name, value in (("slerp", 2), ("lerp", 10))
    ]
    assert report.terminal_table([Section("Blends", [Figure("fd_1k", 2)], rows), Section("Lines", [])]).split(
        "\n"
    ) == [
        "Blends",
        "       value  95% interval  count  note",
        "fd_1k  2.000                    0",
        "",
        "blends                   slerp                    lerp",
        "fd_1k   2.000 (1.000 to 20.00)  10.00 (1.000 to 20.00)",
        "share                   0.2500                  0.2500",
        "note                         x                       x",
        "",
        "Lines",
        "       value  95% interval  count  note",
    ]


@pytest.mark.parametrize(("length", "fits"), [(73, True), (74, False)])
def test_a_comparison_keeps_its_intervals_where_100_characters_hold_them(length, fits):
    """73 characters of a name, 2 between, 25 of value and interval."""
    lines = report.comparison_lines([{"model": "m" * length, "fd": Figure("fd", 0.5, 0.25, 0.75)}] * 3)
    assert lines[1].split()[:2] == ["m" * length, "0.5000"]
    assert ("(0.2500 to 0.7500)" in lines[1]) == fits
    assert max(map(len, lines)) == (100 if fits else 74 + 2 + 6)


def test_a_comparison_without_room_still_has_all_values():
    rows = [{"model": "m" * 120, "smoothness": 0.25}] * 3
    lines = report.comparison_lines(rows)
    assert [line.split() for line in lines] == [["model", "smoothness"], *[["m" * 120, "0.2500"]] * 3]


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


def test_hostile_names_are_kept(tmp_path):
    figure = Figure(HOSTILE, 1.5, 1, 2, note=HOSTILE)
    metrics, _ = written(tmp_path, [Section(HOSTILE, [figure])], {HOSTILE: HOSTILE})
    assert metrics["sections"][HOSTILE]["figures"][HOSTILE]["note"] == HOSTILE
    assert metrics["facts"][HOSTILE] == HOSTILE


def test_sections_of_one_title_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: several of Lines"):
        report.write(tmp_path, [Section("Lines", []), Section("Lines", [])], {})
    assert os.listdir(tmp_path) == []


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
