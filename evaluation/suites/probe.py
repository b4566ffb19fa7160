"""The suite "probe": what frozen latents tell about classes (Berthelot et al. 2018, arXiv 1807.07543)."""

import numpy as np

from acai.autoencoder import name_in_paper
from acai.inference import ReleasedACAI
from common import images, progress, release
from common.metrics import intervals, probe
from evaluation.report.estimates import Estimate, Section, Spread, choose_key_figures
from evaluation.wing_figures import percent_with_interval

PAPER = {  # accuracy of the linear probe and its standard deviation over runs, for 256 and for 1,024 latents
    "baseline": ((0.4792, 0.0020), (0.5162, 0.0025)),
    "denoising": ((0.5378, 0.0036), (0.6065, 0.0014)),
    "VAE": ((0.4749, 0.0022), (0.5139, 0.0046)),
    "AAE": ((0.4065, 0.0145), (0.4286, 0.0088)),
    "VQ-VAE": ((0.4280, 0.0044), (0.1622, 0.1244)),
    "ACAI": ((0.5277, 0.0045), (0.6399, 0.0047)),
}
PAPER_LATENTS = (256, 1024)
PAPER_TRAINING = {"depth": 64, "kimg": 16_777, "classes": 10}
REGULARISATION = 1e-3  # of the linear probe
NUM_CLUSTERED = 10_000  # training images to which k-means is fitted, drawn if there are more
NUM_STARTS = 100  # of k-means
NUM_SHOWN = 8  # images with their reconstructions
EXPLANATIONS = {  # of the key figures, by the beginning of their names
    "linear_probe_holdout": "Share of held-out images whose class a linear classifier tells from the latents.",
    "linear_probe_test": "The same for test images, which are all unseen.",
    "clustering_holdout": "Share whose class is that of their cluster of latents, found without labels.",
    "clustering_test": "The same for test images.",
    "reconstruction_error": "Mean squared difference between images and reconstructions; 0 is perfect.",
}
COMPARED = {  # {heading of the table of `evaluation.several`: beginning of a figure's name}
    "probe, hold-out": "linear_probe_holdout",
    "probe, test": "linear_probe_test",
    "clusters, hold-out": "clustering_holdout",
    "squared error": "reconstruction_error",
}
CHUNK_SIZE = 1024  # images converted to float32 at once
TEXT = (
    "The linear probe is a multinomial logistic regression on the frozen latents, standardised, with the penalty "
    "{regularisation:g} / 2 |weights|^2. It is fitted to the {train} training images in double precision. "
    "Clustering centres and whitens the latents of {clustered} training images, takes the best of {starts} starts "
    "of k-means with {classes} clusters, and names the clusters on the images that are evaluated, as the paper "
    "does with 1,000 starts; the note has the share if they are named on training images. Neither of the "
    "evaluated sets was used in training. Reconstruction error is the mean squared difference of pixels in "
    "[-1, 1]. This model is of {classes} classes ({names}), depth {depth}; trained: {trained}."
)
PAPER_TEXT = (
    "The paper's figures are from the authors' ICLR 2019 poster, with standard deviations over training runs, "
    "for ten classes, depth 64 and 16,777 kimg; its linear layer was trained by Adam beside the autoencoder, "
    "without a penalty. At 256 latents its denoising autoencoder is ahead of its ACAI. Its VQ-VAE has a "
    "codebook of 16,384 entries and 10 discrete latents, and its linear layer reads what the decoder is given; "
    "here it reads the encoder's outputs."
)
COMPARISON_TEXT = (
    "Probe is the share of images whose class a linear classifier tells from the frozen latents, and clusters the "
    "share whose class is that of their cluster of latents, found without labels. Training has seen none of these "
    "images. Squared error is that of reconstructions of the hold-out, with pixels in [-1, 1].\n\n"
    f"{PAPER_TEXT}"
)


def run(inputs):
    config = inputs.release.config
    return evaluate(
        ReleasedACAI(*inputs.release.model_arguments),
        inputs.load_images("train"),
        inputs.load_unseen_images(),
        config["model"]["depth"],
        release.describe_training(config),
        inputs.config.seed,
        name=name_in_paper(config["model"]),
        with_paper=inputs.release.data_source == "cifar10" and len(inputs.release.class_names) == 10,
    )


def evaluate(model, train, unseen, depth, trained, seed=0, name="ACAI", with_paper=True):
    """Measures the latents of an ACAI.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        train: common.data.datasets.ImageDataset of at least two classes, to fit to.
        unseen: list of ImageDatasets of the same classes, to evaluate on: the hold-out, perhaps the test images.
        depth: channels of the networks' first scale, for the comparison.
        trained: how far it was trained, see `common.release.describe_training`.
        seed: of k-means, of its images, and of the intervals.
        name: the paper's name of such a model.
        with_paper: whether the paper's figures, which are of CIFAR-10, stand beside the model's.

    Returns:
        Section.

    Raises:
        ValueError: if there are fewer than two classes.
    """
    num_classes = len(train.class_names)
    if num_classes < 2:
        raise ValueError(f"train must have at least two classes. Received: {train.class_names}")
    latents, *unseen_latents = (encode(model, dataset) for dataset in (train, *unseen))
    evaluated = {
        f"{dataset.split}_{len(dataset)}": (x, dataset.labels)
        for x, dataset in zip(unseen_latents, unseen, strict=True)
    }
    probed = estimate_linear_probe(latents, train.labels, evaluated, seed)
    rows = draw_rows(len(train), NUM_CLUSTERED, seed)
    clustered = estimate_clustering(latents[rows], train.labels[rows], evaluated, num_classes, seed)
    error = estimate_reconstruction_error(model, unseen[0], unseen_latents[0], seed)
    main_row = {"model": f"{name}, this one", "latents": latents[0].size, "depth": depth, "kimg": trained}
    largest = max(probed, key=lambda estimate: estimate.count)
    main_row |= {"classes": num_classes, "linear probe": largest, "deviation": float("nan")}
    text = TEXT.format(
        regularisation=REGULARISATION,
        train=f"{len(train):,}",
        clustered=f"{len(rows):,}",
        starts=NUM_STARTS,
        classes=num_classes,
        names=", ".join(train.class_names),
        depth=depth,
        trained=trained,
    )
    estimates = [*probed, *clustered, error]
    return Section(
        "Latents",
        estimates,
        [main_row, *paper_rows()] if with_paper else [],
        {"Unseen images above their reconstructions": draw_reconstructions(model, unseen[0], unseen_latents[0])},
        f"{text}\n\n{PAPER_TEXT}" if with_paper else text,
        f"A linear classifier tells the class of {percent_with_interval(largest)} of {largest.count:,} "
        f"unseen images from the frozen latents; guessing would be right for about {1 / num_classes:.1%}.",
        choose_key_figures(estimates, EXPLANATIONS),
    )


def draw_reconstructions(model, dataset, latents):
    """Draws the first images of a dataset in a row and below them their reconstructions, uint8 [H, W, 3]."""
    count = min(NUM_SHOWN, len(dataset))
    decoded = images.to_uint8(model.decode(latents[:count]))
    return images.grid(np.concatenate([dataset.images[:count], decoded]), count, 3)


def encode(model, dataset):
    """Encodes the images of a dataset; returns latents float32 [N, h, w, c]."""
    stage = f"encoding {len(dataset):,} {dataset.split} images"
    parts = [model.encode(images.to_float(dataset.images[rows])) for rows in split_rows(len(dataset), stage)]
    return np.concatenate(parts).astype(np.float32, copy=False)


def estimate_linear_probe(latents, labels, evaluated, seed):
    """Fits a linear probe and estimates its accuracy on each of `evaluated`, {name: (latents, labels)}."""
    with progress.show(f"fitting a linear probe to {len(latents):,} latents"):
        result = probe.linear_probe(latents, labels, *evaluated.values(), regularisation=REGULARISATION)
    note = "" if result["converged"] else f"the fit did not converge in {result['iterations']} iterations"
    return [
        estimate_accuracy(f"linear_probe_{name}", hits, seed, note)
        for name, hits in zip(evaluated, result["hits"], strict=True)
    ]


def estimate_clustering(latents, labels, evaluated, num_classes, seed):
    """Estimates the accuracy of k-means clusters on each of `evaluated`, {name: (latents, labels)}."""
    starts = {"clusters": num_classes, "n_init": NUM_STARTS, "seed": seed}
    with progress.show(f"clustering {len(latents):,} latents"):
        result = probe.clustering_accuracy(latents, labels, *evaluated.values(), **starts)
    start = f"k-means of {len(latents):,} training latents, best of {NUM_STARTS} starts; "
    end = "" if result["converged"] else "; it did not converge"
    by_train = result["accuracies_matched_on_train"]
    return [
        estimate_accuracy(
            f"clustering_{name}", hits, seed, f"{start}{share:.1%} if clusters are named on these{end}"
        )
        for name, hits, share in zip(evaluated, result["hits"], by_train, strict=True)
    ]


def estimate_accuracy(name, hits, seed, note):
    return Estimate(name, *intervals.bootstrap_mean(hits, seed=seed), len(hits), "higher", note)


def draw_rows(count, wanted, seed):
    """Draws at most `wanted` of `count` row numbers, in increasing order; a function of the seed."""
    random = np.random.default_rng(seed)
    return np.sort(random.choice(count, min(count, wanted), replace=False))


def estimate_reconstruction_error(model, dataset, latents, seed):
    """Estimates the mean squared error of the decoded latents [N, h, w, c] of a dataset, not clipped."""
    errors = []
    for rows in split_rows(len(dataset), f"decoding {len(dataset):,} {dataset.split} images"):
        difference = model.decode(latents[rows]) - images.to_float(dataset.images[rows])
        errors.append(np.mean(difference**2, axis=(1, 2, 3), dtype=np.float64))
    name = f"reconstruction_error_{dataset.split}_{len(dataset)}"
    interval = intervals.bootstrap_mean(np.concatenate(errors), seed=seed)
    return Estimate(name, *interval, len(dataset), "lower", "squared, pixels in [-1, 1]")


def paper_rows():
    """The rows of the comparison with the paper's figures."""
    return [
        {"model": f"{name}, the paper's", "latents": num_latents}
        | PAPER_TRAINING
        | dict(zip(("linear probe", "deviation"), figures[column], strict=True))
        for column, num_latents in enumerate(PAPER_LATENTS)
        for name, figures in PAPER.items()
    ]


def list_facts(measured):
    """Lists what the table of `evaluation.several` says of a Release: {heading: value}."""
    model = measured.config["model"]
    return {
        "model": name_in_paper(model),
        "latents": model["latent_width"] ** 2 * model["latent_channels"],
        "depth": model["depth"],
        "classes": len(measured.class_names),
    }


def find_paper_row(measured):
    """Finds the paper's row for the table of `evaluation.several` beside a Release; {} if it has none."""
    facts = list_facts(measured)
    if (measured.data_source, facts["classes"]) != ("cifar10", PAPER_TRAINING["classes"]):
        return {}
    if facts["model"] not in PAPER or facts["latents"] not in PAPER_LATENTS:
        return {}
    accuracy = Spread(*PAPER[facts["model"]][PAPER_LATENTS.index(facts["latents"])])
    row = facts | PAPER_TRAINING | {"model": f"{facts['model']}, the paper's"}
    return row | {"probe, hold-out": accuracy, "probe, test": accuracy}


def split_rows(count, stage):
    """Yields slices of at most CHUNK_SIZE rows with a progress bar."""
    return (slice(start, start + CHUNK_SIZE) for start in progress.track(range(0, count, CHUNK_SIZE), stage))
