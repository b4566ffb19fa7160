"""Runs of earlier versions resume where their configs mean the same, and are refused where they do not."""

import json

import pytest

import configs.acai
import configs.classifier
import configs.gan
from common.errors import InputError
from configs.earlier_configs import NEUTRAL
from configs.fields import flatten
from training.run_directory import RunDirectory


def plain(module, variant):
    return json.loads(module.get_config(variant).to_json())


def earlier():
    """As a version of November 29, 2026 wrote the config of `configs/acai.py:lines`."""
    config = plain(configs.acai, "lines")
    config["data"] |= {"placed_pairs": 0.0, "hold_out": True}
    del config["model"]["masked_blends"], config["train"]["max_minutes"]
    return config


def resume(path, stored, given):
    """The config of a run that had `stored` and resumes with `given`."""
    with RunDirectory(str(path), stored) as run:
        run.checkpoints.save(1, {})
    with RunDirectory(str(path), given) as run:
        return run.config


def test_an_earlier_run_resumes(tmp_path):
    config = plain(configs.acai, "lines")
    assert resume(tmp_path / "run", earlier(), config) == config
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == config


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [("data", "placed_pairs", 0.25), ("data", "hold_out", False), ("model", "unknown", 0.0)],
)
def test_an_earlier_run_is_refused_where_its_fields_mean_something_else(tmp_path, section, name, value):
    stored = earlier()
    stored[section][name] = value
    with pytest.raises(InputError, match="The config must be that of the run to resume"):
        resume(tmp_path / "run", stored, plain(configs.acai, "lines"))


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_field_that_a_run_lacks_has_its_neutral_value(tmp_path, name):
    """Another value is refused, unless it does not affect steps."""
    module, variant = (configs.gan, "dcgan") if name in ("data.ids", "data.alternate") else (configs.acai, "paper")
    config, (section, field) = plain(module, variant), name.split(".")
    stored = json.loads(json.dumps(config))
    del stored[section][field]
    assert resume(tmp_path / "same", stored, config)[section][field] == NEUTRAL[name]
    config[section][field] = {bool: True, list: [7], float: 0.5}[type(NEUTRAL[name])]
    if name == "train.max_minutes":
        assert resume(tmp_path / "other", stored, config)[section][field] == 0.5
    else:
        with pytest.raises(InputError, match=f"{name}=.* where it has"):
            resume(tmp_path / "other", stored, config)


def test_neutral_values_are_those_of_the_configs_that_do_not_use_a_field():
    fields = {}
    for module, variant in ((configs.acai, "paper"), (configs.gan, "dcgan"), (configs.classifier, "classifier")):
        fields |= flatten(plain(module, variant))
    assert {name: fields[name] for name in NEUTRAL} == NEUTRAL
