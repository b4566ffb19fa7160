"""Composites: pictures with known answers, made from CIFAR-10 images, on which the wing classifiers are trained.

Two questions have an answer for each kind of picture: is there a horse, are there spread wings? Wings of labelled
birds are placed on the backs of labelled horses. The hard negatives have something else there.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from common.errors import InputError
from common.images import to_float, to_uint8
from pegasus import labels
from pegasus.composite_parts import draw_blob, draw_patch, is_clear, recolour, stretched, wiggle
from pegasus.foreground import Outline, border_foreground, border_pixels, colour_model_foreground, outline
from pegasus.placement import Placement, place

OUTPUTS = ("horse", "spread wings")
KINDS = {  # kind of picture: (whether there is a horse, whether there are spread wings; NaN: not judged)
    "winged horse": (1, 1),
    "horse": (1, 0),
    "horse with rider": (1, 0),
    "horse with blob": (1, 0),
    "horse with folded bird": (1, 0),
    "horse with patch of sky": (1, 0),
    "spread-winged bird": (0, 1),
    "spread wings on another object": (0, 1),
    "folded bird": (0, 0),
    "airplane": (0, 0),
    "another object": (0, 0),
    "cross-fade": (np.nan, 0),
}
TARGETS = np.array([*KINDS.values()], np.float32)
SHARES = np.array([25, 8, 10, 9, 13, 4, 11, 3, 7, 3, 5, 2]) / 100  # of the kinds
CARRIERS = ("automobile", "cat", "frog", "ship", "truck")  # other objects that get wings
MIN_WINGS, MIN_FOLDED = 45, 20  # pixels of wings and of a folded bird that can be seen outside the horse
SCALES = (0.4, 2.0)  # of birds
MAX_AREA, MAX_BORDER = 0.45, 0.2  # of a foreground, and of the border in it: more is not an animal that was found
ATTEMPTS = 20  # draws of one composite; the last is taken as it is
BLOCK = 256  # composites that are placed at a time
MOST_PLACED = 250  # images of a group that are placed on or under others: finding their foreground takes time
WHOLE = {  # kinds that are one image, and the group that it is from
    "horse with rider": "rider",
    "spread-winged bird": "spread",
    "folded bird": "folded",
    "airplane": "airplane",
    "another object": "other",
    "cross-fade": "horse",  # the other image is drawn later
    "spread wings on another object": "carrier",
}


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How composites are drawn. All ranges are (lowest, highest) of a uniform distribution.

    Args:
        foreground: function of an image that returns the mask of its animal, see `pegasus.foreground`.
        horse_scale: of the horse's image.
        feet: row of the horse's feet in an image of 32 rows.
        horse_rotation: degrees.
        wings_size: longer side of the bird's outline, in pixels of an image of 32 rows.
        wings_rotation: degrees.
        along: point of the back at which the wings are joined: 0 is the horse's front end, 1 its rear.
        joint: point of the bird that is put there: 0 is the middle of its height, 1 its lowest row.
        below: rows below the horse's back line that still show the bird.
        raised: share of the birds with raised wings; the others' are flat to the sides.
        one_wing: share of the others of which only one half is taken, turned upwards.
        gain: factor of the wings' contrast.
        stretch: factor of a bird's width.
        shear: pixels to the right for each pixel down.
        recoloured: share of the birds that get another colour, see `pegasus.composite_parts.recolour`.
    """

    foreground: Callable = border_foreground
    horse_scale: tuple = (0.6, 1.0)
    feet: tuple = (27.0, 32.0)
    horse_rotation: tuple = (-6.0, 6.0)
    wings_size: tuple = (13.0, 27.0)
    wings_rotation: tuple = (-25.0, 25.0)
    along: tuple = (0.3, 0.7)
    joint: tuple = (0.1, 1.0)
    below: tuple = (0.0, 4.0)
    raised: float = 0.65
    one_wing: float = 0.7
    gain: tuple = (0.8, 1.25)
    stretch: tuple = (0.75, 1.35)
    shear: tuple = (-0.25, 0.25)
    recoloured: float = 0.4


RANGES = {
    "wing_classifier": Ranges(),
    "wing_referee": Ranges(
        foreground=colour_model_foreground,
        horse_scale=(0.65, 1.05),
        feet=(26.0, 31.0),
        horse_rotation=(-10.0, 10.0),
        wings_size=(12.0, 25.0),
        wings_rotation=(-35.0, 35.0),
        along=(0.25, 0.65),
        joint=(-0.1, 0.9),
        below=(0.0, 6.0),
        raised=0.6,
        one_wing=0.6,
        gain=(0.7, 1.3),
        stretch=(0.8, 1.25),
        shear=(-0.35, 0.35),
        recoloured=0.3,
    ),
}


class Composites:
    """Composites of the images of one fold. Composite k is a function of (seed, k).

    Args:
        dataset: `common.data.datasets.ImageDataset` of CIFAR-10's training images.
        fold: 0 or 1, see `pegasus.labels.fold`: images with ids of this fold are used.
        ranges: Ranges.
        seed: integer >= 0.
        rider_use: `use` of the horses with riders.

    Attributes:
        rows: {group: rows of the dataset}.

    Raises:
        InputError: if a group of images that the composites need has none.
    """

    def __init__(self, dataset, fold, ranges, seed=0, rider_use="train"):
        self.dataset, self.ranges, self.seed = dataset, ranges, seed
        height, width = dataset.images.shape[1:3]
        self._whole_frame = Outline(np.zeros(width, int), 0, width - 1, height - 1)
        self.foreground = functools.cache(lambda row: ranges.foreground(self.image(row)))
        in_fold = np.array([labels.fold(id) == fold for id in dataset.ids])
        names = dataset.class_names
        rows = {name: np.flatnonzero((dataset.labels == names.index(name)) & in_fold) for name in names}
        wings, views, riders = labels.bird_wings(), labels.horse_side_views(), labels.horse_riders()

        def select(name, condition):
            return [row for row in rows[name] if condition(int(dataset.ids[row]))]

        spread = select("bird", lambda id: id in wings and wings[id].clear and wings[id].wings != "down")
        self.rows = {
            "spread": spread,
            "folded": select("bird", lambda id: id not in wings),
            "side view": select("horse", views.__contains__),
            "rider": select("horse", lambda id: id in riders and riders[id].use == rider_use),
            "horse": select("horse", lambda id: id not in riders),
            "airplane": rows["airplane"],
            "carrier": np.concatenate([rows[name] for name in CARRIERS]),
            "other": np.concatenate([rows[n] for n in rows if n not in ("bird", "horse", "airplane")]),
        }
        flat = [row for row in spread if wings[int(dataset.ids[row])].wings == "spread"]
        self.rows["flat wings"] = self._found(flat)
        self.rows["raised wings"] = self._found([row for row in spread if row not in flat])
        self.rows["placed horse"] = self._found(self.rows["side view"][:MOST_PLACED])
        self.rows["placed folded"] = self._found(self.rows["folded"][:MOST_PLACED])
        for name, group in self.rows.items():
            if not len(group):
                raise InputError(f"Composites must have images of every group. Received: none of the group {name}")

    def image(self, row):
        """An image as float32 [H, W, C] in [-1, 1]."""
        return to_float(self.dataset.images[row])

    def draw(self, count, kinds=None, start=0):
        """Draws composites number `start` to `start + count - 1`.

        Args:
            count: int.
            kinds: index into KINDS of each composite, int [count]; None: drawn with SHARES.

        Returns:
            (images uint8 [count, H, W, C], kinds int32 [count]).
        """
        pictures = np.zeros((count, *self.dataset.images.shape[1:]), np.uint8)
        drawn = np.zeros(count, np.int32)
        for k in range(count):
            drawn[k] = np.random.default_rng((self.seed, start + k)).choice(len(KINDS), p=SHARES)
        drawn = drawn if kinds is None else np.array(kinds, np.int32)
        for first in range(0, count, BLOCK):
            rows = np.arange(first, min(first + BLOCK, count))
            for attempt in range(ATTEMPTS):
                if not len(rows):
                    break
                randoms = [np.random.default_rng((self.seed, start + k, 1 + attempt)) for k in rows]
                pictures[rows], valid = self._draw_block(randoms, [[*KINDS][kind] for kind in drawn[rows]])
                rows = rows[~valid]
        return pictures, drawn

    def _draw_block(self, randoms, kinds):
        """Draws one composite with each generator: (images uint8 [N, H, W, C], whether each is clear [N])."""
        bases = [self._base(random, kind) for random, kind in zip(randoms, kinds, strict=True)]
        images, placements, faces_left = zip(*bases, strict=True)
        bases = place(np.stack(images), placements)
        things = map(self._thing, randoms, kinds, bases, faces_left)
        images, placements, lowest = zip(*things, strict=True)
        things = place(np.stack(images), placements, "zero")
        rows = np.arange(bases.shape[1])[:, None]
        cover = things[..., -1] * np.clip(np.stack(lowest)[:, None] - rows + 1, 0, 1)
        pictures = bases[..., :-1] + cover[..., None] * (things[..., :-1] - bases[..., :-1])
        clear = [
            kind in WHOLE
            or kind == "horse"
            or is_clear(*parts, MIN_WINGS if kind == "winged horse" else MIN_FOLDED)
            for kind, *parts in zip(kinds, bases, things, cover, strict=True)
        ]
        return to_uint8(pictures), np.array(clear)

    def _base(self, random, kind):
        """What is drawn first: (image with its mask as the last channel, Placement, whether the head is left)."""
        if kind in WHOLE or kind == "horse" and random.random() < 0.5:
            return self._whole(random, WHOLE.get(kind, "horse")), wiggle(random), False
        ranges, row = self.ranges, random.choice(self.rows["placed horse"])
        mirror = bool(random.random() < 0.5)
        faces_left = (labels.horse_side_views()[int(self.dataset.ids[row])].head == "left") != mirror
        image = self._with_mask(row)
        height, scale = len(image), random.uniform(*ranges.horse_scale)
        middle, feet = (height - 1) / 2, outline(image[..., -1]).feet
        target = min(random.uniform(*ranges.feet) * height / 32, height - 1.0)
        down = target - middle - scale * (feet - middle)
        rotation = random.uniform(*ranges.horse_rotation)
        return image, Placement(scale, down, random.uniform(-3, 3), rotation, mirror), faces_left

    def _thing(self, random, kind, base, faces_left):
        """What is put onto it: (image with its cover as the last channel, Placement, lowest row shown [W])."""
        height, width = base.shape[:2]
        everywhere = np.full(width, height)
        shape = outline(base[..., -1])
        if kind == "cross-fade":
            image = self._whole(random, random.choice(["spread", "folded"]))
            image[..., -1] = random.uniform(0.35, 0.65)
            return image, Placement(), everywhere
        if kind == "spread wings on another object":
            row, column = random.uniform(0.3, 0.8) * height, random.uniform(0.3, 0.7) * width
            return *self._bird(random, self._wings(random), row, column), everywhere
        if kind in WHOLE or kind == "horse" or shape is None:
            return np.zeros_like(base), Placement(), everywhere
        along = random.uniform(*self.ranges.along)
        column = shape.left + (along if faces_left else 1 - along) * (shape.right - shape.left)
        row = float(np.median(shape.back[max(0, int(column) - 1) : int(column) + 3]))
        if kind == "horse with blob":
            return draw_blob(random, row, column, (height, width)), Placement(), everywhere
        if kind == "horse with patch of sky":
            strip = self.image(random.choice(self.rows[random.choice(["folded", "airplane"])]))
            return draw_patch(random, strip, row, column), Placement(), everywhere
        group = "placed folded" if kind == "horse with folded bird" else self._wings(random)
        below = shape.back + random.uniform(*self.ranges.below)
        return *self._bird(random, group, row, column), below

    def _wings(self, random):
        return "raised wings" if random.random() < self.ranges.raised else "flat wings"

    def _bird(self, random, group, row, column):
        """A bird and the placement that puts its joint at (row, column): (image with its mask, Placement)."""
        ranges, number = self.ranges, random.choice(self.rows[group])
        image = stretched(self._with_mask(number), random.uniform(*ranges.stretch), random.uniform(*ranges.shear))
        mask, shape = image[..., -1], outline(image[..., -1]) or self._whole_frame
        contrast, brightness = random.uniform(*ranges.gain), random.uniform(-0.1, 0.1)
        image[..., :-1] = np.clip(image[..., :-1] * contrast + brightness, -1, 1)
        if random.random() < ranges.recoloured:
            image[..., :-1] = recolour(random, image[..., :-1], mask)
        rotation = random.uniform(*ranges.wings_rotation)
        upper, centre = shape.back.min(), (shape.left + shape.right) / 2
        joint = (upper + shape.feet) / 2 + random.uniform(*ranges.joint) * (shape.feet - upper) / 2
        if group == "flat wings" and random.random() < ranges.one_wing:
            right = random.random() < 0.5  # keeps the right half and turns it upwards, counter-clockwise
            columns = np.arange(mask.shape[1])
            mask *= np.clip((columns - centre if right else centre - columns) + 1, 0, 1)
            rotation += random.uniform(20, 70) * (1 if right else -1)
            rows = np.flatnonzero(mask[:, int(centre)] > 0.3)
            joint = rows.mean() if len(rows) else joint
        mirror = bool(random.random() < 0.5)
        size = random.uniform(*ranges.wings_size) * len(mask) / 32
        scale = size / (max(shape.right - shape.left, shape.feet - upper) + 1)
        still = Placement(float(np.clip(scale, *SCALES)), 0.0, 0.0, -rotation if mirror else rotation, mirror)
        at_row, at_column = still.target(mask.shape, joint, centre)
        return image, dataclasses.replace(still, down=float(row - at_row), right=float(column - at_column))

    def _whole(self, random, group):
        """An image of a group, with an empty mask."""
        image = self.image(random.choice(self.rows[group]))
        return np.concatenate([image, np.zeros_like(image[..., :1])], axis=-1)

    def _with_mask(self, row):
        return np.concatenate([self.image(row), self.foreground(row)[..., None]], axis=-1)

    def _found(self, rows):
        """The rows of images whose foreground can be an animal."""
        found = []
        for row in rows:
            mask = self.foreground(row)
            border = mask[border_pixels(mask.shape)].mean()
            if outline(mask) is not None and mask.mean() < MAX_AREA and border < MAX_BORDER:
                found.append(row)
        return found
