"""How composites are drawn for each wing classifier."""

import dataclasses
from collections.abc import Callable

import numpy as np

from composites.colour_model import colour_model_foreground
from composites.parts import find_outline, recolour, stretched
from pegasus.foreground import border_foreground
from pegasus.placement import Placement


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How composites are drawn. All ranges are (lowest, highest) of a uniform distribution.

    Args:
        foreground: function of an image that returns the mask of its animal.
        horse_scale: of the horse's image.
        back: row of the middle of the horse's back in an image of 32 rows, which half of the scales are made for.
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
        recoloured: share of the birds that get another colour, see `composites.parts.recolour`.
    """

    foreground: Callable = border_foreground
    horse_scale: tuple = (0.55, 1.1)
    back: tuple = (15.5, 19.0)
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

    def place_low(self, random, image, mirror):
        """A Placement for a horse's image with its mask: low in the frame, with room above in many."""
        height, shape = len(image), find_outline(image[..., -1])
        middle, centre = (height - 1) / 2, (image.shape[1] - 1) / 2
        scale = random.uniform(*self.horse_scale)
        if random.random() < 0.5:
            back = np.median(shape.back[shape.left : shape.right + 1])
            target = random.uniform(*self.back) * height / 32
            scale = float(np.clip((height - 1 - target) / max(height - 1 - back, 1), *self.horse_scale))
        target = min(random.uniform(*self.feet) * height / 32, height - 1.0)
        down = target - middle - scale * (shape.feet - middle)
        right = scale * ((shape.left + shape.right) / 2 - centre) * (1 if mirror else -1) + random.uniform(-3, 3)
        return Placement(scale, down, right, random.uniform(*self.horse_rotation), bool(mirror))

    def vary(self, random, image):
        """Changes a bird's image with its mask in shape, contrast, brightness and sometimes colour."""
        image = stretched(image, random.uniform(*self.stretch), random.uniform(*self.shear))
        contrast, brightness = random.uniform(*self.gain), random.uniform(-0.1, 0.1)
        image[..., :-1] = np.clip(image[..., :-1] * contrast + brightness, -1, 1)
        if random.random() < self.recoloured:
            image[..., :-1] = recolour(random, image[..., :-1], image[..., -1])
        return image


RANGES = {
    "wing_classifier": Ranges(),
    "wing_referee": Ranges(
        foreground=colour_model_foreground,
        horse_scale=(0.58, 1.05),
        back=(15.0, 20.0),
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
