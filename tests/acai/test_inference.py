"""Released networks: the averaged weights, and weights that do not fit the architecture."""

import numpy as np
import pytest

from acai.inference import ReleasedACAI
from acai.model import paper_acai
from common.errors import InputError

SIZES = dict(width=32, colours=3, latent_width=4, latent_channels=2, depth=2, critic_depth=3)


@pytest.fixture(scope="module")
def model():
    return paper_acai(depth=2, critic_depth=3, latent_channels=2, ema_rate=0.9)


def test_released_networks_are_averaged(model):
    random = np.random.default_rng(0)
    for variable in model.variables:  # trained and averaged weights differ from here on
        if variable.dtype == "float32":
            variable.assign(random.normal(scale=0.3, size=variable.shape))
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    released = ReleasedACAI(SIZES, weights, "here")
    images = random.uniform(-1, 1, (7, 32, 32, 3)).astype(np.float32)
    latents = random.normal(size=(7, 4, 4, 2)).astype(np.float16)
    close = dict(rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(released.encode(images), model.released.encoder(images), **close)
    np.testing.assert_allclose(
        released.decode(latents), model.released.decoder(latents.astype(np.float32)), **close
    )
    np.testing.assert_allclose(released.predict_mix(images), model.adversaries[0].network(images), **close)
    assert not np.allclose(released.encode(images), model.encoder(images), atol=1e-2)
    assert released.predict_mix(images).shape == (7,)
    np.testing.assert_array_equal(released.decode(latents[5:6])[0], released.decode(latents)[5])
    np.testing.assert_array_equal(released.encode(images[5:6])[0], released.encode(images.repeat(10, 0))[50])


def test_weights_of_another_architecture_are_refused(model):
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    for changes in (dict(depth=3), dict(latent_channels=3), dict(critic_depth=2), dict(width=64)):
        with pytest.raises(InputError, match="Weights must fit the configured architecture.*Received: here with"):
            ReleasedACAI(SIZES | changes, weights, "here")
    short = {name: value for name, value in weights.items() if not name.startswith("critic/linear_then_conv2d_0/")}
    with pytest.raises(InputError, match="nothing"):
        ReleasedACAI(SIZES, short, "here")


def test_release_without_a_critic_can_be_used(model):
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    fewer = {name: value for name, value in weights.items() if not name.startswith("critic/")}
    released = ReleasedACAI(SIZES, fewer, "here")
    assert released.critic is None and released.encode(np.zeros((2, 32, 32, 3))).shape == (2, 4, 4, 2)
    with pytest.raises(ValueError, match="predict_mix needs a release with a critic"):
        released.predict_mix(np.zeros((2, 32, 32, 3)))


@pytest.mark.parametrize("images", [np.full((2, 32, 32, 3), 200, np.uint8), np.zeros((32, 32, 3))])
def test_pixels_of_files_and_single_images_are_refused(model, images):
    """Levels up to 255 in place of floats up to 1 would give latents of nothing that was ever seen."""
    released = ReleasedACAI(SIZES, {name: np.asarray(v) for name, v in model.release_state().items()}, "here")
    for function in (released.encode, released.predict_mix):
        with pytest.raises(ValueError, match=r"floats \[N, H, W, C\] in \[-1, 1\]. Received: (uint8|float64) \("):
            function(images)
