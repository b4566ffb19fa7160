"""Bottlenecks: what stands between encoder and decoder.

The paper (Berthelot et al., arXiv 1807.07543, section 4) compares ACAI with five autoencoders that differ only in
their bottleneck. Each is a class here, and `ACAI` trains all of them with the same step. Each has one parameter,
its `strength`. The docstrings name the value in the official code (brain-research/acai: `dropout.py`,
`denoising.py`, `vae.py`, `aae.py`, `vqvae.py`), which was read there and not checked against the paper.

`encoded` [B, h, w, channels] are the encoder's outputs, `latents` [B, h, w, c] the decoder's inputs. Seeds are
int64 [2], for stateless random numbers. After training, encoding and decoding are not random.
"""

import tensorflow as tf

from acai import losses, networks
from common.distribute import replicas


class Bottleneck:
    """No bottleneck, as in a plain autoencoder and in ACAI. The base class of the others.

    Args:
        strength: see the subclasses.
        latent_shape: (h, w, c) of the latents.
        pixels: numbers in an image: height times width times colours.
        codebook_size: number of vectors in the codebook of `Quantised`.

    Attributes:
        network: trained beside the autoencoder by `network_loss` and an Adam of its own, or None. Its name is that
            of the optimizer.

    Raises:
        ValueError: for a strength out of range.
    """

    loss_formula = r"mean $(x - \hat{x})^2$"  # the reconstruction loss, for diagrams
    channel_factor = 1  # channels of the encoder's outputs per channel of the latents
    regularises = False  # whether `regulariser` can differ from 0
    encodes_by_network = False  # whether a released model needs the network
    decodes_plainly = True  # whether `decodable` and `to_images` are identities
    network = None

    def __init__(self, strength, latent_shape, pixels, codebook_size):
        if not strength >= 0:
            raise ValueError(f"bottleneck_strength must be at least 0. Received: {strength}.")
        self.strength, self.pixels = strength, pixels

    @property
    def trained_networks(self):
        """{name: network} of the network that `network_loss` trains; empty without one."""
        return {self.network.name: self.network} if self.network else {}

    # During training

    def corrupt(self, images, seed):
        """Images [B, H, W, C] -> the encoder's inputs."""
        return images

    def latents(self, encoded, seed):
        """The encoder's outputs -> the decoder's inputs."""
        return encoded

    def reconstruction_loss(self, images, decoded):
        """Trains the autoencoder: error of the decoder's outputs, [B, H, W, C] both."""
        return losses.reconstruction_loss(images, decoded)

    def regulariser(self, encoded):
        """Trains the encoder: a scalar in the autoencoder's loss."""
        return 0.0

    def code_loss(self, encoded):
        """(`regulariser`, {name: scalar} to log)."""
        loss = self.regulariser(encoded)
        return loss, {"code_regulariser": loss} if self.regularises else {}

    def network_loss(self, encoded, seed):
        """Trains only the network: a scalar."""
        raise NotImplementedError("This bottleneck has no network.")

    # During and after training

    def encode(self, encoded):
        """The encoder's outputs -> latents, not random."""
        return encoded

    def decodable(self, latents):
        """Any latents, such as blends -> the decoder's inputs."""
        return latents

    def to_images(self, decoded):
        """The decoder's outputs -> images in [-1, 1] units."""
        return decoded


class Dropout(Bottleneck):
    """Sets each latent to 0 with probability `strength` and divides the others by the probability of keeping them.

    Srivastava et al. 2014, Journal of Machine Learning Research 15. The official code's probability is 0.5.
    """

    def __init__(self, strength, *sizes):
        super().__init__(strength, *sizes)
        if not strength < 1:
            raise ValueError(f"bottleneck_strength of dropout must be below 1. Received: {strength}.")

    def latents(self, encoded, seed):
        kept = replicas.draw(tf.random.stateless_uniform, tf.shape(encoded), seed, alg="philox") >= self.strength
        return tf.where(kept, encoded / (1 - self.strength), 0.0)


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

    def latents(self, encoded, seed):
        mean, log_variance = tf.split(encoded, 2, axis=-1)
        return mean + tf.exp(log_variance / 2) * draw_normal(mean, seed)

    def reconstruction_loss(self, images, decoded):
        return losses.bernoulli_loss(images, decoded)

    def regulariser(self, encoded):
        divergence = losses.divergence_from_normal(*tf.split(encoded, 2, axis=-1))  # [B]
        return self.strength * tf.reduce_mean(divergence) / self.pixels

    def encode(self, encoded):
        return tf.split(encoded, 2, axis=-1)[0]

    def to_images(self, decoded):
        return tf.tanh(decoded / 2)  # 2 sigmoid(decoded) - 1


class Adversarial(Bottleneck):
    """A discriminator tells latents from standard normal draws; the encoder fools it, with the weight `strength`.

    Makhzani et al., arXiv 1511.05644. In the official code the discriminator has two dense layers of 100 units,
    its weight is 1.0 and its learning rate that of the autoencoder.
    """

    regularises = True

    def __init__(self, strength, latent_shape, *sizes):
        super().__init__(strength, latent_shape, *sizes)
        self.network = networks.code_discriminator(latent_shape)

    def regulariser(self, encoded):
        return self.strength * losses.real_label_loss(self.network(encoded))

    def network_loss(self, encoded, seed):
        drawn = draw_normal(encoded, seed)
        logits = self.network(tf.concat([drawn, encoded], 0), training=True)
        drawn_logits, encoded_logits = tf.split(logits, 2)
        return losses.real_label_loss(drawn_logits) + losses.fake_label_loss(encoded_logits)


class Quantised(Bottleneck):
    """Replaces each position's vector by the nearest in a codebook; `strength` weighs the commitment loss.

    Van den Oord et al., arXiv 1711.00937, equations 1 to 3: the decoder's gradient is passed straight through to
    the encoder, the codebook moves towards the encoder's outputs, and the encoder commits to the codebook. In the
    official code the weight is 10, each position is projected to ten vectors, a codebook of 2^14 vectors moves by
    averages, and two dense layers follow. As there, blends of latents are quantised before decoding.
    """

    encodes_by_network = True
    regularises = True
    decodes_plainly = False

    def __init__(self, strength, latent_shape, pixels, codebook_size):
        super().__init__(strength, latent_shape, pixels, codebook_size)
        self.network = networks.codebook(codebook_size, latent_shape[-1])

    def nearest(self, encoded):
        """The codebook vector nearest to each position's; of equally near ones the first. Trains the codebook."""
        codebook = tf.cast(self.network.embeddings, encoded.dtype)  # [codebook_size, c]; `call` may autocast it
        products = tf.einsum("bhwc,kc->bhwk", encoded, codebook)
        distances = tf.reduce_sum(codebook**2, 1) - 2 * products  # squared, without the term |encoded|^2
        return tf.one_hot(tf.argmin(distances, -1), codebook.shape[0], dtype=codebook.dtype) @ codebook

    def latents(self, encoded, seed):
        return self.decodable(encoded)

    def regulariser(self, encoded):
        return self.strength * tf.reduce_mean((encoded - tf.stop_gradient(self.nearest(encoded))) ** 2)

    def network_loss(self, encoded, seed):
        return tf.reduce_mean((encoded - self.nearest(encoded)) ** 2)

    def encode(self, encoded):
        return self.decodable(encoded)

    def decodable(self, latents):
        return latents + tf.stop_gradient(self.nearest(latents) - latents)


KINDS = {
    "plain": Bottleneck,
    "dropout": Dropout,
    "denoising": Denoising,
    "vae": Variational,
    "aae": Adversarial,
    "vqvae": Quantised,
}


def make_bottleneck(kind, *arguments):
    """A bottleneck by its key in KINDS. `arguments` are those of `Bottleneck`."""
    if kind not in KINDS:
        raise ValueError(f"bottleneck must be one of {', '.join(KINDS)}. Received: {kind!r}.")
    return KINDS[kind](*arguments)


def draw_normal(like, seed):
    """Standard normal numbers of a tensor's shape."""
    return replicas.draw(tf.random.stateless_normal, tf.shape(like), seed, alg="philox")
