"""Each script in examples/ runs from any folder; its output is checked against the models and the classifiers."""

import functools
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acai.inference import ReleasedACAI
from classifiers.inference import bundled_classifier, bundled_wing_classifier
from common.errors import InputError
from common.images import read_picture, to_float, to_uint8, write_png
from gan.inference import ReleasedGAN

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SCALE = 4


@functools.cache
def pegasus():
    return ReleasedACAI.load("pegasus")


@functools.cache
def classifier():
    return bundled_classifier("classifier")


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Changes to an empty folder with two pictures: the first of the 64 and a slope of greys."""
    monkeypatch.chdir(tmp_path)
    with Image.open(ROOT / "docs/pegasus.png") as grid:
        grid.crop((0, 0, grid.width // 8, grid.height // 8)).save("horse.png")
    write_png("slope.png", np.tile(np.arange(0, 256, 8, dtype=np.uint8)[:, None, None], (1, 32, 3)))
    return ["horse.png", "slope.png"]


def run(monkeypatch, capsys, name, *arguments):
    """Runs examples/NAME.py as the main program; returns what it prints."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def tiles(path, rows, columns):
    """Cuts a grid of enlarged pictures into uint8 [rows, columns, 32, 32, 3]."""
    pixels = np.asarray(Image.open(path))
    assert pixels.shape == (rows * 32 * SCALE, columns * 32 * SCALE, 3)
    small = pixels[::SCALE, ::SCALE]
    np.testing.assert_array_equal(small.repeat(SCALE, 0).repeat(SCALE, 1), pixels)
    return small.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2)


def test_blends_lie_halfway_between_horses_and_birds(pictures, monkeypatch, capsys):
    assert run(monkeypatch, capsys, "blend_arrays") == "blends.png\n"
    rows = tiles("blends.png", 3, 8)
    gan, model = ReleasedGAN.load("cgan"), pegasus()
    noise = gan.draw_noise(0, 8)
    np.testing.assert_array_equal(rows[0], to_uint8(gan.sample(noise, [1] * 8)))
    np.testing.assert_array_equal(rows[2], to_uint8(gan.sample(noise, [0] * 8)))
    horses, blends, birds = model.encode(to_float(rows.reshape(24, 32, 32, 3))).reshape(3, 8, -1)
    whole = np.linalg.norm(birds - horses, axis=1)
    for end in (horses, birds):
        assert np.all(np.linalg.norm(blends - end, axis=1) < 0.8 * whole)


def test_walk_leads_from_one_picture_to_the_other(pictures, monkeypatch, capsys):
    assert run(monkeypatch, capsys, "walk_between_pictures", *pictures) == "walk.png\n"
    strip = tiles("walk.png", 1, 9)[0].astype(int)
    model = pegasus()
    images = to_float(np.stack([read_picture(path) for path in pictures]))
    assert np.abs(strip[[0, -1]] - to_uint8(model.decode(model.encode(images)))).max() <= 1
    distances = np.sqrt(np.mean((strip[:, None] - strip[[0, -1]]) ** 2, axis=(2, 3, 4)))
    assert np.all(np.diff(distances[:, 0]) > 0) and np.all(np.diff(distances[:, 1]) < 0)


def test_samples_show_the_class_of_their_row(pictures, monkeypatch, capsys):
    assert run(monkeypatch, capsys, "sample_gan") == "rows: bird horse airplane deer\nsamples.png\n"
    rows = tiles("samples.png", 4, 8)
    probabilities, _ = classifier()(to_float(rows.reshape(32, 32, 32, 3)))
    names = np.array(classifier().class_names)[probabilities.argmax(1)].reshape(4, 8)
    for name, row in zip(["bird", "horse", "airplane", "deer"], names, strict=True):
        assert np.sum(row == name) > 4, f"{name}: {row}"


def test_scores_are_those_of_the_classifiers(pictures, monkeypatch, capsys):
    lines = run(monkeypatch, capsys, "score_pictures", *pictures).splitlines()
    images = to_float(np.stack([read_picture(path) for path in pictures]))
    probabilities, _ = classifier()(images)
    horses, wings = bundled_wing_classifier().probabilities(images).T
    names = np.array(classifier().class_names)[probabilities.argmax(1)]
    for k, (path, line) in enumerate(zip(pictures, lines, strict=True)):
        seen = f"{path}: {names[k]} {probabilities[k].max():.0%}; "
        assert line == seen + f"horse {horses[k]:.0%}, spread wings {wings[k]:.0%}"
    assert horses[0] > 0.5 > horses[1] and wings[0] > max(0.5, wings[1])


@pytest.mark.parametrize("name", ["walk_between_pictures", "score_pictures"])
def test_without_pictures_the_usage_is_shown(pictures, monkeypatch, capsys, name):
    with pytest.raises(SystemExit, match=f"python {name}.py"):
        run(monkeypatch, capsys, name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short(path):
    assert len(path.read_text().splitlines()) <= 30


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_as_plain_scripts(pictures, path):
    arguments = pictures if "sys.argv" in path.read_text() else []
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # as after pip install -e .
    result = subprocess.run([sys.executable, path, *arguments], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_sources_that_are_no_release_are_refused(pictures):
    with pytest.raises(InputError, match="source must be a run directory or a bundled model .*Received: nothing"):
        ReleasedACAI.load("nothing")
    with pytest.raises(InputError, match="must be of the family acai. Received: .*cgan of the family gan"):
        ReleasedACAI.load("cgan")
