"""The candidates of a search: pairs of parents, mixes and masks, drawn from the latents of two classes.

Candidate k is a function of (seed, k) and the parents, so no candidate has to be stored.
"""

import dataclasses
import typing

import numpy as np

from pegasus.general import masks

MIXES = (0.3, 0.7)  # range of the second parent's share
STRENGTHS = (0.1, 0.5)  # range of a mask's strength


@dataclasses.dataclass(frozen=True, eq=False)
class Parents:
    """The possible parents of two classes, lists of one array for each class.

    Attributes:
        rows: int [N], rows of the latent bank.
        latents: float32 [N, 2, h, w, c], of the reconstruction as it is and mirrored.
        evidence: float [N, 2, h, w], see `masks.ClassEvidence`.
    """

    rows: list
    latents: list
    evidence: list


def prepare_parents(model, bank, rows):
    """The Parents of the bank's rows, two int arrays; `model` as for `masks.mirror_latents`."""
    plain = [bank.latents[class_rows].astype(np.float32) for class_rows in rows]
    latents = [np.stack([x, masks.mirror_latents(model, x)], axis=1) for x in plain]
    measure_evidence = masks.ClassEvidence(*plain)
    evidence = [
        measure_evidence(x.reshape(-1, *x.shape[2:]), side).reshape(x.shape[:-1]) for side, x in enumerate(latents)
    ]
    return Parents(list(rows), latents, evidence)


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
    """Draws candidate k, with a mask of one of `kinds`."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
    pair = tuple(int(random.integers(len(rows))) for rows in parents.rows)
    mirrored = tuple(random.integers(2, size=2).tolist())
    kind = kinds[random.integers(len(kinds))]
    evidence = [parents.evidence[side][pair[side], mirrored[side]] for side in (0, 1)]
    pattern = masks.make_pattern(kind, evidence[0].shape, random, evidence)
    shares = masks.mix_shares(random.uniform(*MIXES), random.uniform(*STRENGTHS), pattern)
    return Candidate(pair, mirrored, kind, np.round(shares, 3))


def parent_latents(parents, candidates):
    """Latents float32 [N, 2, h, w, c] of the parents of N candidates, mirrored where they are."""
    sides = [[parents.latents[side][c.pair[side], c.mirrored[side]] for c in candidates] for side in (0, 1)]
    return np.stack(sides, axis=1)
