"""What composites put onto a horse's back besides birds, and whether it can be seen there."""

import numpy as np
from scipy import ndimage

from pegasus.foreground import Outline, outline, smooth
from pegasus.placement import Placement

MAX_COVERED, MIN_CONTRAST = 0.4, 0.3  # share of the horse; difference of the colours in [-1, 1]
MIN_JOINED = 2.0  # pixels of the wings within three rows of the back
MAX_CUT = 2.5  # pixels of the wings in the uppermost row


def find_outline(mask):
    """The Outline of a mask [H, W], and of the whole frame where nothing is found."""
    height, width = mask.shape
    return outline(mask) or Outline(np.zeros(width, int), 0, width - 1, height - 1)


def slight_placement(random):
    """A Placement that changes an image slightly, so that the traces of placing tell nothing."""
    if random.random() < 0.5:
        return Placement()
    scale, rotation = random.uniform(0.75, 1.25), random.uniform(-10, 10)
    return Placement(scale, *random.uniform(-3, 3, 2).tolist(), rotation)


def fit_to(mask, wings):
    """The Placement that makes a mask [H, W] as high as another, with the same lower end and centre."""
    (rows, columns), (wing_rows, wing_columns) = np.nonzero(mask), np.nonzero(wings)
    scale = float(np.clip((np.ptp(wing_rows) + 1) / (np.ptp(rows) + 1), 0.3, 3))
    unmoved = Placement(scale)
    row, column = unmoved.target(mask.shape, rows.max(), columns.mean())
    return Placement(scale, down=float(wing_rows.max() - row), right=float(wing_columns.mean() - column))


def stretched(image, stretch, shear):
    """Stretches an image [H, W, C] in width and shears it, about its centre; the edge is repeated.

    Args:
        image: float [H, W, C].
        stretch: factor of the width.
        shear: columns by which a row moves to the right for each row below the centre.
    """
    middle, centre = (np.array(image.shape[:2]) - 1) / 2
    matrix = np.diag([1.0, 1 / stretch, 1.0])
    matrix[1, 0] = -shear / stretch
    offset = np.array([0.0, centre - (centre - shear * middle) / stretch, 0.0])
    return ndimage.affine_transform(image, matrix, offset, order=1, mode="nearest")


def recolour(random, image, mask):
    """Gives the animal of a mask another mean colour, from black to white, and sometimes inverts light and dark.

    Args:
        random: numpy random generator.
        image: float [H, W, C] in [-1, 1].
        mask: [H, W].

    Returns:
        float [H, W, C] in [-1, 1], of the whole image.
    """
    grey = image.mean(-1, keepdims=True)
    mean = np.average(grey[..., 0], weights=mask + 1e-6)
    sign = -1 if random.random() < 0.25 else 1
    colour = random.uniform(-0.8, 0.9) + random.normal(scale=0.08, size=3)
    shading = random.uniform(0.6, 1.4) * sign * (grey - mean)
    return np.clip(colour + shading + random.uniform(0, 0.5) * (image - grey), -1, 1)


def is_clear(background, overlay, opacity, min_visible):
    """Whether what was put onto a horse's back can be seen as what it is, and the horse too.

    Args:
        background: horse [H, W, C + 1] with its mask as the last channel.
        overlay: what was put onto it, [H, W, C + 1]; its last channel is not used.
        opacity: share of the overlay in each pixel, [H, W].
        min_visible: pixels of the overlay beside the horse.
    """
    mask, shape = background[..., -1], outline(background[..., -1])
    if shape is None:
        return False
    visible = np.sum(opacity * (1 - mask))
    contrast = np.sum(opacity * np.abs(overlay[..., :-1] - background[..., :-1]).mean(-1)) / (opacity.sum() + 1e-6)
    covered = np.sum(np.minimum(opacity, mask)) / mask.sum()
    joined = np.sum(opacity * (np.abs(np.arange(len(mask))[:, None] - shape.back) <= 3))
    return bool(
        visible >= min_visible
        and opacity[0].sum() <= MAX_CUT
        and contrast >= MIN_CONTRAST
        and covered <= MAX_COVERED
        and joined >= MIN_JOINED
    )


def lay_over(background, overlay, opacity):
    """Lays an overlay over a background, [H, W, C] each; `opacity` [H, W] is its share in each pixel."""
    return background + opacity[..., None] * (overlay - background)


def draw_shape(random, opacity, dark=True):
    """Draws a shape of one smooth colour, float32 [H, W, 4]: the last channel is its opacity, `opacity` [H, W]."""
    colour = random.uniform(-1, -0.4) + random.normal(scale=0.12, size=3)
    if not dark:
        colour = random.uniform(-1, 1, 3)
    noise = smooth(random.normal(scale=0.08, size=(*opacity.shape, 1)))
    return np.concatenate([np.clip(colour + noise, -1, 1), opacity[..., None]], axis=-1).astype(np.float32)


def draw_blob(random, row, column, shape):
    """Draws a smooth blob of one colour, mostly dark, near (row, column): float32 [H, W, 4], opacity last."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    high, wide = random.uniform(2, 9), random.uniform(2, 9)
    distance = np.hypot((rows - row + random.uniform(-0.5, 1) * high) / high, (columns - column) / wide)
    distance += 0.6 * ndimage.zoom(random.normal(size=(5, 5)), np.divide(shape, 5), order=1)
    opacity = np.clip(2.5 * (1 - distance), 0, 1) * random.uniform(0.8, 1)
    return draw_shape(random, opacity, dark=random.random() < 0.65)


def draw_patch(random, image, row, column):
    """Draws the upper part of an image in a box or oval above (row, column): float32 [H, W, 4], opacity last."""
    height, width = image.shape[:2]
    strip = smooth(image[: height // 2, width // 4 : width - width // 4].repeat(2, 0).repeat(2, 1))
    rows, columns = np.mgrid[:height, :width]
    high, wide = random.uniform(4, 10), random.uniform(4, 12)
    down, right = rows - row + 0.6 * high, columns - column
    inside = np.minimum(high - np.abs(down), wide - np.abs(right))
    if random.random() < 0.5:
        inside = 3 * (1 - np.hypot(down / high, right / wide))
    return np.concatenate([strip, np.clip(inside, 0, 1)[..., None]], axis=-1).astype(np.float32)
