"""Draws figures that runs logged, against kimg, one below the other:

python -m evaluation.report.curve docs/lines.png lines_mean_distance,lines_smoothness runs/lines
runs/lines_baseline
"""

import json
import os
import sys

import numpy as np

from common import cli
from common.errors import InputError
from common.images import write_png
from evaluation.report import plots


def read(run, name):
    """{kimg: figure} of the intervals of a run directory that logged it; InputError where none did."""
    path = os.path.join(run, "metrics.jsonl")
    try:
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
    except (OSError, ValueError) as error:
        raise InputError(f"A run directory is required. Received: {run} ({error})") from error
    found = {record["kimg"]: record[name] for record in records if name in record}
    if not found:
        known = ", ".join(sorted({key for record in records for key in record})) or "none"
        raise InputError(f"A figure that {path} holds is required: {known}. Received: {name}")
    return found


def draw(name, runs):
    """A figure of some run directories on a logarithmic axis: uint8 [900, 1600, 3]."""
    found = {os.path.basename(os.path.normpath(run)): read(run, name) for run in runs}
    kimg = sorted(set().union(*found.values()))
    curves = {run: ([figures.get(x, np.nan) for x in kimg], None, None) for run, figures in found.items()}
    return plots.curves(kimg, curves, "kimg", name, "", log=True)


def main(words):
    if len(words) < 3:
        raise InputError(f"Required: OUT.png FIGURE[,FIGURE] RUN [RUN ...]. Received: {len(words)} words")
    out, names, *runs = words
    write_png(out, np.concatenate([draw(name, runs) for name in names.split(",")]))
    print(out)


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # what is left has no flags
    cli.run(lambda: main(words))
