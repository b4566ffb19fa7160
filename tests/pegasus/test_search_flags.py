"""The flags of a search: defaults, refusals, and which weight belongs to which term."""

import pytest
from absl import flags

import configs.search
from common.errors import InputError
from pegasus.search_config import DEFAULT_TERM_WEIGHTS, SearchConfig

CLASSES = ("airplane", "bird")


@pytest.fixture
def parse(monkeypatch):
    """Function, words -> {flag: value} of the search flags alone."""
    values = flags.FlagValues()
    for kind in ("integer", "enum", "string", "float"):
        define = getattr(flags, f"DEFINE_{kind}")
        monkeypatch.setattr(
            configs.search.flags,
            f"DEFINE_{kind}",
            lambda *words, of=define, **options: of(*words, **options, flag_values=values),
        )
    configs.search.define(candidates=70, refine=3, lowest_candidates=5)

    def parse(*words):
        values(["command", *words])
        return values.flag_values_dict()

    return parse


def test_flags_without_values_give_the_defaults(parse):
    values = parse()
    assert set(values) == set(configs.search.NAMES)
    config = configs.search.search_config(values)
    assert config == SearchConfig(70, keep=64, refine=3, term_weights=DEFAULT_TERM_WEIGHTS)
    assert (config.lower_first, config.mask, config.first_like, config.second_like) == (0, None, None, None)
    config.check_classes(CLASSES)
    assert configs.search.search_config({}, candidates=70, refine=3) == config


def test_each_weight_belongs_to_the_term_in_its_name(parse):
    config = configs.search.search_config(parse("--wings_weight=1.5", "--together_weight=0"))
    assert config.term_weights == DEFAULT_TERM_WEIGHTS | {"wings": 1.5, "together": 0}


@pytest.mark.parametrize("word", ["--candidates=4", "--refine=-1", "--lower_first=13", "--mask=left"])
def test_a_flag_out_of_range_is_refused(parse, word):
    with pytest.raises(flags.IllegalFlagValueError, match=word.split("=")[1]):
        parse(word)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("candidates", 0),
        ("candidates", 63),
        ("candidates", 100.0),
        ("keep", 101),
        ("refine", -1),
        ("lower_first", 13),
        ("mask", "left"),
        ("mask", ["top"]),
        ("second_like", 3),
        ("term_weights", {"wings": 1.0}),
        ("term_weights", DEFAULT_TERM_WEIGHTS | {"wings": "1"}),
        ("term_weights", DEFAULT_TERM_WEIGHTS | {"wings": -1001}),
    ],
)
def test_a_field_out_of_range_is_refused(field, value):
    with pytest.raises(InputError, match="must be"):
        SearchConfig(**{"candidates": 100, field: value})


def test_parents_may_resemble_only_what_the_classifiers_know(parse):
    words = "--first_like=airplane,light", "--second_like=bird"
    configs.search.search_config(parse(*words)).check_classes(CLASSES)
    with pytest.raises(InputError, match=r"--first_like.*light, airplane, bird.*cat,light"):
        configs.search.search_config(parse("--first_like=cat,light")).check_classes(CLASSES)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_must_be_finite(parse, value):
    with pytest.raises((InputError, flags.IllegalFlagValueError), match=f"typical_weight.*{value}"):
        configs.search.search_config(parse(f"--typical_weight={value}"))
