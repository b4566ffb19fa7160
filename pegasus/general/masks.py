"""Masks: blends whose mix differs from cell to cell of the latents.

The latents of an image are a map [h, w, c], so the wings may come from one parent and the legs from the other. A
pattern [h, w] in [-1, 1] raises the second parent's share in some cells and lowers it in others. The vector of
each cell is then interpolated at its own share.
"""

import numpy as np

KINDS = ("uniform", "top", "bottom", "soft_top", "random", "learned")
RIDGE_PENALTY = 1.0  # in units of the latents' mean variance


def make_pattern(kind, shape, random=None, evidence=None):
    """Makes the pattern of a mask: 1 where the second parent weighs more, -1 where it weighs less.

    Args:
        kind: one of KINDS. "uniform" is 0 everywhere. "top" and "bottom" favour the second parent in that half of
            the rows; "soft_top" decreases linearly from the top row to the bottom row. "random" draws each cell
            independently. "learned" favours the parent whose cell is stronger evidence for its own class.
        shape: (h, w).
        random: numpy Generator, for "random" only.
        evidence: for "learned" only, the first and the second parent's maps [h, w] from `ClassEvidence`.

    Returns:
        float64 [h, w] in [-1, 1].
    """
    height, width = shape
    if kind == "uniform":
        return np.zeros(shape)
    if kind == "random":
        return random.uniform(-1, 1, shape)
    if kind == "learned":
        difference = evidence[1] - evidence[0]
        difference = difference - difference.mean()
        return np.tanh(difference / max(difference.std(), 1e-12))
    rows = np.linspace(1, -1, height)
    rows = {"soft_top": rows, "top": np.sign(rows), "bottom": -np.sign(rows)}[kind]
    return np.repeat(rows[:, None], width, axis=1)


def mix_shares(mix, strength, pattern):
    """The second parent's share in each cell, [..., h, w] in [0, 1]: `mix` plus `strength` times the pattern."""
    return np.clip(mix + strength * pattern, 0, 1)


def mirror_latents(model, latents):
    """Encodes the mirrored reconstructions of latents [N, h, w, c].

    Mirroring the map of cells itself would not give the latents of a mirrored image.

    Args:
        model: has `encode` and `decode`, e.g. `acai.inference.ReleasedACAI`.
        latents: [N, h, w, c].
    """
    return model.encode(np.clip(model.decode(latents), -1, 1)[:, :, ::-1])


class ClassEvidence:
    """Measures how much each cell of the latents tells about the class, with a linear classifier.

    The classifier is a ridge regression of -1 (first class) and +1 (second class) on the latents. A call with
    latents [N, h, w, c] and their class (0: first, 1: second) returns each cell's contribution to the right
    answer, [N, h, w].

    Args:
        first, second: latents of the two classes, [N, h, w, c] each.
    """

    def __init__(self, first, second):
        self.shape = first.shape[1:]
        latents = np.concatenate([first, second]).reshape(len(first) + len(second), -1).astype(np.float64)
        targets = np.repeat([-1.0, 1.0], [len(first), len(second)])
        self.mean = latents.mean(axis=0)
        latents = latents - self.mean
        penalty = RIDGE_PENALTY * np.mean(np.square(latents)) * len(latents) / latents.shape[1]
        moments = latents.T @ latents + penalty * np.eye(latents.shape[1])
        self.direction = np.linalg.solve(moments, latents.T @ (targets - targets.mean()))

    def __call__(self, latents, side):
        contributions = (np.reshape(latents, (len(latents), -1)) - self.mean) * self.direction
        return (2 * side - 1) * contributions.reshape(-1, *self.shape).sum(axis=-1)
