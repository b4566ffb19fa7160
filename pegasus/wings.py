"""Simple filters for visible wings. Nothing is learned here, since no data set is labelled with wings."""

import functools

import numpy as np
import tensorflow as tf

SLOPES = (0.6, 0.9)  # of raised wings: columns outwards per row upwards


def upper_lightness(pictures):
    """Lightness of the lightest quarter of the upper part of a picture relative to the rest of that part.

    The upper part is the top three eighths without an eighth at either side.

    Args:
        pictures: [B, H, W, C] in [-1, 1].

    Returns:
        The difference of the means, at most 1, as a tensor [B].
    """
    height, width = pictures.shape[1:3]
    upper = tf.reduce_mean(pictures[:, : 3 * height // 8, width // 8 : -(width // 8)], axis=3)
    ordered = tf.sort(tf.reshape(upper, (-1, upper.shape[1] * upper.shape[2])), axis=1, direction="DESCENDING")
    quarter = ordered.shape[1] // 4
    lightness = tf.reduce_mean(ordered[:, :quarter], axis=1) - tf.reduce_mean(ordered[:, quarter:], axis=1)
    return tf.minimum(lightness, 1)


def raised_wings_score(pictures):
    """Matched filter for two light wings raised in a V in the upper half of pictures [B, H, W, C].

    The response is the darker of the two arms minus the lighter of the areas between and beside them. The result,
    [B] in [-2, 2], is its maximum over all positions and SLOPES.
    """
    upper = tf.reduce_mean(pictures[:, : pictures.shape[1] // 2], axis=3, keepdims=True)
    means = tf.nn.conv2d(upper, wing_kernels(pictures.shape[1]), 1, "VALID")
    left, right, between, beside = (means[..., part::4] for part in range(4))
    return tf.reduce_max(tf.minimum(left, right) - tf.maximum(between, beside), axis=(1, 2, 3))


@functools.cache
def wing_kernels(size):
    """Averaging kernels of `raised_wings_score` for pictures of `size` rows, float32 [h, w, 1, 4 x slopes].

    For each of SLOPES there are four: the left arm of a V, its right arm, the area between the arms and the area
    beside them.
    """
    reach = 13 * size // 32
    height, across = np.mgrid[11 * size // 32 : 0 : -1, -reach : reach + 1]  # relative to the foot of the V
    low = height <= 9 * size // 32  # the length of the arms
    parts = []
    for slope in SLOPES:
        offset = np.abs(across) - slope * height  # from the middle of an arm
        arm, between, beside = np.abs(offset) <= size / 16, offset < -size / 16, offset > size / 16
        parts += [arm & low & (across < 0), arm & low & (across > 0), between & low, beside]
    return np.stack([part / part.sum() for part in parts], axis=-1)[:, :, None].astype(np.float32)


def outline_score(pictures):
    """Scores pictures [B, H, W, C] for a white horse with raised white wings in front of something dark, [B].

    It is twice `raised_wings_score`, plus the lightness of the middle of the lower half, minus half the lightness
    of an eighth at either side of the upper half.
    """
    height, width = pictures.shape[1:3]
    body = pictures[:, height // 2 : 7 * height // 8, 3 * width // 16 : -(3 * width // 16)]
    upper = pictures[:, : height // 2]
    sides = tf.concat([upper[:, :, : width // 8], upper[:, :, -(width // 8) :]], axis=2)
    body, sides = (tf.reduce_mean(part, axis=(1, 2, 3)) for part in (body, sides))
    return 2 * raised_wings_score(pictures) + body - 0.5 * sides
