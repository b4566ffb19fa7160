"""Bottlenecks with continuous latents: noise of three kinds, and a discriminator of latents."""

import tensorflow as tf

from acai import losses, networks
from acai.bottlenecks.base import Bottleneck
from common.distribute import replicas


class Dropout(Bottleneck):
    """Sets each latent to 0 with probability `strength` and divides the others by 1 - `strength`.

    Srivastava et al. 2014, Journal of Machine Learning Research 15. The official code's flag is the probability to
    KEEP a latent, 0.5 by default; `strength` is the probability to DROP it, 1 minus that flag.
    """

    def __init__(self, strength, *sizes):
        super().__init__(strength, *sizes)
        if not strength < 1:
            raise ValueError(f"bottleneck_strength of dropout must be below 1. Received: {strength}.")

    def latents(self, prepared, seed):
        kept = replicas.draw(tf.random.stateless_uniform, tf.shape(prepared), seed, alg="philox") >= self.strength
        return tf.where(kept, prepared / (1 - self.strength), 0.0)


class Denoising(Bottleneck):
    """Encodes images with normal noise of standard deviation `strength`; the decoder has to remove it.

    Vincent et al. 2008, "Extracting and Composing Robust Features with Denoising Autoencoders", with the normal
    noise of Vincent et al. 2010, Journal of Machine Learning Research 11. The official code's deviation is 1.0.
    """

    def corrupt(self, images, seed):
        return images + self.strength * draw_normal(images, seed)


class Variational(Bottleneck):
    """Draws latents from a normal distribution; `strength` weighs its divergence from the standard normal.

    Kingma and Welling, arXiv 1312.6114; above 1 a beta-VAE. The loss is minus the evidence lower bound divided by
    the number of pixels. The first half of the encoder's channels are means, the second half are log variances.
    The decoder's outputs are logits of Bernoulli pixels. All of this is as in the official code, where the weight
    is 1.0. There, however, two dense layers compute means and log variances, and blends are made of drawn latents.
    """

    loss_formula = r"cross-entropy of $x$ and $\hat{x}$"
    channel_factor = 2
    regularises = True
    decodes_plainly = False

    def latents(self, prepared, seed):
        mean, log_variance = tf.split(prepared, 2, axis=-1)
        return mean + tf.exp(log_variance / 2) * draw_normal(mean, seed)

    def reconstruction_loss(self, images, decoded):
        return losses.bernoulli_loss(images, decoded)

    def regulariser(self, prepared):
        divergence = losses.divergence_from_normal(*tf.split(prepared, 2, axis=-1))  # [B]
        return self.strength * tf.reduce_mean(divergence) / self.pixels

    def encode(self, encoded):
        return tf.split(encoded, 2, axis=-1)[0]

    def to_images(self, decoded):
        return tf.tanh(decoded / 2)  # 2 sigmoid(decoded) - 1


class Adversarial(Bottleneck):
    """A discriminator tells latents from standard normal draws; the encoder fools it, with the weight `strength`.

    Makhzani et al., arXiv 1511.05644. As in the official code, the discriminator has two dense layers of 100 units
    and its learning rate is that of the autoencoder. The official weight is 1.0.
    """

    regularises = True

    def __init__(self, strength, latent_shape, *sizes):
        super().__init__(strength, latent_shape, *sizes)
        self.network = networks.code_discriminator(latent_shape)

    def regulariser(self, prepared):
        return self.strength * losses.real_label_loss(self.network(prepared))

    def network_loss(self, prepared, seed):
        drawn = draw_normal(prepared, seed)
        logits = self.network(tf.concat([drawn, prepared], 0), training=True)
        drawn_logits, encoded_logits = tf.split(logits, 2)
        return losses.real_label_loss(drawn_logits) + losses.fake_label_loss(encoded_logits)


def draw_normal(like, seed):
    """Standard normal numbers of a tensor's shape."""
    return replicas.draw(tf.random.stateless_normal, tf.shape(like), seed, alg="philox")
