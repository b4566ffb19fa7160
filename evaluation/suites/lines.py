"""The suite "lines": the paper's two figures of a model of lines (Berthelot et al. 2018, arXiv 1807.07543)."""

import numpy as np

from acai.autoencoder import name_in_paper
from acai.inference import ReleasedACAI
from common import images
from common.metrics import intervals
from evaluation import line_metrics
from evaluation.report.estimates import Estimate, Section, format_number

PAPER = {  # mean distance and its standard deviation over runs, smoothness and its standard deviation
    "baseline": (6.88e-3, 0.21e-3, 0.44, 0.04),
    "dropout": (2.85e-3, float("nan"), 0.74, float("nan")),  # from memory
    "denoising": (4.21e-3, 0.32e-3, 0.66, 0.02),
    "VAE": (1.21e-3, 0.17e-3, 0.49, 0.13),
    "AAE": (3.26e-3, 0.19e-3, 0.14, 0.02),
    "VQ-VAE": (5.41e-3, 0.49e-3, 0.77, 0.02),
    "ACAI": (0.24e-3, 0.01e-3, 0.10, 0.01),
}
COLUMNS = ("mean distance", "deviation of distance", "smoothness", "deviation of smoothness")
TEXT = (
    "Interpolations between pairs of lines are decoded and matched to the nearest of 10,000 rendered lines. Mean "
    "distance is the cosine distance to it. Smoothness measures how unevenly the angle turns; 0 is perfect. The "
    "paper's figures are from the authors' ICLR 2019 poster, with standard deviations over training runs; those "
    "of dropout are from memory. The paper trained on 16,777 kimg. Its VQ-VAE has a codebook of 16,384 entries "
    "and 10 discrete latents."
)


def run(inputs):
    model = ReleasedACAI(*inputs.release.model_arguments)
    return evaluate(model, seed=inputs.config.seed, name=name_in_paper(inputs.release.config["model"]))


def evaluate(model, pairs=256, steps=16, seed=0, name="ACAI"):
    """Measures a model of lines.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        pairs, steps, seed: see evaluation.line_metrics.interpolate_lines; the paper uses 256 pairs of 16 images.
        name: the paper's name of such a model.

    Returns:
        Section.
    """
    interpolations = line_metrics.interpolate_lines(model.encode, model.decode, pairs, steps, seed)
    figures = line_metrics.line_figures(interpolations)
    smoothness = figures["pair_smoothness"][~np.isnan(figures["pair_smoothness"])]
    nan_share, official = figures["smoothness_nan_share"], figures["smoothness_official"]
    note = "sum over valid pairs / all pairs"
    estimates = [
        estimate_mean(f"lines_mean_distance_{pairs}", figures["pair_distances"], seed),
        estimate_mean(f"lines_smoothness_{pairs}", smoothness, seed),
        Estimate(f"lines_smoothness_nan_share_{pairs}", nan_share, count=pairs, better="lower"),
        Estimate(f"lines_smoothness_official_{pairs}", official, count=pairs, better="lower", note=note),
    ]
    nan = float("nan")
    measured = (figures["mean_distance"], nan, figures["smoothness"], nan)
    rows = {f"{name}, this one": measured} | {f"{model}, the paper's": values for model, values in PAPER.items()}
    table = [{"model": model} | dict(zip(COLUMNS, values, strict=True)) for model, values in rows.items()]
    shown = images.to_uint8(interpolations[:8].reshape(-1, *interpolations.shape[2:])).repeat(3, axis=3)
    distance, paper = estimates[0], PAPER["ACAI"]
    summary = (
        f"Interpolated lines are {format_number(1e3 * distance.value)}e-3 from real ones in the mean, "
        f"{distance.value / paper[0]:.2g} times the distance of the paper's ACAI."
    )
    plot = {"Eight interpolations": images.grid(shown, steps)}
    return Section("Lines", estimates, table, plot, TEXT, summary)


def estimate_mean(name, values, seed):
    """Estimates the mean over pairs by bootstrap; NaN if fewer than two pairs have a value."""
    if len(values) < 2:
        return Estimate(name, float("nan"), count=len(values), better="lower")
    return Estimate(name, *intervals.bootstrap_mean(values, seed=seed), len(values), "lower")
