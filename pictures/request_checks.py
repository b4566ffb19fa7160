"""Checks of the fields of requests, see `pictures.request`."""

import functools

from common.errors import InputError
from common.images import RESAMPLING
from common.validation import check_choice, check_integer, check_number, check_text
from pegasus.general import masks
from pegasus.placement import parse_placement
from pegasus.search_config import Search

PATHS = ("slerp", "lerp", "pixel")  # pixel: cross-fade of the two reconstructions
LAYOUTS = ("strip", "j", "mine")  # j: White's J-diagram; mine: White's MINE grid
UNUSED_BESIDE = {  # {field: fields that say nothing about the pictures that it makes}
    "first_image": {"count", "first", "second", "seed"},
    "latents": {"bandwidth", "count", "search", "seed"},
}


def check_search(name, value):
    if not isinstance(value, Search | None):
        raise InputError(f"{name} must be a Search, a MaskSearch or None. Received: {value}")


def check_placement(name, value):
    """Raises InputError unless the value is None or a text that `parse_placement` understands."""
    check_text(name, value, optional=True)
    parse_placement(name, value or "")


def check_count(request):
    """Raises InputError where a request has a search that keeps another number of pictures."""
    search = getattr(request, "search", None)
    if search and request.count != search.keep:
        raise InputError(f"--candidates cannot be combined with --count={request.count}: use --keep.")


def check_effects(values):
    """Raises InputError if one of the fields {name: value} of the user's flags has no effect beside another."""
    for given, unused in UNUSED_BESIDE.items():
        if values.get(given) is not None and (beside := sorted(unused & values.keys())):
            flag = "candidates" if beside[0] == "search" else beside[0]
            raise InputError(f"--{given} cannot be combined with --{flag}, which would have no effect.")


optional_text = functools.partial(check_text, optional=True)
CHECKS = {  # of a field wherever it occurs
    "source": check_text,
    "first": optional_text,
    "second": optional_text,
    "count": functools.partial(check_integer, lowest=1),
    "seed": functools.partial(check_integer, lowest=0),
    "scale": functools.partial(check_integer, lowest=1, highest=32),
    "resample": functools.partial(check_choice, choices=tuple(RESAMPLING)),
    "mix": functools.partial(check_number, lowest=0, highest=1),
    "strip": functools.partial(check_integer, lowest=0),
    "path": functools.partial(check_choice, choices=PATHS),
    "layout": functools.partial(check_choice, choices=LAYOUTS),
    "bandwidth": functools.partial(check_number, lowest=0, highest=1000),
    "mask": functools.partial(check_choice, choices=(None, *masks.KINDS)),
    "first_image": optional_text,
    "second_image": optional_text,
    "first_placement": check_placement,
    "second_placement": check_placement,
    "second_mask": optional_text,
    "search": check_search,
    "latents": optional_text,
}
