"""The suite "search": the blends that a search keeps, beside controls.

The search for winged horses is measured beside the same blends without wings, with dark blobs in their place, and
collages of the same photographs at the pixels.
"""

import numpy as np

from acai.inference import ReleasedACAI
from acai.latent_bank import LatentBank
from classifiers import SEARCH_CLASSIFIERS
from classifiers.inference import ClassifierEnsemble
from common import images
from common.data import datasets
from common.metrics import classification, intervals
from common.metrics.features import high_frequency_energy, kernel_distance
from configs.search import choose_search
from evaluation import features
from evaluation.inputs import CACHE_FOLDER
from evaluation.picture_estimates import COPIES, Neighbours, jackknife
from evaluation.report.estimates import Estimate, Section
from evaluation.suites import REFEREE
from pegasus import controls, search
from pegasus.blending import blend_cells
from pegasus.general import search as general_search
from pegasus.parents import prepare_parents
from pegasus.search_config import PlacedSearch

NUM_RESULTS = 64  # of each search
TEXT = (
    "A search keeps 64 candidates by its score. The referee, a classifier that takes no part in it, measures "
    "how well they are recognised as both classes, which rewards doubt, and their kernel distance to the hold-out "
    "of both classes in its features. Random: as many random pairs, blended half and half."
)


def run(inputs):
    config, release = inputs.config, inputs.release
    model, bank = ReleasedACAI(*release.model_arguments), LatentBank.from_arrays(release.bank)
    classes = config.first, config.second
    classifiers = inputs.build_classifiers((REFEREE, *SEARCH_CLASSIFIERS))
    referee, ensemble = classifiers.pop(REFEREE), ClassifierEnsemble(classifiers.values())
    chosen = choose_search(release.config, classes, config.candidates, NUM_RESULTS, config.mask)
    return evaluate(
        referee,
        features.make_extractor(config.features),
        *(dataset.select(classes) for dataset in inputs.load_train_and_holdout()),
        make_pictures(chosen, model, ensemble, bank, classes, config.seed, config.data_dir),
        f"Best {NUM_RESULTS} of {config.candidates:,} blends of {config.first} and {config.second}",
        config.seed,
        CACHE_FOLDER,
    )


def make_pictures(config, model, ensemble, bank, classes, seed, data_dir):
    """Runs a search.

    Args:
        config: PlacedSearch or MaskSearch.
        model, ensemble, bank, classes, seed: see `pegasus.general.search.run_search`.
        data_dir: folder with CIFAR-10.

    Returns:
        {name: pictures [NUM_RESULTS, H, W, C]} of the results, first, and the controls.
    """
    pictures, rows = {}, [bank.rows(name) for name in classes]
    if type(config) is PlacedSearch:
        from classifiers.inference import bundled_wing_classifier

        dataset = datasets.load_cifar10(data_dir, "train", classes, hold_out=False)
        parents = prepare_parents(model, bank, dataset)
        result = search.run_search(config, model, bundled_wing_classifier(), parents, seed)
        pictures["kept"] = decode_results(model, result)
        pictures["kept, without wings"] = controls.without_wings(model, result)
        pictures["kept, with dark blobs"] = controls.with_dark_blobs(model, result)
        pictures["collages of the same photographs"] = controls.collages(result)
    else:
        result = general_search.run_search(config, model, ensemble, bank, rows, classes, seed)
        pictures["kept"] = decode_results(model, result)
    random = np.random.default_rng(seed)
    pairs = [bank.latents[random.choice(x, NUM_RESULTS, replace=False)].astype(np.float32) for x in rows]
    halves = np.full((NUM_RESULTS, *pairs[0].shape[1:3]), 0.5)
    pictures["random"] = np.clip(model.decode(blend_cells(*pairs, halves)), -1, 1)
    return pictures


def decode_results(model, result):
    """Pictures of a `pegasus.search.SearchResult`."""
    first, second = result.latents.astype(np.float32).swapaxes(0, 1)
    shares = np.array([blend["shares"] for blend in result.blends])
    return np.clip(model.decode(blend_cells(first, second, shares)), -1, 1)


def evaluate(referee, extractor, train, holdout, pictures, title, seed=0, cache_folder=None):
    """Measures the results of a search and its controls.

    Args:
        referee: classifiers.inference.ReleasedClassifier that measures the results.
        extractor: function, images [N, H, W, C] -> features [N, d], used to find the nearest training images.
        train, holdout: common.data.datasets.ImageDataset of both classes.
        pictures: {name: [N, H, W, C]}; the first are the results.
        title: of the section.
        seed, cache_folder: see `evaluation.suites.blend.evaluate`.

    Returns:
        Section.
    """
    measure = RefereeMeasurement(referee, extractor, train, holdout, train.class_names, seed, cache_folder)
    measured = {name: measure(shown) for name, shown in pictures.items()}
    table = [{"blends": name} | {e.name: e for e in estimates} for name, estimates in measured.items()]
    return Section(title, next(iter(measured.values())), table, {}, TEXT)


class RefereeMeasurement:
    """Function, pictures [N, H, W, C] -> list of Estimates by the referee.

    Args:
        referee, extractor, train, holdout, seed, cache_folder: see `evaluate`.
        classes: names of the two classes.
    """

    def __init__(self, referee, extractor, train, holdout, classes, seed, cache_folder):
        self.referee, self.extractor, self.seed = referee, extractor, seed
        self.class_indices = [referee.class_names.index(name) for name in classes]
        real = images.to_float(holdout.images)
        self.real_features = referee(real)[1]
        self.neighbours = Neighbours(extractor, images.to_float(train.images), real, cache_folder)

    def __call__(self, pictures):
        count = len(pictures)

        def estimate_mean(name, values, better=""):
            return Estimate(f"{name}_{count}", *intervals.bootstrap_mean(values, seed=self.seed), count, better)

        probabilities, features = self.referee(pictures)
        recognisability = classification.recognisability(probabilities, *self.class_indices)
        stage = "kernel distance and its interval"
        distance = jackknife(kernel_distance, self.real_features, features, seed=self.seed, stage=stage)
        energy = high_frequency_energy(pictures) / self.neighbours.real_energy
        estimates = [
            estimate_mean("recognisability_referee", recognisability, "higher"),
            Estimate(f"kd_referee_{count}", *distance, count, "lower", "not comparable with Inception's"),
            estimate_mean("sharpness", energy),
        ]
        spaces = self.neighbours.distances(pictures, self.extractor(pictures))
        for space, (distances, holdout_distances) in spaces.items():
            share = float(np.mean(distances < np.quantile(holdout_distances, 0.01)))
            name = f"copies_{space}_{count}"
            estimates.append(Estimate(name, share, count=count, better="lower", note=COPIES))
        return estimates
