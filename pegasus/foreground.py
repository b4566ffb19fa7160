"""Foreground: which pixels of an image belong to the animal, as a soft mask.

Nothing is learned. The colours of an image's border are taken for the background's.
"""

import dataclasses

import numpy as np
from scipy import ndimage

NEAREST = 8  # border pixels that a pixel is compared with: an animal that touches the border is not all background
DOWN_WEIGHT, RIGHT_WEIGHT = 0.3, 0.15  # of positions beside colours in [0, 1]: sky is above, ground below
LOWEST_THRESHOLD = 0.1  # of distances; the middle of a plain image is at 0.08 from its border by position alone
BINS = 64  # of the histogram of distances
KERNEL_WIDTH = 0.07  # of densities of colour and position
STEPS = 3


def border_foreground(image):
    """Finds what differs from the border, and is connected.

    Each pixel is described by its smoothed colour and, with less weight, its position. A first mask holds the
    pixels far from those of the border, with Otsu's threshold. Then a few times the pixels of foreground and
    background are taken for two kernel densities, which say anew what each pixel is; neighbours count as a prior.
    Last, only the largest and most central connected part is kept.

    Args:
        image: float [H, W, C] in [-1, 1].

    Returns:
        float32 [H, W] in [0, 1].
    """
    colours = (np.asarray(image, np.float32) + 1) / 2
    height, width = colours.shape[:2]
    down, right = np.mgrid[:height, :width].astype(np.float32)
    positions = np.stack([DOWN_WEIGHT * down / (height - 1), RIGHT_WEIGHT * right / (width - 1)], axis=-1)
    points = np.concatenate([(colours + smooth(colours)) / 2, positions], axis=-1).reshape(height * width, -1)
    border = border_pixels((height, width)).ravel()
    squares = np.sum(np.square(points), axis=1)
    squared = np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)  # [HW, HW]
    distances = np.sqrt(np.partition(squared[:, border], NEAREST - 1, axis=1)[:, :NEAREST]).mean(axis=1)
    threshold = max(0.85 * otsu_threshold(distances), LOWEST_THRESHOLD)
    mask = 1 / (1 + np.exp(np.clip((threshold - distances) / (0.15 * threshold), -50, 50)))
    mask = central_part(mask.reshape(height, width)).ravel()
    kernel = np.exp(-squared / (2 * KERNEL_WIDTH**2))
    for _ in range(STEPS):
        others = np.where(border, np.maximum(1 - mask, 0.5), 1 - mask)
        prior = 0.1 + 0.8 * smooth(smooth(mask.reshape(height, width))).ravel()
        inside = prior * (kernel @ mask) / (mask.sum() + 1e-6)
        outside = (1 - prior) * (kernel @ others) / (others.sum() + 1e-6)
        mask = inside / (inside + outside + 1e-9)
    return central_part(mask.reshape(height, width)).astype(np.float32)


def smooth(array, axes=(0, 1)):
    """Averages an array with the kernel (1, 2, 1) / 4 along one axis after the other; the edge is repeated."""
    for axis in axes:
        array = np.moveaxis(array, axis, 0)
        padded = np.concatenate([array[:1], array, array[-1:]])
        array = np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, axis)
    return array


def border_pixels(shape):
    """Boolean array of a shape (H, W) that is true in the outermost rows and columns."""
    border = np.ones(shape, bool)
    border[1:-1, 1:-1] = False
    return border


def otsu_threshold(values):
    """The centre of the bin at which splitting `values` into two classes gives them the largest variance between.

    Reference: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    counts, edges = np.histogram(values, BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * centres)
    above = below[-1] - below
    between = np.square(sums[-1] * below - sums * below[-1]) / np.maximum(below * above, 1)
    return centres[np.argmax(between)]


def central_part(mask):
    """Keeps the connected part of a soft mask [H, W] with the largest sum, counting central pixels most.

    Parts are of pixels above 0.5 that share a side. What touches the part, corners not counted, is kept as well:
    the soft rim.
    """
    parts, count = ndimage.label(mask > 0.5)
    if not count:
        return np.zeros_like(mask)
    height, width = mask.shape
    down, right = np.mgrid[:height, :width]
    squared = np.square((down - (height - 1) / 2) / height) + np.square((right - (width - 1) / 2) / width)
    sums = ndimage.sum(mask * np.exp(-5 * squared), parts, np.arange(1, count + 1))
    return mask * ndimage.binary_dilation(parts == 1 + np.argmax(sums))


@dataclasses.dataclass(frozen=True, eq=False)
class Outline:
    """Where the animal of a mask lies.

    Attributes:
        back: int [W], row of the topmost foreground pixel in each column; H where there is none.
        left, right: first and last column with foreground.
        feet: last row with foreground.
    """

    back: np.ndarray
    left: int
    right: int
    feet: int


def outline(mask):
    """The Outline of a mask [H, W], whose foreground is above 0.5; None for a mask without any."""
    inside = np.asarray(mask) > 0.5
    if not inside.any():
        return None
    columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
    return Outline(back_line(mask), int(columns[0]), int(columns[-1]), int(rows[-1]))


def back_line(mask):
    """Row of the topmost pixel above 0.5 in each column of a mask [H, W], int [W]; H where there is none."""
    inside = np.asarray(mask) > 0.5
    return np.where(inside.any(axis=0), np.argmax(inside, axis=0), len(inside))
