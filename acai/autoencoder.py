"""Encoder, bottleneck and decoder as one, as they are used behind a training."""

from acai import bottlenecks, networks

PAPER_NAMES = {"plain": "baseline", "vae": "VAE", "aae": "AAE", "vqvae": "VQ-VAE"}  # others as they are


class Autoencoder:
    """Tensors in and out, nothing random.

    Args:
        width, colours: of the images.
        latent_width, latent_channels: of the latents.
        depth: channels of the first scale.
        bottleneck: of `acai.bottlenecks.KINDS`.
        bottleneck_strength: how much it does; what that means, its class says.
        codes: of its codebook, where there is one.
        dtype: Keras dtype policy of encoder and decoder.
        prefix: of their names.

    Attributes:
        encoder, decoder: keras.Sequential.
        bottleneck: acai.bottlenecks.Bottleneck.
        networks: {name: network} of all that `encode` and `decode` need.
        variables: theirs.

    Raises:
        ValueError: for sizes that do not fit together, or a bottleneck that there is not.
    """

    def __init__(
        self,
        width,
        latent_width,
        latent_channels,
        depth,
        colours=3,
        bottleneck="plain",
        bottleneck_strength=1.0,
        codes=512,
        dtype="float32",
        prefix="",
    ):
        shape, pixels = (latent_width, latent_width, latent_channels), width * width * colours
        self.bottleneck = bottlenecks.make(bottleneck, bottleneck_strength, shape, pixels, codes)
        channels = latent_channels * self.bottleneck.factor
        self.encoder = networks.encoder(width, latent_width, channels, depth, colours, dtype, f"{prefix}encoder")
        code = (width, latent_width, latent_channels)
        self.decoder = networks.decoder(*code, depth, colours, dtype, f"{prefix}decoder")
        self.networks = {"encoder": self.encoder, "decoder": self.decoder}
        if self.bottleneck.encodes_by_network:
            self.networks[self.bottleneck.network.name] = self.bottleneck.network
        self.variables = [variable for network in self.networks.values() for variable in network.variables]

    @classmethod
    def of_sizes(cls, sizes):
        """That of a release's sizes, its config's "model". Where they name no bottleneck it is plain."""
        needed = ("width", "latent_width", "latent_channels", "depth", "colours")
        optional = sizes.keys() & {"bottleneck", "bottleneck_strength", "codes"}
        return cls(**{name: sizes[name] for name in (*needed, *optional)})

    def encode(self, images):
        """Images [B, width, width, colours] in [-1, 1] -> latents [B, h, w, c]."""
        return self.bottleneck.encode(self.encoder(images))

    def decode(self, latents):
        """Latents [B, h, w, c], blends too -> images [B, width, width, colours]; it has gradients."""
        return self.bottleneck.to_images(self.decoder(self.bottleneck.decodable(latents)))


def name_in_paper(sizes):
    """What the paper calls the model of a release's sizes: ACAI or one of those it is compared with."""
    bottleneck = sizes.get("bottleneck", "plain")
    name = PAPER_NAMES.get(bottleneck, bottleneck)
    if not sizes.get("mix_weight", 0.5):  # the paper's, where a release does not say
        return name
    return "ACAI" if bottleneck == "plain" else f"ACAI with {name}"
