"""Encoder, bottleneck and decoder as one object, as they are used after training."""

from acai import bottlenecks, networks
from common.variables import is_weight

PAPER_NAMES = {  # others keep their names
    "plain": "baseline",
    "vae": "VAE",
    "aae": "AAE",
    "vqvae": "VQ-VAE by position",
    "projected_vqvae": "VQ-VAE",
}


class Autoencoder:
    """Encodes images and decodes latents, without randomness.

    Defaults are the paper's for CIFAR-10 with 256 latents.

    Args:
        width, colours: size and channels of the images.
        latent_width, latent_channels: size and channels of the latents.
        depth: channels of the first scale; each halving of the width doubles them.
        bottleneck: a key of `acai.bottlenecks.KINDS`.
        bottleneck_strength: see the bottleneck's class.
        codebook_size: number of vectors in the codebook of a "vqvae" or "projected_vqvae".
        dtype: Keras dtype policy of encoder and decoder.
        prefix: of the networks' names.

    Attributes:
        encoder, decoder: keras.Sequential.
        bottleneck: acai.bottlenecks.Bottleneck.
        networks: {name: network}, all that `encode` and `decode` need.
        weights: list of the float variables of `networks`, in their order.

    Raises:
        ValueError: for sizes that do not fit together or an unknown bottleneck.
    """

    def __init__(
        self,
        width=32,
        latent_width=4,
        latent_channels=16,
        depth=64,
        colours=3,
        bottleneck="plain",
        bottleneck_strength=1.0,
        codebook_size=512,
        dtype="float32",
        prefix="",
    ):
        self.sizes = (width, latent_width, latent_channels, depth, colours)
        self.bottleneck_options = (bottleneck, bottleneck_strength, codebook_size)
        self.dtype = dtype
        latent_shape, pixels = (latent_width, latent_width, latent_channels), width * width * colours
        self.bottleneck = bottlenecks.make_bottleneck(
            bottleneck, bottleneck_strength, latent_shape, pixels, codebook_size
        )
        channels = latent_channels * self.bottleneck.channel_factor
        self.encoder = networks.encoder(width, latent_width, channels, depth, colours, dtype, f"{prefix}encoder")
        self.decoder = networks.decoder(*self.sizes, dtype, f"{prefix}decoder")
        self.networks = {"encoder": self.encoder, "decoder": self.decoder} | self.bottleneck.released_networks
        self.weights = [v for network in self.networks.values() for v in network.variables if is_weight(v)]

    @classmethod
    def from_config(cls, model_config):
        """An autoencoder of a release's "model" config. Without a bottleneck's name there it is plain."""
        names = ("width", "latent_width", "latent_channels", "depth", "colours")
        options = {name: model_config[name] for name in names}
        options |= {n: model_config[n] for n in ("bottleneck", "bottleneck_strength") if n in model_config}
        return cls(**options, codebook_size=model_config.get("codebook_size", 512))

    def frozen_copy(self, prefix):
        """A float32 autoencoder with the same weights, not trainable."""
        copy = Autoencoder(*self.sizes, *self.bottleneck_options, prefix=prefix)
        for network in copy.networks.values():
            network.trainable = False
        for new, old in zip(copy.weights, self.weights, strict=True):
            new.assign(old)
        return copy

    def encode(self, images):
        """Images [B, width, width, colours] in [-1, 1] -> latents [B, h, w, c]."""
        return self.bottleneck.encode(self.encoder(images))

    def decode(self, latents):
        """Latents or blends of latents [B, h, w, c] -> images [B, width, width, colours]. Differentiable."""
        return self.bottleneck.to_images(self.decoder(self.bottleneck.decodable(latents)))


def name_in_paper(model_config):
    """The paper's name for the model of a release's config: ACAI or one of those it is compared with."""
    bottleneck = model_config.get("bottleneck", "plain")
    name = PAPER_NAMES.get(bottleneck, bottleneck)
    if not model_config.get("mix_weight", 0.5):  # 0.5 is the paper's, for a release that does not say
        return name
    return "ACAI" if bottleneck == "plain" else f"ACAI with {name}"
