"""Bundles a run's release with golden outputs: python -m training.bundle runs/pegasus pretrained/acai

Golden outputs are what the released networks make of fixed inputs; a test makes them again.
"""

import importlib
import os
import shutil
import sys

from common import command, release
from common.checkpoints import pack, write_atomically


def golden_outputs(folder):
    """{name: array} that the released model in `folder` makes; of what, its family's module says."""
    family = release.family(folder)
    return importlib.import_module(f"training.{family}").golden_outputs(*release.read(folder, family)[:3])


def bundle(source, folder):
    """Copies the release files of `source` to `folder` and writes golden.npz beside them."""
    origin = release.resolve(source)
    golden = golden_outputs(origin)
    os.makedirs(folder, exist_ok=True)
    for name in release.FILES:
        if os.path.isfile(os.path.join(origin, name)):
            shutil.copyfile(os.path.join(origin, name), os.path.join(folder, name))
    write_atomically(os.path.join(folder, "golden.npz"), pack(golden))


def main(words):
    if len(words) != 2:
        raise command.InputError(
            f"A run and a folder are required: python -m training.bundle RUN FOLDER. Received: {len(words)} words"
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
