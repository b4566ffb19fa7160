"""What a search takes for wings: nothing is learned here, as no data set says which pictures show any."""

import functools

import numpy as np
import tensorflow as tf

SLOPES = (0.6, 0.9)  # of raised wings: columns outwards for each row upwards


def light(pictures):
    """How much lighter the lightest quarter of the uppermost three eighths of pictures [B, H, W, C], but for an
    eighth at either side, is than the others, at most 1, [B]."""
    height, width = pictures.shape[1:3]
    high = tf.reduce_mean(pictures[:, : 3 * height // 8, width // 8 : -(width // 8)], axis=3)
    ordered = tf.sort(tf.reshape(high, (-1, high.shape[1] * high.shape[2])), axis=1, direction="DESCENDING")
    quarter = ordered.shape[1] // 4
    lighter = tf.reduce_mean(ordered[:, :quarter], axis=1) - tf.reduce_mean(ordered[:, quarter:], axis=1)
    return tf.minimum(lighter, 1)


def raised(pictures):
    """How much the upper half of pictures [B, H, W, C] shows two light wings in a V, [B] in [-2, 2].

    A matched filter: the darker of the two arms less the lighter of what is between and what is beside them, where
    that is most, of all places and SLOPES.
    """
    high = tf.reduce_mean(pictures[:, : pictures.shape[1] // 2], axis=3, keepdims=True)
    found = tf.nn.conv2d(high, arms(pictures.shape[1]), 1, "VALID")
    left, right, between, beside = (found[..., part::4] for part in range(4))
    return tf.reduce_max(tf.minimum(left, right) - tf.maximum(between, beside), axis=(1, 2, 3))


@functools.cache
def arms(size):
    """Kernels float32 [h, w, 1, 4 x slopes] for pictures of `size` rows: the means over the left arm of a V, the
    right one, what is between and what is beside them, for each of SLOPES."""
    reach = 13 * size // 32
    height, across = np.mgrid[11 * size // 32 : 0 : -1, -reach : reach + 1]  # above and beside the V's foot
    low = height <= 9 * size // 32  # where arms end
    parts = []
    for slope in SLOPES:
        away = np.abs(across) - slope * height  # from the middle of an arm
        arm, between, beside = np.abs(away) <= size / 16, away < -size / 16, away > size / 16
        parts += [arm & low & (across < 0), arm & low & (across > 0), between & low, beside]
    return np.stack([part / part.sum() for part in parts], axis=-1)[:, :, None].astype(np.float32)


def outline(pictures):
    """Twice `raised`, how light the middle of the lower half of pictures [B, H, W, C] is, and half of how dark an
    eighth at either side of the upper half is, [B]: large where a white horse raises white wings before something
    dark."""
    height, width = pictures.shape[1:3]
    body = pictures[:, height // 2 : 7 * height // 8, 3 * width // 16 : -(3 * width // 16)]
    upper = pictures[:, : height // 2]
    sides = tf.concat([upper[:, :, : width // 8], upper[:, :, -(width // 8) :]], axis=2)
    means = [tf.reduce_mean(part, axis=(1, 2, 3)) for part in (body, sides)]
    return 2 * raised(pictures) + means[0] - 0.5 * means[1]
