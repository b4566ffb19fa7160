"""The suite "classifier": accuracy and calibration of a classifier."""

import numpy as np
from scipy.special import softmax

from classifiers.inference import ReleasedClassifier
from common import images
from common.metrics import classification, intervals
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section
from evaluation.wing_figures import percent_with_interval

TEXT = (
    "The temperature was fitted to the hold-out, so the unbiased calibration error (ECE) is that of the test "
    "images, if there are any. Each picture is classified together with its mirror image. Neither set was used in "
    "training."
)


def run(inputs):
    classifier = ReleasedClassifier(*inputs.release.model_arguments)
    return evaluate(classifier, inputs.load_unseen_images(), inputs.config.seed)


def evaluate(classifier, datasets, seed=0):
    """Measures a classifier.

    Args:
        classifier: classifiers.inference.ReleasedClassifier.
        datasets: list of common.data.datasets.ImageDataset with the classifier's classes in its order: the
            hold-out and perhaps the test images.
        seed: of the intervals.

    Returns:
        Section.
    """
    estimates, diagrams, table = [], {}, [{"class": name} for name in classifier.class_names]
    for dataset in datasets:
        count = len(dataset)
        probabilities, _ = classifier(images.to_float(dataset.images))
        hits = probabilities.argmax(1) == dataset.labels
        accuracy = intervals.bootstrap_mean(hits, seed=seed)
        estimates.append(Estimate(f"accuracy_{dataset.split}_{count}", *accuracy, count, "higher"))
        uncalibrated = remove_temperature(classifier, probabilities)
        for name, values in (("ece", probabilities), ("ece_uncalibrated", uncalibrated)):
            error = classification.expected_calibration_error(values, dataset.labels)
            estimates.append(Estimate(f"{name}_{dataset.split}_{count}", error, count=count, better="lower"))
        for label, row in enumerate(table):
            row[f"accuracy, {dataset.split}"] = float(hits[dataset.labels == label].mean())
        reliability = classification.reliability(probabilities, dataset.labels)
        diagram = plots.draw_reliability_diagram(*reliability)
        diagrams[f"Reliability on {count} images, {dataset.split}"] = diagram
    best = estimates[0]
    summary = f"{percent_with_interval(best)} of {best.count:,} held-out images are classified correctly."
    text = f"{TEXT} Temperature {classifier.temperature:.4g}."
    return Section("Classifier", estimates, table, diagrams, text, summary)


def remove_temperature(classifier, probabilities):
    """Converts calibrated probabilities to those at temperature 1: p^T, normalised."""
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return softmax(classifier.temperature * logits, axis=1)
