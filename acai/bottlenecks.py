"""What stands between encoder and decoder: nothing in a plain autoencoder and in ACAI, something in the others.

The paper (Berthelot et al., arXiv 1807.07543, section 4) compares ACAI with five autoencoders that differ in this
alone. Each is a class here, and `ACAI` trains all of them by the same step. One number, its `strength`, says how
much it does; the official code's is named in each docstring (brain-research/acai: `dropout.py`, `denoising.py`,
`vae.py`, `aae.py`, `vqvae.py`; read there, not checked against the paper).

`encoded` [B, h, w, channels] is what the encoder gives, `latents` [B, h, w, c] what the decoder takes. Seeds are
int64 [2] for stateless draws. A trained model only encodes and decodes: nothing of that is random.
"""

import tensorflow as tf

from acai import losses, networks
from common.distribute import replicas


class Bottleneck:
    """None at all: a plain autoencoder's, and the base of the others.

    Args:
        strength: how much it does.
        latent_shape: (h, w, c) of the latents.
        pixels: numbers in an image, all colours counted.
        codes: of the codebook, where there is one.

    Attributes:
        network: what it trains beside the autoencoder, with an Adam of its own; its name is the optimizer's. None:
            nothing.

    Raises:
        ValueError: for a strength that it cannot have.
    """

    error = r"mean $(x - \hat{x})^2$"  # the reconstruction loss, for drawings
    factor = 1  # channels that the encoder gives for each of the latents'
    regularises = False  # the regulariser is not always 0
    encodes_by_network = False  # then a released model needs the network
    decodes_plainly = True  # `decodable` and `to_images` do nothing
    network = None

    def __init__(self, strength, latent_shape, pixels, codes):
        if not strength >= 0:
            raise ValueError(f"bottleneck_strength is required to be at least 0. Received: {strength}.")
        self.strength, self.pixels = strength, pixels

    # In training

    def corrupt(self, images, seed):
        """What the encoder sees of the images [B, H, W, C]."""
        return images

    def latents(self, encoded, seed):
        """What the decoder gets of `encoded`."""
        return encoded

    def reconstruction_loss(self, images, decoded):
        """Trains the autoencoder: how far what was decoded is from the images, [B, H, W, C] both."""
        return losses.reconstruction_loss(images, decoded)

    def regulariser(self, encoded):
        """Trains the encoder: a scalar that is added to the reconstruction loss."""
        return 0.0

    def network_loss(self, encoded, seed):
        """Trains the network, and it alone: a scalar."""
        raise NotImplementedError("a bottleneck without a network")

    def code_loss(self, encoded):
        """(the regulariser, its logs)."""
        loss = self.regulariser(encoded)
        return loss, {"code_regulariser": loss} if self.regularises else {}

    @property
    def trained_networks(self):
        """{name: network} of what is trained beside the autoencoder, by `network_loss`."""
        return {self.network.name: self.network} if self.network else {}

    # In training and after

    def encode(self, encoded):
        """`encoded` -> latents, nothing random."""
        return encoded

    def decodable(self, latents):
        """Any latents, blends too -> those that the decoder knows."""
        return latents

    def to_images(self, decoded):
        """What the decoder gives -> images in [-1, 1] units."""
        return decoded


class Dropout(Bottleneck):
    """Sets each number of a code to 0 with probability `strength`, and divides the others by what is left.

    Srivastava et al. 2014, Journal of Machine Learning Research 15. The official code's probability is 0.5.
    """

    def __init__(self, strength, *sizes):
        super().__init__(strength, *sizes)
        if not strength < 1:
            raise ValueError(f"bottleneck_strength of dropout is required to be below 1. Received: {strength}.")

    def latents(self, encoded, seed):
        kept = replicas.draw(tf.random.stateless_uniform, tf.shape(encoded), seed, alg="philox") >= self.strength
        return tf.where(kept, encoded / (1 - self.strength), 0.0)


class Denoising(Bottleneck):
    """The encoder sees the images with normal noise of standard deviation `strength`; the decoder owes them clean.

    Vincent et al. 2008, "Extracting and Composing Robust Features with Denoising Autoencoders", with the noise of
    2010, Journal of Machine Learning Research 11. The official code's deviation is 1.0.
    """

    def corrupt(self, images, seed):
        return images + self.strength * normal(images, seed)


class Variational(Bottleneck):
    """A code is drawn from a normal distribution; `strength` weighs its divergence from the standard one.

    Kingma and Welling, arXiv 1312.6114; above 1 a beta-VAE. The loss is minus the evidence lower bound, divided by
    the number of pixels. The first half of the encoder's channels are the means, the second the logarithms of the
    variances. The decoder gives logits, of the probabilities that Bernoulli pixels are white. In the official code
    too, where the weight is 1.0; but there two dense layers make means and logarithms, and draws are interpolated.
    """

    error = r"cross-entropy of $x$ and $\hat{x}$"
    factor = 2
    regularises = True
    decodes_plainly = False

    def latents(self, encoded, seed):
        mean, log_variance = tf.split(encoded, 2, axis=-1)
        return mean + tf.exp(log_variance / 2) * normal(mean, seed)

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
    """A discriminator tells codes from standard normal draws; the encoder fools it, with the weight `strength`.

    Makhzani et al., arXiv 1511.05644. The official code's discriminator has two dense layers of 100, its weight is
    1.0, its learning rate the autoencoder's.
    """

    regularises = True

    def __init__(self, strength, latent_shape, *sizes):
        super().__init__(strength, latent_shape, *sizes)
        self.network = networks.code_discriminator(latent_shape)

    def regulariser(self, encoded):
        return self.strength * losses.real_label_loss(self.network(encoded))

    def network_loss(self, encoded, seed):
        drawn = normal(encoded, seed)
        logits = self.network(tf.concat([drawn, encoded], 0), training=True)
        drawn_logits, code_logits = tf.split(logits, 2)
        return losses.real_label_loss(drawn_logits) + losses.fake_label_loss(code_logits)


class Quantised(Bottleneck):
    """Each position's [c] is replaced by the nearest of a codebook's; `strength` is the commitment's weight.

    Van den Oord et al., arXiv 1711.00937, equations 1 to 3: the decoder's gradient goes straight through to the
    encoder, the codebook moves towards what it replaces, the encoder commits to the codebook. The official code's
    weight is 10. There a code is projected to ten vectors as long as itself, a codebook of 2^14 moves by averages,
    and two dense layers follow. As there, blends of codes are quantised before they are decoded.
    """

    encodes_by_network = True
    regularises = True
    decodes_plainly = False

    def __init__(self, strength, latent_shape, pixels, codes):
        super().__init__(strength, latent_shape, pixels, codes)
        self.network = networks.codebook(codes, latent_shape[-1])

    def nearest(self, encoded):
        """The codebook's vector nearest to each position's, the first of ties. It has the codebook's gradient."""
        book = self.network.embeddings  # [codes, c]
        distances = tf.reduce_sum(book**2, 1) - 2 * tf.einsum("bhwc,kc->bhwk", encoded, book)  # less |encoded|^2
        return tf.one_hot(tf.argmin(distances, -1), book.shape[0], dtype=book.dtype) @ book

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


def make(kind, *arguments):
    """The Bottleneck of a kind, of KINDS; other arguments are its own."""
    if kind not in KINDS:
        raise ValueError(f"bottleneck is required to be one of {', '.join(KINDS)}. Received: {kind!r}.")
    return KINDS[kind](*arguments)


def normal(like, seed):
    """Standard normal numbers in the shape of a tensor, a function of the seed."""
    return replicas.draw(tf.random.stateless_normal, tf.shape(like), seed, alg="philox")
