"""Random degradation of training images, so that a classifier of sharp photographs can judge decoded pictures."""

import tensorflow as tf

from common.distribute import replicas

SMOOTHINGS = 3  # with (1, 2, 1) / 4 at most
BRIGHTNESS, CONTRAST, NOISE = 0.25, 0.35, 0.08  # largest shift, change of the factor 1, standard deviation


def degrade(images, seed):
    """Blurs images, changes their brightness and contrast and adds noise, each by a strength drawn per image.

    Args:
        images: float32 [B, H, W, C] in [-1, 1].
        seed: int64 [2]; the draws are a function of it.

    Returns:
        float32 [B, H, W, C], clipped to [-1, 1].
    """
    shape = 4, tf.shape(images)[0]
    draws = replicas.draw(tf.random.stateless_uniform, shape, seed, axis=1, alg="philox")
    blur, brightness, contrast, noise = tf.unstack(draws[:, :, None, None, None])
    for smaller in range(SMOOTHINGS):
        images += tf.clip_by_value(SMOOTHINGS * blur - smaller, 0, 1) * (smooth(images) - images)
    images = images * (1 + CONTRAST * (2 * contrast - 1)) + BRIGHTNESS * (2 * brightness - 1)
    grain = replicas.draw(tf.random.stateless_normal, tf.shape(images), seed, alg="philox")
    return tf.clip_by_value(images + NOISE * noise * grain, -1, 1)


def smooth(images):
    """Averages images [B, H, W, C] with the kernel (1, 2, 1) / 4 along both axes; the edge is repeated."""
    padded = tf.pad(images, [[0, 0], [1, 1], [0, 0], [0, 0]], "SYMMETRIC")
    images = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    padded = tf.pad(images, [[0, 0], [0, 0], [1, 1], [0, 0]], "SYMMETRIC")
    return (padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]) / 4
