"""The suite "search": are the best of many blends better than the best of as many controls?

Blends by slerp of codes, by lerp of codes and cross-fades of the pixels of the same real images go through one
search each, with the same pairs, mixes and weights; 64 are kept of each, and 64 drawn at random stand beside.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from common import images, interpolation
from common.inference import in_batches
from common.metrics import classification, intervals
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation.report.estimates import Estimate, Section
from evaluation.suites.blend import Neighbours, jackknife
from pegasus import masks, search
from pegasus.candidates import prepare
from pegasus.scores import Scorer

KEPT = 64
TEXT = (
    "Of each kind of blends the same search keeps 64 of the candidates, by the jury's score and by how near "
    "they are to the training images as a whole; the referee, which takes no part in it, says how well they "
    "are recognised as both classes and how far they are from real images in its features (kernel distance to "
    "the hold-out of both classes). Refined: gradient ascent of the kept codes on the same score; where wings "
    "are asked for, the best at a glance is kept too, as it was blended. At random: as many pairs at one "
    "half, without a search. Cross-fades are of the real images whose codes the bank holds; with masks they "
    "are collages of photographs. The first figures are those of what generate.py makes."
)


def evaluate(
    model,
    referee,
    jury,
    extract,
    train,
    holdout,
    first,
    second,
    bank,
    asked,
    seed=0,
    folder=None,
):
    """The Section of an ACAI with a bank of codes.

    Args:
        model, train, holdout, first, second, seed, folder: as of `evaluation.suites.blend.evaluate`.
        referee: classifiers.inference.ReleasedClassifier that says how good what is found is.
        jury: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier, that searches.
        extract: function, images [N, H, W, C] -> features [N, d], in which the nearest training image is sought.
        bank: acai.latent_bank.LatentBank.
        asked: pegasus.search_config.SearchConfig of each search; KEPT blends are kept whatever it says.
    """
    train, holdout = train.select((first, second)), holdout.select((first, second))
    rows = [bank.rows(name) for name in (first, second)]
    pixels = dataclasses.replace(bank, latents=pictures_of(bank, train, holdout))
    fade, cell = CrossFade(), train.images.shape[1] // bank.latents.shape[1]
    masked = (asked.mask,) if asked.mask else masks.KINDS
    kinds = {
        "slerp": (model, bank, interpolation.slerp, 1, masked),
        "lerp": (model, bank, interpolation.lerp, 1, masked),
        "cross-fade": (fade, pixels, interpolation.lerp, cell, ("uniform",)),
        "cross-fade with masks": (fade, pixels, interpolation.lerp, cell, masked),
    }
    if masked == ("uniform",):
        del kinds["cross-fade with masks"]  # the same as without
    optional = search.asked(asked.term_weights)
    look = tf.function(lambda part: jury.log_probabilities_and_features(part)[1], autograph=False)
    seen = in_batches(look, images.to_float(train.images))
    measured = Measure(referee, extract, train, holdout, (first, second), seed, folder)
    table = []
    for name, (decoder, codes, path, side, allowed) in kinds.items():
        scorer = Scorer(decoder, jury, (first, second), optional)
        parents = prepare(
            scorer, codes, rows, (asked.first_like, asked.second_like), asked.lower_first, path, side
        )
        scorer.reference = seen
        weights = asked.term_weights | ({} if decoder is model else {"critic": 0.0})
        kept = search.find(scorer, parents, asked.candidates, KEPT, seed, weights, allowed)[1]
        found = {"kept": kept}
        if asked.refine and decoder is model:
            found["kept and refined"] = search.refined(scorer, kept, weights, asked.refine, seed)
        if name != "cross-fade with masks":
            random = np.random.default_rng(seed)
            pairs = [c[random.choice(len(c), KEPT, replace=False), 0] for c in parents.codes]
            found["random"] = masks.blend(*pairs, np.full((KEPT, *pairs[0].shape[1:3]), 0.5), path)
        for kind, codes_found in found.items():
            pictures = np.clip(np.asarray(decoder.decode(codes_found)), -1, 1)
            table.append({"blends": f"{name}, {kind}", **{figure.name: figure for figure in measured(pictures)}})
    ours = table[1 if asked.refine else 0]
    title = f"Best {KEPT} of {asked.candidates:,} blends of {first} and {second}"
    return Section(title, [v for name, v in ours.items() if name != "blends"], table, {}, TEXT)


def pictures_of(bank, *datasets):
    """The images whose codes a bank holds, float32 [N, H, W, C] in [-1, 1]."""
    of = {(d.split, int(image)): row for d in datasets for image, row in zip(d.ids, d.images, strict=True)}
    chosen = zip(bank.splits, bank.ids, strict=True)
    return images.to_float(np.stack([of[str(split), int(image)] for split, image in chosen]))


class Measure:
    """Figures of KEPT pictures by the referee. Arguments as of `evaluate`; `classes`: the names of the two."""

    def __init__(self, referee, extract, train, holdout, classes, seed, folder):
        self.referee, self.extract, self.seed = referee, extract, seed
        self.pair = [referee.class_names.index(name) for name in classes]
        real = images.to_float(holdout.images)
        self.real = referee(real)[1]
        self.near = Neighbours(extract, images.to_float(train.images), real, folder)

    def __call__(self, pictures):
        probabilities, features = self.referee(pictures)
        recognised = classification.recognisability(probabilities, *self.pair)
        stage = "kernel distance and its interval"
        kd = jackknife(kernel_distance, self.real, features, seed=self.seed, stage=stage)
        energy = high_frequency_energy(pictures) / self.near.real_energy
        count = len(pictures)
        found = [
            Estimate(
                f"recognisability_referee_{count}",
                *intervals.bootstrap_mean(recognised, seed=self.seed),
                count,
                "higher",
            ),
            Estimate(f"kd_referee_{count}", *kd, count, "lower", "not comparable with Inception's"),
            Estimate(f"sharpness_{count}", *intervals.bootstrap_mean(energy, seed=self.seed), count),
        ]
        spaces = self.near.distances(pictures, self.extract(pictures))
        for space, (distances, holdouts) in spaces.items():
            closer = float(np.mean(distances < np.quantile(holdouts, 0.01)))
            note = "share nearer to a training image than 99% of the hold-out"
            found.append(Estimate(f"copies_{space}_{count}", closer, count=count, better="lower", note=note))
        return found


class CrossFade:
    """In place of a model, the control: a picture is its own code, so that blending codes fades pixels."""

    critic = None

    @staticmethod
    def encode(pictures):
        return pictures

    decode = encode

    @property
    def autoencoder(self):
        return self
