"""A GAN's recipes with a generator that shows its noise and class weights: every cell is known."""

import numpy as np
import pytest

from common import release
from common.errors import InputError
from common.interpolation import slerp
from pictures import gan_recipes

NAMES = ["bird", "horse", "cat"]
SIZES = dict(architecture="dcgan", width=8, colours=3, noise_size=4, generator_channels=2, up="transposed")
SIZES |= dict(condition="projection", spherical_noise=False)
WEIGHTS = {"generator/0": np.ones(2, np.float16)}


class Shows:
    """An image of 4 x 2 pixels: noise in the first column, class weights in the second, then a constant."""

    classes = 3

    def draw_noise(self, seed, count, start=0):
        """Number n of a seed is (seed, n, n^2, 1)."""
        numbers = np.arange(start, start + count, dtype=np.float32)
        return np.stack([np.full_like(numbers, seed), numbers, numbers**2, np.ones_like(numbers)], axis=1)

    def sample(self, noise, class_weights=None):
        shown = np.zeros((len(noise), 4, 2, 3), np.float32)
        shown[:, :, 0] = noise[:, :, None]
        if class_weights is not None:
            given = np.asarray(class_weights)
            shown[:, :3, 1] = (np.eye(3)[given] if given.ndim == 1 else given)[..., None]
        return shown


def recipe(**changes):
    plain = dict(action="sample", first=None, second=None, count=5, mix=0.5, strip=0, path="slerp", seed=3)
    return plain | dict(layout="strip", scale=1) | changes


def made(names=(), **changes):
    return gan_recipes.made(recipe(**changes), Shows(), list(names))


def noises(pictures):
    return pictures[..., 0, 0]


def weights(pictures):
    return pictures[..., :3, 1, 0]


def test_sample_k_is_of_noise_k_and_of_all_classes_in_turn():
    rendered, entries = made(NAMES)
    assert set(rendered) == {"pictures"}
    np.testing.assert_array_equal(noises(rendered["pictures"]), Shows().draw_noise(3, 5))
    np.testing.assert_array_equal(weights(rendered["pictures"]), np.eye(3)[[0, 1, 2, 0, 1]])
    assert entries[4] == {"noise": [4], "class": "horse"}
    few, _ = made(NAMES, count=2)
    np.testing.assert_array_equal(few["pictures"], rendered["pictures"][:2])


def test_samples_of_one_class_and_of_a_model_without_classes():
    rendered, entries = made(NAMES, first="cat")
    np.testing.assert_array_equal(weights(rendered["pictures"]), np.eye(3)[[2] * 5])
    rendered, entries = made()
    assert (weights(rendered["pictures"]) == 0).all() and entries[1] == {"noise": [1]}


def test_strips_go_by_slerp_between_two_noises_of_one_class():
    rendered, entries = made(NAMES, action="interpolate", strip=3, count=4)
    noise = Shows().draw_noise(3, 8)
    assert set(rendered) == {"parents", "strips"}
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 0], noise[::2])
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 2], noise[1::2])
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 1], slerp(noise[::2], noise[1::2], 0.5))
    np.testing.assert_array_equal(weights(rendered["strips"])[:, 1], np.eye(3)[[0, 1, 2, 0]])
    assert entries[3] == {"noise": [6, 7], "class": "bird"}


def test_blends_move_the_class_and_keep_the_noise():
    rendered, entries = made(NAMES, action="blend", first="horse", second="bird", mix=0.25, strip=5)
    np.testing.assert_array_equal(noises(rendered["pictures"]), Shows().draw_noise(3, 5))
    np.testing.assert_allclose(weights(rendered["pictures"]), [[0.25, 0.75, 0]] * 5)
    np.testing.assert_array_equal(rendered["strips"][:, 1], rendered["pictures"])
    np.testing.assert_array_equal(rendered["strips"][:, [0, 4]], rendered["parents"])
    np.testing.assert_array_equal(weights(rendered["parents"])[0], [[0, 1, 0], [1, 0, 0]])
    assert (noises(rendered["strips"]) == Shows().draw_noise(3, 5)[:, None]).all()
    assert entries[2] == {"noise": [2], "class": "horse", "second_class": "bird"}


def test_corners_of_a_j_diagram():
    rendered, entries = made(NAMES, action="interpolate", layout="j", strip=5, count=4)
    cells, noise = noises(rendered["diagrams"]), Shows().draw_noise(3, 12).reshape(4, 3, 4)
    a, b, c = noise.swapaxes(0, 1)
    assert cells.shape == (4, 5, 5, 4)
    for place, expected in (((0, 0), a), ((0, 4), b), ((4, 0), c), ((4, 4), b + c - a)):
        np.testing.assert_array_equal(cells[:, *place], expected)
    np.testing.assert_array_equal(cells[:, 0, 1], slerp(a, b, 0.25))
    np.testing.assert_array_equal(cells[:, 3, 0], slerp(a, c, 0.75))
    np.testing.assert_array_equal(weights(rendered["diagrams"])[:, 2, 3], np.eye(3)[[0, 1, 2, 0]])
    assert entries[1] == {"noise": [3, 4, 5], "class": "horse"}


def test_a_mine_grid_has_noises_at_every_second_place():
    rendered, entries = made(action="interpolate", layout="mine", strip=5, count=2)
    cells = noises(rendered["diagrams"])[:, ::2, ::2].reshape(18, 4)
    np.testing.assert_array_equal(cells, Shows().draw_noise(3, 18))
    assert entries[1] == {"noise": list(range(9, 18))}


# Releases


def load(folder, *, classes=0, weights=WEIGHTS, sizes=None, **changes):
    names = NAMES[:classes]
    config = {"family": "gan", "model": SIZES | {"classes": classes, "class_names": names} | (sizes or {})}
    release.write(folder, config, weights)
    asked = recipe(**changes)
    return gan_recipes.load(folder, asked), asked


def test_a_release_is_read_and_pinned(tmp_path):
    source, asked = load(tmp_path, classes=3, action="blend")
    assert source.class_names == NAMES and source.sizes["noise_size"] == 4
    assert (asked["first"], asked["second"]) == ("horse", "bird")
    with pytest.raises(InputError, match=r"weights of the manifest \(0123\)"):
        load(tmp_path, weights_digest="0123")
    assert load(tmp_path, sizes={"class_names": NAMES})[0].class_names == []  # trained on them, none can be chosen
    assert load(tmp_path, classes=3)[1]["first"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(action="blend"), "A conditional model is required for --blend"),
        (dict(first="horse"), "A conditional model is required for --blend or --first"),
        (dict(classes=3, first="dog"), "bird, horse, cat. Received: --first=dog"),
        (dict(classes=3, action="blend", second="dog"), "Received: --second=dog"),
        (dict(classes=3, sizes={"class_names": NAMES[:2]}), "parts that fit"),
        (dict(sizes={"width": "8"}), "parts that fit"),
        (dict(sizes={"noise_size": 0}), "parts that fit"),
        (dict(weights={"generator/0": np.array([np.nan])}), "parts that fit"),
        (dict(action="interpolate", layout="mine", strip=4), "odd --strip"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        load(tmp_path, **changes)


@pytest.mark.parametrize("name", ["width", "classes", "spherical_noise"])
def test_a_release_that_lacks_a_size_is_refused(tmp_path, name):
    sizes = SIZES | {"classes": 0, "class_names": []}
    release.write(tmp_path, {"family": "gan", "model": {n: sizes[n] for n in sizes if n != name}}, WEIGHTS)
    with pytest.raises(InputError, match="release of"):
        gan_recipes.load(tmp_path, recipe())
