"""The suite "blend" of an ACAI of classes that CIFAR-10 lacks: what can be measured without a classifier of them.

The same figures are computed for lerp and for the cross-fade of the same pairs, as in `evaluation.suites.blend`.
"""

from acai.inference import ReleasedACAI
from common import images, progress
from common.metrics import intervals
from common.metrics.features import high_frequency_energy, nearest_neighbours
from evaluation.picture_estimates import COPIES, describe_holdout, flatten, format_count, share_of_copies
from evaluation.report.estimates import Estimate, Section, choose_key_figures
from evaluation.suites.blend import blend_each_way, draw_pairs
from evaluation.suites.probe import encode, estimate_reconstruction_error
from pictures.gallery import choose_columns

NUM_SHOWN = 16  # blends on the page
EXPLANATIONS = {  # of the key figures, by the beginning of their names
    "sharpness": "Fine detail of the blends relative to the held-out images; 1 is as sharp.",
    "copies_pixels": "Share nearer to a training image than 99% of the hold-out; about 0.01 is no copying.",
    "reconstruction_error": "Mean squared difference of held-out images and reconstructions; 0 is perfect.",
}
TEXT = (
    "Pairs of training images, one of each class, blended half and half. Recognisability and distances in "
    "features are left out: they need a classifier of these classes, and the bundled ones know CIFAR-10's. "
    "Sharpness is the high-frequency energy relative to the held-out images of both classes. Nearest is the "
    "mean distance of pixels to the nearest training image. Intervals are over pairs, and too narrow where many "
    "pairs share images, as with more pairs than images. Blurred pictures are nearer to all images, so read "
    "copies beside the sharpness."
)


def run(inputs):
    model, config = ReleasedACAI(*inputs.release.model_arguments), inputs.config
    train, holdout = (inputs.load_images(split) for split in ("train", "holdout"))
    return evaluate(model, train, holdout, config.first, config.second, config.samples, config.seed)


def evaluate(model, train, holdout, first, second, samples=1000, seed=0):
    """Measures the blends of an ACAI without classifiers.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        train, holdout: common.data.datasets.ImageDataset with both classes.
        first, second: names of the classes.
        samples: number of pairs.
        seed: of the pairs and the intervals.

    Returns:
        Section.
    """
    train, holdout = (dataset.select((first, second)) for dataset in (train, holdout))
    parents, real = draw_pairs(train, samples, seed), images.to_float(holdout.images)
    blends = blend_each_way(model, *parents)
    known = flatten(images.to_float(train.images))
    with progress.show("nearest training images"):
        distances = {name: nearest_neighbours(flatten(x), known)[1] for name, x in blends.items()}
        holdout_distances = nearest_neighbours(flatten(real), known)[1]
    size, energy = format_count(samples), high_frequency_energy(real).mean()

    def estimate(name):
        sharpness = intervals.bootstrap_mean(high_frequency_energy(blends[name]) / energy, seed=seed)
        nearest = intervals.bootstrap_mean(distances[name], seed=seed)
        share = share_of_copies(distances[name], holdout_distances)
        return [
            Estimate(f"sharpness_{size}", *sharpness, samples, note="1 is as sharp as real images"),
            Estimate(f"nearest_pixels_{size}", *nearest, samples, "higher"),
            Estimate(f"copies_pixels_{size}", share, count=samples, better="lower", note=COPIES),
        ]

    rows = {name: estimate(name) for name in blends}
    error = estimate_reconstruction_error(model, holdout, encode(model, holdout), seed)
    estimates = [*rows["slerp"], error]
    shown = images.to_uint8(blends["slerp"][:NUM_SHOWN])
    sharp, fade = rows["slerp"][0].value, rows["cross-fade"][0].value
    summary = [
        f"Blends have {sharp:.0%} of the sharpness of real images, cross-fades of the same pairs {fade:.0%}. "
        f"{rows['slerp'][2].value:.1%} are nearer to a training image by pixels than 99% of the hold-out.",
        "Left out: how well both classes are recognised, because no bundled classifier knows these classes.",
        describe_holdout(len(holdout)),
    ]
    return Section(
        f"Blends of {first} and {second}",
        estimates,
        [{"blends": name} | {e.name: e for e in row} for name, row in rows.items()],
        {"Blends": images.grid(shown, choose_columns(len(shown)), 3)},
        TEXT,
        "\n\n".join(filter(None, summary)),
        choose_key_figures(estimates, EXPLANATIONS),
    )
