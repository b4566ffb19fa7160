"""Bundles a run's release with golden outputs: python -m training.export runs/pegasus pretrained/pegasus

More words name networks to leave out: python -m training.export runs/lines pretrained/acai_lines critic
Golden outputs are what the released networks make of fixed inputs; a test makes them again.
"""

import importlib
import os
import sys

from common import cli, release
from common.errors import InputError
from common.files import pack, write_atomically


def golden_outputs(folder):
    """{name: array} that the released model in `folder` makes; of what, its family's module says."""
    family = release.family(folder)
    return importlib.import_module(f"training.{family}").golden_outputs(*release.read(folder, family)[:3])


def bundle(source, folder, without=()):
    """Writes the release of `source`, but for the networks named in `without`, and its golden.npz to `folder`.

    Raises:
        InputError: when `source` has no release, or the release no network of a name.
    """
    origin = release.resolve(source)
    config, weights, bank, _ = release.read(origin, release.family(origin))
    networks = {name.partition("/")[0] for name in weights}
    if unknown := set(without) - networks:
        raise InputError(
            f"Networks to leave out are required to be of {', '.join(sorted(networks))}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    kept = {name: array for name, array in weights.items() if name.partition("/")[0] not in without}
    codes = {name: array for name, array in bank.items() if name != "weights_digest"}
    release.write(folder, config, kept, codes or None)
    write_atomically(os.path.join(folder, "golden.npz"), pack(golden_outputs(folder)))


def main(words):
    if len(words) < 2:
        raise InputError(
            "A run and a folder are required: python -m training.export RUN FOLDER [NETWORK ...]. "
            f"Received: {len(words)} words"
        )
    source, folder, *without = words
    release.resolve(source)
    cli.import_tensorflow()
    bundle(source, folder, without)
    print(folder)


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # what is left has no flags
    cli.run(lambda: main(words))
