"""Flags that say what a search looks for, the same of generate.py --blend and of evaluate.py --suite=search."""

from absl import flags

from common.errors import InputError
from pegasus import masks

LIKES = ("first_like", "second_like")
WEIGHTS = {f"{name}_weight": name for name in masks.WEIGHTS}  # {flag: term}
NAMES = ("candidates", "refine", "mask", "lower_first", *LIKES, *WEIGHTS)


def define(candidates, refine, least):
    """Defines the flags of NAMES.

    Args:
        candidates, refine: their defaults.
        least: how many candidates at least.
    """
    drawn = "of a search: how many to draw and score" + ("" if least else "; 0: no search")
    flags.DEFINE_integer("candidates", candidates, drawn, lower_bound=least)
    flags.DEFINE_integer("refine", refine, "steps of gradient ascent on what a search keeps", lower_bound=0)
    flags.DEFINE_enum("mask", None, masks.KINDS, "where the second parent weighs more; default of a search: all")
    flags.DEFINE_integer(
        "lower_first",
        0,
        "of a search: pixels by which first parents are moved down: room for wings",
        lower_bound=0,
        upper_bound=masks.LOWEST,
    )
    for name, example in zip(LIKES, ("light", "light,airplane: light spread wings"), strict=True):
        side = name.removesuffix("_like")
        wanted = f"of a search: only {side} parents most like a class, or light in the middle, e.g. {example}"
        flags.DEFINE_string(name, None, wanted)
    for name, term in WEIGHTS.items():
        meaning = f"of the term {term} in a candidate's score, see pegasus/scores.py"
        flags.DEFINE_float(name, masks.WEIGHTS[term], meaning, lower_bound=-1000, upper_bound=1000)


def weights(values):
    """{term: weight} of {flag: value}."""
    return {term: values[name] for name, term in WEIGHTS.items()}


def check(values, class_names):
    """Raises InputError unless {flag: value} asks for parents like what judges know, and for finite weights."""
    for name in WEIGHTS:
        if not abs(values[name]) < float("inf"):
            raise InputError(f"--{name} is required to be a finite number. Received: {values[name]}")
    known = (masks.LIGHT, *class_names)
    for name in LIKES:
        if not set(masks.wishes(values[name])) <= {*known}:
            raise InputError(
                f"--{name} is required to be of {', '.join(known)}, with commas between. Received: {values[name]}"
            )
