"""What --help says about configs: all variants and fields, with the comments of the config files."""

import pytest

from configs import acai, classifier, describe, gan

SOURCE = """
def base():
    config.data = data = 7  # not a field
    data.flip = True  # mirror
    # Above one line
    # and another.
    data.limit = 1
    data.bare = 2
    data.first, data.second = "a", "b"  # two names
    config.train.rate = config.train.critic_rate = 1e-3  # both
    data.long = (
        1,
    )  # at the end
    other.field = 3  # of no section


def variant(config):
    config.data.flip = False  # of the variant
    config.data.bare = 3  # only here
"""


def test_comments_belong_to_their_fields():
    assert describe.read_comments(SOURCE) == {
        "data.flip": "mirror",  # the first one counts
        "data.limit": "Above one line and another.",
        "data.first": "two names",
        "data.second": "two names",
        "train.rate": "both",
        "train.critic_rate": "both",
        "data.long": "at the end",
        "data.bare": "only here",
    }


@pytest.mark.parametrize("module", [acai, gan, classifier])
def test_all_variants_are_described_by_their_docstrings(module):
    text = describe.describe_variants()
    words = text.replace(",", " ").split()
    for name, function in module.VARIANTS.items():
        assert name in words
        assert " ".join(words).count(" ".join(describe.first_paragraph(function).replace(",", " ").split())) == 1


@pytest.mark.parametrize(
    ("module", "variant"), [(acai, "paper"), (gan, "alternating"), (classifier, "wing_referee")]
)
def test_all_fields_are_described_by_section(module, variant):
    config = module.get_config(variant)
    with open(module.__file__, encoding="utf-8") as file:
        sections = describe.describe_fields(config, file.read()).split("\n\n")
    assert [section.split()[0] for section in sections] == ["data", "model", "train"]
    for text in sections:
        section = text.split()[0]
        names = [line.split(" = ")[0].strip() for line in text.splitlines() if line.startswith(f"    {section}.")]
        assert names == [f"{section}.{field}" for field in config[section]]
        assert max(map(len, text.splitlines())) <= describe.WIDTH
    assert "mirror each image with probability 1/2" in sections[0]
