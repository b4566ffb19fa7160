"""Copies a run's release and adds golden outputs: python -m training.export runs/pegasus pretrained/pegasus

Further arguments name networks to omit: python -m training.export runs/lines out/lines critic classifier
Golden outputs are outputs of the released networks for fixed inputs; a test reproduces them.

Or writes the networks of a run or a bundled model as ONNX files: python -m training.export --onnx pegasus out/onnx
"""

import sys

from common import cli, release
from common.errors import InputError
from common.files import expand_path, make_folder
from training.export import bundle, onnx_files


def main(words):
    if words[:1] == ["--onnx"]:
        return export_onnx(words[1:])
    if len(words) < 2:
        raise InputError(
            "The arguments must be a run and a folder: python -m training.export RUN FOLDER [NETWORK ...]. "
            f"Received: {len(words)} arguments"
        )
    source, folder, *without = words
    release.resolve(source)
    folder = make_folder(expand_path(folder, "The folder"), "The folder")
    cli.import_tensorflow()
    bundle(source, folder, without)
    print(folder)


def export_onnx(words):
    """Writes the ONNX files of words[0] to the folder words[1] and prints their paths."""
    if len(words) != 2:
        raise InputError(
            "--onnx must be followed by a run or a bundled model and a folder: python -m training.export --onnx "
            f"pegasus out/onnx. Received: {len(words)} arguments"
        )
    source, folder = words
    onnx_files.check_packages()
    release.resolve(source, "The first argument")
    folder = make_folder(expand_path(folder, "The folder"), "The folder")
    cli.import_tensorflow()
    print(*onnx_files.export(source, folder), sep="\n")


if __name__ == "__main__":
    words = sys.argv[1:]
    del sys.argv[1:]  # they are not flags
    cli.run(lambda: main(words))
