"""The suite "lines": the paper's two figures of a model of lines (Berthelot et al. 2018, arXiv 1807.07543)."""

from pathlib import Path

import numpy as np
from absl import logging

from acai.autoencoder import name_in_paper
from acai.inference import ReleasedACAI
from common import images, release
from common.errors import InputError
from common.metrics import intervals
from evaluation import line_metrics, training_log
from evaluation.report.estimates import Estimate, Section, Spread, format_number

PAPER = {  # mean distance and its standard deviation over runs, smoothness and its standard deviation
    "baseline": (6.88e-3, 0.21e-3, 0.44, 0.04),
    "dropout": (2.85e-3, float("nan"), 0.74, float("nan")),  # from memory
    "denoising": (4.21e-3, 0.32e-3, 0.66, 0.02),
    "VAE": (1.21e-3, 0.17e-3, 0.49, 0.13),
    "AAE": (3.26e-3, 0.19e-3, 0.14, 0.02),
    "VQ-VAE": (5.41e-3, 0.49e-3, 0.77, 0.02),
    "ACAI": (0.24e-3, 0.01e-3, 0.10, 0.01),
}
COLUMNS = ("mean distance", "deviation of distance", "official smoothness", "deviation of smoothness")
PATHS = {"": "lerp", "slerp_": "slerp", "angle_": "angle"}  # {part of the figures' names: path}
LOGGED = ("lines_mean_distance", "lines_smoothness_official")  # by a training, see evaluation.training_metrics
NUM_LOGGED = 20  # last logged values, of which the paper takes the median
LOGGED_PAIRS = 256  # of each logged value
COMPARED = {  # {heading of a table of several models: beginning of a figure's name}
    "mean distance": "lines_mean_distance_256",
    "smoothness": "lines_smoothness_256",
    "official smoothness": "lines_smoothness_official_256",
    "share of NaN": "lines_smoothness_nan_share",
    "median distance": "lines_mean_distance_median",
    "median smoothness": "lines_smoothness_official_median",
}
METRICS_TEXT = (
    "Interpolations between pairs of lines are decoded and matched to the nearest of 10,000 rendered lines. Mean "
    "distance is the cosine distance to it. Smoothness measures how unevenly the angle turns; 0 is perfect. It is "
    "the mean over the pairs whose lines turn; the share of the others is that of NaN. The official form, the "
    "paper's, divides the sum by the number of all pairs, so that lines that do not turn look smooth. The "
    "paper's figures are from the authors' ICLR 2019 poster, with standard deviations over training runs; those "
    "of dropout are from memory. The paper trained on 16,777 kimg. Its VQ-VAE has a codebook of 16,384 entries "
    "and 10 discrete latents."
)
PATHS_TEXT = (
    "Interpolations are linear, as in the paper. Figures with slerp in their names are of spherical ones between "
    "the same latents. Those with angle follow the data's own angle: lines at the angles between the two, the "
    "short way round, are rendered, encoded and decoded. No latents are interpolated there, so this is what the "
    "autoencoder itself loses."
)
LOGGED_TEXT = (
    "The paper reports the median of the last 20 values that a training has logged. Medians here are the same, of "
    "mean distance and official smoothness, from the metrics.jsonl of a run that has logged so many."
)
COMPARISON_TEXT = f"{METRICS_TEXT}\n\n{LOGGED_TEXT}"


def run(inputs):
    return evaluate(
        ReleasedACAI(*inputs.release.model_arguments),
        seed=inputs.config.seed,
        name=name_in_paper(inputs.release.config["model"]),
        logged=estimate_logged(inputs.release.source),
    )


def evaluate(model, pairs=256, seed=0, name="ACAI", logged=()):
    """Measures a model of lines.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        pairs, seed: see evaluation.line_metrics.interpolate_lines; the paper uses 256 pairs.
        name: the paper's name of such a model.
        logged: Estimates from its training's log.

    Returns:
        Section.
    """
    paths = {
        part: line_metrics.interpolate_lines(model.encode, model.decode, pairs, seed=seed, path=path)
        for part, path in PATHS.items()
    }
    figures = {part: line_metrics.line_figures(interpolations) for part, interpolations in paths.items()}
    estimates = [e for part in PATHS for e in estimate_path(part, figures[part], seed)] + list(logged)
    nan, linear = float("nan"), figures[""]
    measured = (linear["mean_distance"], nan, linear["smoothness_official"], nan)
    rows = {f"{name}, this one": measured} | {f"{model}, the paper's": values for model, values in PAPER.items()}
    table = [{"model": model} | dict(zip(COLUMNS, values, strict=True)) for model, values in rows.items()]
    shown = images.to_uint8(paths[""][:8].reshape(-1, *paths[""].shape[2:])).repeat(3, axis=3)
    distance, paper = estimates[0], PAPER["ACAI"]
    summary = (
        f"Interpolated lines are {format_number(1e3 * distance.value)}e-3 from real ones in the mean, "
        f"{distance.value / paper[0]:.2g} times the distance of the paper's ACAI."
    )
    plot = {"Eight interpolations": images.grid(shown, linear["steps"])}
    text = "\n\n".join([METRICS_TEXT, PATHS_TEXT, *([LOGGED_TEXT] if logged else [])])
    return Section("Lines", estimates, table, plot, text, summary)


def estimate_path(part, figures, seed):
    """Estimates the `line_metrics.line_figures` of interpolations; `part` stands in the names."""
    pairs, smoothness = figures["pairs"], figures["pair_smoothness"]
    counted = {"count": pairs, "better": "lower"}
    official = {"note": "sum over valid pairs / all pairs"}
    return [
        estimate_mean(f"lines_mean_distance_{part}{pairs}", figures["pair_distances"], seed),
        estimate_mean(f"lines_smoothness_{part}{pairs}", smoothness[~np.isnan(smoothness)], seed),
        Estimate(f"lines_smoothness_nan_share_{part}{pairs}", figures["smoothness_nan_share"], **counted),
        Estimate(
            f"lines_smoothness_official_{part}{pairs}", figures["smoothness_official"], **counted, **official
        ),
    ]


def estimate_mean(name, values, seed):
    """Estimates the mean over pairs by bootstrap; NaN if fewer than two pairs have a value."""
    if len(values) < 2:
        return Estimate(name, float("nan"), count=len(values), better="lower")
    return Estimate(name, *intervals.bootstrap_mean(values, seed=seed), len(values), "lower")


def estimate_logged(source):
    """Estimates the medians of the last NUM_LOGGED values of LOGGED that the training of a model has logged.

    Args:
        source: see `common.release.resolve`.

    Returns:
        List of Estimates; without those of figures that were logged less often. [] where there is no log, and with
        a warning where it is damaged.
    """
    folder = Path(release.resolve(source))
    run_folder = folder.parent if folder.name == "release" else folder
    if not (run_folder / "metrics.jsonl").is_file():
        return []
    try:
        records, estimates = training_log.read_log(run_folder), []
    except InputError as error:
        logging.warning("no medians of logged values: %s", error)
        return []
    for name in LOGGED:
        last = list(training_log.select_figure(records, name).items())[-NUM_LOGGED:]
        if len(last) == NUM_LOGGED:
            kimg, values = zip(*last, strict=True)
            note = f"the last {NUM_LOGGED} logged, at {min(kimg):.1f} to {max(kimg):.1f} kimg"
            median = float(np.median(values))
            estimates.append(
                Estimate(f"{name}_median_{NUM_LOGGED}", median, count=LOGGED_PAIRS, better="lower", note=note)
            )
    return estimates


def list_facts(measured):
    """Lists what the table of `evaluation.several` says of a Release: {heading: value}."""
    return {"model": name_in_paper(measured.config["model"])}


def find_paper_row(measured):
    """Finds the paper's row for the table of `evaluation.several` beside a Release; {} if it has none.

    The paper's figures are medians of logged values, and its smoothness has the official form.
    """
    name = name_in_paper(measured.config["model"])
    if name not in PAPER:
        return {}
    distance, distance_deviation, smoothness, smoothness_deviation = PAPER[name]
    distance, smoothness = Spread(distance, distance_deviation), Spread(smoothness, smoothness_deviation)
    figures = {"mean distance": distance, "median distance": distance}
    figures |= {"official smoothness": smoothness, "median smoothness": smoothness}
    return {"model": f"{name}, the paper's", "kimg": 16_777} | figures
