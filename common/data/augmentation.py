"""Differentiable augmentation of a discriminator's images (Zhao et al., arXiv 2006.10738).

The discriminator sees only augmented images, real and fake alike. The generator's gradient passes through the
augmentation, so it does not learn to generate augmented images.

Images are [B, H, W, C] in [-1, 1]. Draws are [3, B], uniform in [0, 1): one column per image.
"""

import tensorflow as tf

from common.distribute import replicas

TRANSLATION = 1 / 8  # largest shift, as a share of the width
CUTOUT = 1 / 2  # side of the square, as a share of the width


def augment(images, policy, seed):
    """Applies the augmentations that `policy` names, in the order of POLICIES, to each image independently.

    Args:
        images: float32 [B, H, W, C].
        policy: names among "flip", "colour", "translation" and "cutout".
        seed: int64 [2]; the draws are a function of it, and those of one augmentation do not depend on the others.

    Raises:
        ValueError: for another name.
    """
    check_policy(policy)
    shape = len(POLICIES), 3, tf.shape(images)[0]
    draws = replicas.draw(tf.random.stateless_uniform, shape, seed, axis=2, alg="philox")
    for name, policy_draws in zip(POLICIES, tf.unstack(draws), strict=True):
        if name in policy:
            images = POLICIES[name](images, policy_draws)
    return images


def check_policy(policy):
    """Raises ValueError unless all names are in POLICIES."""
    unknown = [name for name in policy if name not in POLICIES]
    if unknown:
        raise ValueError(f"Augmentations must be among {', '.join(POLICIES)}. Received: {unknown[0]!r}.")


def flip(images, draws):
    """Mirrors each image with probability 1/2."""
    return tf.where(draws[0][:, None, None, None] < 0.5, tf.reverse(images, [2]), images)


def change_colour(images, draws):
    """Adds -1/2 to 1/2 to the brightness, multiplies the saturation by 0 to 2 and the contrast by 1/2 to 3/2."""
    brightness, saturation, contrast = tf.unstack(draws[:, :, None, None, None])
    images += brightness - 0.5
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translate(images, draws):
    """Shifts each image by up to TRANSLATION of its size in both directions and pads with zeros.

    The shift of each axis is a product with a 0/1 matrix: the gradient of a gather is slow in XLA on a CPU.
    """
    _, height, width, _ = images.shape
    images = tf.einsum("bij,bjwc->biwc", shift_matrices(height, draws[0]), images)
    return tf.einsum("bij,bhjc->bhic", shift_matrices(width, draws[1]), images)


def shift_matrices(size, draws):
    """Matrices [B, size, size] whose row i selects position i - shift, for a drawn integer shift."""
    max_shift = int(size * TRANSLATION + 0.5)
    shifts = tf.cast(tf.floor(draws * (2 * max_shift + 1)), tf.int32) - max_shift  # [B]
    positions = tf.range(size)
    return tf.cast(positions[None, :, None] - shifts[:, None, None] == positions[None, None], tf.float32)


def cut_out(images, draws):
    """Sets a square with a random centre in each image to zero."""
    _, height, width, _ = images.shape
    rows, columns = cutout_mask(height, draws[0]), cutout_mask(width, draws[1])
    return tf.where((rows[:, :, None] & columns[:, None])[..., None], 0.0, images)


def cutout_mask(size, draws):
    """Mask bool [B, size] of an interval around a drawn centre, CUTOUT of `size` long."""
    length = int(size * CUTOUT + 0.5)
    starts = tf.cast(tf.floor(draws * (size + 1 - length % 2)), tf.int32) - length // 2  # [B]
    offsets = tf.range(size)[None] - starts[:, None]
    return (offsets >= 0) & (offsets < length)


POLICIES = {"flip": flip, "colour": change_colour, "translation": translate, "cutout": cut_out}
