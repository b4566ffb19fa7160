"""The suite "classifier" of wing classifiers: what they make of images and composites of the unseen fold."""

import numpy as np
from sklearn.metrics import roc_auc_score

from classifiers.inference import ReleasedWingClassifier
from common import images
from common.data import datasets
from common.metrics import classification, intervals
from composites import drawing
from composites.ranges import RANGES
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section, format_interval, format_number
from pegasus import labels

PER_KIND = 200  # composites
MOST = 1000  # real images of a group
TEXT = (
    "All images are of the fold of ids that the classifier was not trained on, and all horses with riders for "
    "control. The labels are a vision-language model's. Scale and offset of each output were fitted to other "
    "composites of this fold. A picture is called a winged horse if both outputs are 0.5 or more. Each picture is "
    "classified together with its mirror image. The interval of an AUROC of composites ignores that a bird is in "
    "many of them."
)


def run(inputs):
    """Runs the suite on the classifier of `inputs`, an `evaluation.inputs.Inputs`; returns a Section."""
    classifier = ReleasedWingClassifier(*inputs.release.model_arguments)
    data, seed = inputs.release.config["data"], inputs.config.seed
    dataset = datasets.load_cifar10(inputs.config.data_dir, hold_out=False)
    ranges = RANGES[data["ranges"]]
    source = drawing.Composites(dataset, 1 - data["fold"], ranges, seed, rider_use="control")
    return evaluate(classifier, source, seed)


def evaluate(classifier, source, seed=0, per_kind=PER_KIND):
    """Measures a wing classifier.

    Args:
        classifier: object with `probabilities`, see classifiers.inference.ReleasedWingClassifier.
        source: `composites.drawing.Composites` of images that it was not trained on.
        seed: of the intervals.
        per_kind: number of composites of each kind.

    Returns:
        Section.
    """
    estimates, table, diagrams = [], [], {}
    rows = {name: source.rows[name] for name in ("horse", "spread", "folded", "airplane", "other")}
    rows["horse with rider"] = control_riders(source.dataset)
    real = {
        name: classifier.probabilities(images.to_float(source.dataset.images[spaced(found)]))
        for name, found in rows.items()
    }
    kinds = np.repeat(np.arange(len(drawing.KINDS)), per_kind)
    probabilities = classifier.probabilities(images.to_float(source.draw(len(kinds), kinds)[0]))
    targets = drawing.TARGETS[kinds]

    no_horse = np.concatenate([real[name][:, 0] for name in ("folded", "airplane", "other")])
    estimates.append(auroc("horse_images", real["horse"][:, 0], no_horse, seed))
    estimates.append(auroc("wings_images", real["spread"][:, 1], real["folded"][:, 1], seed))
    for output, name in enumerate(("horse", "wings")):
        asked = np.isfinite(targets[:, output])
        values, truth = probabilities[asked, output], targets[asked, output].astype(int)
        estimates.append(auroc(f"{name}_composites", values[truth == 1], values[truth == 0], seed))
        two = np.stack([1 - values, values], axis=1)
        error = classification.expected_calibration_error(two, truth)
        estimates.append(Estimate(f"ece_{name}_composites_{len(truth)}", error, count=len(truth), better="lower"))
        caption = f"Reliability of the output {name} on {len(truth)} composites"
        diagrams[caption] = plots.draw_reliability_diagram(*classification.reliability(two, truth))

    groups = {f"images: {name}": values for name, values in real.items()}
    for index, name in enumerate(drawing.KINDS):
        groups[f"composites: {name}"] = probabilities[kinds == index]
    for name, values in groups.items():
        called = intervals.bootstrap_mean((values >= 0.5).all(axis=1), seed=seed)
        estimate = Estimate(name, *called, len(values))
        horse, wings = (values >= 0.5).mean(axis=0)
        table.append(
            {"pictures": name, "called winged horse": estimate, "horse": float(horse), "wings": float(wings)}
        )
    horse, wings = estimates[:2]
    summary = (
        f"A horse is told from other animals with an area under the ROC curve of {format_number(horse.value)} "
        f"({format_interval(horse)}), spread wings from folded ones with {format_number(wings.value)} "
        f"({format_interval(wings)}); 0.5 is guessing."
    )
    return Section("Wing classifier", estimates, table, diagrams, TEXT, summary)


def auroc(name, positives, negatives, seed):
    """Estimate of the area under the ROC curve of scores of positives and negatives."""

    def area(first, second):
        truth = np.repeat([1, 0], [len(first), len(second)])
        return roc_auc_score(truth, np.concatenate([first, second]))

    count = len(positives) + len(negatives)
    return Estimate(
        f"auroc_{name}_{count}", *intervals.jackknife(area, positives, negatives, seed=seed), count, "higher"
    )


def control_riders(dataset):
    """Rows of the horses with riders for control, of both folds: no wing classifier is trained on them."""
    riders, horse = labels.horse_riders(), dataset.class_names.index("horse")
    uses = [riders[int(id)].use if int(id) in riders else "" for id in dataset.ids]
    return np.flatnonzero((np.array(uses) == "control") & (dataset.labels == horse))


def spaced(rows):
    """At most MOST of the rows, evenly spaced."""
    rows = np.asarray(rows)
    count = min(MOST, len(rows))
    return rows[np.arange(count) * len(rows) // count]
