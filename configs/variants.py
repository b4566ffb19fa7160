"""The error for a variant that a config file does not have."""

import difflib

from common.errors import InputError


def check_variant(variant, variants, file):
    """Raises InputError, which names the nearest, unless `variant` is in `variants`, names of a config file."""
    if variant in variants:
        return
    nearest = difflib.get_close_matches(variant, variants, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise InputError(f"{file} has the variants {', '.join(variants)}. Received: {variant!r}{hint}")
