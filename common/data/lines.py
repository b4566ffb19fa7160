"""The lines task of ACAI (Berthelot et al. 2018, arXiv 1807.07543, section 4): one radius per image.

The picture is white (+1) on black (-1). Its one degree of freedom is the angle, so a perfect interpolation
turns the line. The geometry is that of the paper's official code, which decides the paper's metric.
"""

import numpy as np

from common.data.batches import steps_from, stream_key

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
    return _draw(np.asarray(angles, np.float64), width, np).astype(np.float32)


def _draw(angles, width, xnp):
    """`render` in numpy (`xnp=np`) or, for a stream without Python in it, tf.experimental.numpy; float64."""
    centre, length = width / 2, width / 2 - MARGIN
    rows, columns = -length * xnp.sin(angles), length * xnp.cos(angles)  # [N], the end from the centre
    along_columns = xnp.abs(columns) >= xnp.abs(rows)
    major = xnp.where(along_columns, columns, rows)
    minor = xnp.where(along_columns, rows, columns)

    start = centre + xnp.minimum(major, 0.0)[:, None]  # [N, 1], the end of lower major coordinate
    stop = centre + xnp.maximum(major, 0.0)[:, None]
    start_minor = centre + xnp.where(major < 0, minor, 0.0)[:, None]
    slope = (minor / major)[:, None]

    cells = np.arange(width, dtype=np.float64)
    weights = xnp.minimum(cells + 1 - start, 1.0)  # [N, major]
    weights = xnp.where((cells >= xnp.floor(start)) & (cells < xnp.ceil(stop)), weights, 0.0)
    middle = (start_minor + slope * (cells - start - 0.5))[..., None]  # [N, major, 1]
    upper = xnp.minimum(middle + HALF_THICKNESS, cells + 1)  # [N, major, minor]
    lower = xnp.maximum(middle - HALF_THICKNESS, cells)
    coverage = weights[..., None] * xnp.clip(upper - lower, 0.0, 1.0)
    coverage = xnp.where(along_columns[:, None, None], xnp.swapaxes(coverage, 1, 2), coverage)
    return (2 * coverage - 1)[..., None]


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
        images = _draw(angles, width, tf.experimental.numpy)  # Python in a stream can hang at exit
        return {"image": tf.cast(images, tf.float32), "label": tf.zeros([batch_size], tf.int32)}

    return steps_from(start_step).map(batch).prefetch(tf.data.AUTOTUNE)
