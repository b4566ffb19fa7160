"""Pictures of a GAN whose generator shows its noise and class weights, so that every cell is known."""

import numpy as np

from common.interpolation import slerp
from pictures import gan_render
from pictures.gan_plan import GANPlan
from pictures.request import BlendClasses, InterpolateNoise, SampleNoise

NAMES = ("bird", "horse", "cat")


class ShowingGenerator:
    """An image of 4 x 2 pixels: noise in the first column, class weights in the second, then a constant."""

    classes = 3

    def draw_noise(self, seed, count):
        return self.noise_of(seed, range(count))

    def noise_of(self, seed, numbers):
        """Number n of a seed is (seed, n, n^2, 1)."""
        numbers = np.asarray(numbers, np.float32)
        return np.stack([np.full_like(numbers, seed), numbers, numbers**2, np.ones_like(numbers)], axis=1)

    def sample(self, noise, class_weights=None):
        shown = np.zeros((len(noise), 4, 2, 3), np.float32)
        shown[:, :, 0] = noise[:, :, None]
        if class_weights is not None:
            given = np.asarray(class_weights)
            shown[:, :3, 1] = (np.eye(3)[given] if given.ndim == 1 else given)[..., None]
        return shown


def render(names=(), kind=SampleNoise, **fields):
    request = kind(**{"count": 5, "seed": 3} | fields)
    return gan_render.render(GANPlan(request, "a test", {}, {}, {}, tuple(names)), ShowingGenerator())


def noises(pictures):
    return pictures[..., 0, 0]


def weights(pictures):
    return pictures[..., :3, 1, 0]


def test_sample_k_is_made_of_noise_k_and_of_each_class_in_turn():
    rendered, entries = render(NAMES)
    assert set(rendered) == {"pictures"}
    np.testing.assert_array_equal(noises(rendered["pictures"]), ShowingGenerator().draw_noise(3, 5))
    np.testing.assert_array_equal(weights(rendered["pictures"]), np.eye(3)[[0, 1, 2, 0, 1]])
    assert entries[4] == {"noise": [4], "class": "horse"}
    few, _ = render(NAMES, count=2)
    np.testing.assert_array_equal(few["pictures"], rendered["pictures"][:2])


def test_samples_of_one_class_and_of_a_model_without_classes():
    rendered, entries = render(NAMES, first="cat")
    np.testing.assert_array_equal(weights(rendered["pictures"]), np.eye(3)[[2] * 5])
    rendered, entries = render()
    assert (weights(rendered["pictures"]) == 0).all() and entries[1] == {"noise": [1]}


def test_strips_are_slerps_between_two_noises_of_one_class():
    rendered, entries = render(NAMES, InterpolateNoise, strip=3, count=4)
    noise = ShowingGenerator().draw_noise(3, 8)
    assert set(rendered) == {"parents", "strips"}
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 0], noise[::2])
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 2], noise[1::2])
    np.testing.assert_array_equal(noises(rendered["strips"])[:, 1], slerp(noise[::2], noise[1::2], 0.5))
    np.testing.assert_array_equal(weights(rendered["strips"])[:, 1], np.eye(3)[[0, 1, 2, 0]])
    assert entries[3] == {"noise": [6, 7], "class": "bird"}


def test_blends_move_the_class_and_keep_the_noise():
    rendered, entries = render(NAMES, BlendClasses, first="horse", second="bird", mix=0.25, strip=5)
    np.testing.assert_array_equal(noises(rendered["pictures"]), ShowingGenerator().draw_noise(3, 5))
    np.testing.assert_allclose(weights(rendered["pictures"]), [[0.25, 0.75, 0]] * 5)
    np.testing.assert_array_equal(rendered["strips"][:, 1], rendered["pictures"])
    np.testing.assert_array_equal(rendered["strips"][:, [0, 4]], rendered["parents"])
    np.testing.assert_array_equal(weights(rendered["parents"])[0], [[0, 1, 0], [1, 0, 0]])
    assert (noises(rendered["strips"]) == ShowingGenerator().draw_noise(3, 5)[:, None]).all()
    assert entries[2] == {"noise": [2], "class": "horse", "second_class": "bird"}


def test_corners_of_a_j_diagram_are_three_noises_and_their_analogy():
    rendered, entries = render(NAMES, InterpolateNoise, layout="j", strip=5, count=4)
    cells, noise = noises(rendered["diagrams"]), ShowingGenerator().draw_noise(3, 12).reshape(4, 3, 4)
    a, b, c = noise.swapaxes(0, 1)
    assert cells.shape == (4, 5, 5, 4)
    for place, expected in (((0, 0), a), ((0, 4), b), ((4, 0), c), ((4, 4), b + c - a)):
        np.testing.assert_array_equal(cells[:, *place], expected)
    np.testing.assert_array_equal(cells[:, 0, 1], slerp(a, b, 0.25))
    np.testing.assert_array_equal(cells[:, 3, 0], slerp(a, c, 0.75))
    np.testing.assert_array_equal(weights(rendered["diagrams"])[:, 2, 3], np.eye(3)[[0, 1, 2, 0]])
    assert entries[1] == {"noise": [3, 4, 5], "class": "horse"}


def test_a_mine_grid_has_noises_at_every_second_place():
    rendered, entries = render((), InterpolateNoise, layout="mine", strip=5, count=2)
    cells = noises(rendered["diagrams"])[:, ::2, ::2].reshape(18, 4)
    np.testing.assert_array_equal(cells, ShowingGenerator().draw_noise(3, 18))
    assert entries[1] == {"noise": list(range(9, 18))}
