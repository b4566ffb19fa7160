"""Tiny releases, and the pictures that many commands of generate.py make of them in one process.

TensorFlow takes seconds to start, so that a process for each command would be slow. A command that fails does not
stop the others: only the tests that look at its pictures fail.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from common import release

ROOT = Path(__file__).resolve().parents[2]
MANY = """
import contextlib, io, json, sys, traceback, generate
from absl import flags
from common import cli
outcomes = {}
for name, words in json.load(sys.stdin).items():
    flags.FLAGS.unparse_flags()
    sys.argv, status = ["generate.py", *words], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            cli.run(generate.main)
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
    outcomes[name] = status, out.getvalue(), err.getvalue()
print(json.dumps(outcomes))
"""
PROGRESS = ("preparing", "decoding and scoring candidates")  # shown on a slow machine
CLASSES = ("bird", "horse")


class GeneratedPictures:
    """What each of several commands has written to the folder of its name.

    Args:
        folder: where the commands run; sources and other files are in it.
        runs: {name: command line of generate.py, but for --out}.
    """

    def __init__(self, folder, runs):
        self.path = folder
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": "no data set here"}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # with it TensorFlow's start-up messages are shown
        words = json.dumps({name: [*line.split(), f"--out={name}"] for name, line in runs.items()})
        options = dict(cwd=folder, env=environment, input=words, capture_output=True, text=True)
        result = subprocess.run([sys.executable, "-c", MANY], **options)
        assert (result.returncode, result.stderr) == (0, "")
        self.outcomes = json.loads(result.stdout)

    def folder(self, run):
        """The folder of a command, which must have ended well and without messages."""
        status, _, stderr = self.outcomes[run]
        messages = [line for line in stderr.splitlines() if not line.startswith(PROGRESS)]
        assert (status, messages) == (0, []), run
        return self.path / run

    def printed(self, run):
        self.folder(run)
        return self.outcomes[run][1].splitlines()

    def manifest(self, run):
        return json.loads((self.folder(run) / "manifest.json").read_text())

    def pixels(self, run, name):
        """Grey levels [H, W, C] of one PNG."""
        return np.asarray(Image.open(self.folder(run) / name)).astype(int)

    def singles(self, run):
        """Grey levels [N, H, W, C] of the single pictures."""
        return np.stack([self.pixels(run, entry["file"]) for entry in self.manifest(run)["pictures"]])

    def rows(self, run):
        """Rows of the latent bank [N, parents]."""
        entries = self.manifest(run)["pictures"]
        return np.array([[parent["row"] for parent in entry["parents"]] for entry in entries])

    def assert_same_files(self, run, again):
        """Two commands have written the same files, byte for byte but for their manifests."""
        names = {path.name for path in self.folder(run).iterdir()}
        assert names == {path.name for path in self.folder(again).iterdir()} and len(names) > 1
        for name in names - {"manifest.json"}:
            assert (self.path / run / name).read_bytes() == (self.path / again / name).read_bytes(), name

    def assert_lists_its_files(self, run):
        files = {path.name for path in self.folder(run).iterdir()}
        assert files == {*self.manifest(run)["files"], "manifest.json"}


def assert_shows(pixels, images, tolerance=0.51):
    """Grey levels against unrounded images in [-1, 1]."""
    np.testing.assert_allclose(pixels, (np.clip(np.asarray(images), -1, 1) + 1) * 127.5, atol=tolerance)
    assert pixels.std() > 5, "a constant picture shows nothing"


def tiny_acai():
    """(acai.model.ACAI, arrays of its bank, config): weights and latents are exact in float16."""
    from acai.model import paper_acai

    sizes = dict(width=32, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=2)
    model = paper_acai(depth=2, latent_channels=2)
    random = np.random.default_rng(2)
    for variable in model.release_state().values():  # larger than an initial weight: no flat pictures
        scale = 1.5 / np.sqrt(np.prod(variable.shape[:-1])) if len(variable.shape) > 1 else 0.2
        variable.assign(random.normal(scale=scale, size=variable.shape).astype(np.float16))
    arrays = {
        "latents": np.random.default_rng(0).normal(size=(12, 4, 4, 2)).astype(np.float16),
        "labels": np.arange(12, dtype=np.int32) % 2,
        "ids": np.arange(500, 512),
        "splits": np.array(["train"] * 8 + ["holdout"] * 4),
        "class_names": np.array(CLASSES),
    }
    return model, arrays, {"model": sizes}


def write_tiny_acai(folder, tiny):
    model, arrays, config = tiny
    release.write(folder, config, model.release_state(), arrays)


def tiny_gan(width=8):
    """(conditional gan.inference.ReleasedGAN, its weights, its config's "model"): weights are exact in float16."""
    from common.variables import variables_by_name
    from gan.inference import ReleasedGAN
    from gan.networks import build_generator

    sizes = dict(architecture="dcgan", width=width, colours=3, noise_size=6, generator_channels=2, up="transposed")
    sizes |= dict(classes=2, condition="projection")
    weights = variables_by_name("generator", build_generator(sizes))
    random = np.random.default_rng(4)
    for name, variable in weights.items():
        value = np.ones(variable.shape) if "variance" in name else random.normal(scale=0.5, size=variable.shape)
        variable.assign(value.astype(np.float16))
    weights = {name: np.asarray(value) for name, value in weights.items()}
    sizes |= dict(spherical_noise=True, class_names=list(CLASSES))
    return ReleasedGAN(sizes, weights, "a test"), weights, sizes
