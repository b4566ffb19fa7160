"""Composites: pictures with known answers, made from CIFAR-10 images, on which the wing classifiers are trained.

Two questions have an answer for each kind of picture: is there a horse, are there spread wings? Wings of labelled
birds are placed on the backs of labelled horses. The hard negatives have something else there.
"""

import dataclasses
import functools
import typing

import numpy as np

from common.errors import InputError
from common.images import to_float, to_uint8
from composites import parts
from pegasus import labels
from pegasus.foreground import border_pixels, outline
from pegasus.placement import Placement, place

OUTPUTS = ("horse", "spread wings")
KINDS = {  # kind of picture: (whether there is a horse, whether there are spread wings; NaN: not judged)
    "winged horse": (1, 1),
    "placed horse": (1, 0),
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
SHARES = np.array([24, 16, 6, 9, 10, 13, 3, 8, 2, 4, 1, 3, 1]) / 100  # of the kinds
CARRIERS = ("automobile", "cat", "frog", "ship", "truck")  # other objects that get wings
MIN_WINGS, MIN_FOLDED = 45, 20  # pixels of wings and of a folded bird that can be seen outside the horse
SCALES = (0.4, 2.0)  # of birds
MAX_AREA, MAX_BORDER = 0.45, 0.2  # of a foreground, and of the border in it: more is not an animal that was found
ATTEMPTS = 20  # draws of one composite; the last is taken as it is
BLOCK = 256  # composites that are placed at a time
MOST_PLACED = 250  # images of a group that are placed on or under others: finding their foreground takes time
WHOLE = {  # kinds that are one image, and the group that it is from
    "horse": "horse",
    "spread-winged bird": "spread",
    "folded bird": "folded",
    "airplane": "airplane",
    "another object": "other",
    "spread wings on another object": "carrier",
}


class Scene(typing.NamedTuple):
    """A horse and wings, placed. Masks are the last channels of images.

    Attributes:
        horse, wings: float32 [H, W, C + 1].
        opacity: share of the wings in each pixel, [H, W].
        placement: of the horse.
        joint: (row, column) of the horse's back at which the wings are.
    """

    horse: np.ndarray
    wings: np.ndarray
    opacity: np.ndarray
    placement: Placement
    joint: tuple


class Composites:
    """Composites of the images of one fold. Composite k is a function of (seed, k).

    Each begins as a winged horse. The other kinds on a placed horse have that horse in that place, and something
    else, or nothing, where its wings are: so a picture's kind is not told by where its horse stands.

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
        self.rows["flat wings"] = self._rows_with_animals(flat)
        self.rows["raised wings"] = self._rows_with_animals([row for row in spread if row not in flat])
        self.rows["placed horse"] = self._rows_with_animals(self.rows["side view"][:MOST_PLACED])
        self.rows["placed folded"] = self._rows_with_animals(self.rows["folded"][:MOST_PLACED])
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
        numbers = np.arange(start, start + count)
        if kinds is None:
            kinds = [np.random.default_rng((self.seed, k)).choice(len(KINDS), p=SHARES) for k in numbers]
        kinds = np.array(kinds, np.int32)
        names = [[*KINDS][kind] for kind in kinds]
        placed = [k for k, name in zip(numbers, names, strict=True) if name not in WHOLE]
        scenes = dict(zip(placed, self.scenes(placed), strict=True))
        pictures = [self._draw_one(k, name, scenes.get(k)) for k, name in zip(numbers, names, strict=True)]
        return to_uint8(np.stack(pictures)), kinds

    def scenes(self, numbers):
        """The winged horses that composites of these numbers begin as, a list of `Scene`."""
        scenes, left = {}, list(numbers)
        for attempt in range(ATTEMPTS):
            unclear = []
            for first in range(0, len(left), BLOCK):
                block = left[first : first + BLOCK]
                drawn = self._draw_scenes([np.random.default_rng((self.seed, k, 0, attempt)) for k in block])
                scenes |= zip(block, drawn, strict=True)
                unclear += [k for k in block if not parts.is_clear(*scenes[k][:3], MIN_WINGS)]
            left = unclear
        return [scenes[k] for k in numbers]

    def _draw_scenes(self, randoms):
        images, placements, faces_left = zip(*map(self._draw_horse, randoms), strict=True)
        horses = place(np.stack(images), placements)
        joints = [self._choose_joint(*drawn) for drawn in zip(randoms, horses, faces_left, strict=True)]
        groups = map(self._choose_wings, randoms)
        birds = [self._draw_bird(*drawn) for drawn in zip(randoms, groups, joints, strict=True)]
        images, wing_placements = zip(*birds, strict=True)
        wings = place(np.stack(images), wing_placements, "zero")
        opacities = [self._visible_above_back(*drawn) for drawn in zip(randoms, horses, wings, strict=True)]
        return [Scene(*fields) for fields in zip(horses, wings, opacities, placements, joints, strict=True)]

    def _draw_one(self, k, kind, scene):
        """Draws composite k, float [H, W, C]. What cannot be seen is drawn again, up to ATTEMPTS times."""
        for attempt in range(ATTEMPTS):
            random = np.random.default_rng((self.seed, k, 1, attempt))
            background, overlay, opacity = self._draw_layers(random, kind, scene)
            must_be_visible = kind in ("horse with blob", "horse with folded bird", "horse with patch of sky")
            if not must_be_visible or parts.is_clear(background, overlay, opacity, MIN_FOLDED):
                break
        return parts.lay_over(background, overlay, opacity)[..., :-1]

    def _draw_layers(self, random, kind, scene):
        """Draws (background [H, W, C + 1], overlay [H, W, C + 1], its opacity [H, W]), see `parts.lay_over`."""
        if kind == "winged horse":
            return scene[:3]
        if kind in WHOLE:
            background = place(self._draw_whole(random, WHOLE[kind])[None], [parts.slight_placement(random)])[0]
        elif kind == "horse with rider":
            background = self._draw_rider(random)
        else:
            background = scene.horse
        height, width = background.shape[:2]
        if kind == "spread wings on another object":
            point = random.uniform(0.3, 0.8) * height, random.uniform(0.3, 0.7) * width
            image, placement = self._draw_bird(random, self._choose_wings(random), point)
            overlay = place(image[None], [placement], "zero")[0]
        elif kind == "cross-fade":
            overlay = self._draw_whole(random, random.choice(["spread", "folded"]))
            overlay[..., -1] = random.uniform(0.35, 0.65)
        elif kind == "horse with blob":
            if random.random() < 0.5:
                overlay = parts.draw_shape(random, scene.opacity)
            else:
                overlay = parts.draw_blob(random, *scene.joint, (height, width))
        elif kind == "horse with patch of sky":
            strip = self.image(random.choice(self.rows[random.choice(["folded", "airplane"])]))
            overlay = parts.draw_patch(random, strip, *scene.joint)
        elif kind == "horse with folded bird":
            return background, *self._draw_folded_bird(random, scene)
        else:
            overlay = np.zeros_like(background)
        return background, overlay, overlay[..., -1]

    def _draw_rider(self, random):
        """A horse with its rider: half of them placed as horses are, with their mask as the last channel."""
        image = self._with_mask(random.choice(self.rows["rider"]))
        placement = (
            parts.slight_placement(random)
            if random.random() < 0.5
            else self.ranges.place_low(random, image, random.random() < 0.5)
        )
        return place(image[None], [placement])[0]

    def _draw_folded_bird(self, random, scene):
        """A folded bird on a scene's horse: (image with its mask, its opacity [H, W]).

        It is where the wings are and as high, or anywhere on the back. Some are seen in the shape of the wings, as
        in blends with the wings' shares.
        """
        image, placement = self._draw_bird(random, "placed folded", scene.joint)
        bird, wings = image[..., -1] > 0.5, scene.opacity > 0.5
        if random.random() < 0.7 and bird.any() and wings.any():
            placement = parts.fit_to(bird, wings)
            if random.random() < 0.5:
                return place(image[None], [placement])[0], scene.opacity
        overlay = place(image[None], [placement], "zero")[0]
        return overlay, self._visible_above_back(random, scene.horse, overlay)

    def _draw_horse(self, random):
        """A horse: (image with its mask, Placement, whether the head is left)."""
        row, mirror = random.choice(self.rows["placed horse"]), bool(random.random() < 0.5)
        faces_left = (labels.horse_side_views()[int(self.dataset.ids[row])].head == "left") != mirror
        image = self._with_mask(row)
        return image, self.ranges.place_low(random, image, mirror), faces_left

    def _choose_joint(self, random, horse, faces_left):
        """The point (row, column) of a placed horse's back at which something is put."""
        shape, along = parts.find_outline(horse[..., -1]), random.uniform(*self.ranges.along)
        column = shape.left + (along if faces_left else 1 - along) * (shape.right - shape.left)
        return float(np.median(shape.back[max(0, int(column) - 1) : int(column) + 3])), column

    def _visible_above_back(self, random, horse, overlay):
        """The opacity [H, W] of an overlay behind the horse's body: it can be seen above the back alone."""
        shape = parts.find_outline(horse[..., -1])
        lowest = shape.back + random.uniform(*self.ranges.below)
        return overlay[..., -1] * np.clip(lowest - np.arange(len(horse))[:, None] + 1, 0, 1)

    def _choose_wings(self, random):
        return "raised wings" if random.random() < self.ranges.raised else "flat wings"

    def _draw_bird(self, random, group, point):
        """A bird, and the placement of its joint at a point (row, column): (image with its mask, Placement)."""
        ranges, image = self.ranges, self._with_mask(random.choice(self.rows[group]))
        image = ranges.vary(random, image)
        mask, shape = image[..., -1], parts.find_outline(image[..., -1])
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
        unmoved = Placement(float(np.clip(scale, *SCALES)), 0.0, 0.0, -rotation if mirror else rotation, mirror)
        down, right = np.subtract(point, unmoved.target(mask.shape, joint, centre)).tolist()
        return image, dataclasses.replace(unmoved, down=down, right=right)

    def _draw_whole(self, random, group):
        """An image of a group, with an empty mask."""
        image = self.image(random.choice(self.rows[group]))
        return np.concatenate([image, np.zeros_like(image[..., :1])], axis=-1)

    def _with_mask(self, row):
        return np.concatenate([self.image(row), self.foreground(row)[..., None]], axis=-1)

    def _rows_with_animals(self, rows):
        """Those of the rows whose images have a foreground that can be an animal."""
        found = []
        for row in rows:
            mask = self.foreground(row)
            border = mask[border_pixels(mask.shape)].mean()
            if outline(mask) is not None and mask.mean() < MAX_AREA and border < MAX_BORDER:
                found.append(row)
        return found
