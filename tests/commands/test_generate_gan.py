"""generate.py through the real command: the pictures of a tiny conditional GAN with random weights."""

import numpy as np
import pytest

from common import release
from tests.support.generated_pictures import GeneratedPictures, assert_shows, tiny_gan

RUNS = {
    "sample": "--sample --source=cgan --count=5 --scale=1",
    "few": "--sample --source=cgan --count=3 --scale=1",
    "horses": "--sample --source=cgan --count=3 --scale=1 --first=horse",
    "morph": "--blend --source=cgan --count=3 --strip=3 --scale=1",
    "morph_again": "--from_manifest=morph/manifest.json",
    "strips": "--interpolate --source=cgan --count=2 --strip=4 --scale=1",
    "j": "--interpolate --layout=j --source=cgan --count=1 --strip=3 --scale=1",
    "j_again": "--from_manifest=j/manifest.json",
}


@pytest.fixture(scope="module")
def tiny():
    return tiny_gan()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """The pictures of all RUNS."""
    folder = tmp_path_factory.mktemp("generate_gan")
    release.write(folder / "cgan", {"family": "gan", "model": tiny[2]}, tiny[1])
    return GeneratedPictures(folder, RUNS)


@pytest.mark.parametrize("run", RUNS)
def test_a_manifest_lists_what_was_written(made, run):
    made.assert_lists_its_files(run)


def test_samples_are_of_each_class_in_turn(made, tiny):
    model = tiny[0]
    assert_shows(made.singles("sample"), model.sample(model.draw_noise(0, 5), [0, 1, 0, 1, 0]))


def test_sample_k_does_not_depend_on_the_count(made):
    np.testing.assert_array_equal(made.singles("few"), made.singles("sample")[:3])


def test_samples_of_one_class(made, tiny):
    model = tiny[0]
    assert_shows(made.singles("horses"), model.sample(model.draw_noise(0, 3), [1, 1, 1]))
    entry = {"file": "sample-002.png", "noise": [2], "class": "horse"}
    assert made.manifest("horses")["pictures"][2] == entry


def test_blends_lie_between_two_classes(made, tiny):
    model = tiny[0]
    noise = model.draw_noise(0, 3)
    assert_shows(made.singles("morph"), model.sample(noise, np.full((3, 2), 0.5)))
    ends = made.pixels("morph", "parents.png").reshape(8, 8, 8, 3).swapaxes(0, 1)[:6]
    assert_shows(ends[::2], model.sample(noise, [1, 1, 1]))
    assert_shows(ends[1::2], model.sample(noise, [0, 0, 0]))


def test_blends_are_made_again_from_a_manifest(made):
    made.assert_same_files("morph", "morph_again")
    assert made.manifest("morph") == made.manifest("morph_again")


def test_strips_end_in_two_noises_of_one_class(made, tiny):
    model = tiny[0]
    strips = made.pixels("strips", "strips.png")
    ends = model.sample(model.draw_noise(0, 4), [0, 0, 1, 1])
    assert_shows(np.stack([strips[:8, :8], strips[:8, -8:], strips[8:, :8], strips[8:, -8:]]), ends)


def test_the_fourth_corner_of_a_j_diagram_is_an_analogy(made, tiny):
    model = tiny[0]
    a, b, c = model.draw_noise(0, 3)
    corner = model.sample((b + c - a)[None], [0])[0]
    assert_shows(made.pixels("j", "diagram-000.png")[16:, 16:], corner)
    made.assert_same_files("j", "j_again")
    assert made.manifest("j")["request"] == made.manifest("j_again")["request"]
