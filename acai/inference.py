"""A released ACAI: networks with their weights, numpy arrays in and out."""

import keras
import numpy as np

from acai import networks
from acai.autoencoder import Autoencoder
from common.variables import restore, variables_by_name


class ReleasedACAI:
    """Encoder, decoder and critic of a release; `critic` is None where the release was bundled without.

    Args:
        sizes: {"width", "latent_width", "latent_channels", "depth", "critic_depth",
            "colours"} and perhaps those of the bottleneck, as `ACAI` takes them.
        weights: {name: array} as `ACAI.release_state` names them; those that nothing here needs are ignored.
        source: what to call it in an error.
        batch_size: of one pass through a network.

    Raises:
        common.errors.InputError: when the weights are of other sizes.
    """

    def __init__(self, sizes, weights, source, batch_size=256):
        self.width, self.colours, self.batch_size = sizes["width"], sizes["colours"], batch_size
        self.autoencoder = Autoencoder.of_sizes(sizes)
        self.encoder, self.decoder, self.critic = self.autoencoder.encoder, self.autoencoder.decoder, None
        used = dict(self.autoencoder.networks)
        if any(name.startswith("critic/") for name in weights):
            code = [sizes[name] for name in ("width", "latent_width", "latent_channels")]
            used["critic"] = networks.critic(*code, sizes["critic_depth"] or sizes["depth"], self.colours)
            self.critic = used["critic"]
        for name, network in used.items():
            own = {key: value for key, value in weights.items() if key.startswith(f"{name}/")}
            restore(variables_by_name(name, network), own, source)

    def encode(self, images):
        """Images float32 [N, width, width, colours] in [-1, 1] -> latents float32 [N, h, w, c]."""
        return self._run(self.autoencoder.encode, images)

    def decode(self, latents):
        """Latents [N, h, w, c] -> images float32 [N, width, width, colours], unclipped."""
        return self._run(self.autoencoder.decode, latents)

    def predict_mix(self, images):
        """The critic's guess of the mix [N]: 0 for what it takes for a reconstruction, at most 0.5 otherwise."""
        return self._run(self.critic, images)

    def _run(self, network, inputs):
        inputs = np.asarray(inputs, np.float32)
        parts = [inputs[i : i + self.batch_size] for i in range(0, len(inputs), self.batch_size)]
        return np.concatenate([keras.ops.convert_to_numpy(network(part)) for part in parts])
