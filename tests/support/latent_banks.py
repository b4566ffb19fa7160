"""A small latent bank, and a decoder whose pictures are known in closed form."""

import numpy as np

from acai.latent_bank import LatentBank

CLASSES = ("bird", "cow", "horse", "ghost")  # no latents are of a ghost, one is of a cow
LABELS = np.array([0, 2, 0, 2, 1, 2, 0, 2, 2, 0], np.int32)


def small_bank():
    """Ten random latents [2, 2, 3]: four birds, one cow, five horses."""
    latents = np.random.default_rng(3).normal(size=(10, 2, 2, 3)).astype(np.float16)
    return LatentBank(latents, LABELS, np.arange(100, 110), np.array(["train", "holdout"] * 5), np.array(CLASSES))


class SquaringDecoder:
    """A decoder that is not linear: the mean over the channels of each squared latent, as an image."""

    critic = None

    def decode(self, latents):
        return squares(latents)


def squares(latents):
    """Images [N, 2, 2, 3] that a SquaringDecoder makes of any number of latents."""
    return np.square(np.asarray(latents, np.float32)).mean(-1, keepdims=True).repeat(3, -1)
