"""An ACAI initialised with the weights of a smaller one computes the same pictures."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import configs.acai
import train
import training.acai
from acai import net2net
from acai.model import paper_acai
from common import release
from common.errors import InputError
from configs.check import check
from tests.support.acai_models import adversary
from training.checkpoints import Checkpoints

SMALL = dict(width=8, latent_width=2, latent_channels=2, depth=2, critic_depth=2, classes=2, ema_rate=0.5)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8, 3)).astype(np.float32)


def make(seed=0, **options):
    """A model with nonzero biases."""
    keras.utils.set_random_seed(seed)
    model = paper_acai(**SMALL | options)
    random = np.random.default_rng(seed)
    for variable in model.release_state().values():
        if len(variable.shape) == 1:
            variable.assign(random.normal(size=variable.shape))
    model.compile()
    return model


def weights(model):
    return {name: np.asarray(variable) for name, variable in model.release_state().items()}


@pytest.fixture(scope="module")
def small():
    return make()


@pytest.mark.parametrize(
    "larger",
    [dict(depth=4), dict(depth=6, critic_depth=4), dict(latent_channels=6), dict(depth=4, latent_channels=4)],
)
def test_the_wider_model_computes_the_same_pictures(small, larger):
    model = make(seed=1, **larger)
    net2net.copy_widened(model, weights(small), "a test")
    close = dict(rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(IMAGES), small(IMAGES), **close)
    np.testing.assert_allclose(
        adversary(model, "critic").network(IMAGES), adversary(small, "critic").network(IMAGES), **close
    )
    latents = small.released.encode(IMAGES)
    for wide in (model.autoencoder, model.released):
        wide_latents = wide.encode(IMAGES)
        np.testing.assert_allclose(wide_latents[..., :2], latents, **close)
        np.testing.assert_allclose(wide.decode(wide_latents), small.released.decode(latents), **close)


def test_new_latent_channels_are_encoded_but_not_decoded_yet(small):
    model = make(seed=1, latent_channels=4)
    net2net.copy_widened(model, weights(small), "a test")
    latents = np.asarray(model.released.encode(IMAGES))
    assert latents[..., 2:].std(axis=(0, 1, 2)).min() > 0.01
    changed = latents.copy()
    changed[..., 2:] += 1
    np.testing.assert_array_equal(model.released.decode(changed), model.released.decode(latents))


def test_equal_sizes_copy_the_weights(small):
    model = make(seed=1)
    classifier = np.asarray(model.latent_classifier.variables[0])
    net2net.copy_widened(model, weights(small), "a test")
    for name, value in weights(small).items():
        if not name.startswith("classifier/"):
            np.testing.assert_array_equal(model.state()[name], value, err_msg=name)
    np.testing.assert_array_equal(model.latent_classifier.variables[0], classifier)


def test_widen_inputs_by_hand():
    kernel = np.float32([[[[1, 2], [3, 4]]]])  # [1, 1, 2, 2]
    shared = net2net.widen_inputs(kernel, 6, np.random.default_rng(0))
    assert shared.shape == (1, 1, 6, 2)
    np.testing.assert_allclose(shared.reshape(3, 2, 2).sum(axis=0), kernel[0, 0], rtol=1e-6)
    shares = shared.reshape(3, 2, 2) / kernel[0, 0]
    np.testing.assert_allclose(shares[..., 0], shares[..., 1], rtol=1e-6)  # one share per input
    assert len(np.unique(shares[..., 0].round(4))) == 6 and shares.min() > 0.5 / 3.5
    padded = net2net.widen_inputs(kernel, 3, None)
    np.testing.assert_array_equal(padded, [[[[1, 2], [3, 4], [0, 0]]]])


def test_widen_outputs_by_hand():
    kernel, initial = np.float32([[[[1, 2]]]]), np.float32([[[[5, 6, 7, 8]]]])
    np.testing.assert_array_equal(net2net.widen_outputs(kernel, initial, copies=True), [[[[1, 2, 1, 2]]]])
    np.testing.assert_array_equal(net2net.widen_outputs(kernel, initial, copies=False), [[[[1, 2, 7, 8]]]])


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (dict(depth=3), "encoder.*widened to.*3"),  # not a multiple of 2
        (dict(depth=1), "encoder"),
        (dict(latent_channels=1), "encoder"),
        (dict(critic_depth=3), "critic"),
        (dict(latent_width=4), "encoder can be widened to 10 arrays. Received: a test with 14"),
    ],
)
def test_a_model_that_cannot_be_widened_raises_and_changes_nothing(small, other, named):
    model = make(seed=1, **other)
    before = {name: np.asarray(variable).copy() for name, variable in model.state().items()}
    with pytest.raises(InputError, match=rf"(?s)^--config.train.start_from must be.*{named}"):
        net2net.copy_widened(model, weights(small), "a test")
    for name, value in before.items():
        np.testing.assert_array_equal(model.state()[name], value, err_msg=name)


def test_a_training_starts_from_a_release(small, tmp_path):
    config = configs.acai.get_config()
    release.write(
        tmp_path / "release", config.to_dict(), small.release_state(), {"latents": np.zeros((1, 2, 2, 2))}
    )
    config.train.start_from = str(tmp_path)
    check(config)
    model = make(seed=1, depth=4)
    training.acai.start(config, model)
    np.testing.assert_allclose(model(IMAGES), small(IMAGES), rtol=0, atol=0.05)  # released as float16


def test_a_release_with_another_bottleneck_is_rejected(small, tmp_path):
    config = configs.acai.get_config("vae")
    release.write(tmp_path, config.to_dict(), small.release_state(), {"latents": np.zeros((1, 2, 2, 2))})
    config.train.start_from = str(tmp_path)
    with pytest.raises(InputError, match="start_from must have a plain bottleneck. Received: .*, vae"):
        training.acai.start(config, make(seed=1))


@pytest.mark.parametrize(("changes", "named"), [({}, "start_from"), ({"bottleneck": "vae"}, "model.bottleneck")])
def test_config_check_rejects_an_unusable_start(changes, named):
    config = configs.acai.get_config()
    config.model.update(changes)
    config.train.start_from = "nowhere" if named == "start_from" else "acai"
    with pytest.raises(InputError, match=f"--config.(train.)?{named} (is required|must be)"):
        check(config)


@pytest.mark.slow
def test_a_resumed_run_does_not_copy_the_weights_again(small, tmp_path, monkeypatch):
    """At a learning rate of 0 a run keeps the source's weights, even when the source changes before it resumes."""
    config = configs.acai.get_config("lines")
    sizes = dict(width=32, latent_width=2, latent_channels=2, depth=2, critic_depth=2)
    config.model.update(sizes)
    config.train.update(
        dict(batch_size=4, schedule="constant", learning_rate=0.0, critic_learning_rate=0.0, jit_compile="off")
    )
    config.train.update(dict(start_from=str(tmp_path / "source"), pictures_every_kimg=0.0, release_every_kimg=0.0))
    flags = SimpleNamespace(config=config, workdir=str(tmp_path / "run"), data_dir=None)
    monkeypatch.setattr(train, "FLAGS", flags)
    monkeypatch.setattr(training.acai, "evaluate", lambda *_: {})
    first = None
    for step in (1, 2):
        source = make(seed=step, colours=1, **sizes)
        release.write(tmp_path / "source", config.to_dict(), source.release_state(), {"latents": np.zeros((1, 2))})
        first = first or weights(source)
        config.train.total_kimg = step * 0.004
        train.main()
        arrays = Checkpoints(tmp_path / "run" / "checkpoints").load_latest()[1]
        for name in ("encoder/linear_then_conv2d_0/linear_kernel", "critic/linear_then_conv2d_0/linear_kernel"):
            np.testing.assert_array_equal(arrays[name], first[name].astype(np.float16), err_msg=name)
