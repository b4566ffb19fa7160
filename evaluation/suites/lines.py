"""The suite "lines": the paper's two figures of an ACAI trained on lines (arXiv 1807.07543, table 1)."""

import numpy as np

from acai import line_metrics
from common import images
from common.metrics import intervals
from evaluation.report.estimates import Estimate, Section

PAPER = {  # mean distance, smoothness; from memory, not checked against the paper
    "baseline": (6.88e-3, 0.44),
    "dropout": (2.85e-3, 0.74),
    "denoising": (4.21e-3, 0.66),
    "VAE": (1.21e-3, 0.49),
    "AAE": (3.26e-3, 0.14),
    "VQ-VAE": (5.41e-3, 0.77),
    "ACAI": (0.24e-3, 0.10),
}
TEXT = (
    "Interpolations between pairs of lines, decoded and matched to the nearest of 10,000 rendered lines. Mean "
    "distance is the cosine distance to it; smoothness tells how unevenly the angle turns, 0 being perfect. The "
    "paper's figures are from memory and were not checked against the paper; it trained on 16,777 kimg."
)


def evaluate(model, pairs=256, steps=16, seed=0, name="ACAI"):
    """The Section of a model that has `encode` and `decode`.

    Args:
        model: acai.inference.ReleasedACAI of lines.
        name: what the paper calls such a model.
        pairs, steps, seed: of acai.line_metrics.interpolate_lines; the paper's are 256 pairs of 16 images.
    """
    interpolations = line_metrics.interpolate_lines(model.encode, model.decode, pairs, steps, seed)
    found = line_metrics.line_figures(interpolations)
    smooth = found["pair_smoothness"][~np.isnan(found["pair_smoothness"])]
    figures = [
        measured(f"lines_mean_distance_{pairs}", found["pair_distances"], seed),
        measured(f"lines_smoothness_{pairs}", smooth, seed),
        Estimate(
            f"lines_smoothness_nan_share_{pairs}", found["smoothness_nan_share"], count=pairs, better="lower"
        ),
        Estimate(
            f"lines_smoothness_official_{pairs}",
            found["smoothness_official"],
            count=pairs,
            better="lower",
            note="sum over valid pairs / all pairs",
        ),
    ]
    ours = {
        "model": f"{name}, this one",
        "mean distance": found["mean_distance"],
        "smoothness": found["smoothness"],
    }
    table = [
        {"model": f"{name}, the paper's", "mean distance": distance, "smoothness": smoothness}
        for name, (distance, smoothness) in PAPER.items()
    ]
    shown = images.to_uint8(interpolations[:8].reshape(-1, *interpolations.shape[2:])).repeat(3, axis=3)
    return Section("Lines", figures, [ours, *table], {"Eight interpolations": images.grid(shown, steps)}, TEXT)


def measured(name, values, seed):
    """A Estimate of a mean over pairs with its bootstrap interval; NaN where fewer than two pairs have a value."""
    if len(values) < 2:
        return Estimate(name, float("nan"), count=len(values), better="lower")
    value, low, high = intervals.bootstrap_mean(values, seed=seed)
    return Estimate(name, value, low, high, len(values), "lower")
