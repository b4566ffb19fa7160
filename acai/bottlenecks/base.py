"""The base class of bottlenecks. By itself it is none."""

from acai import losses


class Bottleneck:
    """No bottleneck, as in a plain autoencoder and in ACAI. The base class of the others.

    Args:
        strength: see the subclasses.
        latent_shape: (h, w, c) of the latents.
        pixels: numbers in an image: height times width times colours.
        codebook_size: number of vectors in a codebook.

    Attributes:
        network: trained beside the autoencoder by `network_loss` and an optimizer of its own, or None. Its name is
            that of the optimizer.
        autoencoder_networks: {name: network} of those trained with encoder and decoder.
        released_networks: {name: network} of those that encoding or decoding needs.

    Raises:
        ValueError: for a strength out of range.
    """

    loss_formula = r"mean $(x - \hat{x})^2$"  # the reconstruction loss, for diagrams
    channel_factor = 1  # channels of the encoder's outputs per channel of the latents
    regularises = False  # whether `regulariser` can differ from 0
    decodes_plainly = True  # whether `decodable` and `to_images` are identities
    network = None

    def __init__(self, strength, latent_shape, pixels, codebook_size):
        if not strength >= 0:
            raise ValueError(f"bottleneck_strength must be at least 0. Received: {strength}.")
        self.strength, self.pixels = strength, pixels
        self.autoencoder_networks, self.released_networks = {}, {}

    @property
    def trained_networks(self):
        """{name: network} of the network that `network_loss` trains; empty without one."""
        return {self.network.name: self.network} if self.network else {}

    def make_optimizer(self):
        """A new optimizer for `network`; None: the model's Adam."""
        return None

    # During training

    def corrupt(self, images, seed):
        """Images [B, H, W, C] -> the encoder's inputs."""
        return images

    def prepare(self, encoded):
        """The encoder's outputs -> what the methods with `prepared` take, computed once for all of them."""
        return encoded

    def latents(self, prepared, seed):
        """-> the decoder's inputs [B, h, w, c]."""
        return prepared

    def reconstruction_loss(self, images, decoded):
        """Trains the autoencoder: error of the decoder's outputs, [B, H, W, C] both."""
        return losses.reconstruction_loss(images, decoded)

    def regulariser(self, prepared):
        """Trains the encoder: a scalar in the autoencoder's loss."""
        return 0.0

    def weighted_regulariser(self, prepared, weight):
        """(`weight` times `regulariser`, {name: scalar} to log)."""
        loss = weight * self.regulariser(prepared)
        return loss, {"code_regulariser": loss} if self.regularises else {}

    def network_loss(self, prepared, seed):
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
