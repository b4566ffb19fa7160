"""Figures of matplotlib that look the same whatever the user's settings of matplotlib are."""

import contextlib
import os
from unittest import mock

from common.files import cache_folder


@contextlib.contextmanager
def default_settings():
    """Context, or decorator of a function, in which matplotlib has its default settings and can be imported.

    A matplotlibrc of the user's can change fonts and colours, require LaTeX or end the import. So can a backend
    in MPLBACKEND that matplotlib does not know. Figures that are written to files need neither. The list of fonts
    goes to the cache folder, if it can be written to: matplotlib would require a folder that can.
    """
    folder = os.path.join(cache_folder(), "matplotlib")
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
    with mock.patch.dict(os.environ, MATPLOTLIBRC=os.devnull), mock.patch("os.path.exists", _exists):
        os.environ.pop("MPLBACKEND", None)
        import matplotlib
    folders = dict.fromkeys(("get_cachedir", "get_configdir"), lambda: folder)
    with mock.patch.multiple(matplotlib, **folders):
        import matplotlib.figure
        import matplotlib.style

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def _exists(path, exists=os.path.exists):
    """os.path.exists without the working folder's matplotlibrc, which comes before that of MATPLOTLIBRC."""
    return path != "matplotlibrc" and exists(path)
