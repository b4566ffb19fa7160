"""Images of 64x64 through the real commands: an image folder, training, release, pictures, figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow  # two trainings through the real commands
ROOT = Path(__file__).parents[2]
CLASSES = ("bird", "horse")
TRAINING = "--config.model.width=64 --config.train.batch_size=8 --config.train.total_kimg=0.4".split()
ACAI = "--config.model.depth=4 --config.model.critic_depth=2 --config.model.latent_channels=2".split()
ACAI += ["--config.train.bank_per_class=(20,3)", "--config.data.pairing=across"]
ACAI += ["--config.data.groups=(('bird',),('horse',))", "--config.train.learning_rate=5e-3"]
GAN = "--config.model.generator_channels=4 --config.model.discriminator_channels=4".split()


def run(program, *words, status=0):
    made = subprocess.run([sys.executable, program, *words], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert made.returncode == status, made.stderr
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 pictures a class, of many sizes, brighter on one side: birds left, horses above."""
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
    """A training of an ACAI and one of a conditional GAN, fifty steps each."""
    runs = tmp_path_factory.mktemp("runs")
    own = ["--config.data.source=folder", f"--config.data.image_folder={folder}", *TRAINING]
    for name, config, sizes in (("acai", "acai.py", ACAI), ("cgan", "gan.py:cgan", GAN)):
        run("train.py", f"--config=configs/{config}", *own, *sizes, f"--workdir={runs / name}")
    return runs


def read(path):
    return np.asarray(Image.open(path))


def test_a_release_has_a_bank_of_the_folder_s_classes(runs):
    with np.load(runs / "acai" / "release" / "bank.npz") as bank:
        assert bank["latents"].shape == (2 * (20 + 3), 4, 4, 2)
        assert tuple(bank["class_names"]) == CLASSES
    config = json.loads((runs / "acai" / "release" / "config.json").read_text())
    assert tuple(config["data"]["classes"]) == CLASSES and config["model"]["width"] == 64
    assert read(runs / "acai" / "pictures" / "blends-000000050.png").shape == (8 * 64, 8 * 64, 3)


@pytest.mark.parametrize(
    ("words", "shape"),
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
def test_pictures(runs, folder, tmp_path, words, shape):
    words = words.format(runs=runs, bird=folder / "bird" / "000.png", horse=folder / "horse" / "000.png").split()
    count = [] if "--candidates=64" in words else ["--count=4"]
    run("generate.py", *words, *count, "--scale=1", f"--out={tmp_path}")
    grid = read(tmp_path / "grid.png")
    assert grid.shape == (shape[0], 8 * 64, 3)  # eight columns, those beyond the pictures black
    assert grid[:, : shape[1]].std() > 0 and not grid[:, shape[1] :].any()
    made = sorted(path.name for path in tmp_path.glob("*-00*.png"))
    assert read(tmp_path / made[0]).shape == (64, 64, 3)
    if "--strip=3" in words:
        assert read(tmp_path / "strips.png").shape == (4 * 64, 3 * 64, 3)
    json.loads((tmp_path / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("acai", ("linear_probe_holdout_24", "reconstruction_error_holdout_24", "recognisability_referee_100")),
        ("cgan", ("accuracy_referee_100", "kd_classifier_100", "sharpness_100")),
    ],
)
def test_figures(runs, tmp_path, source, expected):
    words = [f"--source={runs / source}", "--suite=all", "--samples=100", f"--out={tmp_path}"]
    made = run("evaluate.py", *words)
    for name in expected:
        assert name in made.stdout, made.stdout


def test_figures_need_the_images_and_their_classes(runs, folder, tmp_path):
    (tmp_path / "cat").mkdir()
    Image.open(folder / "bird" / "000.png").save(tmp_path / "cat" / "0.png")
    for words, mentioned in (("nowhere", "was trained on"), (str(tmp_path), "bird, horse")):
        made = run("evaluate.py", f"--source={runs / 'acai'}", f"--image_folder={words}", status=2)
        assert made.stderr.splitlines()[-1].startswith("error: --image_folder") and mentioned in made.stderr
        assert "Traceback" not in made.stderr
