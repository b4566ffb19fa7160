"""Measures how costs grow with size: python benchmarks/scale.py --plot=scale.png

Times ACAI's training step against batch size, depth and image width, from memory and from disk; the search for
blends against the number of candidates; and the decoding of a picture. Prints a Markdown table. Every point runs
in its own process, to measure its peak memory. --quick uses tiny sizes, to test that everything runs.
"""

import itertools
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import cli, images
from common.backend import compiler, memory
from common.data import batches, datasets
from common.errors import InputError

STEP = dict(batch=64, depth=16, width=32, latent=16)  # the baseline, of which one size is varied
QUICK = dict(batch=4, depth=2, width=32, latent=2)
POINTS = {  # values to measure, and those with --quick
    "batch": ((8, 16, 32, 64, 128, 256, 512), (2, 4)),
    "depth": ((8, 16, 32, 64), (2, 4)),
    "width": ((32, 64), (32, 64)),
    "disk": ((32, 64), (32,)),  # widths
    "candidates": ((250, 500, 1_000, 2_000, 4_000, 8_000, 16_000), (8, 16)),
    "decode": ((128, 256, 512, 1_024), (64, 128)),  # widths of pictures in pixels
}
flags.DEFINE_bool("quick", False, "tiny sizes and few steps")
flags.DEFINE_string("plot", None, "PNG file for a plot")
flags.DEFINE_list("parts", list(POINTS), "parts to measure")
flags.DEFINE_string("point", None, "internal: the point to measure in this process, JSON")
FLAGS = flags.FLAGS


def main():
    if FLAGS.point:
        part, value, quick = json.loads(FLAGS.point)
        print(json.dumps(measure(part, value, quick)))
        return
    unknown = set(FLAGS.parts) - set(POINTS)
    if unknown:
        raise InputError(f"--parts must be among {', '.join(POINTS)}. Received: {', '.join(unknown)}")
    rows = []
    for part in FLAGS.parts:
        part_rows = []
        for value in POINTS[part][FLAGS.quick]:
            print(f"measuring {part} {value}", file=sys.stderr)
            part_rows += measure_in_process(part, value, FLAGS.quick)
        rows += add_growth(part_rows)
    print(format_table(rows))
    if FLAGS.plot:
        draw(rows, FLAGS.plot)


def measure_in_process(part, value, quick):
    """Runs `measure` in its own process; returns [{"part", "at", "seconds", ..., "peak_mib"}]."""
    point = json.dumps([part, value, quick])
    result = subprocess.run([sys.executable, __file__, f"--point={point}"], stdout=subprocess.PIPE, text=True)
    if result.returncode:
        return [{"part": part, "at": value, "what": f"failed with status {result.returncode}"}]
    return json.loads(result.stdout.splitlines()[-1])


def measure(part, value, quick):
    """Returns the rows of one point. "seconds" is of a median step, a whole search or one picture."""
    memory.keep_freed_memory()
    cli.import_tensorflow()
    if part == "candidates":
        found = [search(value, quick)]
    elif part == "decode":
        found = [decode(value, quick)]
    elif part == "disk":
        found = from_memory_and_disk(value, quick)
    else:
        found = [step_cost((QUICK if quick else STEP) | {part: value}, quick)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    return [{"part": part, "at": value, **row, "peak_mib": round(peak)} for row in found]


def acai(sizes):
    """Returns (compiled step, operations per image) of an ACAI model."""
    from train_step import acai_flops

    from acai.model import paper_acai
    from training import loop

    model = paper_acai(width=sizes["width"], depth=sizes["depth"], latent_channels=sizes["latent"], classes=2)
    model.compile()
    return loop.compile_step(model, compiler.resolve("auto", "float32")), acai_flops(model)


def time_step(step, stream):
    """Returns (seconds of a step including its wait for data, seconds of the wait)."""
    from training import loop

    start = time.perf_counter()
    batch = next(stream)
    waited = time.perf_counter() - start
    loop.read_finite([(0, *step(batch))])
    return time.perf_counter() - start, waited


def make_row(times, sizes, flops):
    """Makes the row of a step from [(seconds, seconds waited)], without the first three, which compile."""
    seconds, waited = (statistics.median(column) for column in zip(*times[3:], strict=True))
    rate = sizes["batch"] / seconds
    figures = {"seconds": seconds, "images_per_second": rate, "waiting": waited / seconds}
    return figures | {"gflops": rate * flops / 1e9, "what": "step"}


def step_cost(sizes, quick):
    from train_step import noise_images

    step, flops = acai(sizes)
    stream = iter(batches.batches(noise_images(2_000, sizes["width"]), sizes["batch"], seed=0, flip=True))
    times, begun = [], time.perf_counter()
    while len(times) < (5 if quick else 8) or (
        not quick and time.perf_counter() - begun < 30 and len(times) < 100
    ):
        times.append(time_step(step, stream))
    return make_row(times, sizes, flops)


def from_memory_and_disk(width, quick):
    """Alternates steps from memory and from disk, so that both run under the same conditions."""
    from train_step import noise_images

    sizes = (QUICK if quick else STEP) | {"width": width}
    step, flops = acai(sizes)
    in_memory = noise_images(200 if quick else 20_000, width)
    with tempfile.TemporaryDirectory() as cache:
        sources = {"from memory": in_memory, "from disk": datasets.move_to_disk(in_memory, cache)}
        streams = {
            name: iter(batches.batches(source, sizes["batch"], seed=0, flip=True))
            for name, source in sources.items()
        }
        times = {name: [] for name in streams}
        for _ in range(5 if quick else 103):
            for name, stream in streams.items():
                times[name].append(time_step(step, stream))
    return [make_row(times[name], sizes, flops) | {"what": f"step {name}"} for name in streams]


def search(candidates, quick):
    """Times a search as in generate.py --blend --candidates --mask, with compilation."""
    from acai.inference import ReleasedACAI
    from acai.latent_bank import LatentBank
    from classifiers.inference import search_ensemble
    from common import release
    from pegasus.general.search import run_search
    from pegasus.search_config import MaskSearch

    config, weights, arrays, _ = release.read(release.BUNDLED / "pegasus")
    bank, classes = LatentBank.from_arrays(arrays), ("horse", "bird")
    rows = [bank.rows(name)[: 64 if quick else None] for name in classes]
    arguments = ReleasedACAI(config["model"], weights, "pegasus"), search_ensemble(), bank, rows, classes
    start = time.perf_counter()
    run_search(MaskSearch(candidates, min(64, candidates), "top"), *arguments, seed=0)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "images_per_second": candidates / seconds, "what": "search"}


def decode(side, quick):
    """Times reading a JPEG, `side` pixels wide, of noise on a gradient, as those in a folder: resized to 64x64."""
    from PIL import Image

    slope = np.linspace(0, 200, side)[:, None, None] + np.random.default_rng(0).integers(0, 40, (side, side, 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        Image.fromarray(slope.astype(np.uint8)).save(path, quality=90)
        times = []
        for _ in range(3 if quick else 100):
            start = time.perf_counter()
            images.read_picture(path, 64)
            times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    return {"seconds": seconds, "images_per_second": 1 / seconds, "what": "picture"}


def add_growth(rows):
    """Adds "growth" to all rows but the first of each kind: the exponent of the size with which seconds grew."""
    rows = [dict(row) for row in rows]
    for kind in {row["what"] for row in rows if "seconds" in row}:
        for last, row in itertools.pairwise(row for row in rows if row["what"] == kind):
            row["growth"] = math.log(row["seconds"] / last["seconds"]) / math.log(row["at"] / last["at"])
    return rows


COLUMNS = {  # title: (name, format)
    "what grows": ("part", "{}"),
    "to": ("at", "{}"),
    "timed": ("what", "{}"),
    "seconds": ("seconds", "{:.4g}"),
    "images/s": ("images_per_second", "{:.4g}"),
    "grew with the power": ("growth", "{:.2f}"),
    "GFLOP/s": ("gflops", "{:.3g}"),
    "waiting for data": ("waiting", "{:.1%}"),
    "peak MiB": ("peak_mib", "{}"),
}


def format_table(rows):
    """Formats rows as a Markdown table; missing values are empty."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    for row in rows:
        lines.append(" | ".join(form.format(row[n]) if n in row else "" for n, form in COLUMNS.values()))
    return "\n".join(f"| {line} |" for line in lines)


def draw(rows, path):
    """Plots seconds, on logarithmic axes, and peak memory of each part; the dashed line is linear growth."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in rows if "seconds" in row]
    parts = list(dict.fromkeys(row["part"] for row in rows))
    height = math.ceil(len(parts) / 3)
    figure = Figure(figsize=(12, 3.2 * height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(height, 3, squeeze=False).ravel()
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    for axes, part in zip(panels, parts, strict=False):
        part_rows = [row for row in rows if row["part"] == part]
        for kind in dict.fromkeys(row["what"] for row in part_rows):
            at, seconds = zip(
                *((row["at"], row["seconds"]) for row in part_rows if row["what"] == kind), strict=True
            )
            axes.plot(at, seconds, "o-", label=f"seconds per {kind}")
        axes.plot(at, [part_rows[0]["seconds"] * value / at[0] for value in at], "k--", label="linear")
        memory_axes = axes.twinx()
        memory_axes.plot(
            [row["at"] for row in part_rows], [row["peak_mib"] for row in part_rows], "s:", color="tab:red"
        )
        memory_axes.set_ylim(0, 1.5 * max(row["peak_mib"] for row in part_rows))
        memory_axes.set_ylabel("peak MiB", color="tab:red")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel(part)
        axes.legend(fontsize="small", loc="upper left")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    cli.run(main)
