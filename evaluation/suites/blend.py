"""The suite "blend": do the pictures between two classes look like both, like photographs, and like none we have?

Every figure is also taken of two controls on the SAME pairs of training images: linear interpolation of the codes
and the cross-fade of the pixels. A model is only worth its training where it beats the cross-fade.
"""

import numpy as np

from common import images, interpolation, progress
from common.metrics import classification, intervals
from common.metrics.features import (
    density_coverage,
    diversity,
    frechet_distance,
    high_frequency_energy,
    kernel_distance,
    nearest_neighbours,
    precision_recall,
)
from evaluation.features import cached
from evaluation.report import plots
from evaluation.report.estimates import Estimate, Section

MIXES = np.linspace(0, 1, 9)
TEXT = (
    "Pairs of training images, one of each class, blended half and half. Recognisability is sqrt(P(first) "
    "P(second)), balance the smaller of the two over the larger. Kernel and Frechet distance compare with the "
    "held-out images of both classes. Sharpness is high-frequency energy over the real images'. Nearest is the "
    "mean distance to the nearest training image; the hold-out's own stands beside it. Figures of the referee "
    "come from a network that no search, loss or ranking has used; the classifier's features are not comparable "
    "with Inception's."
)


def evaluate(model, judges, extract, train, holdout, first, second, samples=1000, seed=0, folder=None):
    """The Section of an ACAI.

    Args:
        model: has `encode` and `decode`, e.g. acai.inference.ReleasedACAI.
        judges: {name: classifiers.inference.ReleasedClassifier}, the one that counts first.
        extract: function, images [N, H, W, C] -> features [N, d]; has `name` and `comparable`.
        train, holdout: common.data.datasets.ImageDataset that hold both classes.
        first, second: names of the classes.
        samples: pairs.
        seed: of the pairs and the intervals.
        folder: where the data set's features are kept for the next time; None: nowhere.
    """
    train, holdout = train.select((first, second)), holdout.select((first, second))
    parents = draw_pairs(train, samples, seed)
    real = images.to_float(holdout.images)
    near = Neighbours(extract, images.to_float(train.images), real, folder)
    with progress.show("encoding pairs and decoding their blends"):
        blends = {
            "slerp": decoded_blends(model, *parents, interpolation.slerp),
            "lerp": decoded_blends(model, *parents, interpolation.lerp),
            "cross-fade": (parents[0] + parents[1]) / 2,
        }
    judged = {name: Judged(pictures, judges, extract, (first, second)) for name, pictures in blends.items()}
    rows = {name: figures(found, extract, near, seed) for name, found in judged.items()}
    table = [{"blends": name, **{f.name: f for f in found}} for name, found in rows.items()]
    gained = gains(judged["slerp"], judged["cross-fade"], near, seed)
    shown = {
        "Blends above their nearest training images by features": near.picture(judged["slerp"], 8),
        f"Class probabilities on the way from {first} to {second}": probability_curves(
            model, next(iter(judges.values())), parents, (first, second), seed
        ),
    }
    text = f"{TEXT}\n\n{verdict(gained)}"
    return Section(f"Blends of {first} and {second}", rows["slerp"] + gained, table, shown, text)


def draw_pairs(dataset, count, seed):
    """Two float32 [count, H, W, C] in [-1, 1]: images of class 0 and 1. Pair k depends on (seed, k) alone."""
    chosen = np.empty((2, count), int)
    by_class = [np.flatnonzero(dataset.labels == label) for label in (0, 1)]
    for k in range(count):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        chosen[:, k] = [random.choice(rows) for rows in by_class]
    return [images.to_float(dataset.images[rows]) for rows in chosen]


def decoded_blends(model, first, second, path, mix=0.5):
    """Images [N, H, W, C] clipped to [-1, 1]: `path` (slerp or lerp) between the codes of two sets of images."""
    return np.clip(model.decode(path(model.encode(first), model.encode(second), mix)), -1, 1)


class Judged:
    """Pictures with all that the judges and the feature network make of them.

    Attributes:
        pictures: [N, H, W, C]; features: [N, d].
        recognisability, balance: {judge: [N]}.
    """

    def __init__(self, pictures, judges, extract, classes):
        self.pictures, self.features = pictures, extract(pictures)
        self.recognisability, self.balance = {}, {}
        for name, judge in judges.items():
            probabilities, _ = judge(pictures)
            pair = [judge.class_names.index(c) for c in classes]
            self.recognisability[name] = classification.recognisability(probabilities, *pair)
            self.balance[name] = classification.balance(probabilities, *pair)


def figures(judged, extract, near, seed):
    """The Figures of one kind of blends."""
    count = len(judged.pictures)
    size = size_name(count)

    def mean(name, values, better, note=""):
        return Estimate(f"{name}_{size}", *intervals.bootstrap_mean(values, seed=seed), count, better, note)

    def distances(names, statistic, better, stage):
        ends = jackknife(statistic, near.real_features, judged.features, seed=seed, stage=stage)
        named = zip(names, *map(np.atleast_1d, ends), strict=True)
        named = [(n, *(np.clip(rest, 0, 1) if n in SHARES else rest)) for n, *rest in named]
        return [
            Estimate(f"{n}_{extract.name}_{size}", *rest, count, better, extract.comparable) for n, *rest in named
        ]

    found = []
    for name in judged.recognisability:
        found.append(mean(f"recognisability_{name}", judged.recognisability[name], "higher"))
        found.append(mean(f"balance_{name}", judged.balance[name], "higher"))
    found += distances(["kd"], kernel_distance, "lower", "kernel distance and its interval")
    found += distances(["fd"], frechet_distance, "lower", "Frechet distance and its interval")
    stage = "precision, recall and their intervals"
    found += distances(["precision", "recall"], precision_recall, "higher", stage)
    stage = "density, coverage and their intervals"
    found += distances(["density", "coverage"], density_coverage, "higher", stage)
    energy = high_frequency_energy(judged.pictures) / near.real_energy
    found.append(mean("sharpness", energy, "", "1 is as sharp as real images"))
    for space, (distances, holdouts) in near.distances(judged.pictures, judged.features).items():
        found.append(mean(f"nearest_{space}", distances, "higher", f"the hold-out's: {holdouts.mean():.4g}"))
        closer = np.mean(distances < np.quantile(holdouts, 0.01))
        found.append(Estimate(f"copies_{space}_{size}", closer, count=count, better="lower", note=COPIES))
    some = judged.features[:64]
    found.append(Estimate(f"diversity_{extract.name}_{len(some)}", diversity(some), count=len(some)))
    return found


def jackknife(statistic, *samples, seed, stage):
    """`intervals.jackknife` in 20 groups, its progress shown."""
    groups = 20
    with progress.show(stage, groups + 1) as advance:  # without each group, and of everything

        def counted(*parts):
            value = statistic(*parts)
            advance()
            return value

        return intervals.jackknife(counted, *samples, groups=groups, seed=seed)


def gains(blends, control, near, seed):
    """Figures of how much better the blends are than the control on the same pairs; above 0 is better."""
    judge = next(iter(blends.recognisability))
    size = size_name(len(blends.pictures))
    difference = blends.recognisability[judge] - control.recognisability[judge]

    def closer(real, ours, theirs):
        return kernel_distance(real, theirs) - kernel_distance(real, ours)

    features = (near.real_features, blends.features, control.features)
    found = {
        f"recognisability_gain_{judge}": intervals.bootstrap_mean(difference, seed=seed),
        "kd_gain": jackknife(closer, *features, seed=seed, stage="gain in kernel distance and its interval"),
    }
    note = "over the cross-fade of the same pairs; above 0 is better"
    return [Estimate(f"{n}_{size}", *values, len(difference), "higher", note) for n, values in found.items()]


def verdict(gained):
    """One sentence on what `gains` found."""
    recognisability, realism = (
        "beat" if gain.low > 0 else "do not beat" if gain.high < 0 else "cannot be told from" for gain in gained
    )
    return (
        f"In recognisability the blends {recognisability} the cross-fade of the same pairs; in kernel distance to "
        f"real images they {realism} it."
    )


def size_name(count):
    return f"{count / 1000:g}k" if count >= 1000 else str(count)


COPIES = "share nearer to a training image than 99% of the hold-out"
SHARES = ("precision", "recall", "coverage")  # no interval of theirs leaves 0 to 1


class Neighbours:
    """The training images as features and pixels, to find nearest ones in, and the hold-out to compare with.

    Args:
        extract: see `evaluate`.
        train, real: images float32 [N, H, W, C] in [-1, 1]; `real` are the held-out ones.
        folder: see `evaluate`.
    """

    def __init__(self, extract, train, real, folder=None):
        self.train = train
        self.train_features, self.real_features = (
            cached(extract, pictures, folder) if folder else extract(pictures) for pictures in (train, real)
        )
        self.real_energy = high_frequency_energy(real).mean()
        self.holdout = self.distances(real, self.real_features, compared=False)

    def distances(self, pictures, features, compared=True):
        """{"features" and "pixels": (distances [N], the hold-out's)}; only the distances where not `compared`."""
        sets = {"features": (features, self.train_features), "pixels": (flat(pictures), flat(self.train))}
        with progress.show("nearest training images"):
            found = {name: nearest_neighbours(*both)[1] for name, both in sets.items()}
        return {name: (values, self.holdout[name]) for name, values in found.items()} if compared else found

    def picture(self, judged, count, scale=3):
        """The first `count` pictures in one row, below them the nearest training images by features."""
        rows, _ = nearest_neighbours(judged.features[:count], self.train_features)
        both = np.concatenate([judged.pictures[:count], self.train[rows]])
        return images.grid(images.to_uint8(both), count, scale)


def flat(pictures):
    return pictures.reshape(len(pictures), -1)


def probability_curves(model, judge, parents, classes, seed, count=200):
    """A plot of the mean class probabilities along slerp paths, with intervals."""
    first, second = (model.encode(side[:count]) for side in parents)
    mixes = progress.track(MIXES, "class probabilities along paths")
    steps = [judge(np.clip(model.decode(interpolation.slerp(first, second, m)), -1, 1))[0] for m in mixes]
    shares = np.stack(steps)  # [mixes, count, classes]
    pair = [judge.class_names.index(name) for name in classes]
    columns = {name: shares[:, :, i] for name, i in zip(classes, pair, strict=True)}
    columns["any other"] = 1 - shares[:, :, pair].sum(2)
    curves = {
        name: tuple(np.array([intervals.bootstrap_mean(step, seed=seed) for step in values]).T)
        for name, values in columns.items()
    }
    return plots.draw_curves(MIXES, curves, "share of the second class", "mean probability", "")
