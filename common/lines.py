"""The lines task of ACAI (Berthelot et al. 2018, arXiv 1807.07543, section 4): one radius per image.

The picture is white (+1) on black (-1). Its one degree of freedom is the angle, so a perfect interpolation
turns the line. The geometry is that of the paper's official code, which decides the paper's metric.
"""

import numpy as np

from common.data import steps_from, stream_key

HALF_THICKNESS = 1.0  # pixels, measured along the minor axis
MARGIN = 1.0  # pixels between the end of a horizontal or vertical line and the border


def render(angles, width=32):
    """Draws lines from the centre, antialiased by the share of each pixel that is covered.

    A line runs from the centre (row `width/2`, column `width/2`) to row `width/2 - r sin a`, column
    `width/2 + r cos a`, with `r = width/2 - 1`. The major axis is the one of larger extent. The line is a
    parallelogram, 2 pixels wide along the minor axis, its ends cut across the major axis; the cell in which
    it starts counts by the share that lies beyond the start, the cell in which it ends counts fully.

    Args:
        angles: [N], radians, anticlockwise from the positive columns.
        width: height and width of the images in pixels.

    Returns:
        float32 [N, width, width, 1] in [-1, 1].
    """
    angles = np.asarray(angles, np.float64)
    centre, length = width / 2, width / 2 - MARGIN
    rows, columns = -length * np.sin(angles), length * np.cos(angles)  # [N], the end relative to the centre
    along_columns = np.abs(columns) >= np.abs(rows)
    major = np.where(along_columns, columns, rows)
    minor = np.where(along_columns, rows, columns)

    start = centre + np.minimum(major, 0)[:, None]  # [N, 1], the end of lower major coordinate
    stop = centre + np.maximum(major, 0)[:, None]
    start_minor = centre + np.where(major < 0, minor, 0)[:, None]
    slope = (minor / major)[:, None]

    cells = np.arange(width, dtype=np.float64)
    weights = np.minimum(cells + 1 - start, 1)  # [N, major]
    weights = np.where((cells >= np.floor(start)) & (cells < np.ceil(stop)), weights, 0)
    middle = (start_minor + slope * (cells - start - 0.5))[..., None]  # [N, major, 1]
    overlap = np.minimum(middle + HALF_THICKNESS, cells + 1) - np.maximum(middle - HALF_THICKNESS, cells)
    coverage = weights[..., None] * np.clip(overlap, 0, 1)  # [N, major, minor]
    coverage = np.where(along_columns[:, None, None], coverage.swapaxes(1, 2), coverage)
    return (2 * coverage - 1).astype(np.float32)[..., None]


def batches(batch_size, seed, start_step=0, width=32):
    """An endless stream of lines at random angles, uniform in [0, 2 pi).

    Element k is a pure function of (seed, start_step + k), so that a resumed training seeks to its place.

    Args:
        batch_size: images per element, B.
        seed: any non-negative integer.
        start_step: the first step of the stream.
        width: height and width of the images in pixels.

    Returns:
        A `tf.data.Dataset` of {"image": float32 [B, width, width, 1] in [-1, 1], "label": int32 [B]}, every
        label 0: there is one class.
    """
    import tensorflow as tf

    key = stream_key(seed, "lines")

    def batch(step):
        angles = tf.random.stateless_uniform([batch_size], [key, step], 0, 2 * np.pi, tf.float64)
        images = tf.numpy_function(lambda a: render(a, width), [angles], tf.float32, stateful=False)
        images.set_shape([batch_size, width, width, 1])
        return {"image": images, "label": tf.zeros([batch_size], tf.int32)}

    return steps_from(start_step).map(batch).prefetch(tf.data.AUTOTUNE)
