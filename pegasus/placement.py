"""Placements: where and how large an image's content lies in a frame of the same size, by bilinear interpolation.

explore_placing.js repeats the arithmetic, so it is kept plain.
"""

import dataclasses

import numpy as np

from common.errors import InputError
from common.validation import check_choice, check_number
from pegasus.foreground import smooth

BLUR_STEPS, BLUR_OVER = 12, 3.0  # of what lies beyond an image's edge; pixels over which the blur sets in
LIMITS = {"scale": (0.1, 10), "down": (-1000, 1000), "right": (-1000, 1000), "rotation": (-360, 360)}


@dataclasses.dataclass(frozen=True)
class Placement:
    """Mirrors an image, then rotates and scales it about its centre, then moves it.

    The centre of an image [H, W] is at row (H - 1) / 2 and column (W - 1) / 2.

    Args:
        scale: 1 keeps the size, 2 doubles width and height.
        down, right: pixels.
        rotation: degrees, counter-clockwise.
        mirror: whether left and right are exchanged first.

    Raises:
        InputError: for a value outside LIMITS.
    """

    scale: float = 1.0
    down: float = 0.0
    right: float = 0.0
    rotation: float = 0.0
    mirror: bool = False

    def __post_init__(self):
        for name, (lowest, highest) in LIMITS.items():
            check_number(name, getattr(self, name), lowest, highest)
        check_choice("mirror", self.mirror, (False, True))

    def source(self, shape, rows, columns):
        """Coordinates in the image that appear at given coordinates of the frame.

        Args:
            shape: (H, W).
            rows, columns: of the frame, numbers or arrays.

        Returns:
            (rows, columns) of the image, float64.
        """
        middle, centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        down = (rows - middle - self.down) / self.scale
        right = (columns - centre - self.right) / self.scale
        cosine, sine = np.cos(np.radians(self.rotation)), np.sin(np.radians(self.rotation))
        across = cosine * right - sine * down
        return middle + sine * right + cosine * down, centre + (-across if self.mirror else across)

    def target(self, shape, rows, columns):
        """Coordinates of the frame at which given coordinates of the image appear; the inverse of `source`."""
        middle, centre = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        down, across = rows - middle, columns - centre
        right = -across if self.mirror else across
        cosine, sine = np.cos(np.radians(self.rotation)), np.sin(np.radians(self.rotation))
        moved_down, moved_right = cosine * down - sine * right, sine * down + cosine * right
        return middle + self.scale * moved_down + self.down, centre + self.scale * moved_right + self.right


def place(images, placements, fill="edge"):
    """Places images in frames of their own size.

    Args:
        images: float [N, H, W, C].
        placements: N objects of Placement.
        fill: what surrounds an image: "edge" repeats its outermost pixels, blurred so that they make no stripes;
            "zero" is 0.

    Returns:
        float32 [N, H, W, C].

    Raises:
        ValueError: for another number of placements or an unknown fill.
    """
    images = np.asarray(images, np.float32)
    if len(images) != len(placements):
        raise ValueError(f"placements must be {len(images)}. Received: {len(placements)}")
    if fill not in ("edge", "zero"):
        raise ValueError(f"fill must be edge or zero. Received: {fill}")
    height, width = images.shape[1:3]
    frame = np.mgrid[:height, :width].astype(np.float64)
    rows, columns = np.stack([placement.source((height, width), *frame) for placement in placements], axis=1)
    if fill == "edge":
        inner_rows, inner_columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
        outside = np.maximum(np.abs(rows - inner_rows), np.abs(columns - inner_columns)) / BLUR_OVER
        outside = np.minimum(outside, 1).astype(np.float32)[..., None]
        smoothed = smooth(images, (1, 2) * BLUR_STEPS)
        sharp, blurred = (sample(x, inner_rows, inner_columns) for x in (images, smoothed))
        return (1 - outside) * sharp + outside * blurred
    return sample(images, rows, columns)


def sample(images, rows, columns):
    """Interpolates images [N, H, W, C] at coordinates [N, H, W]; beyond the edge they are 0."""
    height, width = images.shape[1:3]
    upper, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, beside = (rows - upper).astype(np.float32), (columns - left).astype(np.float32)
    image = np.arange(len(images))[:, None, None]
    placed = np.zeros_like(images)
    for step_down, share_down in ((0, 1 - below), (1, below)):
        for step_right, share_right in ((0, 1 - beside), (1, beside)):
            row, column = upper + step_down, left + step_right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            values = images[image, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
            placed += (inside * share_down * share_right)[..., None] * values
    return placed


def parse_placement(flag, text):
    """The Placement of a text such as "scale=0.8,down=4,mirror=true", with defaults for what is left out.

    Args:
        flag: name of the flag, for the error.
        text: names and values.

    Raises:
        InputError: for other names or values.
    """
    types = {field.name: field.type for field in dataclasses.fields(Placement)}
    values = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if "=" in part and name not in types:
            raise InputError(f"--{flag} must have keys of {', '.join(types)}. Received: {name} in {text}")
        try:
            values[name] = {"true": True, "false": False}[value] if types[name] is bool else float(value)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"--{flag} must be names and values such as scale=0.8,down=4,right=-2,rotation=15,mirror=true. "
                f"Received: {text}"
            ) from error
    return Placement(**values)
