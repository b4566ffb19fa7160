"""Draws figures logged by runs against kimg, one plot below the other:

    python -m evaluation.report.curve lines.png lines_mean_distance,lines_smoothness \\
        runs/lines runs/lines_baseline

RUN+RUN is one curve of runs that began where the one before ended (train.start_from).
"""

import os
import sys

import numpy as np

from common import cli
from common.errors import InputError
from common.files import make_folder
from common.images import write_png
from evaluation import training_log
from evaluation.report import plots


def read_figure(runs, name):
    """Reads {kimg: value} of a logged figure.

    Args:
        runs: run directories, one after the other; the kimg of each count from the last of the one before.
        name: of the figure.

    Raises:
        InputError: if a run directory does not exist or has not logged the figure.
    """
    figure, start = {}, 0
    for run in runs:
        records = training_log.read_log(run)
        values = training_log.select_figure(records, name)
        if not values:
            known = ", ".join(sorted({key for record in records for key in record})) or "none"
            raise InputError(f"FIGURE must be one of those that {run} has logged ({known}). Received: {name}")
        figure |= {start + kimg: value for kimg, value in values.items()}
        start += records[-1]["kimg"]
    return figure


def draw(name, curves):
    """Draws a figure of several RUN or RUN+RUN on a logarithmic axis, uint8 [900, 1600, 3].

    Each is named by the last folder of its path, or as it was given where two names would be alike.
    """
    chains = [str(curve).split("+") for curve in curves]
    names = [os.path.basename(os.path.normpath(runs[-1])) for runs in chains]
    names = names if len({*names}) == len(names) else [*map(str, curves)]
    logs = {run: read_figure(runs, name) for run, runs in zip(names, chains, strict=True)}
    kimg = sorted(set().union(*logs.values()))
    lines = {run: ([values.get(x, np.nan) for x in kimg], None, None) for run, values in logs.items()}
    return plots.draw_curves(kimg, lines, "kimg", name, log=True)


def main(arguments):
    if len(arguments) < 3:
        raise InputError(
            f"The arguments must be OUT.png FIGURE[,FIGURE] RUN[+RUN] [...]. Received: {len(arguments)} arguments"
        )
    out, names, *curves = arguments
    make_folder(os.path.dirname(out) or ".", "The folder of OUT.png")
    write_png(out, np.concatenate([draw(name, curves) for name in names.split(",")]))
    print(out)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    del sys.argv[1:]  # cli.run would parse them as flags
    cli.run(lambda: main(arguments))
