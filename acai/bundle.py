"""Bundles a run's release with golden outputs: python -m acai.bundle runs/pegasus pretrained/acai

Golden outputs are what the released networks make of the bank's first codes; a test makes them again.
"""

import os
import shutil
import sys

import numpy as np

from common import command, release
from common.checkpoints import pack, write_atomically
from common.images import to_uint8

GOLDEN_ROWS = 8


def golden_outputs(model, bank):
    """{"decoded" uint8 [8, H, W, C], "scores" float32 [8], "encoded" float32 [8, h, w, c]} of the first codes.

    `encoded` is the code of the decoded picture, so that all three networks take part.
    """
    decoded = model.decode(bank["latents"][:GOLDEN_ROWS])
    return {"decoded": to_uint8(decoded), "scores": model.predict_mix(decoded), "encoded": model.encode(decoded)}


def bundle(source, folder):
    """Copies config.json, weights.npz and bank.npz of `source` to `folder` and writes golden.npz beside them."""
    from acai.released import ReleasedACAI

    origin = release.resolve(source)
    config, weights, bank, _ = release.read(origin)
    os.makedirs(folder, exist_ok=True)
    for name in release.FILES:
        shutil.copyfile(os.path.join(origin, name), os.path.join(folder, name))
    golden = golden_outputs(ReleasedACAI(config["model"], weights, str(origin)), bank)
    write_atomically(os.path.join(folder, "golden.npz"), pack({k: np.asarray(v) for k, v in golden.items()}))


def main(words):
    if len(words) != 2:
        raise command.InputError(
            f"A run and a folder are required: python -m acai.bundle RUN FOLDER. Received: {len(words)} words"
        )
    source, folder = words
    release.resolve(source)
    command.import_tensorflow()
    bundle(source, folder)
    print(folder)


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # what is left has no flags
    command.run(lambda: main(words))
