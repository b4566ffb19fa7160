"""The suite "judge": how often a classifier is right, and whether it is as sure as it is right."""

import numpy as np
from scipy.special import softmax

from common import images
from common.metrics import classification, intervals
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section

TEXT = (
    "The temperature was fitted to the hold-out, so the honest calibration error (ECE) is that of the test "
    "images, where there are any. A picture and its mirror image are judged together. Training saw neither set."
)


def evaluate(judge, datasets, seed=0):
    """The Section of a classifier.

    Args:
        judge: classifiers.inference.ReleasedClassifier.
        datasets: of common.data.datasets.ImageDataset with the judge's classes in its order: hold-out, perhaps
        test.
        seed: of the intervals.
    """
    figures, pictures, table = [], {}, [{"class": name} for name in judge.class_names]
    for dataset in datasets:
        name = dataset.split
        probabilities, _ = judge(images.to_float(dataset.images))
        hits = probabilities.argmax(1) == dataset.labels
        size = f"{name}_{len(dataset)}"
        accuracy = intervals.bootstrap_mean(hits, seed=seed)
        figures.append(Estimate(f"accuracy_{size}", *accuracy, len(dataset), "higher"))
        for figure, shares in (("ece", probabilities), ("ece_uncalibrated", reheated(judge, probabilities))):
            error = classification.expected_calibration_error(shares, dataset.labels)
            figures.append(Estimate(f"{figure}_{size}", error, count=len(dataset), better="lower"))
        for label, row in enumerate(table):
            row[f"accuracy, {name}"] = float(hits[dataset.labels == label].mean())
        diagram = plots.draw_reliability_diagram(*classification.reliability(probabilities, dataset.labels))
        pictures[f"Reliability on {len(dataset)} images, {name}"] = diagram
    return Section("Classifier", figures, table, pictures, f"{TEXT} Temperature {judge.temperature:.4g}.")


def reheated(judge, probabilities):
    """The probabilities at temperature 1: p^T, normalised."""
    return softmax(judge.temperature * np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)), axis=1)
