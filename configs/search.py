"""Flags that say what a search looks for; generate.py --blend and evaluate.py --suite=search share them."""

from absl import flags

from pegasus import masks
from pegasus.search_config import DEFAULT_TERM_WEIGHTS, MAX_TERM_WEIGHT, SearchConfig

TERM_WEIGHTS = {f"{term}_weight": term for term in DEFAULT_TERM_WEIGHTS}  # {flag: term}
NAMES = ("candidates", "refine", "mask", "lower_first", "first_like", "second_like", *TERM_WEIGHTS)


def define(candidates, refine, lowest_candidates):
    """Defines the flags of NAMES.

    Args:
        candidates, refine: their defaults.
        lowest_candidates: smallest number of candidates allowed; 0 allows no search at all.
    """
    drawn = "number of blends that a search draws and scores" + ("" if lowest_candidates else "; 0: no search")
    flags.DEFINE_integer("candidates", candidates, drawn, lower_bound=lowest_candidates)
    flags.DEFINE_integer("refine", refine, "steps of gradient ascent on the latents that a search keeps", 0)
    kinds = "where the second parent weighs more; a search tries all kinds by default"
    flags.DEFINE_enum("mask", None, masks.KINDS, kinds)
    lowered = "search: pixels by which first parents are moved down, to make room for wings"
    flags.DEFINE_integer("lower_first", 0, lowered, lower_bound=0, upper_bound=masks.MAX_LOWERING)
    for side, example in (("first", "light"), ("second", "light,airplane: light, with wings spread")):
        wanted = f"search: use {side} parents most like a class, or light in the middle, e.g. {example}"
        flags.DEFINE_string(f"{side}_like", None, wanted)
    for name, term in TERM_WEIGHTS.items():
        meaning = f"search: weight of the term {term} in the score, see pegasus/scores.py"
        bounds = dict(lower_bound=-MAX_TERM_WEIGHT, upper_bound=MAX_TERM_WEIGHT)
        flags.DEFINE_float(name, DEFAULT_TERM_WEIGHTS[term], meaning, **bounds)


def search_config(values, **fields):
    """The SearchConfig of {flag: value}; flags that are left out have their defaults.

    Args:
        values: flags, those of NAMES and perhaps others.
        fields: fields of SearchConfig that no flag of NAMES sets, or that take another value.

    Raises:
        InputError: for a value that is out of range.
    """
    given = {name: values[name] for name in NAMES if name in values and name not in TERM_WEIGHTS}
    changed = {term: values[name] for name, term in TERM_WEIGHTS.items() if name in values}
    return SearchConfig(**given | {"term_weights": DEFAULT_TERM_WEIGHTS | changed} | fields)
