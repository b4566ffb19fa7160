"""Checks of single values from flags and files; each raises a one-line InputError."""

from common.errors import InputError


def check_integer(name, value, lowest, highest=None):
    """Raises InputError unless `value` is an integer in [lowest, highest]; `highest` may be None."""
    if type(value) is not int or value < lowest or (highest is not None and value > highest):
        bound = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise InputError(f"--{name} must be an integer {bound}. Received: {_shown(value)}")


def check_number(name, value, lowest, highest):
    """Raises InputError unless `value` is a number in [lowest, highest]."""
    if type(value) not in (int, float) or not lowest <= value <= highest:
        raise InputError(f"--{name} must be a finite number in [{lowest}, {highest}]. Received: {_shown(value)}")


def check_choice(name, value, choices):
    """Raises InputError unless `value` is one of `choices`, hashable values."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        names = ", ".join(str(choice) for choice in choices if choice is not None)
        raise InputError(f"--{name} must be one of {names}. Received: {_shown(value)}")


def check_text(name, value, optional=False):
    """Raises InputError unless `value` is a string, or None where that is allowed."""
    if not isinstance(value, str) and not (optional and value is None):
        raise InputError(f"--{name} must be a string. Received: {_shown(value)}")


def _shown(value):
    """The value on at most 100 characters."""
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
