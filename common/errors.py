"""The error for bad input, and its one-line message."""


class InputError(ValueError):
    """Bad input from outside (a flag, a path, an image, a checkpoint, a data folder).

    The message is one line that says what is required, what was received and what to do.
    """


def one_line(error):
    """Returns the message of `error` as one line: control characters escaped, a traceback cut to its last line."""
    while isinstance(error, Exception) and len(error.args) == 1:
        if not isinstance(error, KeyError) and not isinstance(error.args[0], Exception):
            break
        error = error.args[0]  # str() of a KeyError would be the repr of its message
    text = str(error).strip()
    start, traceback, rest = text.partition("Traceback (most recent call last):")
    if traceback:
        text = f"{start} {rest.strip().splitlines()[-1]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
