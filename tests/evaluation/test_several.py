"""Several models: what is refused, which models form a group, and means and deviations by hand."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from common import release
from common.errors import InputError
from evaluation import several
from evaluation.inputs import Release
from evaluation.report.estimates import Estimate, Section, Spread
from evaluation.suites import SUITES, lines, probe

PAPER_ROW = {"model": "ACAI, the paper's", "kimg": 16_777, "error": Spread(0.5, 0.25)}
SUITE = SimpleNamespace(  # a suite's module
    COMPARED={"error": "error_", "accuracy": "accuracy_"},
    COMPARISON_TEXT="Errors of each.",
    list_facts=lambda each: {"model": each.config["model"]["name"], "depth": each.config["model"]["depth"]},
    find_paper_row=lambda each: PAPER_ROW if each.config["model"]["name"] == "ACAI" else {},
)


def make_release(source, name="ACAI", kimg=300.0, source_of_data="lines", **train):
    config = {"model": {"name": name, "depth": 16}, "data": {"source": source_of_data}, "train": train}
    return Release(source, "acai", config | {"trained_kimg": kimg}, {}, {}, f"digest of {source}")


def make_section(error, accuracy=None):
    estimates = [Estimate("error_9", error), Estimate("error_other_9", 99.0)]
    estimates += [] if accuracy is None else [Estimate("accuracy_9", accuracy)]
    return Section("Errors", estimates, [{"a": 1}], text="How.", summary="So.")


# Means and deviations


def test_three_seeds_by_hand():
    """1, 2 and 6 have mean 3 and squared deviations of 4 + 1 + 9 = 14 in all; divided by n - 1 that is 7."""
    releases = [make_release(f"runs/{seed}", seed=seed) for seed in range(3)]
    sections = [make_section(error, accuracy=0.5) for error in (1, 2, 6)]
    comparison, *others = several.compare(SUITE, releases, sections)
    own, paper = comparison.table
    assert own == {
        "model": "ACAI",
        "depth": 16,
        "kimg": 300.0,
        "runs": 3,
        "error": Spread(3.0, pytest.approx(7**0.5), 3),
        "accuracy": Spread(0.5, 0.0, 3),
        "sources": ("0", "1", "2"),
    }
    assert paper == dict.fromkeys(own) | PAPER_ROW and comparison.text == "Errors of each."
    assert [section.title for section in others] == ["Errors of 0", "Errors of 1", "Errors of 2"]
    for before, after in zip(sections, others, strict=True):
        assert after.estimates == before.estimates and (after.summary, after.text) == ("So.", "How.")
        assert after.folded and not after.table


def test_a_single_training_has_no_deviation():
    spread = Spread.of([0.25])
    assert (spread.mean, spread.count) == (0.25, 1) and np.isnan(spread.deviation)


def row_of_two_seeds(first, second):
    """The row of a comparison of two models, whose sections are given."""
    releases = [make_release("a", seed=0), make_release("b", seed=1)]
    comparison, *_ = several.compare(SUITE, releases, [first, second])
    return comparison.table[0]


def test_a_figure_that_one_model_of_a_group_lacks_is_nan():
    row = row_of_two_seeds(make_section(error=1, accuracy=0.5), make_section(error=2))
    assert row["error"].mean == 1.5 and np.isnan(row["accuracy"].mean)


def test_a_figure_that_all_models_lack_has_no_column():
    row = row_of_two_seeds(make_section(error=1), make_section(error=2))
    assert "error" in row and "accuracy" not in row


def test_a_figure_that_is_nan_for_one_model_is_nan():
    row = row_of_two_seeds(make_section(error=1), make_section(error=float("nan")))
    assert np.isnan(row["error"].mean)


# Groups


def list_groups(*releases):
    """Names of the models of each group."""
    names = [each.source for each in releases]
    return [group.names for group in several.group_models(releases, names, [None] * len(releases))]


def test_models_that_differ_in_the_seed_or_the_machine_form_a_group_in_the_order_of_the_first():
    fields = {"keep_checkpoints": 3, "save_every_kimg": 10, "towers": 0, "learning_rate": 1e-3}
    a, b = (make_release(name, **fields, seed=seed) for seed, name in enumerate("ab"))
    c = make_release("c", **fields | {"keep_checkpoints": 1, "save_every_kimg": 20, "towers": 2}, seed=2)
    slower = make_release("slower", **fields | {"learning_rate": 1e-4}, seed=0)
    assert list_groups(slower, a, b, c) == [["slower"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    "other", [{"name": "VAE"}, {"kimg": 310.0}, {"adversarial_from_kimg": 10}, {"start_from": "runs/1"}]
)
def test_models_of_other_trainings_form_other_groups(other):
    fields = {"adversarial_from_kimg": 0, "start_from": ""}
    assert list_groups(make_release("a", **fields), make_release("b", **fields | other)) == [["a"], ["b"]]


def test_models_whose_configs_earlier_versions_wrote_form_a_group_where_they_mean_the_same():
    now, earlier, unlike = make_release("now"), make_release("earlier"), make_release("unlike")
    earlier.config["data"]["hold_out"], unlike.config["data"]["hold_out"] = True, False  # a field that is gone
    now.config["data"]["alternate"] = False  # a field that is new
    assert list_groups(now, earlier, unlike) == [["now", "earlier"], ["unlike"]]


def test_models_of_other_images_form_other_groups():
    a, b = make_release("a"), make_release("b")
    for each in (a, b):
        each.config["data"]["image_folder"] = f"photos/{each.source}"
    assert list_groups(a, b) == [["a"], ["b"]]


def list_row_names(*releases):
    """What the rows of a comparison call the models."""
    comparison, *_ = several.compare(SUITE, releases, [make_section(error=1)] * len(releases))
    return [row["model"] for row in comparison.table]


def test_a_row_names_settings_that_others_lack():
    names = list_row_names(make_release("a", rate=1), make_release("b", rate=1, later_field=5))
    assert names == ["ACAI, later_field=None", "ACAI, later_field=5", PAPER_ROW["model"]]


def test_rows_of_one_model_are_told_apart_first_by_settings_that_all_have():
    """Two of three settings are named. The paper's row is below the last of its model."""
    a = make_release("a", precision="float32", batch=16, rate=1, ema=0)
    b = make_release("b", precision="auto", batch=64, rate=2, ema=0, later_field=5)
    assert list_row_names(a, b, make_release("c", name="VAE")) == [
        "ACAI, batch=16, precision=float32, ...",
        "ACAI, batch=64, precision=auto, ...",
        PAPER_ROW["model"],
        "VAE",
    ]


def test_long_settings_are_shortened():
    names = list_row_names(make_release("a", rate=[1] * 50), make_release("b", rate=[2] * 50))
    assert max(len(name) for name in names) < 50


def test_sources_of_one_name_keep_their_paths():
    assert several.shorten_sources(["runs/a/release", "runs/b/"]) == ["a", "b"]
    assert several.shorten_sources(["old/a", "new/a"]) == ["old/a", "new/a"]


# What the terminal and the facts show


def list_titles_in_terminal(count):
    """Titles of the sections that the terminal shows of a comparison of `count` models, named 0, 1, ..."""
    releases = [make_release(str(seed), seed=seed) for seed in range(count)]
    sections = several.compare(SUITE, releases, [make_section(error=1)] * count)
    return [section.title for section in several.choose_shown(sections)]


def test_the_terminal_shows_at_most_four_models_below_their_comparison():
    errors = ["Errors of 0", "Errors of 1", "Errors of 2", "Errors of 3"]
    assert list_titles_in_terminal(4) == ["Comparison", *errors]
    assert list_titles_in_terminal(5) == ["Comparison"]


def test_the_terminal_shows_all_sections_of_a_single_model():
    sections = [make_section(error=1)] * 6
    assert several.choose_shown(sections) == sections


def test_facts_of_one_model_are_unchanged_and_of_several_are_merged():
    facts = {"source": "a", "weights": "01", "trained": "3 of 4 kimg", "seed": 0, "suite": "lines"}
    assert several.merge_facts([facts]) == facts
    assert several.merge_facts([facts, facts | {"source": "b", "weights": "02"}]) == {
        "source": "2 models",
        "seed": 0,
        "suite": "lines",
        "model 1": "a, weights 01, trained: 3 of 4 kimg",
        "model 2": "b, weights 02, trained: 3 of 4 kimg",
    }


# What is refused


@pytest.mark.parametrize("sources", [[], [""], ["a", ""], ["", "a"]])
def test_empty_sources_are_refused(sources):
    with pytest.raises(InputError, match="none of them empty. Received: --source="):
        several.check_sources(sources)


def test_a_model_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        release.write(tmp_path / name / "release", {}, {"x": np.zeros(1)})
    (tmp_path / "link").symlink_to(tmp_path / "a")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    several.check_sources([a, b])
    for again in (a, f"{a}/release", str(tmp_path / "link")):
        with pytest.raises(InputError, match=f"must have each model once. Received: {a} and {again}$"):
            several.check_sources([a, b, again])


def test_models_of_different_kinds_and_data_are_refused():
    lines, photographs = make_release("a"), make_release("b", source_of_data="cifar10")
    several.check_models([lines, make_release("c")])
    with pytest.raises(InputError, match="a of kind acai, data lines and b of kind acai, data cifar10"):
        several.check_models([lines, make_release("c"), photographs])


def test_a_copy_of_a_model_is_refused():
    copy = dataclasses.replace(make_release("a"), source="copy")
    with pytest.raises(InputError, match="must have each model once. Received: a and copy with equal weights$"):
        several.check_models([make_release("a"), make_release("b"), copy])


def test_only_suites_that_compare_measure_several_models():
    of_name = {suite.name: suite for suite in SUITES}
    several.check_suites([[of_name["lines"]], [of_name["lines"]]])
    for chosen, received in (
        ([["blend"], ["blend"]], "blend"),
        ([["blend", "probe"]] * 2, "blend, probe"),
        ([["path"], ["probe"]], "path, probe"),  # of a model of one class and one of ten, without --suite
    ):
        with pytest.raises(
            InputError, match=f"--suite=lines or --suite=probe or --suite=path. Received: {received}$"
        ):
            several.check_suites([[of_name[name] for name in names] for names in chosen])


def make_paper_release(source_of_data, mix_weight=0.0, classes=10, **model):
    config = {"model": {"latent_width": 4, "latent_channels": 16, "depth": 64, "mix_weight": mix_weight} | model}
    config |= {"data": {"source": source_of_data, "classes": [str(number) for number in range(classes)]}}
    return Release("a", "acai", config, {}, {}, "0123")


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.compares], ids=lambda suite: suite.name)
def test_the_papers_row_has_columns_of_the_table(suite):
    module, measured = suite.load(), make_paper_release(suite.data_sources[0], mix_weight=0.5)
    facts, paper = module.list_facts(measured), module.find_paper_row(measured)
    assert facts["model"] == "ACAI" and paper.get("model") == (
        "ACAI, the paper's" if suite.name != "path" else None
    )
    assert {*paper} <= {*facts, "kimg", *module.COMPARED} and not {*facts} & {*module.COMPARED}
    vae = make_paper_release(suite.data_sources[0], mix_weight=0.5, bottleneck="vae")
    assert module.find_paper_row(vae) == {}, "ACAI with VAE is not in the paper"


def test_the_papers_figures_of_lines():
    """From the authors' poster."""
    dropout, vae, acai = (
        lines.find_paper_row(make_paper_release("lines", **model))
        for model in ({"bottleneck": "dropout"}, {"bottleneck": "vae"}, {"mix_weight": 0.5})
    )
    assert acai["mean distance"] == acai["median distance"] == Spread(0.24e-3, 0.01e-3)
    assert acai["official smoothness"] == acai["median smoothness"] == Spread(0.10, 0.01)
    assert vae["mean distance"] == Spread(1.21e-3, 0.17e-3) and vae["official smoothness"] == Spread(0.49, 0.13)
    assert dropout["median smoothness"].mean == 0.74 and np.isnan(dropout["median smoothness"].deviation)


def test_the_papers_figures_of_the_probe_are_of_ten_classes():
    acai = probe.find_paper_row(make_paper_release("cifar10", mix_weight=0.5, latent_channels=64))
    denoising = probe.find_paper_row(make_paper_release("cifar10", bottleneck="denoising"))
    assert (acai["latents"], acai["probe, hold-out"]) == (1024, Spread(0.6399, 0.0047))
    assert (denoising["latents"], denoising["probe, test"]) == (256, Spread(0.5378, 0.0036))
    for other in ({"classes": 2}, {"latent_channels": 32}):
        assert probe.find_paper_row(make_paper_release("cifar10", mix_weight=0.5, **other)) == {}
