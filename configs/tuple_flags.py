"""Reads the flags of tuple fields, as in --config.data.classes="('bird','horse')"."""

import ast
import re
import warnings

from absl import flags
from ml_collections import config_flags


class TupleParser(flags.ArgumentParser):
    """Reads a tuple or a list in Python's syntax, or one name or number; of a flag given twice, the last counts.

    That of ml_collections takes `bird,horse` for one name, and joins the values of a flag that is given twice.
    """

    syntactic_help = "a tuple"

    def parse(self, argument):
        """Returns `argument`, a str or the default, as a tuple, or raises a ValueError that shows the form."""
        if isinstance(argument, tuple):
            return argument
        try:
            with warnings.catch_warnings(action="ignore"):  # of a backslash
                value = argument if re.fullmatch(r"[A-Za-z_][\w-]*", argument) else ast.literal_eval(argument)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = None
        if isinstance(value, str | int | float):
            return (value,)
        if not isinstance(value, tuple | list):
            form = """a tuple in quotation marks, as in "('bird','horse')" or "(64,128)\""""
            raise ValueError(f"The value must be {form}. Received: {argument!r}")
        return tuple(value)

    def flag_type(self):
        return "tuple"


def register():
    """Makes --config read the flags of tuple fields with `TupleParser`; before --config is defined."""
    config_flags.register_flag_parser_for_type(tuple, TupleParser())
