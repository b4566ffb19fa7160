"""Training of a wing classifier on composites of one fold of CIFAR-10: its metrics, pictures and release."""

import functools

import numpy as np
from scipy.special import expit

from acai.inference import ReleasedACAI
from classifiers.calibration import fit_platt
from classifiers.inference import ReleasedWingClassifier
from classifiers.wing_model import WingClassifier
from common import images, release
from common.backend import precision
from common.data import batches
from common.data.datasets import ImageDataset
from composites import drawing
from composites.ranges import RANGES
from training import classifier
from training.callbacks import WarnOnDivergence
from training.schedule import cosine, release_settings

HELD_OUT = 1200  # composites of the other fold that are measured
HELD_OUT_SEED = 1000  # added to the seed


def callbacks(config, run, model, datasets, scalars):
    """Returns the callbacks of this family: a warning when the training diverges."""
    return [WarnOnDivergence(("classification_loss",), config.train.batch_size)]


@functools.lru_cache(maxsize=2)
def draw_pool(dataset, fold, ranges, seed, count, rider_use, decoder):
    """Draws composites as an ImageDataset whose labels are the kinds of pictures.

    Args:
        dataset: of CIFAR-10's training images.
        fold, seed, rider_use: see `composites.drawing.Composites`.
        ranges: key of `composites.ranges.RANGES`.
        count: number of composites.
        decoder: release of an ACAI; each composite is mixed with its reconstruction, in a proportion drawn from
            [0, 1], so that the softness and the colour fringes of decoded pictures tell nothing. "": none is.
    """
    source = drawing.Composites(dataset, fold, RANGES[ranges], seed, rider_use)
    pictures, kinds = source.draw(count)
    if decoder:
        folder = release.resolve(decoder, "--config.data.decoder")
        config, weights = release.read(folder)[:2]
        model = ReleasedACAI(config["model"], weights, str(folder))
        originals = images.to_float(pictures)
        proportions = np.random.default_rng(seed).uniform(size=(count, 1, 1, 1)).astype(np.float32)
        pictures = images.to_uint8(originals + proportions * (model.decode(model.encode(originals)) - originals))
    return ImageDataset(pictures, kinds, np.arange(count), (*drawing.KINDS,), "train")


def training_pool(config, dataset):
    data = config.data
    return draw_pool(dataset, data.fold, data.ranges, config.train.seed, data.composites, "train", data.decoder)


def held_out_pool(config, dataset):
    """Composites of the images of the other fold and of the riders for control."""
    seed = config.train.seed + HELD_OUT_SEED
    return draw_pool(
        dataset, 1 - config.data.fold, config.data.ranges, seed, HELD_OUT, "control", config.data.decoder
    )


def stream(config, train, step):
    """Returns the batches from `step` on, a tf.data.Dataset."""
    return classifier.stream(config, training_pool(config, train), step)


def build(config, train):
    """Builds the configured model with its optimizer."""
    model = WingClassifier(
        drawing.TARGETS,
        config.train.seed,
        **config.model,
        colours=train.images.shape[-1],
        precision=precision.resolve(config.train.precision),
    )
    if config.train.leading_layers:
        folder = release.resolve(config.train.leading_layers, "--config.train.leading_layers")
        model.take_leading_layers(release.read(folder, "classifier")[1])
    learning_rate = cosine(config, config.train.learning_rate, config.train.warmup)
    model.compile(learning_rate, config.train.momentum, config.train.weight_decay)
    return model


def held_out_logits(config, model, datasets):
    """Returns (logits [N, 2], kinds [N]) of the held-out composites."""
    pool = held_out_pool(config, datasets[0])
    return np.concatenate([np.asarray(model(x)["logits"]) for x in batches.iterate_in_order(pool)]), pool.labels


def evaluate(config, model, datasets):
    """Computes {name: value}: accuracy of each output, and shares of pictures that are called winged horses."""
    logits, kinds = held_out_logits(config, model, datasets)
    targets = drawing.TARGETS[kinds]
    hits = np.where(np.isnan(targets), np.nan, (logits > 0) == (targets > 0.5))
    called, winged = (logits > 0).all(axis=1), kinds == 0
    return {
        "holdout_horse_accuracy": float(np.nanmean(hits[:, 0])),
        "holdout_wings_accuracy": float(np.nanmean(hits[:, 1])),
        "holdout_winged_horses_called_so": float(called[winged].mean()) if winged.any() else 0.0,
        "holdout_others_called_winged_horse": float(called[~winged].mean()),
    }


def render(config, model, datasets):
    """Renders the first held-out composites that are wrongly called a winged horse or not, if there are any."""
    logits, kinds = held_out_logits(config, model, datasets)
    wrong = np.flatnonzero((logits > 0).all(axis=1) != (kinds == 0))[:64]
    return {"mistakes": images.grid(held_out_pool(config, datasets[0]).images[wrong])} if len(wrong) else {}


def write_release(config, model, datasets, folder):
    """Writes the network, with scales and offsets fitted to the held-out composites, into `folder`."""
    logits, kinds = held_out_logits(config, model, datasets)
    targets = drawing.TARGETS[kinds]
    fits = [fit_platt(logits[asked, i], targets[asked, i]) for i, asked in enumerate(np.isfinite(targets).T)]
    settings = release_settings(config, model)
    settings["model"] |= {"colours": datasets[0].images.shape[-1], "class_names": drawing.OUTPUTS}
    settings["model"]["scale"], settings["model"]["offset"] = (list(values) for values in zip(*fits, strict=True))
    release.write(folder, settings, model.release_state())


def golden_outputs(config, weights, _):
    """Returns {"probabilities": [8, 2], "features": [8, d]} of noise pictures, fine to coarse."""
    released = ReleasedWingClassifier(config["model"], weights, "the release")
    outputs = released.mirrored_means(classifier.noise_pictures(released.width))
    probabilities = expit(outputs["logits"] * released.scale + released.offset)
    return {"probabilities": probabilities, "features": outputs["features"]}
