"""The suite "probe": what the frozen codes of an ACAI of several classes tell about them (arXiv 1807.07543)."""

import numpy as np

from common import images, progress
from common.metrics import intervals, probe
from evaluation.report.estimates import Estimate, Section

PAPER = {  # linear probe on 256 and 1,024 latents; from memory, not checked against the paper
    "baseline": (0.4792, 0.5162),
    "denoising": (0.5378, 0.6065),
    "VAE": (0.4749, 0.5139),
    "AAE": (0.4065, 0.4286),
    "ACAI": (0.5277, 0.6399),
}
PAPER_LATENTS = (256, 1024)
PAPER_TRAINING = {"depth": 64, "kimg": 16_777, "classes": 10}
REGULARISATION = 1e-3  # of the linear probe
CLUSTERED = 10_000  # training images that k-means is fitted to
STARTS = 20  # of k-means
CHUNK = 1024  # images that are float32 at a time
TEXT = (
    "The linear probe is a multinomial logistic regression on the frozen codes, each number standardised, with a "
    "penalty of {regularisation:g} / 2 |weights|^2, fitted to the {train} training images in double precision; it "
    "takes the codes as the encoder gives them, in single precision. Clustering centres and whitens the codes of "
    "{clustered} training images, takes the best of {starts} starts of k-means with {classes} clusters and names "
    "clusters on the images that it reads, as the paper does with 1,000 starts. Neither set read was trained on. "
    "Reconstruction error is the mean squared difference of pixels in [-1, 1]. Chance is about {chance:.3g}.\n\n"
    "The paper's figures are from memory and were not checked against the paper: of ten classes, depth 64, "
    "16,777 kimg; its linear layer was trained by Adam beside the autoencoder, without a penalty. This model "
    "is of {classes} classes ({names}), depth {depth}, {kimg:g} kimg."
)


def evaluate(model, train, others, depth, total_kimg, seed=0, clustered=CLUSTERED, name="ACAI"):
    """The Section of an ACAI of at least two classes.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        train: common.data.datasets.ImageDataset, fitted to.
        others: some of the same classes, read: the hold-out first, perhaps the test images.
        depth: channels of the networks' first scale, for the comparison.
        total_kimg: thousands of images that the model was trained with, for the comparison.
        seed: of k-means, of the images that it is fitted to, and of the intervals.
        name: what the paper calls such a model.
        clustered: images that k-means is fitted to, drawn from `train` where that has more.

    Raises:
        ValueError: fewer than two classes.
    """
    if len(train.class_names) < 2:
        raise ValueError(f"at least two classes required. Received: {train.class_names}")
    codes, *found = (encoded(model, dataset) for dataset in (train, *others))
    pairs = zip(found, others, strict=True)
    read = {f"{dataset.split}_{len(dataset)}": (codes_read, dataset.labels) for codes_read, dataset in pairs}
    probed = linear_figures(codes, train.labels, read, seed)
    rows = drawn(len(train), clustered, seed)
    grouped = cluster_figures(codes[rows], train.labels[rows], read, len(train.class_names), seed)
    error = reconstruction_figure(model, others[0], found[0], seed)
    ours = {"model": f"{name}, this one", "latents": codes[0].size, "depth": depth, "kimg": total_kimg}
    ours |= {"classes": len(train.class_names), "linear probe": probed[-1]}
    text = TEXT.format(
        regularisation=REGULARISATION,
        train=f"{len(train):,}",
        clustered=f"{len(rows):,}",
        starts=STARTS,
        classes=len(train.class_names),
        names=", ".join(train.class_names),
        chance=1 / len(train.class_names),
        depth=depth,
        kimg=total_kimg,
    )
    return Section("Codes", [*probed, *grouped, error], [ours, *paper_rows()], text=text)


def encoded(model, dataset):
    """Codes float32 [N, h, w, c] of the images of a dataset."""
    stage = f"encoding {len(dataset):,} {dataset.split} images"
    parts = [model.encode(images.to_float(dataset.images[rows])) for rows in chunks(len(dataset), stage)]
    return np.concatenate(parts).astype(np.float32, copy=False)


def linear_figures(codes, labels, read, seed):
    """Figures of the linear probe on each of `read`, {name: (codes [M, ...], labels [M])}."""
    with progress.show(f"fitting a linear probe to {len(codes):,} codes"):
        found = probe.linear_probe(codes, labels, *read.values(), regularisation=REGULARISATION)
    note = "" if found["converged"] else f"the fit did not converge in {found['iterations']} iterations"
    return [
        accuracy(f"linear_probe_{name}", hits, seed, note) for name, hits in zip(read, found["hits"], strict=True)
    ]


def cluster_figures(codes, labels, read, classes, seed):
    """Figures of k-means clusters on each of `read`, as in `linear_figures`; every fit is the same."""
    figures = []
    for name in progress.track(list(read), f"clustering {len(codes):,} codes"):
        found = probe.clustering_accuracy(codes, labels, *read[name], classes, STARTS, seed)
        note = f"k-means of {len(codes):,} training codes, best of {STARTS} starts"
        note += "" if found["converged"] else "; it did not converge"
        figures.append(accuracy(f"clustering_{name}", found["hits"], seed, note))
    return figures


def accuracy(name, hits, seed, note):
    return Estimate(name, *intervals.bootstrap_mean(hits, seed=seed), len(hits), "higher", note)


def drawn(count, wanted, seed):
    """Rows of `count`, `wanted` at most, in rising order; a function of the seed."""
    random = np.random.default_rng(seed)
    return np.sort(random.choice(count, min(count, wanted), replace=False))


def reconstruction_figure(model, dataset, codes, seed):
    """The mean squared error of what the codes [N, h, w, c] of a dataset decode to, not clipped."""
    errors = []
    for rows in chunks(len(dataset), f"decoding {len(dataset):,} {dataset.split} images"):
        difference = model.decode(codes[rows]) - images.to_float(dataset.images[rows])
        errors.append(np.mean(difference**2, axis=(1, 2, 3), dtype=np.float64))
    name = f"reconstruction_error_{dataset.split}_{len(dataset)}"
    found = intervals.bootstrap_mean(np.concatenate(errors), seed=seed)
    return Estimate(name, *found, len(dataset), "lower", "squared, pixels in [-1, 1]")


def paper_rows():
    """The paper's part of the comparison."""
    return [
        {"model": f"{name}, the paper's", "latents": latents} | PAPER_TRAINING | {"linear probe": figures[column]}
        for column, latents in enumerate(PAPER_LATENTS)
        for name, figures in PAPER.items()
    ]


def chunks(count, stage):
    """Slices of at most CHUNK rows, their progress shown."""
    return (slice(start, start + CHUNK) for start in progress.track(range(0, count, CHUNK), stage))
