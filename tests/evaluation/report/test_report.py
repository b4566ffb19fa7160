"""The report: the terminal table, the content of metrics.json, and that files are written atomically."""

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from evaluation.report import report
from evaluation.report.estimates import Estimate, Section, Spread
from tests.support.report_pages import FACTS, HOSTILE, NOTE, Page, sections


def write_and_read(folder, content=None, facts=FACTS):
    """Writes a report and returns (content of metrics.json, Page)."""
    paths = report.write(folder, sections() if content is None else content, facts)
    metrics, page = (Path(path).read_text(encoding="utf-8") for path in paths)
    return json.loads(metrics, parse_constant=pytest.fail), Page(page)


# The terminal


def test_terminal_table_by_hand():
    assert report.terminal_table([Section("Lines", sections()[0].estimates)]) == "\n".join(
        [
            "Lines",
            "                      value      95% interval  count  note",
            "recognisability_1k   0.3000  0.2500 to 0.3500   1000",
            "fd_classifier_1k      123.5    120.0 to 130.0   1000  not comparable with Inception FID",
            "copies_1k           0.01000                     1000  share nearer to a training image than 99% of",
            "                                                      the hold-out",
        ]
    )


def test_the_summary_is_above_the_figures(tmp_path):
    section = Section("Kept", [Estimate("fd", 1.5)], text="Explained.", summary=f"{'Most are. ' * 15}\n\nLast.")
    lines = report.terminal_table([section]).split("\n")
    assert lines[0] == "Kept" and " ".join(lines[1:3]) == " ".join(["Most are."] * 15)
    assert lines[3] == "Last." and lines[4].endswith("note") and max(map(len, lines)) <= 100
    metrics, page = write_and_read(tmp_path, [section])
    assert metrics["sections"]["Kept"]["summary"] == section.summary
    places = [page.text.index(word) for word in ("Most are.", "Last.", "1.500", "Explained.")]
    assert places == sorted(places)


def test_small_counts_and_wide_intervals_are_named(tmp_path):
    section = Section("Own", [Estimate("fd_4", 0.4, 0.2, 0.63, 4), Estimate("kd_4", 0.4, 0.39, 0.41, 4)])
    lines = report.terminal_table([section]).split("\n")
    assert lines[1] == "SMALL COUNTS: 2 of 2 figures have counts of 4 and say little."
    assert lines[3].split() == ["fd_4", "0.4000", "0.2000", "to", "0.6300,", "wide", "4"]
    assert lines[-1].startswith("wide: the larger end") and "wide" not in lines[4]
    metrics, page = write_and_read(tmp_path, [section])
    assert metrics["sections"]["Own"]["summary"] == lines[1]
    assert page.text.count("0.2000 to 0.6300, wide") == 1 and "Wide: the larger end" in page.text


def test_a_report_of_other_facts_is_named_before_it_is_replaced(tmp_path):
    assert report.describe_replaced(tmp_path, FACTS) == ""
    report.write(tmp_path, sections(), FACTS)
    assert report.describe_replaced(tmp_path, FACTS) == ""
    line = report.describe_replaced(tmp_path, FACTS | {"suite": "blend"})
    assert line == f"note: replaces the report in {tmp_path} (source pegasus, seed 3); --out=DIR would keep it"
    (tmp_path / "metrics.json").write_text("[")
    assert report.describe_replaced(tmp_path, {}) == ""


def test_terminal_columns_are_aligned_across_sections():
    content = [dataclasses.replace(section, table=[]) for section in sections()]
    content += [Section("Long", [Estimate("x" * 40, 1e-9, -1e-9, 12345.6, 20000, note="word " * 60)])]
    lines = report.terminal_table(content).split("\n")
    headings = [line for line in lines if line.endswith("  note")]
    assert len(headings) == 3 and len(set(headings)) == 1
    edges = [headings[0].index(name) + len(name) for name in ("value", "interval", "count")]
    estimates = [line for line in lines if re.match(r"[a-z_0-9]+ {2,}\S", line)]
    assert len(estimates) == 6
    for line in estimates:
        assert line[edges[0] - 1] != " " and line[edges[2] - 1] != " "
        assert all(line[edge : edge + 2].strip() == "" for edge in edges)
    assert sum(line.count("word") for line in lines) == 60


def test_long_notes_are_wrapped():
    content = [Section("Blends", [Estimate("fd_1k", 1.5, 1, 2, 1000, "lower", "a comparison " * 20)])]
    lines = report.terminal_table(content).split("\n")
    assert 90 < max(map(len, lines)) <= 100
    column = lines[1].index("note")
    assert " ".join(line[column:] for line in lines[2:]).split() == ["a", "comparison"] * 20
    assert all(line[:column].strip() == "" for line in lines[3:])


@pytest.mark.parametrize(
    "value, text",
    [
        (float("nan"), "none"),
        (0.0, "0.000"),
        (1234.4, "1234"),
        (12345.6, "1.235e+04"),
        (-0.00123456, "-0.001235"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    table = report.terminal_table([Section("Lines", [Estimate("fd", value)])])
    assert table.split("\n")[2].split() == ["fd", text, "0"]


def test_the_comparison_is_below_the_estimates():
    rows = [
        {"blends": name, "fd_1k": Estimate("fd_1k", value, 1, 20), "share": 0.25, "note": "x"}
        for name, value in (("slerp", 2), ("lerp", 10))
    ]
    assert report.terminal_table([Section("Blends", [Estimate("fd_1k", 2)], rows), Section("Lines", [])]).split(
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
    ]


@pytest.mark.parametrize(("length", "fits"), [(73, True), (74, False)])
def test_a_comparison_shows_intervals_if_they_fit_into_100_characters(length, fits):
    """A name of 73 characters, 2 spaces, and 25 characters of value and interval."""
    lines = report.comparison_lines([{"model": "m" * length, "fd": Estimate("fd", 0.5, 0.25, 0.75)}] * 3)
    assert lines[1].split()[:2] == ["m" * length, "0.5000"]
    assert ("(0.2500 to 0.7500)" in lines[1]) == fits
    assert max(map(len, lines)) == (100 if fits else 74 + 2 + 6)


def test_a_comparison_that_is_too_wide_shows_all_values():
    rows = [{"model": "m" * 120, "smoothness": 0.25}] * 3
    lines = report.comparison_lines(rows)
    assert [line.split() for line in lines] == [["model", "smoothness"], *[["m" * 120, "0.2500"]] * 3]


def test_columns_that_do_not_fit_follow_below_after_the_first():
    """45 + 2 + 45 + 2 + 6 are 100 characters; one more does not fit."""
    rows = [dict(zip(["a" * 45, "b" * 45, "c" * 6, "d"], "xyzw", strict=True))] * 4
    lines = report.comparison_lines(rows)
    assert [line.split() for line in lines] == [
        *(["a" * 45, "b" * 45, "c" * 6], *[["x", "y", "z"]] * 4),
        *([], ["a" * 45, "d"], *[["x", "w"]] * 4),
    ]
    assert max(map(len, lines)) == 100 and {len(line) for line in lines[7:]} == {45 + 2 + 1}
    wider = [dict(zip(["a" * 45, "b" * 45, "c" * 7, "d"], "xyzw", strict=True))] * 4
    assert report.comparison_lines(wider)[0].split() == ["a" * 45, "b" * 45]
    assert report.comparison_lines(wider)[6].split() == ["a" * 45, "c" * 7, "d"]


# metrics.json


def test_json_holds_everything_at_full_precision(tmp_path):
    metrics, _ = write_and_read(tmp_path)
    fd = {
        "value": 123.456,
        "low": 120.04,
        "high": 130,
        "count": 1000,
        "better": "lower",
        "note": "not comparable with Inception FID",
    }
    copies = {"value": 0.01, "low": None, "high": None, "count": 1000, "better": "lower", "note": NOTE}
    first = metrics["sections"]["Blends"]
    assert first["figures"].keys() == {"recognisability_1k", "fd_classifier_1k", "copies_1k"}
    assert first["figures"]["fd_classifier_1k"] == fd and first["figures"]["copies_1k"] == copies
    assert first["figures"]["recognisability_1k"]["value"] == 0.1 + 0.2  # not 0.3
    assert [row["blends"] for row in first["table"]] == ["slerp", "lerp"]
    assert first["table"][1]["fd_classifier_1k"] == fd
    second = metrics["sections"]["Lines"]
    assert second["figures"]["smoothness_256"]["value"] is None
    assert second["table"] == [{"model": "ours", "smoothness": 0.25, "pairs": 9}] * 3
    assert metrics["facts"] == FACTS | {"nothing": None}


def test_json_holds_spreads_and_lists(tmp_path):
    row = {"fd": Spread(0.5, float("nan"), 1), "sources": ("a", "b"), "kimg": None}
    metrics, _ = write_and_read(tmp_path, [Section("Comparison", [], [row])])
    fd = {"mean": 0.5, "deviation": None, "count": 1}
    assert metrics["sections"]["Comparison"]["table"] == [{"fd": fd, "sources": ["a", "b"], "kimg": None}]


def test_json_converts_numpy_numbers_and_nan(tmp_path):
    estimates = [
        Estimate("fd", np.float64(1.5), np.float32(1.25), np.float64(2), np.int64(9)),
        Estimate("kd", float("-inf")),
    ]
    rows = [{"a": np.float32("nan"), "b": np.int32(4)}]
    metrics, _ = write_and_read(
        tmp_path, [Section("Lines", estimates, rows)], {"seed": np.int64(3), "none": None, "yes": True}
    )
    section = metrics["sections"]["Lines"]
    assert [section["figures"]["fd"][key] for key in ("value", "low", "high", "count")] == [1.5, 1.25, 2, 9]
    assert section["figures"]["kd"]["value"] is None
    assert section["table"] == [{"a": None, "b": 4}]
    assert metrics["facts"] == {"seed": 3, "none": None, "yes": True}


def test_json_is_sorted_and_indented(tmp_path):
    report.write(tmp_path, sections()[::-1], dict(reversed(FACTS.items())))
    text = (tmp_path / "metrics.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    report.write(tmp_path, sections(), FACTS)
    assert (tmp_path / "metrics.json").read_text() == text  # the order of sections and facts does not matter


# Files


def test_the_same_input_gives_the_same_bytes_and_only_two_files(tmp_path):
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


def test_a_failed_write_leaves_the_old_files(tmp_path):
    before = [Path(path).read_bytes() for path in report.write(tmp_path, sections(), FACTS)]
    with pytest.raises(TypeError):
        report.write(tmp_path, [], {"source": object()})
    broken = Section("Lines", [], plots={"no picture": np.zeros((2, 2, 3))})
    with pytest.raises(ValueError, match="uint8"):
        report.write(tmp_path, [broken], {})
    assert [(tmp_path / name).read_bytes() for name in ("metrics.json", "report.html")] == before
    with pytest.raises(OSError):
        report.write(tmp_path / "absent", sections(), FACTS)


def test_hostile_names_are_preserved_in_json(tmp_path):
    estimate = Estimate(HOSTILE, 1.5, 1, 2, note=HOSTILE)
    metrics, _ = write_and_read(tmp_path, [Section(HOSTILE, [estimate])], {HOSTILE: HOSTILE})
    assert metrics["sections"][HOSTILE]["figures"][HOSTILE]["note"] == HOSTILE
    assert metrics["facts"][HOSTILE] == HOSTILE


def test_two_sections_with_one_title_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received twice: Lines"):
        report.write(tmp_path, [Section("Lines", []), Section("Lines", [])], {})
    assert os.listdir(tmp_path) == []


def test_a_path_that_is_not_valid_unicode_can_be_written(tmp_path):
    path = os.fsdecode(b"runs/\xff")
    metrics, page = write_and_read(tmp_path, [], {"source": path})
    assert metrics["facts"]["source"] == path
    assert page.tables == [[["source", "runs/?"]]]


def test_an_empty_report(tmp_path):
    metrics, page = write_and_read(tmp_path, [Section("Nothing", [])], {})
    assert metrics == {"facts": {}, "sections": {"Nothing": {"figures": {}}}}
    assert page.tables == [] and "Nothing" in page.text
    assert report.terminal_table([]) == ""
