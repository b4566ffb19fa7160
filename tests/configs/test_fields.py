"""What the fields of all configs have in common."""

import pytest

import configs.acai
import configs.classifier
import configs.gan
from configs.fields import WITHOUT_EFFECT, flatten


def test_flatten_joins_names_with_dots():
    tree = {"a": {"b": 1, "c": {"d": [2]}}, "e": None, "f": {}}
    assert flatten(tree) == {"a.b": 1, "a.c.d": [2], "e": None}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_fields_without_effect_exist(name):
    modules = configs.acai, configs.gan, configs.classifier
    assert any(name in flatten(module.get_config().to_dict()) for module in modules)
