"""Renders the lines of ACAI's synthetic task (Berthelot et al. 2018, arXiv 1807.07543, section 4).

An image shows one radius, white (+1) on black (-1). Its only degree of freedom is the angle, so a perfect
interpolation rotates the line. The geometry is that of the official code, on which the paper's metric depends.
"""

import numpy as np

from common.data.batches import steps_from, stream_key

HALF_THICKNESS = 1.0  # pixels, measured along the minor axis
MARGIN = 1.0  # pixels between the end of a horizontal or vertical line and the border


def render(angles, width=32):
    """Draws lines from the centre, antialiased by the covered share of each pixel.

    A line runs from the centre (row `width/2`, column `width/2`) to row `width/2 - r sin a`, column
    `width/2 + r cos a`, with `r = width/2 - 1`. The major axis is the one of larger extent. The line is a
    parallelogram, 2 pixels wide along the minor axis, with ends perpendicular to the major axis. The cell in which
    it starts is weighted by the share beyond the start; the cell in which it ends has full weight.

    Args:
        angles: [N], radians, anticlockwise from the positive columns.
        width: height and width of the images in pixels.

    Returns:
        float32 [N, width, width, 1] in [-1, 1].
    """
    return _draw(np.asarray(angles, np.float64), width, np).astype(np.float32)


def _draw(angles, width, xnp):
    """Renders in float64 with numpy (`xnp=np`) or, inside a tf.data stream, with tf.experimental.numpy."""
    centre, length = width / 2, width / 2 - MARGIN
    rows, columns = -length * xnp.sin(angles), length * xnp.cos(angles)  # [N], the end relative to the centre
    along_columns = xnp.abs(columns) >= xnp.abs(rows)
    major = xnp.where(along_columns, columns, rows)
    minor = xnp.where(along_columns, rows, columns)

    start = centre + xnp.minimum(major, 0.0)[:, None]  # [N, 1], the end with the lower major coordinate
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
    """Creates an endless stream of lines at random angles, uniform in [0, 2 pi).

    Element k is a pure function of (seed, start_step + k), so a resumed training continues where it stopped.

    Args:
        batch_size: images per batch, B.
        seed: integer >= 0.
        start_step: first step of the stream.
        width: height and width of the images in pixels.

    Returns:
        A `tf.data.Dataset` of {"image": float32 [B, width, width, 1] in [-1, 1], "label": int32 [B]}, every
        label is 0, of the only class.
    """
    import tensorflow as tf

    key = stream_key(seed, "lines")

    def batch(step):
        angles = tf.random.stateless_uniform([batch_size], [key, step], 0, 2 * np.pi, tf.float64)
        images = _draw(angles, width, tf.experimental.numpy)  # Python code in a stream can hang at exit
        return {"image": tf.cast(images, tf.float32), "label": tf.zeros([batch_size], tf.int32)}

    return steps_from(start_step).map(batch).prefetch(tf.data.AUTOTUNE)
