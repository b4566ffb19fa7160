"""Inference with a released GAN: reproducible images, classes, and inputs and weights that do not fit."""

import numpy as np
import pytest

from common.errors import InputError
from gan.inference import ReleasedGAN
from tests.support.gan_models import build_gan

CONFIG = dict(architecture="dcgan", width=8, colours=3, noise_size=6, generator_channels=2, up="transposed")
CONFIG |= dict(classes=0, condition="projection", spherical_noise=False)


def release(seed=0, **options):
    """A GAN with random weights and statistics, and its released form."""
    model, rng = build_gan(**CONFIG | options), np.random.default_rng(seed)
    for variable in model.generator.variables:
        variable.assign(0.5 * rng.standard_normal(variable.shape) + (variable.name == "moving_variance"))
    for variable in model.generator.variables:
        if variable.name == "moving_variance":
            variable.assign(np.abs(variable))
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    return model, ReleasedGAN(CONFIG | options, weights | {"discriminator/0": np.zeros(1)}, "a test")


@pytest.fixture(scope="module")
def plain():
    return release()


@pytest.fixture(scope="module")
def conditional():
    return release(classes=3)


def test_sample_equals_the_model_in_inference(plain):
    model, released = plain
    noise = released.draw_noise(0, 4)
    images = released.sample(noise)
    assert images.dtype == np.float32 and images.shape == (4, 8, 8, 3)
    np.testing.assert_allclose(images, model(noise), rtol=1e-5, atol=1e-6)
    assert images.min() < -0.1 and images.max() > 0.1 and np.abs(images).max() <= 1
    assert len({image.tobytes() for image in images}) == 4


def test_an_image_does_not_depend_on_the_rest_of_its_batch(plain):
    _, released = plain
    noise = released.draw_noise(0, 70)
    images = released.sample(noise)
    np.testing.assert_array_equal(released.sample(noise[66:67])[0], images[66])
    np.testing.assert_array_equal(released.sample(noise[::-1])[::-1], images)
    assert released.sample(noise[:0]).shape == (0, 8, 8, 3)


def test_noise_is_a_function_of_seed_and_row(plain):
    _, released = plain
    noise = released.draw_noise(3, 5)
    assert noise.dtype == np.float32 and noise.shape == (5, 6)
    np.testing.assert_array_equal(released.noise_of(3, [4, 2]), noise[[4, 2]])
    assert len(np.unique(np.concatenate([noise, released.draw_noise(4, 5)]))) == 60
    assert released.draw_noise(0, 0).shape == (0, 6)
    many = released.draw_noise(0, 2000)
    assert abs(many.mean()) < 0.05 and abs(many.var() - 1) < 0.07


def test_spherical_noise(plain):
    _, gaussian = plain
    _, spherical = release(spherical_noise=True)
    noise, gaussian_noise = spherical.draw_noise(0, 3), gaussian.draw_noise(0, 3)
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), np.sqrt(6), rtol=1e-5)
    factors = np.sqrt(6) / np.linalg.norm(gaussian_noise, axis=1)[:, None]
    np.testing.assert_allclose(noise / gaussian_noise, factors * np.ones(6), rtol=1e-5)


def test_labels_are_equivalent_to_one_hot_weights(conditional):
    model, released = conditional
    noise, labels = released.draw_noise(0, 4), [2, 0, 1, 2]
    images = released.sample(noise, labels)
    weights = np.eye(3, dtype=np.float32)[labels]
    np.testing.assert_array_equal(images, released.sample(noise, weights))
    np.testing.assert_allclose(images, model([noise, weights]), rtol=1e-5, atol=1e-6)
    other_images = released.sample(noise, [0, 1, 2, 0])
    assert np.abs(images - other_images).max((1, 2, 3)).min() > 1e-3
    halfway = released.sample(noise, (weights + np.eye(3)[[0, 1, 2, 0]]) / 2)
    for end in (images, other_images):
        assert np.abs(halfway - end).max((1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("class_weights", [None, [0, 1], [0, 1, 3], [0, -1, 0], np.zeros((3, 2)), np.zeros(3)])
def test_class_weights_that_do_not_fit_are_refused(conditional, class_weights):
    _, released = conditional
    with pytest.raises(ValueError, match="class_weights must .* Received"):
        released.sample(released.draw_noise(0, 3), class_weights)


def test_class_weights_without_classes_and_noise_of_another_size_are_refused(plain):
    _, released = plain
    with pytest.raises(ValueError, match="class_weights must be None"):
        released.sample(released.draw_noise(0, 2), [0, 1])
    with pytest.raises(ValueError, match=r"noise must be \[N, 6\]. Received: \(2, 5\)"):
        released.sample(np.zeros((2, 5)))


def test_weights_of_another_size_are_refused(plain):
    model, _ = plain
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    with pytest.raises(InputError, match="a test with"):
        ReleasedGAN(CONFIG | {"generator_channels": 3}, weights, "a test")
