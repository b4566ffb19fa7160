"""generate.py through the real command: the pictures of a tiny conditional GAN with random weights."""

import numpy as np
import pytest

from common import release
from tests.support.generated_pictures import CLASSES, GeneratedPictures, assert_shows, tiny_gan

RUNS = {
    "sample": "--sample --source=cgan --count=5 --scale=1",
    "few": "--sample --source=cgan --count=3 --scale=1",
    "horses": "--sample --source=cgan --count=3 --scale=1 --first=horse",
    "morph": "--blend --source=cgan --count=3 --strip=3 --scale=1",
    "morph_again": "--from_manifest=morph/manifest.json",
    "strips": "--interpolate --source=cgan --count=2 --strip=4 --scale=1",
    "j": "--interpolate --layout=j --source=cgan --count=1 --strip=3 --scale=1",
    "j_again": "--from_manifest=j/manifest.json",
    "search": "--sample --source=wide --candidates=12 --keep=3 --seed=2 --scale=1",
    "search_again": "--from_manifest=search/manifest.json",
}
REFUSED = {
    "narrow": ("--sample --source=cgan --candidates=12 --keep=3", "a multiple of 32"),
    "other": ("--sample --source=lines --candidates=12 --keep=3", "a model of CIFAR-10's horses and birds"),
    "mask": ("--sample --source=wide --candidates=12 --keep=3 --mask=top", "no --mask"),
    "images": ("--sample --source=wide --candidates=12 --keep=3 --data_dir=here", "--data_dir cannot be used"),
    "blend": ("--blend --source=wide --candidates=12 --keep=3", "cannot be combined with --candidates=12"),
}


@pytest.fixture(scope="module")
def tiny():
    return tiny_gan()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """The pictures of all RUNS."""
    folder = tmp_path_factory.mktemp("generate_gan")
    data = {"source": "cifar10", "classes": list(CLASSES)}
    release.write(folder / "cgan", {"family": "gan", "model": tiny[2], "data": data}, tiny[1])
    _, weights, sizes = tiny_gan(width=32)
    release.write(folder / "wide", {"family": "gan", "model": sizes, "data": data}, weights)
    release.write(folder / "lines", {"family": "gan", "model": sizes, "data": {"source": "lines"}}, weights)
    return GeneratedPictures(folder, RUNS | {name: line for name, (line, _) in REFUSED.items()})


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
    ends = made.pixels("morph", "parents.png").reshape(8, 6, 8, 3).swapaxes(0, 1)
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


def test_a_search_keeps_the_noise_with_the_highest_score_first(made):
    """All scores by hand: 0.6 log P(horse) + 0.8 log P(wings)."""
    from classifiers.inference import bundled_wing_classifier

    model, *_ = tiny_gan(width=32)
    pictures = model.sample(model.draw_noise(2, 12), np.arange(12) % 2)
    logs = np.log(bundled_wing_classifier().probabilities(pictures))
    expected = np.sort(logs @ [0.6, 0.8])[::-1]
    entries, drawn = (made.manifest("search")[name] for name in ("pictures", "drawn"))
    numbers = [entry["noise"][0] for entry in entries]
    assert drawn["noises"] == numbers == [entry["candidate"] for entry in entries]
    assert [entry["class"] for entry in entries] == [CLASSES[k % 2] for k in numbers]
    scores = logs[numbers] @ [0.6, 0.8]
    np.testing.assert_allclose([entry["score"] for entry in entries], scores, atol=2e-4)
    assert scores[0] == pytest.approx(expected[0], abs=1e-4)
    assert_shows(made.singles("search"), pictures[numbers])


def test_the_manifest_of_a_search_makes_its_pictures_again(made):
    np.testing.assert_array_equal(made.singles("search_again"), made.singles("search"))
    assert made.manifest("search_again")["pictures"] == made.manifest("search")["pictures"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_search_that_does_not_fit_is_refused(made, name):
    status, _, stderr = made.outcomes[name]
    assert status == 2 and REFUSED[name][1] in stderr and stderr.count("\n") == 1
