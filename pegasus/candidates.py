"""Candidates for winged horses: a horse, a bird, and where both are placed.

Candidate k is a function of (seed, k) and the parents. The bird is placed so that its wings rise from the horse's
back. Distances are in pixels of CIFAR-10's images.
"""

import typing

import numpy as np

from pegasus.foreground import back_line
from pegasus.parents import Animals
from pegasus.placement import Placement, place

RIVALS = 12  # horses that compete for each bird; the background most like the bird's wins
KINDS = {"raised_both": 3, "raised_one": 2, "spread": 1}  # how often birds are drawn, by their wings
DARK = 0.3  # how often dark birds are drawn, compared with others: dark wings look like a saddle or a rider
ALONG = (0.4, 0.58)  # of the way from the horse's head end to its rear: where the wings are joined
BACK_ROWS = (14.0, 17.0)  # of the joint, so that there is room for wings above it
HORSE_SCALES, BIRD_SCALES = (0.6, 1.1), (0.5, 2.6)
ROOM = (0.5, 4.0)  # rows above the wings
JOINT = (0.1, 1.0)  # of the way from the bird's middle to its lower end: the point that is joined to the back
TURNS = {"raised_both": 20, "raised_one": 20, "spread": 110}  # degrees at most: of flat wings one shall rise
OVERLAP = 1.5  # rows of the wings below the back line
HEAD = 0.55  # of the way from the joint to the head end: what is beyond is the head's
SHARE_GAIN = 2.0  # the bird's share in a cell is the wings' area in it times this, at most 1


class Candidate(typing.NamedTuple):
    """The ingredients of a winged horse.

    Attributes:
        horse, bird: indices into `Parents`.
        placements: of both, two objects of Placement.
        back: float [W], row of the placed horse's back in each column; 99, below all rows, beside it.
        joint: (row, column) at which the wings are joined.
        head_end: column of the horse's head end.
    """

    horse: int
    bird: int
    placements: tuple
    back: np.ndarray
    joint: tuple
    head_end: float


class Composition(typing.NamedTuple):
    """N candidates, placed.

    Attributes:
        first, second: placed images of horses and birds, float32 [N, H, W, C].
        horses: masks of the placed horses, float32 [N, H, W].
        wings: masks of the birds above the horses' backs and not at their heads.
        at_head: masks of the birds above and beside the horses' heads.
        back: float [N, W], see `Candidate`.
        head_end, joint_column: float [N], columns.
    """

    first: np.ndarray
    second: np.ndarray
    horses: np.ndarray
    wings: np.ndarray
    at_head: np.ndarray
    back: np.ndarray
    head_end: np.ndarray
    joint_column: np.ndarray


def bird_weights(birds):
    """Probability [N] with which each of the Animals `birds` is drawn."""
    weights = [KINDS[label.wings] * (DARK if label.shade == "dark" else 1) for label in birds.labels]
    return np.array(weights) / np.sum(weights)


def draw_candidate(parents, seed, k):
    """Draws candidate k.

    Args:
        parents: pegasus.parents.Parents.
        seed, k: integers >= 0.

    Returns:
        Candidate. Its placements are rounded, so that a manifest holds them exactly.
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
    bird = int(random.choice(len(parents.birds.labels), p=bird_weights(parents.birds)))
    rivals = random.integers(len(parents.horses.labels), size=RIVALS)
    differences = np.square(parents.horses.behind[rivals] - parents.birds.behind[bird]).sum(axis=1)
    horse = int(rivals[np.argmin(differences)])
    placed, back, joint, head_end = place_horse(parents.horses, horse, random)
    return Candidate(horse, bird, (placed, place_bird(parents.birds, bird, joint, random)), back, joint, head_end)


def place_horse(horses: Animals, index, random):
    """Draws a horse's placement: small and low, with its back in BACK_ROWS and its feet near the lower edge.

    Returns:
        (Placement, the `back`, `joint` and `head_end` of a Candidate).
    """
    outline, shape = horses.outlines[index], horses.masks.shape[1:]
    faces_left, along = horses.labels[index].head == "left", random.uniform(*ALONG)
    _, (row, _), _ = find_back(outline, faces_left, Placement(), along, shape)
    middle = (shape[0] - 1) / 2
    scale = (2 * middle - random.uniform(*BACK_ROWS)) / max(2 * middle - row, 1)
    scale = round(float(np.clip(scale, *HORSE_SCALES)), 3)
    mirror = bool(random.integers(2))
    centre = (outline.left + outline.right) / 2 - (shape[1] - 1) / 2
    placement = Placement(
        scale=scale,
        down=round((1 - scale) * middle + random.uniform(0, 1), 2),
        right=round(scale * (centre if mirror else -centre) + random.uniform(-2, 2), 2),
        mirror=mirror,
    )
    return placement, *find_back(outline, faces_left, placement, along, shape)


def find_back(outline, faces_left, placement, along, shape):
    """Finds the back of a placed horse.

    Args:
        outline: pegasus.foreground.Outline of the horse before it is placed.
        faces_left: whether its head is on the left before it is placed.
        placement: Placement without a rotation.
        along: of the way from the head end to the rear, where the wings are joined.
        shape: (H, W).

    Returns:
        The `back`, `joint` and `head_end` of a Candidate.
    """
    columns = np.arange(outline.left, outline.right + 1)
    head, rear = (columns[0], columns[-1]) if faces_left else (columns[-1], columns[0])
    rows, placed = placement.target(shape, outline.back[columns], columns)
    if placement.mirror:
        rows, placed = rows[::-1], placed[::-1]  # increasing
    _, (column, head_end) = placement.target(shape, 0, np.array([head + along * (rear - head), head]))
    back = np.interp(np.arange(shape[1]), placed, rows, left=99, right=99)
    return back, (float(np.interp(column, placed, rows)), float(column)), float(head_end)


def place_bird(birds: Animals, index, joint, random):
    """Draws a bird's Placement: its wings reach from the joint (row, column) nearly to the upper edge."""
    shape = birds.masks.shape[1:]
    middle, centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    limit = TURNS[birds.labels[index].wings]
    still = Placement(rotation=round(random.uniform(-limit, limit), 1), mirror=bool(random.integers(2)))
    rows, columns = still.target(shape, *np.nonzero(birds.masks[index] > 0.5))
    lower_end = np.quantile(rows, 0.97)
    row = rows.mean() + random.uniform(*JOINT) * (lower_end - rows.mean())
    near = np.abs(rows - row) <= 2
    column = columns[near].mean() if near.any() else columns.mean()
    height = joint[0] - random.uniform(*ROOM)
    scale = round(float(np.clip(height / max(row - rows.min(), 3), *BIRD_SCALES)), 3)
    down = joint[0] + 1 - middle - scale * (row - middle)
    right = joint[1] - centre - scale * (column - centre)
    return Placement(scale, round(float(down), 2), round(float(right), 2), still.rotation, still.mirror)


def compose(parents, candidates):
    """Places the parents of N candidates; returns a Composition."""
    animals = (parents.horses, [c.horse for c in candidates]), (parents.birds, [c.bird for c in candidates])
    images, masks = [], []
    for side, (group, indices) in enumerate(animals):
        placements = [candidate.placements[side] for candidate in candidates]
        images.append(place(group.images[indices], placements))
        masks.append(place(group.masks[indices][..., None], placements, "zero")[..., 0])
    back = np.stack([candidate.back for candidate in candidates])
    joint = np.array([candidate.joint for candidate in candidates])
    head_end = np.array([candidate.head_end for candidate in candidates])
    above, at_head = wing_regions(back, joint, head_end, masks[0].shape[1:])
    wings = masks[1] * above * (1 - at_head)
    return Composition(*images, masks[0], wings, masks[1] * above * at_head, back, head_end, joint[:, 1])


def wing_regions(back, joint, head_end, shape):
    """Where wings may be seen.

    Args:
        back: float [N, W]; joint: (row, column) [N, 2]; head_end: [N], see `Candidate`.
        shape: (H, W).

    Returns:
        float32 [N, H, W] in [0, 1]: what is above the horse's back or, beside the horse, above the joint; and what
        is near its head, or beyond.
    """
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    lowest = np.minimum(back, joint[:, :1] + 2)  # [N, W]
    above = np.clip(lowest[:, None] + OVERLAP - rows, 0, 1)
    towards = np.sign(head_end - joint[:, 1])
    ahead = towards[:, None] * (columns - joint[:, 1:])  # [N, W], in pixels from the joint towards the head
    beyond = np.clip((ahead - HEAD * np.abs(head_end - joint[:, 1])[:, None]) / 2 + 0.5, 0, 1)
    return above.astype(np.float32), np.repeat(beyond[:, None], shape[0], axis=1).astype(np.float32)


def wings_above(horse, bird):
    """The part of the mask `bird` above the back line of the mask `horse`, or beside the horse, [H, W] each."""
    rows = np.arange(len(horse))[:, None]
    return bird * np.clip(back_line(horse) + OVERLAP - rows, 0, 1)


def cell_shares(wings, size):
    """The bird's share in each cell of the latents, from masks [N, H, W] of the wings.

    Args:
        wings: float [N, H, W] in [0, 1].
        size: (h, w) of the latents, which divide H and W.

    Returns:
        float [N, h, w] in [0, 1], rounded to thousandths so that a manifest holds it exactly.
    """
    count, height, width = wings.shape
    cells = wings.reshape(count, size[0], height // size[0], size[1], width // size[1]).mean(axis=(2, 4))
    return np.round(np.minimum(SHARE_GAIN * cells.astype(np.float64), 1), 3)
