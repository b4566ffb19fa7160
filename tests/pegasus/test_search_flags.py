"""The flags of a search: their defaults, what is refused, which weight is of which term."""

import pytest
from absl import flags

import configs.search
from common.errors import InputError
from pegasus import masks

CLASSES = ("airplane", "bird")


@pytest.fixture
def defined(monkeypatch):
    """Parses words by the flags of a search alone."""
    values = flags.FlagValues()
    for kind in ("integer", "enum", "string", "float"):
        define = getattr(flags, f"DEFINE_{kind}")
        monkeypatch.setattr(
            configs.search.flags,
            f"DEFINE_{kind}",
            lambda *words, of=define, **options: of(*words, **options, flag_values=values),
        )
    configs.search.define(candidates=7, refine=3, least=5)

    def parse(*words):
        values(["command", *words])
        return values.flag_values_dict()

    return parse


def test_without_words_flags_ask_for_the_defaults(defined):
    asked = defined()
    assert set(asked) == set(configs.search.NAMES)
    assert (asked["candidates"], asked["refine"], asked["lower_first"]) == (7, 3, 0)
    assert asked["mask"] is asked["first_like"] is asked["second_like"] is None
    assert configs.search.weights(asked) == masks.WEIGHTS
    configs.search.check(asked, CLASSES)


def test_each_weight_is_that_of_the_term_it_is_named_for(defined):
    asked = defined("--wings_weight=1.5", "--together_weight=0")
    assert configs.search.weights(asked) == masks.WEIGHTS | {"wings": 1.5, "together": 0}


@pytest.mark.parametrize("word", ["--candidates=4", "--refine=-1", "--lower_first=13", "--mask=left"])
def test_what_is_out_of_range_is_refused(defined, word):
    with pytest.raises(flags.IllegalFlagValueError, match=word.split("=")[1]):
        defined(word)


def test_parents_may_be_like_what_the_judges_know(defined):
    configs.search.check(defined("--first_like=airplane,light", "--second_like=bird"), CLASSES)
    with pytest.raises(InputError, match=r"--first_like.*light, airplane, bird.*cat,light"):
        configs.search.check(defined("--first_like=cat,light"), CLASSES)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_are_finite(defined, value):
    with pytest.raises((InputError, flags.IllegalFlagValueError), match=f"typical_weight.*{value}"):
        configs.search.check(defined(f"--typical_weight={value}"), CLASSES)
