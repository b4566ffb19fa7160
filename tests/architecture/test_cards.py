"""The front matter of the bundled models' cards: what a hub reads, with the same figures as the card's text."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from common.files import digest

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted(ROOT.glob("pretrained/*/CARD.md"))
TASKS = {  # of a hub's list of tasks, by model family
    "acai": "image-to-image",
    "gan": "unconditional-image-generation",
    "classifier": "image-classification",
    "wing_classifier": "image-classification",
}
IDENTIFIER = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


def split_card(text):
    """Returns (front matter, the card's text below it), both str."""
    _, front, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    return front, body


def is_stated(value, body):
    """Whether a number, written as in YAML, is in a text: as it is, or as a percentage if it is a share."""
    forms = {value, f"{100 * float(value):g}%"}
    return any(re.search(rf"(?<![\d.]){re.escape(form)}(?!\d)", body) for form in forms)


@pytest.fixture(params=CARDS, ids=lambda path: path.parent.name)
def card(request):
    """(name, config, front matter, text) of a card."""
    front, body = split_card(request.param.read_text(encoding="utf-8"))
    config = json.loads((request.param.parent / "config.json").read_text())
    return request.param.parent.name, config, front, body


def test_fields_have_allowed_values(card):
    name, config, front, body = card
    fields = yaml.safe_load(front)
    drawn = config["data"]["source"] == "lines"
    listed = (
        {"tags", "metrics"} if drawn else {"tags", "metrics", "datasets"}
    )  # a hub's data set, none for drawn lines
    assert fields.keys() == {"license", "library_name", "pipeline_tag", "model-index"} | listed
    assert fields["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"].lower()
    assert fields["library_name"] == "keras"
    assert fields["pipeline_tag"] == TASKS[config["family"]]
    assert drawn or fields["datasets"] == ["uoft-cs/cifar10"]
    for word in fields["tags"] + fields["metrics"]:
        assert IDENTIFIER.fullmatch(word), word
    assert body.startswith(f"\n# {name}: ")


def test_results_are_complete_and_those_of_the_text(card):
    name, config, front, body = card
    (index,) = yaml.safe_load(front)["model-index"]
    (as_written,) = yaml.load(front, yaml.BaseLoader)["model-index"]  # numbers remain strings
    assert index["name"] == name and index["results"]
    figures = body[body.index("\n## Figures\n") :]
    kinds = []
    for result, written in zip(index["results"], as_written["results"], strict=True):
        assert result.keys() == {"task", "dataset", "metrics"}
        assert result["task"] == {"type": TASKS[config["family"]]}
        assert result["dataset"].keys() == {"name", "type"} and all(result["dataset"].values())
        for metric, text in zip(result["metrics"], written["metrics"], strict=True):
            assert metric.keys() == {"type", "value", "name"} and metric["name"]
            assert isinstance(metric["value"], float) and 0 < metric["value"] < 1
            assert is_stated(text["value"], figures), metric
            kinds.append(metric["type"])
    assert yaml.safe_load(front)["metrics"] == list(dict.fromkeys(kinds))


def test_the_digest_is_that_of_the_weights(card):
    name, _, _, body = card
    assert f"digest of the weights `{digest((ROOT / 'pretrained' / name / 'weights.npz').read_bytes())}`" in body


def test_every_model_has_a_card():
    assert [path.parent for path in CARDS] == sorted(path.parent for path in ROOT.glob("pretrained/*/weights.npz"))


@pytest.mark.parametrize("text", ["| a | 0.49 (0.43 to 0.54) |", "0.49", "it is 49%"])
def test_a_value_is_found_in_a_text(text):
    assert is_stated("0.49", text)


@pytest.mark.parametrize("text", ["10.49", "0.491", "149%", "49", "0x49", "49.0%"])
def test_part_of_another_number_is_not_a_value(text):
    assert not is_stated("0.49", text)
