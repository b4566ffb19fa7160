"""Which blends a search looks at: pairs, mixes and masks, drawn from the codes of two classes.

Candidate k is a function of (seed, k) and the parents: nothing of it has to be stored.
"""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

from common import interpolation
from common.inference import in_batches
from pegasus import masks
from pegasus.scores import energy

MIXES = (0.3, 0.7)  # of the second parent
STRENGTHS = (0.1, 0.5)  # of a mask
CONFIDENT = 0.5  # share of each class's parents that are drawn from: those the judges recognise best
WIDE = 0.9  # of second parents that are to be like something: birds that fly are not those recognised best
LIKE = 0.25  # share of those that are most like it; of these, where they are to be like something else too
RIVALS = 22  # one of so many second parents stays for each first one: the one with the most similar border


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


def prepare(scorer, bank, rows, likes=(None, None), lower_first=0, path=interpolation.slerp, cell=1):
    """The Parents of two lists of rows; makes the scorer refer to them.

    Args:
        scorer: pegasus.scores.Scorer.
        bank: acai.latent_bank.LatentBank.
        rows: its rows of either class.
        likes: for either class None, or what its parents are to be like: classes that the judges know (birds like
            airplanes spread their wings) or "light", in their middle, with commas between.
        lower_first: pixels by which the first parents are moved down, which makes room above them.
        path, cell: see `Parents`.
    """
    codes, chosen, features, energies = [], [], [], []
    see = tf.function(
        lambda pictures: (*scorer.see(pictures), energy(pictures), lightness(pictures)), autograph=False
    )
    for side, mine in enumerate(rows):
        plain = bank.latents[mine].astype(np.float32)
        moved = masks.lowered(scorer.model, plain, 0 if side else lower_first)
        codes.append(np.stack([moved, masks.mirrored(scorer.model, moved)], axis=1))

        def look(part):
            return np.concatenate(
                [
                    np.reshape(v, (len(part), -1))
                    for v in see(tf.clip_by_value(scorer.model.autoencoder.decode(part), -1, 1))
                ],
                1,
            )

        seen = in_batches(look, plain)
        names = scorer.judge.class_names
        logs, wishes = seen[:, : len(names)], masks.wishes(likes[side])
        best = favourites(logs[:, scorer.pair[side]], WIDE if wishes and side else CONFIDENT)
        for wish in wishes:
            likeness = seen[:, -1] if wish == masks.LIGHT else logs[:, names.index(wish)]
            best = best[favourites(likeness[best], LIKE)]
        chosen.append(best)
        features.append(seen[:, len(names) : -2])
        energies.append(seen[:, -2])
    both = np.concatenate(features)
    scorer.refer_to(np.concatenate([bank.latents[mine] for mine in rows]), both, np.mean(np.concatenate(energies)))
    learned = masks.Evidence(codes[0][:, 0], codes[1][:, 0])
    evidence = [learned(c.reshape(-1, *c.shape[2:]), side).reshape(c.shape[:-1]) for side, c in enumerate(codes)]
    spacing = float(np.median(nearest_other(both)))
    borders = [border(c) for c in codes]
    return Parents(list(rows), codes, chosen, borders, evidence, both, spacing, path, cell)


def favourites(values, share):
    """Places of that share of [N] values, one at least, that are highest; in rising order."""
    return np.sort(np.argsort(-values, kind="stable")[: max(1, round(share * len(values)))])


def lightness(pictures):
    """Mean of the middle quarter of pictures [B, H, W, C] less that of all, [B]; tensors."""
    height, width = pictures.shape[1:3]
    middle = pictures[:, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return tf.reduce_mean(middle, axis=(1, 2, 3)) - tf.reduce_mean(pictures, axis=(1, 2, 3))


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


def draw(parents, seed, k, kinds=masks.KINDS):
    """Candidate k. Of one in RIVALS second parents, each as it is and mirrored, that one is taken whose border is
    most like the first's."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
    first, first_mirrored = int(random.choice(parents.chosen[0])), int(random.integers(2))
    others = random.choice(parents.chosen[1], max(1, round(len(parents.chosen[1]) / RIVALS)))
    away = parents.borders[1][others] - parents.borders[0][first, first_mirrored]  # [n, 2, d]
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
