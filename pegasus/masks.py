"""Mixes that differ by cell: a code is a map [h, w, c], so wings may come from one parent and legs from the other.

A pattern [h, w] in [-1, 1] says where the second parent shall weigh more (1) or less (-1). Each cell's vector is
blended by `slerp` at its own share.
"""

import numpy as np

from common.inference import in_batches
from common.interpolation import slerp

KINDS = ("uniform", "top", "bottom", "soft_top", "random", "learned")
# Of a search's terms, see pegasus.scores; here, where no TensorFlow is imported, for flags to show.
WEIGHTS = dict(recognised=1.0, above=0.0, wings=0.0, realism=0.5, critic=0.0)
WEIGHTS |= dict(sharpness=0.2, typical=0.2, unlike=0.5, together=2.0)
LIGHT = "light"  # what, but for a class, a search's parents may be like, see pegasus.candidates
LOWEST = 12  # pixels that first parents may be moved down
RIDGE = 1.0  # of the class direction, in units of the codes' mean variance


def wishes(like):
    """What parents are to be like, one after the other, of a flag's value: "light,airplane" or None."""
    return [] if like is None else like.split(",")


def pattern(kind, shape, random=None, evidence=None):
    """Where the second parent weighs more, float64 [h, w] in [-1, 1].

    Args:
        kind: of KINDS. "top" and "bottom": that half of the rows; "soft_top": falling row by row; "random": each
            cell for itself; "learned": where the second parent's cells say more of its class than the first's.
        shape: (h, w).
        random: numpy Generator, of "random" only.
        evidence: of "learned" only: two [h, w], see `Evidence`, of the first parent and the second.
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


def shares(mix, strength, pattern):
    """Shares of the second parent, [..., h, w] in [0, 1]: `mix` moved by `strength` times the pattern."""
    return np.clip(mix + strength * pattern, 0, 1)


def blend(first, second, shares, path=slerp):
    """Blends cell by cell: codes [N, h, w, c] and the second's shares [N, h, w] in [0, 1] -> codes [N, h, w, c].

    `path` is `common.interpolation.slerp` or `lerp`.
    """
    cells = [np.reshape(codes, (-1, np.shape(codes)[-1])) for codes in (first, second)]
    return path(*cells, np.reshape(shares, -1)).reshape(np.shape(first))


def mirrored(model, codes):
    """Codes [N, h, w, c] of the mirrored reconstructions; a mirrored map of cells is the code of no such picture.

    `model` has `encode` and `decode`, see acai.inference.ReleasedACAI.
    """
    return in_batches(lambda part: model.encode(np.clip(model.decode(part), -1, 1)[:, :, ::-1]), codes)


def lowered(model, codes, pixels):
    """Codes [N, h, w, c] of the reconstructions moved down by `pixels`, their uppermost row repeated.

    `model` as of `mirrored`. What a picture shows above its middle then lies beside what another shows there.
    """

    def moved(part):
        pictures = np.clip(model.decode(part), -1, 1)
        above = np.repeat(pictures[:, :1], pixels, axis=1)
        return model.encode(np.concatenate([above, pictures[:, : pictures.shape[1] - pixels]], axis=1))

    return in_batches(moved, codes) if pixels else codes


class Evidence:
    """Which cells of a code speak for its class: those along a linear direction learned from the bank.

    The direction is a ridge regression of +1 (the second class) and -1 (the first) on the codes. Called with
    codes [N, h, w, c] and their side (0: first, 1: second) it gives what each cell adds to the right answer,
    [N, h, w].

    Args:
        first, second: codes of either class [N, h, w, c].
    """

    def __init__(self, first, second):
        self.shape = first.shape[1:]
        codes = np.concatenate([first, second]).reshape(len(first) + len(second), -1).astype(np.float64)
        answers = np.repeat([-1.0, 1.0], [len(first), len(second)])
        self.mean = codes.mean(axis=0)
        codes = codes - self.mean
        penalty = RIDGE * np.mean(np.square(codes)) * len(codes) / codes.shape[1]
        moments = codes.T @ codes + penalty * np.eye(codes.shape[1])
        self.direction = np.linalg.solve(moments, codes.T @ (answers - answers.mean()))

    def __call__(self, codes, side):
        spoken = (np.reshape(codes, (len(codes), -1)) - self.mean) * self.direction
        return (2 * side - 1) * spoken.reshape(-1, *self.shape).sum(axis=-1)
