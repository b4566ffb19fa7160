"""Images of 64x64 through the commands: an image folder, training, release, pictures and figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow  # two trainings
ROOT = Path(__file__).parents[2]
CLASSES = ("bird", "horse")
TRAINING = "--config.model.width=64 --config.train.batch_size=8 --config.train.total_kimg=0.4".split()
ACAI = "--config.model.depth=4 --config.model.critic_depth=2 --config.model.latent_channels=2".split()
ACAI += ["--config.train.bank_per_class=(20,3)", "--config.data.pairing=across"]
ACAI += ["--config.data.groups=(('bird',),('horse',))", "--config.train.learning_rate=5e-3"]
GAN = "--config.model.generator_channels=4 --config.model.discriminator_channels=4".split()


def run(program, *arguments, status=0):
    command = [sys.executable, program, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == status, result.stderr
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 pictures of each class in many sizes: birds are brighter on the left, horses at the top."""
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir()
        for number in range(120):
            height, width = random.integers(50, 120, 2)
            pixels = random.integers(0, 100, (height, width, 3), np.uint8)
            half = np.s_[:, : width // 2] if name == "bird" else np.s_[: height // 2]
            pixels[half] += random.integers(100, 150, 3, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def runs(folder, tmp_path_factory):
    """Runs of an ACAI and of a conditional GAN, fifty steps each."""
    runs = tmp_path_factory.mktemp("runs")
    shared = ["--config.data.source=folder", f"--config.data.image_folder={folder}", *TRAINING]
    for name, config, sizes in (("acai", "acai.py", ACAI), ("cgan", "gan.py:cgan", GAN)):
        run("train.py", f"--config=configs/{config}", *shared, *sizes, f"--workdir={runs / name}")
    return runs


def read(path):
    return np.asarray(Image.open(path))


def test_a_release_has_a_bank_of_the_folders_classes(runs):
    with np.load(runs / "acai" / "release" / "bank.npz") as bank:
        assert bank["latents"].shape == (2 * (20 + 3), 4, 4, 2)
        assert tuple(bank["class_names"]) == CLASSES
    config = json.loads((runs / "acai" / "release" / "config.json").read_text())
    assert tuple(config["data"]["classes"]) == CLASSES and config["model"]["width"] == 64
    assert read(runs / "acai" / "pictures" / "blends-000000050.png").shape == (8 * 64, 8 * 64, 3)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ("--source={runs}/acai --blend --strip=3", (64, 4 * 64, 3)),
        ("--source={runs}/acai --reconstruct", (64, 4 * 64, 3)),
        ("--source={runs}/acai --sample", (64, 4 * 64, 3)),
        ("--source={runs}/acai --blend --candidates=64 --keep=4", (64, 4 * 64, 3)),
        ("--source={runs}/acai --blend --first_image={bird} --second_image={horse}", (64, 64, 3)),
        ("--source={runs}/cgan --sample", (64, 4 * 64, 3)),
        ("--source={runs}/cgan --blend", (64, 4 * 64, 3)),
    ],
)
def test_pictures_are_64_pixels_wide(runs, folder, tmp_path, arguments, shape):
    images = {name: folder / name / "000.png" for name in CLASSES}
    arguments = arguments.format(runs=runs, **images).split()
    alone = "--candidates=64" in arguments or f"--first_image={images['bird']}" in arguments
    count = [] if alone else ["--count=4"]
    run("generate.py", *arguments, *count, "--scale=1", f"--out={tmp_path}")
    grid = read(tmp_path / "grid.png")
    assert grid.shape == shape and grid.std() > 0
    files = sorted(path.name for path in tmp_path.glob("*-00*.png"))
    assert read(tmp_path / files[0]).shape == (64, 64, 3)
    if "--strip=3" in arguments:
        assert read(tmp_path / "strips.png").shape == (4 * 64, 3 * 64, 3)
    json.loads((tmp_path / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("acai", ("linear_probe_holdout_24", "reconstruction_error_holdout_24", "recognisability_referee_100")),
        ("cgan", ("accuracy_referee_100", "kd_classifier_100", "sharpness_100")),
    ],
)
def test_figures_are_measured(runs, tmp_path, source, expected):
    result = run("evaluate.py", f"--source={runs / source}", "--suite=all", "--samples=100", f"--out={tmp_path}")
    for name in expected:
        assert name in result.stdout, result.stdout


def test_an_image_folder_that_is_missing_or_of_other_classes_is_refused(runs, folder, tmp_path):
    (tmp_path / "cat").mkdir()
    Image.open(folder / "bird" / "000.png").save(tmp_path / "cat" / "0.png")
    for path, phrase in (("nowhere", "was trained on"), (str(tmp_path), "bird, horse")):
        result = run("evaluate.py", f"--source={runs / 'acai'}", f"--image_folder={path}", status=2)
        assert result.stderr.splitlines()[-1].startswith("error: --image_folder") and phrase in result.stderr
        assert "Traceback" not in result.stderr
