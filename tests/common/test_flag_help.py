"""The flags in --help: each once, under its section's title, with its default, on short lines."""

from absl import flags

from common import flag_help


def test_flags_stand_in_their_sections_with_their_defaults(monkeypatch):
    values = flags.FlagValues()
    flags.DEFINE_bool("quiet", False, "says nothing", flag_values=values)
    flags.DEFINE_integer("count", 3, "how many " + "and more " * 12 + "there are", flag_values=values)
    flags.DEFINE_enum("path", None, ("a", "b"), "where", flag_values=values)
    flags.DEFINE_string("a_name_longer_than_others", "x", "its text", flag_values=values)
    monkeypatch.setattr(flags, "FLAGS", values)
    text = flag_help.format_sections({"What": ("quiet", "path"), "How": ("count", "a_name_longer_than_others")})
    lines = text.splitlines()
    assert lines[:3] == [
        "What:",
        "  --quiet".ljust(26) + "says nothing",
        "  --path=...".ljust(26) + "<a|b>: where",
    ]
    assert lines[3:5] == ["", "How:"] and lines[5].startswith("  --count=...".ljust(26) + "how many and more")
    assert lines[6].startswith(" " * 26 + "more") and lines[6].endswith("there are (default: 3)")
    assert lines[7:] == ["  --a_name_longer_than_others=...", " " * 26 + "its text (default: x)"]
    assert max(map(len, lines)) <= flag_help.WIDTH
