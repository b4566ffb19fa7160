"""The suite "path": how evenly pictures change between two held-out images, and how real the middles look.

The same figures are computed along lerp and slerp of the latents, which are decoded, and for two controls: the
cross-fade of the pixels of the images, and that of their reconstructions, which are as blurred as what is decoded.
Distances are Euclidean, between features f of a classifier.
"""

import numpy as np

from acai.inference import ReleasedACAI
from common import images, interpolation, progress
from common.metrics import intervals
from common.metrics.features import high_frequency_energy, kernel_distance
from evaluation import features
from evaluation.picture_estimates import describe_holdout, format_count, jackknife
from evaluation.report.estimates import Estimate, Section, choose_key_figures, format_interval, format_number
from evaluation.suites import MIN_HOLDOUT_OF_PATHS, probe

NUM_STEPS = 16  # pictures along a path with both ends, as for the paper's lines
JUMP = 1 - 1 / (NUM_STEPS - 1)  # smoothness of a path whose pictures change once
# The published one. On 200 pairs of `acai_small` the path length is 195 with 1e-2, 201 with 1e-3, 202 with 1e-4,
# and 203 with 1e-5: large ones cut corners, and the last has rounding of float32, a hundredth of which is here.
EPSILON = 1e-4
NUM_SHOWN = 6  # pairs in the picture
BLOCK = 50  # pairs that are followed at a time
RECONSTRUCTED = "cross-fade-of-reconstructions"
EXPLANATIONS = {  # of the key figures, by the beginning of their names
    "path_length_lerp": "Squared speed of the features along lerp; small where pictures change evenly or little.",
    "relative_length_lerp": "Way of the features divided by the distance of its ends; 1 is a straight line.",
    "smoothness_lerp": f"Largest step as a share of the way, minus an even one's; 0 is even, {JUMP:.3f} a jump.",
    "kd_": "Kernel distance of the middles of lerp to held-out images; 0 is as real as these.",
    "sharpness_lerp": "Fine detail of the middles of lerp relative to the held-out images; 1 is as sharp.",
}
list_facts = probe.list_facts  # what the table of `evaluation.several` says of a Release
COMPARED = {  # {heading of the table of `evaluation.several`: beginning of a figure's name}
    "path length": "path_length_lerp",
    "relative length": "relative_length_lerp",
    "smoothness": "smoothness_lerp",
    "kernel distance": "kd_",
    "sharpness": "sharpness_lerp",
}
TEXT = (
    "Pairs of held-out images, of any classes, are encoded, and {steps} pictures are decoded along each path "
    "between their latents. The other half of the hold-out is what the middles are compared with. The same seed "
    "gives all models of the same data the same pairs, so their reports can be compared. All distances are "
    "between features of {extractor}; intervals are over pairs, not over trainings. They are too narrow where "
    "pairs share images, which happens with more pairs than a quarter of the hold-out.\n\n"
    "Path length is that of Karras et al. (2019, arXiv 1812.04948): the mean of |f(t + {epsilon:g}) - f(t)|^2 / "
    "{epsilon:g}^2 at a random t of each path, here with a classifier's features f instead of a distance that "
    "was fitted to people. It grows with the squared distance of the ends, so blurred pictures that all look "
    "alike have a small one; and most of it can come from a few abrupt changes. Where pictures "
    "change by jumps alone, as a VQ-VAE's, there is none. Relative length, the sum of the {last} steps divided by "
    "the distance of the ends, does not depend on that scale. It is at least 1; detours and noise lengthen it, a "
    "single jump does not. Smoothness is the paper's measure of lines with features in "
    "place of angles: the largest step as a share of all, minus 1/{last}. A jump gives {jump:.3f}; detours of "
    "even speed give 0. Pairs whose pictures do not change have neither of the two.\n\n"
    "The kernel distance says how real the middles look to the classifier, that of the reconstructions what the "
    "decoder reaches without blending: where both are equal, blending costs no realism. Blur raises it, and the "
    "cross-fade of the images has none, so the fair control of a blurred model is the cross-fade of its "
    "reconstructions; both are even in pixels by construction, and their middles are double exposures. Sharpness "
    "is the high-frequency energy relative to held-out images."
)
COMPARISON_TEXT = (
    "The figures are of lerp; kernel distance and sharpness are of the middles. No paper has them for CIFAR-10. "
    "Models of the same data were measured on the same pairs. The models' sections have intervals."
)


def run(inputs):
    model, config = ReleasedACAI(*inputs.release.model_arguments), inputs.config
    holdout = inputs.load_holdout(MIN_HOLDOUT_OF_PATHS)
    return evaluate(model, features.make_extractor(config.features), holdout, config.samples, config.seed)


def evaluate(model, extractor, holdout, samples=1000, seed=0):
    """Measures the paths between pairs of held-out images.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        extractor: evaluation.features.Extractor: images [N, H, W, C] in [-1, 1] -> features [N, d].
        holdout: common.data.datasets.ImageDataset of at least 40 images.
        samples: number of pairs, at least 20.
        seed: of the pairs and the intervals.

    Returns:
        Section.
    """
    pairs, mixes, others = draw_pairs(len(holdout), samples, seed)
    ends = [images.to_float(holdout.images[rows]) for rows in pairs]
    real = images.to_float(holdout.images[others])
    real_features, real_energy = extractor(real), high_frequency_energy(real).mean()
    size, unknown = format_count(samples), float("nan")

    def estimate_mean(figure, path, values, better, note):
        values = values[np.isfinite(values)]
        found = intervals.bootstrap_mean(values, seed=seed) if len(values) > 1 else (unknown, None, None)
        return Estimate(f"{figure}_{path}_{size}", *found, len(values), better, note)

    def estimate_reality(path, pictures):
        """The kernel distance to the other held-out images, and the sharpness relative to them."""
        stage = f"kernel distance of {path}"
        distance = jackknife(kernel_distance, real_features, extractor(pictures), seed=seed, stage=stage)
        name, energy = f"kd_{extractor.name}_{path}_{size}", high_frequency_energy(pictures) / real_energy
        sharpness = estimate_mean("sharpness", path, energy, "", "1 is as sharp as real images")
        return [Estimate(name, *distance, len(pictures), "lower", extractor.comparable), sharpness]

    rows = {}
    for path, (length, relative, smoothness, middles) in measure_all(model, extractor, ends, mixes).items():
        rows[path] = [
            estimate_mean("path_length", path, hide_jumps(length, relative), "lower", "squared, of features"),
            estimate_mean("relative_length", path, relative, "lower", "1 is a straight line"),
            estimate_mean("smoothness", path, smoothness, "lower", f"0 is even, {JUMP:.3f} a jump"),
            *estimate_reality(path, middles),
        ]
    first = np.sort(np.unique(pairs[0], return_index=True)[1])  # each image once, in the order of the pairs
    reconstructions = np.clip(model.decode(model.encode(ends[0][first])), -1, 1)
    rows["reconstructions"] = [unknown] * 3 + estimate_reality("reconstructions", reconstructions)
    columns = "path", "path length", "relative length", "smoothness", "kernel distance", "sharpness"
    estimates = [cell for row in rows.values() for cell in row if isinstance(cell, Estimate)]
    shown = make_paths(model, *(end[:NUM_SHOWN] for end in ends))
    shown.pop(RECONSTRUCTED)
    caption = f"Paths of {min(NUM_SHOWN, samples)} pairs: {', '.join(shown)}, below each other"
    text = TEXT.format(steps=NUM_STEPS, last=NUM_STEPS - 1, jump=JUMP, epsilon=EPSILON, extractor=extractor.name)
    return Section(
        "Paths between images",
        estimates,
        [dict(zip(columns, (path, *row), strict=True)) for path, row in rows.items()],
        {caption: draw_paths(shown)},
        text,
        "\n\n".join(filter(None, [describe(rows), describe_holdout(len(others))])),
        choose_key_figures(estimates, EXPLANATIONS),
    )


def draw_pairs(count, samples, seed):
    """Draws pairs of different rows from a half of `count` rows, no row twice before all are drawn once.

    Returns:
        (pairs int [2, samples], mixes float64 [samples] in [0, 1 - EPSILON), the other half of the rows).
    """
    random = np.random.default_rng(seed)
    half, others = np.split(random.permutation(count), [count // 4 * 2])
    rounds = -(-samples // (len(half) // 2))
    pairs = np.concatenate([random.permutation(half).reshape(-1, 2) for _ in range(rounds)])
    mixes = np.random.default_rng([seed, 1]).uniform(0, 1 - EPSILON, samples)
    return pairs[:samples].T, mixes, np.sort(others)


def make_paths(model, first, second):
    """Returns {name: function of a mix, a number or [N]} that draws pictures [N, H, W, C] between two sets."""
    latents = model.encode(first), model.encode(second)
    reconstructions = [np.clip(model.decode(z), -1, 1) for z in latents]
    return {
        "lerp": lambda mix: np.clip(model.decode(interpolation.lerp(*latents, mix)), -1, 1),
        "slerp": lambda mix: np.clip(model.decode(interpolation.slerp(*latents, mix)), -1, 1),
        "cross-fade": lambda mix: interpolation.lerp(first, second, mix),
        RECONSTRUCTED: lambda mix: interpolation.lerp(*reconstructions, mix),
    }


def measure_all(model, extractor, ends, mixes):
    """Measures all paths between two sets of images [N, H, W, C], in blocks of BLOCK pairs.

    Returns:
        {name: (path length, relative length, smoothness, pictures of the middles), each [N, ...]}; see `measure`.
    """
    blocks = [slice(start, start + BLOCK) for start in range(0, len(mixes), BLOCK)]
    parts = []
    for rows in progress.track(blocks, "following the paths of pairs"):
        paths = make_paths(model, *(pictures[rows] for pictures in ends))
        parts.append({name: (*measure(draw, extractor, mixes[rows]), draw(0.5)) for name, draw in paths.items()})
    return {
        name: tuple(map(np.concatenate, zip(*(part[name] for part in parts), strict=True))) for name in parts[0]
    }


def measure(draw, extractor, mixes):
    """Measures N paths in features.

    Args:
        draw: function of a mix, a number or [N] -> pictures [N, H, W, C].
        extractor: see `evaluate`.
        mixes: [N] in [0, 1 - EPSILON], where the speed is measured.

    Returns:
        (path length, relative length, smoothness), each float64 [N]. The last two are NaN or infinite for a path
        without steps or with equal ends.
    """

    def features_at(mix):
        return np.asarray(extractor(draw(mix)), np.float64)

    speed = (features_at(mixes + EPSILON) - features_at(mixes)) / EPSILON
    points = np.stack([features_at(mix) for mix in np.linspace(0, 1, NUM_STEPS)])  # [NUM_STEPS, N, d]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    way, distance = steps.sum(0), np.linalg.norm(points[-1] - points[0], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum(speed**2, axis=1), way / distance, steps.max(0) / way - 1 / (NUM_STEPS - 1)


def hide_jumps(lengths, relative_lengths):
    """Makes all path lengths NaN where most paths change by jumps: they lead somewhere, but have no speed.

    Args:
        lengths, relative_lengths: [N], see `measure`.
    """
    jumping = (lengths == 0) & np.isfinite(relative_lengths)
    return np.full_like(lengths, np.nan) if jumping.mean() > 0.5 else lengths


def draw_paths(paths):
    """Draws NUM_STEPS pictures along all paths, those of a pair below each other; returns uint8 [H, W, 3]."""
    strips = [np.stack([draw(mix) for mix in np.linspace(0, 1, NUM_STEPS)], 1) for draw in paths.values()]
    pictures = np.stack(strips, 1)  # [pairs, paths, NUM_STEPS, H, W, C]
    return images.grid(images.to_uint8(pictures.reshape(-1, *pictures.shape[3:])), NUM_STEPS, 2)


def describe(rows):
    """Says in two sentences how the paths compare, of {path: its Estimates}."""

    def cell(path, index):
        estimate = rows[path][index]
        return f"{format_number(estimate.value)} ({format_interval(estimate)})"

    return (
        f"Along lerp the features' way is {cell('lerp', 1)} times the straight line, along slerp "
        f"{cell('slerp', 1)}, in cross-fades of reconstructions {cell(RECONSTRUCTED, 1)}. The kernel distance of "
        f"the middles to photographs is {cell('lerp', 3)} by lerp, {cell('slerp', 3)} by slerp and "
        f"{cell(RECONSTRUCTED, 3)} in those cross-fades; that of reconstructions is {cell('reconstructions', 3)}."
    )


def find_paper_row(measured):
    """Returns {}: no paper has these figures, see `evaluation.several`."""
    return {}
