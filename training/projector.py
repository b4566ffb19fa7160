"""TensorBoard's embedding projector: latents of the hold-out, with their reconstructions as pictures."""

import math
import os

import numpy as np
from tensorboard.plugins import projector

from common.files import write_atomically
from common.images import grid, write_png
from training.loop import Callback

FOLDER = "projector"  # in the run directory
NAMES = {"tensor": "latents.tsv", "labels": "classes.tsv", "pictures": "reconstructions.png"}


class ProjectorWriter(Callback):
    """Writes the files of the projector, each time in place of the last.

    Args:
        run: RunDirectory.
        embed: function without arguments that returns (latents [N, d], pictures uint8 [N, H, W, C], N names of
            classes).
        every_steps: interval; 0: only at the end.
    """

    def __init__(self, run, embed, every_steps):
        self.run, self.embed, self.every_steps = run, embed, every_steps

    def on_interval(self, step):
        write(self.run.path, *self.embed())


def write(path, latents, pictures, names):
    """Writes what the projector shows of a run directory, see `ProjectorWriter`."""
    os.makedirs(os.path.join(path, FOLDER), exist_ok=True)
    tensor, labels, sprite = (os.path.join(path, FOLDER, name) for name in NAMES.values())
    rows = ("\t".join(f"{value:.5g}" for value in row) for row in np.asarray(latents, np.float64))
    write_atomically(tensor, "\n".join(rows).encode())
    write_atomically(labels, "\n".join(map(str, names)).encode())
    write_png(sprite, grid(pictures, columns=math.isqrt(len(pictures) - 1) + 1))
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="latents", tensor_path=f"{FOLDER}/{NAMES['tensor']}")
    embedding.metadata_path = f"{FOLDER}/{NAMES['labels']}"
    embedding.sprite.image_path = f"{FOLDER}/{NAMES['pictures']}"
    embedding.sprite.single_image_dim.extend(pictures.shape[2:0:-1])  # width, height
    projector.visualize_embeddings(path, config)
