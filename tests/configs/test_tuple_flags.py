"""The flags of tuple fields: their forms, what is refused, and what counts if a flag is given twice."""

import pytest
from absl import flags
from ml_collections import config_dict, config_flags

from configs import tuple_flags


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['bird', 'horse']", ("bird", "horse")),
        ("('bird')", ("bird",)),
        ("bird", ("bird",)),
        ("64,128", (64, 128)),
        ("64", (64,)),
        ("()", ()),
        (r"'\{'", ("\\{",)),
        ("(('deer','horse'),('bird',))", (("deer", "horse"), ("bird",))),
    ],
)
def test_forms_of_a_tuple(text, value, recwarn):
    assert tuple_flags.TupleParser().parse(text) == value
    assert not recwarn.list
    assert tuple_flags.TupleParser().parse(value) == value  # the default


def parse(*words):
    """Parses the flags of a config with a field `classes` as train.py does, and returns the field."""
    tuple_flags.register()
    values = flags.FlagValues()
    config = config_dict.ConfigDict({"classes": ("cat",)})
    argv = ["program", *(f"--config.classes={word}" for word in words)]
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    values(argv)
    return values.config.classes


@pytest.mark.parametrize(
    "text", ["bird,horse", "('bird','horse'", "{'bird':1}", "", "((deer,horse),(bird,))", "(" * 300]
)
def test_other_forms_are_refused_with_the_form(text):
    with pytest.raises(flags.IllegalFlagValueError) as error:
        parse(text)
    told = str(error.value)
    assert "must be a tuple in quotation marks, as in \"('bird','horse')\" or \"(64,128)\". Received:" in told
    assert "\n" not in told and "--config.classes=" in told


def test_the_last_of_several_flags_counts():
    assert parse("('bird',)", "('horse','dog')") == ("horse", "dog")
    assert parse("bird", "horse") == ("horse",)
    assert parse() == ("cat",)
