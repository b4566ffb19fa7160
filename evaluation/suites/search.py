"""The suite "search": are the best of many blends better than the best of as many controls?

The controls are linear interpolation of the latents and cross-fades of the pixels of the same real images. All go
through the same search with the same pairs, mixes and term weights. Blends drawn at random are measured as well.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from acai.inference import ReleasedACAI
from acai.latent_bank import LatentBank
from classifiers import SEARCH_CLASSIFIERS
from classifiers.inference import ClassifierEnsemble
from common import images, interpolation
from common.inference import in_batches
from common.metrics import classification, intervals
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation import features
from evaluation.inputs import CACHE_FOLDER
from evaluation.picture_estimates import COPIES, Neighbours, jackknife
from evaluation.report.estimates import Estimate, Section
from evaluation.suites import REFEREE
from pegasus import masks, search
from pegasus.candidates import prepare_parents
from pegasus.scores import Scorer

NUM_RESULTS = 64  # of each search
TEXT = (
    "For each kind of blends, the same search selects 64 candidates by the score of the search classifiers and by "
    "the similarity of the selection as a whole to the training images. The referee, a classifier that takes no "
    "part in searches, measures how well the results are recognised as both classes, and their kernel distance to "
    "the hold-out of both classes in its features. Refined: gradient ascent of the selected latents on the same "
    "score; if visible wings are a term of the score, the result with the best low-resolution score is not "
    "refined. Random: as many random pairs, blended half and half without a search. Cross-fades use the real "
    "images whose latents are in the bank; with masks they are collages of photographs. The first figures are "
    "those of the results that generate.py makes."
)


def run(inputs):
    config = inputs.config
    classifiers = inputs.build_classifiers((REFEREE, *SEARCH_CLASSIFIERS))
    referee = classifiers.pop(REFEREE)
    return evaluate(
        ReleasedACAI(*inputs.release.model_arguments),
        referee,
        ClassifierEnsemble(classifiers.values()),
        features.make_extractor(config.features),
        *inputs.load_train_and_holdout(),
        config.first,
        config.second,
        LatentBank.from_arrays(inputs.release.bank),
        config.search,
        config.seed,
        CACHE_FOLDER,
    )


def evaluate(
    model, referee, ensemble, extractor, train, holdout, first, second, bank, config, seed=0, cache_folder=None
):
    """Measures the results of searches with an ACAI and with its controls.

    Args:
        model, train, holdout, first, second, seed, cache_folder: see `evaluation.suites.blend.evaluate`.
        referee: classifiers.inference.ReleasedClassifier that measures the results.
        ensemble: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier, used by the searches.
        extractor: function, images [N, H, W, C] -> features [N, d], used to find the nearest training images.
        bank: acai.latent_bank.LatentBank.
        config: pegasus.search_config.SearchConfig; its `keep` is ignored.

    Returns:
        Section.
    """
    classes, traits = (first, second), (config.first_like, config.second_like)
    train, holdout = train.select(classes), holdout.select(classes)
    rows = [bank.rows(name) for name in classes]
    pixels = dataclasses.replace(bank, latents=find_bank_images(bank, train, holdout))
    cross_fade, cell_size = CrossFade(), train.images.shape[1] // bank.latents.shape[1]
    kinds = (config.mask,) if config.mask else masks.KINDS
    searches = {  # name: (model, bank, path, cell size, kinds of masks)
        "slerp": (model, bank, interpolation.slerp, 1, kinds),
        "lerp": (model, bank, interpolation.lerp, 1, kinds),
        "cross-fade": (cross_fade, pixels, interpolation.lerp, cell_size, ("uniform",)),
        "cross-fade with masks": (cross_fade, pixels, interpolation.lerp, cell_size, kinds),
    }
    if kinds == ("uniform",):
        del searches["cross-fade with masks"]  # the same as without masks
    extract_reference = tf.function(lambda x: ensemble.log_probabilities_and_features(x)[1], autograph=False)
    reference = in_batches(extract_reference, images.to_float(train.images))
    measure = RefereeMeasurement(referee, extractor, train, holdout, classes, seed, cache_folder)
    table = []
    for name, (decoder, latent_bank, path, size, allowed_kinds) in searches.items():
        parents = prepare_parents(
            decoder, ensemble, classes, latent_bank, rows, traits, config.lower_first, path, size
        )
        optional_terms = search.active_optional_terms(config.term_weights)
        scorer = Scorer(decoder, ensemble, classes, parents, optional_terms, reference)
        weights = config.term_weights | ({} if decoder is model else {"critic": 0.0})
        _, selected = search.select_candidates(
            scorer, parents, config.candidates, NUM_RESULTS, seed, weights, allowed_kinds
        )
        results = {"kept": selected}
        if config.refine and decoder is model:
            results["kept and refined"] = search.refine_results(scorer, selected, weights, config.refine, seed)
        if name != "cross-fade with masks":
            random = np.random.default_rng(seed)
            pairs = [x[random.choice(len(x), NUM_RESULTS, replace=False), 0] for x in parents.latents]
            halves = np.full((NUM_RESULTS, *pairs[0].shape[1:3]), 0.5)
            results["random"] = masks.blend_cells(*pairs, halves, path)
        for kind, latents in results.items():
            pictures = np.clip(np.asarray(decoder.decode(latents)), -1, 1)
            table.append({"blends": f"{name}, {kind}"} | {e.name: e for e in measure(pictures)})
    main_row = table[1 if config.refine else 0]
    title = f"Best {NUM_RESULTS} of {config.candidates:,} blends of {first} and {second}"
    return Section(title, [value for key, value in main_row.items() if key != "blends"], table, {}, TEXT)


def find_bank_images(bank, *datasets):
    """Finds the images whose latents a bank holds; returns float32 [N, H, W, C] in [-1, 1]."""
    by_id = {(d.split, int(i)): image for d in datasets for i, image in zip(d.ids, d.images, strict=True)}
    keys = zip(bank.splits, bank.ids, strict=True)
    return images.to_float(np.stack([by_id[str(split), int(i)] for split, i in keys]))


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


class CrossFade:
    """The control model: its latents are the pixels, so that interpolating latents cross-fades images."""

    critic = None

    @staticmethod
    def encode(pictures):
        return pictures

    decode = encode

    @property
    def autoencoder(self):
        return self
