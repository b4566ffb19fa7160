"""The best of many blends: pairs, mixes and masks drawn, decoded, scored, and the best kept for score and variety.

Candidate k is a function of (seed, k) and the parents. Nothing of it is stored but its scores while it is among
the best, so memory does not grow with the number of candidates. The scores' terms, the higher the better:

    recognised   log sqrt(P(first) P(second)), mean over judges and views (mirrored, shifted)
    realism      minus the squared Mahalanobis distance, over its dimensions, of the judges' features to a
                 Gaussian of those of the parents' reconstructions, beyond their own mean (1)
    critic       minus the critic's guess of the mix
    sharpness    log of high-frequency energy over the reconstructions', at most 0
    typical      minus the same distance as `realism` of the code to a Gaussian of the bank's codes
    unlike       log of the distance to the nearest reconstruction in the judges' features over the median of
                 what reconstructions have among themselves, at most 0
"""

import collections
import dataclasses
import functools
import typing

import numpy as np
import tensorflow as tf

from acai import masks
from common import images, interpolation, metrics, progress
from common.gallery import in_batches

MIXES = (0.3, 0.7)  # of the second parent
STRENGTHS = (0.1, 0.5)  # of a mask
CONFIDENT = 0.5  # share of each class's parents that are drawn from: those the judges recognise best
RIVALS = 16  # second parents that are looked at for each first one; the one with the most similar border stays
POOL = 2000  # best candidates that are seen in all views
USES = 3  # of one row of the bank among the kept
NEAR = 0.5  # of the typical distance between reconstructions: nearer ones are duplicates
SHIFTS = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))  # down and right, in pixels; all of them mirrored as well
REACH = 2  # pixels that a shift is at most
BATCH_SIZE = 256  # candidates; whole batches, so that one program serves all


class Gaussian:
    """Mean and whitening of vectors [N, d]; the covariance is shrunk towards its mean variance by `shrinkage`."""

    def __init__(self, vectors, shrinkage=0.1):
        vectors = np.asarray(vectors, np.float64)
        self.mean = vectors.mean(axis=0)
        covariance = np.cov(vectors.T)
        covariance = (1 - shrinkage) * covariance + shrinkage * np.mean(np.diag(covariance)) * np.eye(
            len(covariance)
        )
        values, axes = np.linalg.eigh(covariance)
        self.whitening = (axes / np.sqrt(values)).astype(np.float32)
        self.mean = self.mean.astype(np.float32)

    def distance(self, vectors):
        """Squared Mahalanobis distance over d, [N]; about 1 for what the Gaussian was fitted to. Tensors."""
        return tf.reduce_mean(tf.square((vectors - self.mean) @ self.whitening), axis=-1)


class Scorer:
    """Codes -> the scores' terms, but for "unlike".

    Args:
        model: acai.released.ReleasedACAI.
        judge: judge.released.Jury, or one Judge.
        classes: the names of the two that a blend shall show.
    """

    def __init__(self, model, judge, classes):
        self.model, self.judge = model, judge
        self.pair = [judge.class_names.index(name) for name in classes]
        self.features = self.codes = None
        self.energy = 1.0

    def refer_to(self, codes, features, energy):
        """Makes what reconstructions are like the measure: their codes, features [N, d] and mean energy."""
        self.codes, self.features = Gaussian(codes.reshape(len(codes), -1)), Gaussian(features)
        self.reference, self.energy = np.asarray(features, np.float32), energy

    def see(self, pictures):
        """(log probabilities [B, classes], features [B, d]) of pictures [B, H, W, C]; tensors."""
        return self.judge.look(pictures)

    @functools.cached_property
    def look(self):
        """`see` as one program."""
        return tf.function(self.see)

    def recognised(self, pictures):
        return 0.5 * tf.reduce_sum(tf.gather(self.see(pictures)[0], self.pair, axis=1), axis=1)

    def terms(self, codes, shifts=SHIFTS[:1], mirrored=False):
        """{term: [B]} and the features [B, d] of codes [B, h, w, c], tensors that have gradients."""
        pictures = tf.clip_by_value(self.model.autoencoder.decode(codes), -1, 1)
        logs, features = self.see(pictures)
        views = [shifted(pictures, *shift) for shift in shifts[1:]]
        views += [shifted(pictures[:, :, ::-1], *shift) for shift in shifts] if mirrored else []
        recognised = [0.5 * tf.reduce_sum(tf.gather(logs, self.pair, axis=1), axis=1)]
        recognised += [self.recognised(view) for view in views]
        flat = tf.reshape(codes, (-1, int(np.prod(codes.shape[1:]))))
        found = {
            "recognised": tf.reduce_mean(tf.stack(recognised), axis=0),
            "realism": -tf.nn.relu(self.features.distance(features) - 1),
            "sharpness": tf.minimum(tf.math.log(energy(pictures) / self.energy + 1e-6), 0),
            "typical": -tf.nn.relu(self.codes.distance(flat) - 1),
        }
        if self.model.critic:
            found["critic"] = -self.model.critic(pictures)
        return found, features

    @functools.cached_property
    def quick(self):
        return tf.function(self.terms)

    @functools.cached_property
    def thorough(self):
        return tf.function(functools.partial(self.terms, shifts=SHIFTS, mirrored=True))

    def __call__(self, codes, thorough=False):
        """Numpy ({term: [N]}, features [N, d]) of codes [N, h, w, c]."""
        function = self.thorough if thorough else self.quick
        size = 32 if thorough else BATCH_SIZE
        parts = []
        for start in range(0, len(codes), size):
            part = codes[start : start + size]
            filled = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)])
            terms, features = function(tf.constant(filled))
            parts.append(
                ({name: v.numpy()[: len(part)] for name, v in terms.items()}, features.numpy()[: len(part)])
            )
        names = parts[0][0]
        return {n: np.concatenate([p[0][n] for p in parts]) for n in names}, np.concatenate([p[1] for p in parts])


def shifted(pictures, down, right):
    """Pictures [B, H, W, C] moved by at most REACH pixels, numbers or tensors, mirrored at the edge."""
    padded = tf.pad(pictures, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)), "REFLECT")
    return tf.slice(padded, (0, REACH - down, REACH - right, 0), pictures.shape)


def energy(pictures):
    """`common.metrics.high_frequency_energy` of tensors."""
    grey = tf.reduce_mean(pictures, axis=3, keepdims=True)
    box = tf.nn.avg_pool2d(grey, 3, 1, "VALID")
    return tf.reduce_mean(tf.square(grey[:, 1:-1, 1:-1] - box), axis=(1, 2, 3))


@dataclasses.dataclass(frozen=True, eq=False)
class Parents:
    """The codes that are blended, of two classes, and what the judges make of their reconstructions.

    Attributes:
        rows: two int [N], of the bank.
        codes: two float32 [N, 2, h, w, c]: as they are, and those of the mirrored reconstruction.
        chosen: two int [M], places in `rows` that candidates are drawn from.
        borders: two float32 [N, 2, d], the outer cells of `codes`: mostly background.
        evidence: two float [N, 2, h, w], see masks.Evidence.
        features: float32 [N + N, d], of all reconstructions.
        spacing: median distance of a reconstruction to the nearest other, in features.
        path: how two cells are blended, see masks.blend.
        cell: side of the squares of positions that share a mix.
    """

    rows: list
    codes: list
    chosen: list
    borders: list
    evidence: list
    features: np.ndarray
    spacing: float
    path: typing.Callable = interpolation.slerp
    cell: int = 1


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


def prepare(scorer, bank, rows, confident=CONFIDENT, path=interpolation.slerp, cell=1):
    """The Parents of two lists of rows; makes the scorer refer to them."""
    codes, confidence, features, energies = [], [], [], []
    see = tf.function(lambda pictures: (*scorer.see(pictures), energy(pictures)))
    for side, mine in enumerate(rows):
        plain = bank.latents[mine].astype(np.float32)
        codes.append(np.stack([plain, masks.mirrored(scorer.model, plain)], axis=1))

        def look(part):
            return np.concatenate(
                [
                    np.reshape(v, (len(part), -1))
                    for v in see(tf.clip_by_value(scorer.model.autoencoder.decode(part), -1, 1))
                ],
                1,
            )

        seen = in_batches(look, plain)
        classes = len(scorer.judge.class_names)
        confidence.append(seen[:, scorer.pair[side]])
        features.append(seen[:, classes:-1])
        energies.append(seen[:, -1])
    chosen = [np.sort(np.argsort(-c, kind="stable")[: max(1, round(confident * len(c)))]) for c in confidence]
    both = np.concatenate(features)
    scorer.refer_to(np.concatenate([c[:, 0] for c in codes]), both, np.mean(np.concatenate(energies)))
    learned = masks.Evidence(codes[0][:, 0], codes[1][:, 0])
    evidence = [learned(c.reshape(-1, *c.shape[2:]), side).reshape(c.shape[:-1]) for side, c in enumerate(codes)]
    spacing = float(np.median(nearest_other(both)))
    borders = [border(c) for c in codes]
    return Parents(list(rows), codes, chosen, borders, evidence, both, spacing, path, cell)


def nearest_other(features):
    """Distance of each row of [N, d] to the nearest other, [N]."""
    squares = np.sum(features**2, axis=1)
    distances = squares[:, None] + squares - 2 * features @ features.T
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(np.maximum(distances.min(axis=1), 0))


def border(codes):
    """The outer cells of codes [..., h, w, c], [..., d]."""
    height, width = codes.shape[-3:-1]
    outer = np.ones((height, width), bool)
    outer[1:-1, 1:-1] = False
    return codes[..., outer, :].reshape(*codes.shape[:-3], -1)


class Candidate(typing.NamedTuple):
    """What a blend is made of: places of its two parents, whether each is mirrored, and how they are mixed."""

    places: tuple
    mirrored: tuple
    mask: str
    shares: np.ndarray  # of the second, [h, w], rounded to thousandths so that a manifest holds them exactly


def draw(parents, seed, k, kinds=masks.KINDS, rivals=RIVALS):
    """Candidate k. Of `rivals` random second parents, each as it is and mirrored, that one is taken whose border
    is most like the first's."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
    first, first_mirrored = int(random.choice(parents.chosen[0])), int(random.integers(2))
    others = random.choice(parents.chosen[1], rivals)
    away = parents.borders[1][others] - parents.borders[0][first, first_mirrored]  # [rivals, 2, d]
    place, second_mirrored = divmod(int(np.argmin(np.square(away).sum(axis=-1))), 2)
    second = int(others[place])
    kind = kinds[random.integers(len(kinds))]
    evidence = parents.evidence[0][first, first_mirrored], parents.evidence[1][second, second_mirrored]
    cell = parents.cell
    shape = tuple(side // cell for side in parents.codes[0].shape[2:4])
    evidence = [found.reshape(shape[0], cell, shape[1], cell).sum(axis=(1, 3)) for found in evidence]
    mask = masks.pattern(kind, shape, random, evidence)
    shares = masks.shares(random.uniform(*MIXES), random.uniform(*STRENGTHS), mask)
    return Candidate((first, second), (first_mirrored, second_mirrored), kind, np.round(shares, 3))


def codes_of(parents, drawn):
    """Codes float32 [N, h, w, c] of N candidates."""
    first, second = (
        np.stack([parents.codes[side][c.places[side], c.mirrored[side]] for c in drawn]) for side in (0, 1)
    )
    shares = np.stack([c.shares for c in drawn]).repeat(parents.cell, axis=1).repeat(parents.cell, axis=2)
    return masks.blend(first, second, shares, parents.path)


def complete(recipe, model, judge, bank, rows, training=None):
    """Searches: adds "rows" and "blends", and "count" of them, to a recipe (see acai.recipes).

    Args:
        recipe: with "candidates", "count", "seed", "weights", "refine", perhaps "mask", "first" and "second".
        model, judge: see `Scorer`.
        bank, rows: a LatentBank and its rows of either class.
        training: common.data.ImageDataset of both classes; None: there is none.

    Returns:
        (refined codes float16 [count, h, w, c] or None, [{"score", "terms", "nearest", ...} of each kept], and
        with `training` {"nearest": images [count, H, W, C]}, the nearest of them by the judges' features).
    """
    scorer = Scorer(model, judge, (recipe["first"], recipe["second"]))
    parents = prepare(scorer, bank, rows)
    kinds = (recipe["mask"],) if recipe["mask"] else masks.KINDS
    chosen, codes = find(
        scorer, parents, recipe["candidates"], recipe["count"], recipe["seed"], recipe["weights"], kinds
    )
    refined = None
    if recipe["refine"]:
        from acai.refine import refine

        refined = refine(scorer, codes, recipe["weights"], recipe["refine"], recipe["seed"])
        codes = refined.astype(np.float32)
    terms, features = thorough(scorer, parents, codes)
    scores = total(terms, recipe["weights"])
    order = np.argsort(-scores, kind="stable")
    chosen, refined = [chosen[i] for i in order], refined if refined is None else refined[order]
    recipe["rows"] = [[int(parents.rows[side][c.places[side]]) for side in (0, 1)] for c in chosen]
    recipe["blends"] = [
        {"mirrored": list(c.mirrored), "mask": c.mask, "shares": c.shares.tolist()} for c in chosen
    ]
    rows = np.concatenate(parents.rows)
    near, away = metrics.nearest(features[order], parents.features)
    entries = [
        {"score": round(float(scores[i]), 4), "terms": {n: round(float(v[i]), 4) for n, v in terms.items()}}
        | {"nearest": bank.describe(int(rows[near[k]])) | {"distance": round(float(away[k]), 4)}}
        for k, i in enumerate(order)
    ]
    if training is None:
        return refined, entries, {}
    pictures = images.to_float(training.images)
    seen = in_batches(lambda part: scorer.look(part)[1], pictures)
    near, away = metrics.nearest(features[order], seen)
    for entry, i, distance in zip(entries, near, away, strict=True):
        image = {"class": training.class_names[training.labels[i]], "id": int(training.ids[i])}
        entry["nearest_training_image"] = image | {"distance": round(float(distance), 4)}
    return refined, entries, {"nearest": pictures[near]}


def find(scorer, parents, candidates, keep, seed, weights, kinds=masks.KINDS):
    """The best of `candidates`, best first.

    Args:
        scorer, parents: that `prepare` has introduced to each other.
        candidates, keep: how many are drawn and kept; keep at most candidates.
        seed: of the candidates.
        weights: {term: weight}.
        kinds: of masks, each as likely as the others.

    Returns:
        (list of Candidate, codes float32 [keep, h, w, c]).
    """
    size = max(POOL, 8 * keep)
    numbers, scores = np.empty(0, int), np.empty(0)
    starts = range(0, candidates, BATCH_SIZE)
    for start in progress.track(starts, "decoding and scoring candidates"):
        drawn = np.arange(start, min(start + BATCH_SIZE, candidates))
        terms, _ = scorer(codes_of(parents, [draw(parents, seed, k, kinds) for k in drawn]))
        numbers, scores = np.append(numbers, drawn), np.append(scores, total(terms, weights))
        best = np.argsort(-scores, kind="stable")[:size]
        numbers, scores = numbers[best], scores[best]
    drawn = [draw(parents, seed, k, kinds) for k in numbers]
    codes = codes_of(parents, drawn)
    terms, features = thorough(scorer, parents, codes)
    places = [c.places for c in drawn]
    chosen = select(total(terms, weights), features, places, keep, NEAR * parents.spacing)
    return [drawn[i] for i in chosen], codes[chosen]


def thorough(scorer, parents, codes):
    """All terms in all views, {term: [N]}, and features [N, d] of codes [N, h, w, c]."""
    terms, features = scorer(codes, thorough=True)
    _, distances = metrics.nearest(features, parents.features)
    return terms | {"unlike": np.minimum(np.log(np.maximum(distances, 1e-6) / parents.spacing), 0)}, features


def select(scores, features, parents, keep, near, uses=USES):
    """Indices of `keep` of N, best first: by score, leaving out what is too much like what is already chosen.

    That is: a pair chosen before, a parent chosen `uses` times, or features [N, d] nearer than `near`. Where that
    leaves too few, the best of those left out come last.

    Args:
        parents: N pairs (first, second).
    """
    order = np.argsort(-np.asarray(scores), kind="stable").tolist()
    chosen, used = [], collections.Counter()
    for i in order:
        sides = [*enumerate(parents[i])]
        distances = np.linalg.norm(features[chosen] - features[i], axis=1)
        if len(chosen) < keep and max(used[side] for side in sides) < uses and not np.any(distances < near):
            if not any(tuple(parents[i]) == tuple(parents[j]) for j in chosen):
                chosen.append(i)
                used.update(sides)
    taken = set(chosen)
    return (chosen + [i for i in order if i not in taken])[:keep]


def total(terms, weights):
    """The score, [N]: the terms times their weights."""
    return sum(weights[name] * values for name, values in terms.items())
