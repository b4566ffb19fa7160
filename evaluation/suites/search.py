"""The suite "search": are the pictures that a search has kept winged horses, and real, sharp and new?

It measures a source's bundled pictures, or those of --pictures. The wing referee, which took part in no training
and no search, says how many of them are winged horses, and how many controls. What needs CIFAR-10 is left out if
that is not at hand, and what needs placed parents for pictures that have none.
"""

import os

from acai.inference import ReleasedACAI
from classifiers.inference import ReleasedWingClassifier
from common import images
from common.data import datasets
from common.errors import InputError
from common.metrics import classification, intervals
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation import features, search_pictures, wing_figures
from evaluation.inputs import CACHE_FOLDER
from evaluation.picture_estimates import COPIES, Neighbours, jackknife, share_of_copies
from evaluation.report.estimates import Estimate, Section, choose_key_figures
from evaluation.search_pictures import NO_DATA, PLACED_CONTROLS, SearchPictures
from evaluation.suites import REFEREE, WING_REFEREE
from evaluation.suites.viewers import load_pictures, load_plan
from pegasus.parents import CLASSES
from pictures import gallery, manifest

MOST_SHOWN = 64  # pictures on the page
EXPLANATIONS = {  # of the key figures, by the beginning of their names
    "winged_horse_unseen_bird": "The same share among pictures whose bird that classifier was not trained on.",
    "winged_horse": "Share that a classifier, which no search used, calls a horse with spread wings.",
    "kd_referee": "Distance to held-out photographs in a network's features; 0 is as if drawn from them.",
    "sharpness": "Fine detail relative to photographs; 1 is as sharp.",
    "copies_features": "Share that is nearer to a training image than 99% of the hold-out; 0.01 is no copying.",
}
TEXT = (
    "The wing referee has two independent outputs: is there a horse, are there spread wings? A picture is called "
    "a winged horse if both are 0.5 or more; its lesser output is the smaller of the two. Unseen bird: the bird "
    "is in none of the folds of labels that the wing referee was trained on. It was not trained on the "
    "photographs either. Controls made by the model have the horses, the places and the shares of the pictures."
    "\n\n"
    "Recognised as both is the mean of sqrt(P(first) P(second)) by the referee, a classifier of ten classes. It "
    "is highest, 0.5, where that classifier is in doubt, so it rewards doubt and is no measure of a winged horse. "
    "Kernel distances to the hold-out of both classes are in the referee's features, and do not compare with "
    "those in Inception's. Sharpness is 1 for pictures as sharp as the hold-out."
)


def run(inputs):
    config, source = inputs.config, inputs.release.source
    wing_release = inputs.classifiers[WING_REFEREE]
    fold = wing_release.config["data"]["fold"]
    path = config.pictures or manifest.find_bundled(source)
    if path is None:
        raise InputError(
            f"--pictures must be given, because {source} has no bundled pictures. Make them with generate.py "
            f"--{'blend' if inputs.release.family == 'acai' else 'sample'} --candidates=20000 --source={source}"
        )
    train, test = load_cifar10(config.data_dir)
    is_folder = os.path.isdir(path) and not os.path.isfile(os.path.join(path, "manifest.json"))
    if is_folder or inputs.release.family == "gan":
        shown = SearchPictures(
            images.to_float(load_pictures(path, source)),
            photographs=search_pictures.collect_photographs(train, test, 1 - fold, config.seed) if train else {},
            omitted=[(f"the bird's share at 0, {PLACED_CONTROLS}, unseen birds", "no parents are known")],
        )
        title = f"{len(shown.pictures)} pictures"
    else:
        plan, _ = load_plan(path, source)
        model = ReleasedACAI(*inputs.release.model_arguments)
        shown = search_pictures.collect(plan, model, train, test, fold, config.seed)
        title = f"{len(shown.pictures)} of {plan.request.search.candidates:,} blends, kept by a search"
    referee, real = inputs.build_classifiers([REFEREE])[REFEREE], None
    if train:
        extractor = features.make_extractor(config.features)
        data = (datasets.load_cifar10(config.data_dir, split, shown.classes) for split in ("train", "holdout"))
        real = RealImages(referee, extractor, *data, config.seed, CACHE_FOLDER)
    wing_referee = ReleasedWingClassifier(*wing_release.model_arguments)
    return evaluate(shown, wing_referee, fold, referee, real, title, config.seed)


def load_cifar10(data_dir):
    """Loads CIFAR-10's horses and birds: (all training images, the test images); (None, None) if not at hand."""
    try:
        datasets.check_cifar10(data_dir, download=False)
    except InputError:
        return None, None
    splits = ("train", "test")
    return tuple(datasets.load_cifar10(data_dir, split, CLASSES, hold_out=False) for split in splits)


def evaluate(shown, wing_referee, fold, referee, real=None, title="Search", seed=0):
    """Measures the pictures of a search and their controls.

    Args:
        shown: evaluation.search_pictures.SearchPictures.
        wing_referee: object with `probabilities`, see classifiers.inference.ReleasedWingClassifier.
        fold: of ids that it was trained on, see `pegasus.labels.fold`.
        referee: classifiers.inference.ReleasedClassifier of both classes.
        real: RealImages; None: what needs them is left out.
        title: of the section.
        seed: of the intervals.

    Returns:
        Section.
    """
    estimates, table, summary, omitted = [], [], [], list(shown.omitted)
    count = len(shown.pictures)
    if shown.classes == CLASSES:
        by_name = {f"the {count} pictures": shown.pictures} | shown.made
        by_name |= {} if shown.collages is None else {"collages": shown.collages}
        measured = {}
        for name, pictures in (by_name | shown.photographs).items():
            probabilities = wing_referee.probabilities(pictures)
            measured[name] = [wing_figures.measure(name, probabilities, seed)]
            if pictures is shown.pictures or pictures is shown.collages:
                measured[name].append(wing_figures.measure_unseen(name, probabilities, shown.bird_ids, fold, seed))
        table = [figures.row() for rows in measured.values() for figures in rows if figures]
        kept = measured[f"the {count} pictures"]
        estimates += [x for figures in kept if figures for x in (figures.winged_horse, figures.lesser_output)]
        summary += [
            wing_figures.describe_share(*kept),
            wing_figures.describe_controls([measured[name][0] for name in shown.made]),
        ]
    else:
        pair = " and ".join(shown.classes)
        omitted.append(("winged_horse and its controls", f"the classes are {pair}"))
    estimates.append(estimate_recognisability(referee, shown.pictures, shown.classes, seed))
    if real is None:
        omitted.append(("photographs, kernel distance, sharpness and copies", NO_DATA))
    else:
        estimates += real.estimate_all(shown.pictures)
        if shown.collages is not None:
            estimates.append(real.estimate_kernel_distance("kd_referee_collages", shown.collages))
        summary.append(describe_copies(estimates, count))
    summary += [f"Left out: {what}, because {reason}." for what, reason in omitted]
    pictures = images.to_uint8(shown.pictures[:MOST_SHOWN])
    plot = {"The pictures": images.grid(pictures, gallery.choose_columns(len(pictures)), 3)}
    key = choose_key_figures(estimates, EXPLANATIONS)
    return Section(title, estimates, table, plot, TEXT, "\n\n".join(filter(None, summary)), key)


def estimate_recognisability(referee, pictures, classes, seed):
    """Estimates how well a classifier of ten classes recognises both classes in pictures, which rewards doubt."""
    probabilities, _ = referee(pictures)
    indices = [referee.class_names.index(name) for name in classes]
    values = classification.recognisability(probabilities, *indices)
    return Estimate(
        f"recognisability_referee_{len(values)}",
        *intervals.bootstrap_mean(values, seed=seed),
        len(values),
        note=f"recognised as both {' and '.join(classes)}; rewards doubt",
    )


def describe_copies(estimates, count):
    """Says how many of `count` pictures are copies, of the Estimates of `RealImages.estimate_all`."""
    numbers = [round(x.value * x.count) for x in estimates if x.name.startswith("copies_")]
    if not any(numbers):
        return f"None of the {count} is nearer to a training image than 99% of the hold-out."
    return (
        f"COPIES: {numbers[0]} of {count} by features and {numbers[1]} by pixels are nearer to a training image "
        "than 99% of the hold-out."
    )


class RealImages:
    """Measures how near pictures are to real images.

    Args:
        referee: classifiers.inference.ReleasedClassifier, in whose features kernel distances are.
        extractor: function, images [N, H, W, C] -> features [N, d], used to find the nearest training images.
        train, holdout: common.data.datasets.ImageDataset of both classes.
        seed: of the intervals.
        cache_folder: where the features of both sets are stored; None: nowhere.
    """

    def __init__(self, referee, extractor, train, holdout, seed, cache_folder=None):
        self.referee, self.extractor, self.seed = referee, extractor, seed
        real = images.to_float(holdout.images)
        self.real_features = referee(real)[1]
        self.neighbours = Neighbours(extractor, images.to_float(train.images), real, cache_folder)

    def estimate_kernel_distance(self, name, pictures):
        """Estimates the kernel distance of pictures [N, H, W, C] to the hold-out."""
        stage, features = "kernel distance and its interval", self.referee(pictures)[1]
        distance = jackknife(kernel_distance, self.real_features, features, seed=self.seed, stage=stage)
        note = "not comparable with Inception's"
        return Estimate(f"{name}_{len(pictures)}", *distance, len(pictures), "lower", note)

    def estimate_all(self, pictures):
        """Returns the Estimates of pictures [N, H, W, C]: kernel distance, sharpness and copies."""
        count = len(pictures)
        energy = high_frequency_energy(pictures) / self.neighbours.real_energy
        sharpness = intervals.bootstrap_mean(energy, seed=self.seed)
        estimates = [
            self.estimate_kernel_distance("kd_referee", pictures),
            Estimate(f"sharpness_{count}", *sharpness, count, note="1 is as sharp as real images"),
        ]
        spaces = self.neighbours.distances(pictures, self.extractor(pictures))
        for space, (distances, holdout_distances) in spaces.items():
            share, name = share_of_copies(distances, holdout_distances), f"copies_{space}_{count}"
            estimates.append(Estimate(name, share, count=count, better="lower", note=COPIES))
        return estimates
