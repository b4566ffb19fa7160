"""A released ACAI: networks with their weights, numpy arrays in and out."""

import keras
import numpy as np

from acai import networks
from acai.autoencoder import Autoencoder
from common import release
from common.inference import check_images, in_batches
from common.variables import restore, weights_by_name


class ReleasedACAI:
    """Encoder, decoder, critic and patch discriminator of a release, each of the last two None where it has none.

    What is computed of an image or latents depends on these alone, not on the rest of a call.

    Args:
        model_config: the "model" section of the release's config: {"width", "latent_width", "latent_channels",
            "depth", "critic_depth", "colours"}, with a patch discriminator "discriminator_channels", and perhaps
            the fields of a bottleneck.
        weights: {name: array}, named as by `acai.model.ACAI.release_state`. Others are ignored.
        source: what an error message calls the release.

    Raises:
        common.errors.InputError: when the weights do not fit the config.

    Examples:
        >>> import numpy as np
        >>> from acai.inference import ReleasedACAI
        >>> model = ReleasedACAI.load("pegasus")
        >>> images = np.zeros((2, 32, 32, 3), np.float32)
        >>> latents = model.encode(images)
        >>> latents.shape
        (2, 8, 8, 16)
        >>> model.decode(latents).shape
        (2, 32, 32, 3)
    """

    def __init__(self, model_config, weights, source):
        self.width, self.colours = model_config["width"], model_config["colours"]
        self.autoencoder = Autoencoder.from_config(model_config)
        self.encoder, self.decoder, self.critic = self.autoencoder.encoder, self.autoencoder.decoder, None
        used = dict(self.autoencoder.networks)
        if any(name.startswith("critic/") for name in weights):
            sizes = [model_config[name] for name in ("width", "latent_width", "latent_channels")]
            used["critic"] = self.critic = networks.critic(*sizes, model_config["critic_depth"], self.colours)
        if any(name.startswith("discriminator/") for name in weights):
            channels = model_config["discriminator_channels"]
            used["discriminator"] = networks.patch_discriminator(self.width, channels, self.colours)
        self.discriminator = used.get("discriminator")
        for name, network in used.items():
            arrays = {key: value for key, value in weights.items() if key.startswith(f"{name}/")}
            restore(weights_by_name(name, network), arrays, source)

    @classmethod
    def load(cls, source):
        """Loads a bundled model by its name, such as "pegasus", or the model of a run directory by its path.

        Raises:
            common.errors.InputError: if there is no such release, or it is damaged or of another family.
        """
        config, weights, *_ = release.read(release.resolve(source, "source"))
        return cls(config["model"], weights, str(source))

    def encode(self, images):
        """Images, floats [N, width, width, colours] in [-1, 1] -> latents float32 [N, h, w, c].

        Raises:
            ValueError: if the images are integers or of another rank.
        """
        return self._run(self.autoencoder.encode, check_images(images))

    def decode(self, latents):
        """Latents [N, h, w, c] -> images float32 [N, width, width, colours], not clipped."""
        return self._run(self.autoencoder.decode, latents)

    def predict_mix(self, images):
        """The critic's estimate of the mix [N] of images: 0 for an unmixed one, up to 0.5 for a blend.

        Raises:
            ValueError: as `encode`, or if the release has no critic.
        """
        if self.critic is None:
            raise ValueError("predict_mix needs a release with a critic. Received: one without")
        return self._run(self.critic, check_images(images))

    def _run(self, network, inputs):
        return in_batches(lambda part: keras.ops.convert_to_numpy(network(part)), np.asarray(inputs, np.float32))
