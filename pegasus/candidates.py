"""The candidates of a search: pairs of parents, mixes and masks, drawn from the latents of two classes.

Candidate k is a function of (seed, k) and the parents, so no candidate has to be stored.
"""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

from common import interpolation
from common.inference import in_batches
from pegasus import masks
from pegasus.scores import high_frequency_energy

MIXES = (0.3, 0.7)  # range of the second parent's share
STRENGTHS = (0.1, 0.5)  # range of a mask's strength
CONFIDENT_SHARE = 0.5  # share of each class that may become parents: the most confidently recognised
WIDE_SHARE = 0.9  # the same for second parents chosen by likeness: flying birds are recognised less confidently
LIKE_SHARE = 0.25  # share of those that is most like each name given as a trait
RIVALS = 22  # one in 22 eligible second parents competes for each first one; the most similar border wins


@dataclasses.dataclass(frozen=True, eq=False)
class Parents:
    """The possible parents of two classes, and the search classifiers' outputs for their reconstructions.

    Fields that hold one array for each class are lists of two.

    Attributes:
        rows: int [N], rows of the latent bank.
        latents: float32 [N, 2, h, w, c], of the reconstruction as it is and mirrored.
        eligible: int [M], indices into `rows` from which candidates are drawn.
        borders: float32 [N, 2, d], the outer cells of `latents`, which are mostly background.
        evidence: float [N, 2, h, w], see `masks.ClassEvidence`.
        bank_latents: [N + N, h, w, c], both classes' latents as in the bank.
        features: float32 [N + N, d], of both classes' reconstructions.
        energy: mean high-frequency energy of the reconstructions.
        typical_distance: median distance from a reconstruction to its nearest neighbour, in features.
        path: how two cells are interpolated, see `masks.blend_cells`.
        cell_size: side of the squares of positions that share a mix.
    """

    rows: list
    latents: list
    eligible: list
    borders: list
    evidence: list
    bank_latents: np.ndarray
    features: np.ndarray
    energy: float
    typical_distance: float
    path: typing.Callable = interpolation.slerp
    cell_size: int = 1


def prepare_parents(
    model,
    classifiers,
    classes,
    bank,
    rows,
    traits=(None, None),
    lower_first=0,
    path=interpolation.slerp,
    cell_size=1,
):
    """Chooses the eligible parents of both classes and computes all that candidates and scores need of them.

    Args:
        model: acai.inference.ReleasedACAI.
        classifiers: classifiers.inference.ClassifierEnsemble, or one ReleasedClassifier.
        classes: names of the two classes.
        bank: acai.latent_bank.LatentBank.
        rows: the bank's rows of each class.
        traits: for each class None, or the traits by which its parents are chosen, separated by commas: class
            names (birds like airplanes spread their wings) or "light" (bright in the middle).
        lower_first: pixels by which the first parents are moved down, which makes room above them.
        path, cell_size: see `Parents`.

    Returns:
        Parents.
    """
    latents, eligible, features, energies = [], [], [], []
    names, log_probabilities_and_features = classifiers.class_names, classifiers.log_probabilities_and_features
    measure = tf.function(
        lambda pictures: (
            *log_probabilities_and_features(pictures),
            high_frequency_energy(pictures),
            relative_lightness(pictures),
        ),
        autograph=False,
    )

    def measure_latents(batch):
        outputs = measure(tf.clip_by_value(model.autoencoder.decode(batch), -1, 1))
        return np.concatenate([np.reshape(output, (len(batch), -1)) for output in outputs], 1)

    for side, class_rows in enumerate(rows):
        plain = bank.latents[class_rows].astype(np.float32)
        moved = masks.lower_latents(model, plain, 0 if side else lower_first)
        latents.append(np.stack([moved, masks.mirror_latents(model, moved)], axis=1))
        outputs = in_batches(measure_latents, plain)
        log_probabilities, liked = outputs[:, : len(names)], masks.split_traits(traits[side])
        share = WIDE_SHARE if liked and side else CONFIDENT_SHARE
        best = highest(log_probabilities[:, names.index(classes[side])], share)
        for name in liked:
            likeness = outputs[:, -1] if name == masks.LIGHT else log_probabilities[:, names.index(name)]
            best = best[highest(likeness[best], LIKE_SHARE)]
        eligible.append(best)
        features.append(outputs[:, len(names) : -2])
        energies.append(outputs[:, -2])
    features = np.concatenate(features)
    measure_evidence = masks.ClassEvidence(latents[0][:, 0], latents[1][:, 0])
    evidence = [
        measure_evidence(x.reshape(-1, *x.shape[2:]), side).reshape(x.shape[:-1]) for side, x in enumerate(latents)
    ]
    return Parents(
        rows=list(rows),
        latents=latents,
        eligible=eligible,
        borders=[border_cells(x) for x in latents],
        evidence=evidence,
        bank_latents=np.concatenate([bank.latents[class_rows] for class_rows in rows]),
        features=features,
        energy=np.mean(np.concatenate(energies)),
        typical_distance=float(np.median(nearest_neighbour_distances(features))),
        path=path,
        cell_size=cell_size,
    )


def highest(values, share):
    """Indices of the given share of values [N] that is highest, at least one, in increasing order."""
    return np.sort(np.argsort(-values, kind="stable")[: max(1, round(share * len(values)))])


def relative_lightness(pictures):
    """Mean of the middle quarter of pictures [B, H, W, C] minus the mean of the whole, as a tensor [B]."""
    height, width = pictures.shape[1:3]
    middle = pictures[:, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return tf.reduce_mean(middle, axis=(1, 2, 3)) - tf.reduce_mean(pictures, axis=(1, 2, 3))


def nearest_neighbour_distances(features):
    """Distance from each row of [N, d] to the nearest other row, [N]."""
    squares = np.sum(features**2, axis=1)
    distances = squares[:, None] + squares - 2 * features @ features.T
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(np.maximum(distances.min(axis=1), 0))


def border_cells(latents):
    """The outer cells of latents [..., h, w, c], flattened to [..., d]."""
    height, width = latents.shape[-3:-1]
    outer = np.ones((height, width), bool)
    outer[1:-1, 1:-1] = False
    return latents[..., outer, :].reshape(*latents.shape[:-3], -1)


class Candidate(typing.NamedTuple):
    """The ingredients of a blend.

    Attributes:
        pair: indices of its two parents in the rows of `Parents`.
        mirrored: for each parent 1 if it is mirrored, else 0.
        mask: one of `masks.KINDS`.
        shares: the second parent's share in each cell, [h, w], rounded to thousandths so that a manifest holds it
            exactly.
    """

    pair: tuple
    mirrored: tuple
    mask: str
    shares: np.ndarray


def draw_candidate(parents, seed, k, kinds=masks.KINDS):
    """Draws candidate k.

    A share 1 / RIVALS of the eligible second parents compete. The winner is the one whose border, plain or
    mirrored, is most similar to that of the first parent.
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
    first, first_mirrored = int(random.choice(parents.eligible[0])), int(random.integers(2))
    rivals = random.choice(parents.eligible[1], max(1, round(len(parents.eligible[1]) / RIVALS)))
    differences = parents.borders[1][rivals] - parents.borders[0][first, first_mirrored]  # [n, 2, d]
    winner, second_mirrored = divmod(int(np.argmin(np.square(differences).sum(axis=-1))), 2)
    second = int(rivals[winner])
    kind = kinds[random.integers(len(kinds))]
    evidence = parents.evidence[0][first, first_mirrored], parents.evidence[1][second, second_mirrored]
    size = parents.cell_size
    height, width = (side // size for side in parents.latents[0].shape[2:4])
    evidence = [cells.reshape(height, size, width, size).sum(axis=(1, 3)) for cells in evidence]
    pattern = masks.make_pattern(kind, (height, width), random, evidence)
    shares = masks.mix_shares(random.uniform(*MIXES), random.uniform(*STRENGTHS), pattern)
    return Candidate((first, second), (first_mirrored, second_mirrored), kind, np.round(shares, 3))


def blend_candidates(parents, candidates):
    """Blends N candidates into latents float32 [N, h, w, c]."""
    first, second = (
        np.stack([parents.latents[side][c.pair[side], c.mirrored[side]] for c in candidates]) for side in (0, 1)
    )
    shares = np.stack([c.shares for c in candidates])
    shares = shares.repeat(parents.cell_size, axis=1).repeat(parents.cell_size, axis=2)
    return masks.blend_cells(first, second, shares, parents.path)
