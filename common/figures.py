"""Figures of matplotlib that look the same whatever the user's settings of matplotlib are."""

import contextlib
import os


@contextlib.contextmanager
def default_settings():
    """Context, or decorator of a function, in which matplotlib has its default settings and can be imported.

    A matplotlibrc of the user's can change fonts and colours or require LaTeX. Figures that are written to files
    need no backend, and one in MPLBACKEND that matplotlib does not know would end its import.
    """
    os.environ.pop("MPLBACKEND", None)
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
