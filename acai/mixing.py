"""How the latents of a blend are mixed in training, to pass to `ACAI(mixing=...)`.

The paper mixes all cells of the latents [h, w, c] with the same share alpha. With `MaskedMix` each cell has its
own share, as in a blend with a mask, so that critic and discriminator see blends whose parts come from different
parents.
"""

import numpy as np
import tensorflow as tf

from common.distribute import replicas

SHARPNESS = 6.0  # of masks: the higher, the fewer cells show both parents


class UniformMix:
    """One share for all cells of an image, uniform in [0, 0.5] (arXiv 1807.07543, section 3)."""

    def draw(self, batch, latent_size, seeds):
        """Draws the shares of a batch.

        Args:
            batch: of the training step; "image" has the shape [B, H, W, C].
            latent_size: (h, w).
            seeds: int64 [2, 2], two seeds of stateless random numbers: of the mix and of the masks.

        Returns:
            (mix float32 [B], the mean share of each image in its blend; its shares [B, 1, 1, 1] or [B, h, w, 1]).
        """
        mix = replicas.draw(
            tf.random.stateless_uniform,
            tf.shape(batch["image"])[:1],
            seeds[0],
            minval=0.0,
            maxval=0.5,
            alg="philox",
        )
        return mix, mix[:, None, None, None]


class MaskedMix(UniformMix):
    """Smooth random masks: the shares of an image vary from cell to cell, around the uniform mix.

    share = sigmoid(SHARPNESS (field + q(mix))), where field is smooth noise of mean 0 and variance 1 and q the
    quantile function of the normal distribution. So about a share `mix` of the cells shows the image.

    Args:
        masked: share of the blends that have a mask; the others have a uniform mix.

    Raises:
        ValueError: for `masked` outside [0, 1]; in `draw` for latents of one cell.
    """

    def __init__(self, masked=0.6):
        if not 0 <= masked <= 1:
            raise ValueError(f"masked must be in [0, 1]. Received: {masked=}.")
        self.masked = masked

    def draw(self, batch, latent_size, seeds):
        mix, shares = super().draw(batch, latent_size, seeds)
        height, width = latent_size
        if height * width == 1:
            raise ValueError(f"Latents must have several cells for masks. Received: {latent_size=}.")
        normal, shape = tf.random.stateless_normal, (tf.shape(mix)[0], height * width + 1)
        *noise, chooser = tf.unstack(replicas.draw(normal, shape, seeds[1], alg="philox"), axis=1)
        noise = tf.reshape(tf.stack(noise, 1), (-1, height, width))
        field = tf.einsum("yi,bij,xj->byx", smoothing(height), noise, smoothing(width))
        field -= tf.reduce_mean(field, (1, 2), keepdims=True)
        field *= tf.math.rsqrt(tf.reduce_mean(tf.square(field), (1, 2), keepdims=True))
        quantile = tf.math.ndtri(tf.clip_by_value(mix, 1e-4, 0.5))[:, None, None]
        masks = tf.sigmoid(SHARPNESS * (field + quantile))[..., None]
        has_mask = chooser < tf.math.ndtri(tf.constant(self.masked, tf.float32))
        shares = tf.where(has_mask[:, None, None, None], masks, shares)  # [B, h, w, 1]
        return tf.reduce_mean(shares, (1, 2, 3)), shares


def smoothing(size):
    """Weights float32 [size, size] of a Gaussian around each cell, with a standard deviation of size / 6."""
    offsets = np.subtract.outer(np.arange(size), np.arange(size)) / (size / 6)
    return np.exp(-np.square(offsets) / 2).astype(np.float32)
