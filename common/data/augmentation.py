"""Differentiable augmentation of what the discriminator sees, real and fake alike.

Zhao et al., "Differentiable augmentation for data-efficient GAN training" (arXiv 2006.10738): the discriminator
never sees an image as it is, and the generator's gradient passes through the same kind of change, so that the
changes do not leak into what is generated. Images are [B, H, W, C] in [-1, 1]; draws are uniform in [0, 1), a
column an image.
"""

import tensorflow as tf

from common.distribute import replicas

TRANSLATION = 1 / 8  # of the width, at most
CUTOUT = 1 / 2  # of the width


def augment(images, policy, seed):
    """Images with the changes that `policy` names, in the order of POLICIES; each image has draws of its own.

    Args:
        images: float32 [B, H, W, C].
        policy: names among "flip", "colour", "translation" and "cutout"; empty: no change.
        seed: int64 [2]; the draws are a function of it.

    Raises:
        ValueError: for another name.
    """
    check_policy(policy)
    shape = len(POLICIES), 3, tf.shape(images)[0]
    draws = replicas.draw(tf.random.stateless_uniform, shape, seed, axis=2, alg="philox")
    for name, own in zip(POLICIES, tf.unstack(draws), strict=True):
        if name in policy:
            images = POLICIES[name](images, own)
    return images


def check_policy(policy):
    """ValueError unless all names are of POLICIES."""
    wrong = [name for name in policy if name not in POLICIES]
    if wrong:
        raise ValueError(f"Augmentations among {', '.join(POLICIES)} are required. Received: {wrong[0]!r}.")


def flip(images, draws):
    """Mirrors half of the images."""
    return tf.where(draws[0][:, None, None, None] < 0.5, tf.reverse(images, [2]), images)


def change_colour(images, draws):
    """Brightness by -1/2 to 1/2, saturation times 0 to 2, contrast times 1/2 to 3/2."""
    brightness, saturation, contrast = tf.unstack(draws[:, :, None, None, None])
    images += brightness - 0.5
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translate(images, draws):
    """Moves by up to an eighth of the size down or up and right or left; zeros come in.

    Each axis is a product with a 0/1 matrix, whose gradient is one too; a gather's is slow in XLA on a CPU.
    """
    _, height, width, _ = images.shape
    images = tf.einsum("bij,bjwc->biwc", shift_matrices(height, draws[0]), images)
    return tf.einsum("bij,bhjc->bhic", shift_matrices(width, draws[1]), images)


def shift_matrices(size, draws):
    """[B, size, size]: row i picks place i - shift, shift a whole number in [-most, most]."""
    most = int(size * TRANSLATION + 0.5)
    shifts = tf.cast(tf.floor(draws * (2 * most + 1)), tf.int32) - most  # [B]
    places = tf.range(size)
    return tf.cast(places[None, :, None] - shifts[:, None, None] == places[None, None], tf.float32)


def cut_out(images, draws):
    """Sets a square of half the width to zero; its centre is anywhere in the image."""
    _, height, width, _ = images.shape
    rows, columns = within_cut(height, draws[0]), within_cut(width, draws[1])
    return tf.where((rows[:, :, None] & columns[:, None])[..., None], 0.0, images)


def within_cut(size, draws):
    """[B, size], bool: the places of a stretch of half of `size` around a drawn centre."""
    length = int(size * CUTOUT + 0.5)
    starts = tf.cast(tf.floor(draws * (size + 1 - length % 2)), tf.int32) - length // 2  # [B]
    offsets = tf.range(size)[None] - starts[:, None]
    return (offsets >= 0) & (offsets < length)


POLICIES = {"flip": flip, "colour": change_colour, "translation": translate, "cutout": cut_out}
