"""The parts of a small ACAI release, for tests that never run its networks."""

import numpy as np

FILES = ("config.json", "bank.npz", "weights.npz")
SIZES = dict(width=32, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=2)
BANK = {
    "latents": np.ones((4, 4, 4, 2), np.float16),
    "labels": np.array([0, 1, 0, 1], np.int32),
    "ids": np.arange(4),
    "splits": np.array(["train"] * 4),
    "class_names": np.array(["bird", "horse"]),
}
WEIGHTS = {"encoder/00_kernel": np.ones(3, np.float16)}
