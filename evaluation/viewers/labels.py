"""Labels answers to "What is this?": does the viewer name a horse-like animal, wings, a winged horse?

The rule is a list of words. It reads an answer from left to right and ignores what a negation precedes in the same
clause ("a horse, no wings"). Wings belong to the animal that is named last before them, or first after them if
there is none or the word is "winged". So "a horse and a bird with wings" is no winged horse. A bird that only
describes the wings ("bird wings", "wings of a swan", "half bird") is not an animal of its own. Doubt counts as
naming ("maybe a horse with wings?"). A "flying horse" has no wings unless they are named: horses also jump.
"""

import dataclasses
import re

# The plural with "s" needs no entry.
PEGASUS = "pegasus pegasi pegasuses".split()
HORSE_LIKE = (
    "horse horselike horseback racehorse pony ponies foal colt filly fillies mare stallion mustang steed equine "
    "donkey mule zebra unicorn"
).split()
WINGS = ["wing"]
WINGED = ["winged"]
WITH_WINGS = (  # animals and things that can have wings of their own
    "bird eagle hawk falcon owl crow raven dove pigeon gull seagull goose geese duck swan heron crane stork "
    "pelican egret ostrich ostriches emu chicken hen rooster turkey parrot peacock penguin sparrow bat moth "
    "butterfly butterflies insect dragonfly dragonflies dragon griffin gryphon angel fairy fairies plane "
    "airplane aeroplane aircraft jet dog cat cow bull sheep goat deer camel lion"
).split()
NEGATIONS = (
    "no not without never neither nor nothing lack lacking missing cannot cant isnt arent hasnt havent doesnt "
    "dont wasnt"
).split()
CLAUSE_ENDS = "and but".split()  # so do all marks except hyphens and apostrophes

_OTHER = f"(?:{'|'.join(WITH_WINGS)})s?"
NOT_ANIMALS = re.compile(  # of their own
    rf"\b{_OTHER}(?=[ -]*(?:like)?[ -]+wing)"  # "bird wings", "bird-like wings"
    rf"|(?:(?<=wing)|(?<=wings)) of (?:an? |the )?{_OTHER}\b"  # "wings of a bird"
    rf"|\bhalf[ -](?:an? )?{_OTHER}\b"  # "half horse, half bird"
    r"|\bsea[ -]?horses?\b"
)
KINDS = {
    word: kind
    for kind, words in {
        "pegasus": PEGASUS,
        "horse": HORSE_LIKE,
        "wings": WINGS,
        "winged": WINGED,
        "other": WITH_WINGS,
        "negation": NEGATIONS,
        "end": CLAUSE_ENDS,
    }.items()
    for word in words
}


@dataclasses.dataclass(frozen=True)
class AnswerLabels:
    """What an answer names.

    Args:
        horse: a horse-like animal.
        wings: wings, of whatever animal.
        winged_horse: a horse-like animal with wings, or a pegasus.
    """

    horse: bool
    wings: bool
    winged_horse: bool


def label_answer(text):
    """Labels an answer, any text in English; "" names nothing. Returns AnswerLabels."""
    named = list_named(text)
    pegasus = "pegasus" in named
    owners = [find_owner(named, place) for place, kind in enumerate(named) if kind in ("wings", "winged")]
    return AnswerLabels("horse" in named or pegasus, bool(owners) or pegasus, "horse" in owners or pegasus)


def list_named(text):
    """Lists the KINDS of words that an answer names, in its order, without what it negates."""
    text = re.sub("['\u2019]", "", text.lower())
    named, negated = [], False
    for token in re.findall(r"[a-z]+|[^\w\s-]", NOT_ANIMALS.sub("", text)):
        kind = KINDS.get(token) or KINDS.get(token.removesuffix("s"))
        if kind == "end" or not token.isalpha():
            negated = False
        elif kind == "negation":
            negated = True
        elif kind and not negated:
            named.append(kind)
    return named


def find_owner(named, place):
    """Finds whose wings are named at a place of `list_named`: "horse", "other" or None."""
    before = [kind for kind in reversed(named[:place]) if kind in ("horse", "other")]
    after = [kind for kind in named[place:] if kind in ("horse", "other")]
    candidates = after + before if named[place] == "winged" else before + after
    return candidates[0] if candidates else None
