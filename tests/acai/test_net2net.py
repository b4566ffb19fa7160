"""An ACAI that begins with a smaller one's weights makes the same pictures."""

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
    """A model with biases that are not 0."""
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
def test_the_larger_makes_the_same_pictures(small, larger):
    model = make(seed=1, **larger)
    net2net.begin_with(model, weights(small), "a test")
    close = dict(rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(IMAGES), small(IMAGES), **close)
    np.testing.assert_allclose(
        adversary(model, "critic").network(IMAGES), adversary(small, "critic").network(IMAGES), **close
    )
    for ours, theirs in ((model.autoencoder, small.released), (model.released, small.released)):
        np.testing.assert_allclose(ours.encode(IMAGES)[..., :2], theirs.encode(IMAGES), **close)
        np.testing.assert_allclose(ours.decode(ours.encode(IMAGES)), theirs.decode(theirs.encode(IMAGES)), **close)


def test_new_channels_of_the_code_say_something_that_is_not_read_yet(small):
    model = make(seed=1, latent_channels=4)
    net2net.begin_with(model, weights(small), "a test")
    codes = np.asarray(model.released.encode(IMAGES))
    assert codes[..., 2:].std(axis=(0, 1, 2)).min() > 0.01
    changed = codes.copy()
    changed[..., 2:] += 1
    np.testing.assert_array_equal(model.released.decode(changed), model.released.decode(codes))


def test_of_the_same_sizes_the_weights_are_the_same(small):
    model = make(seed=1)
    classifier = np.asarray(model.latent_classifier.variables[0])
    net2net.begin_with(model, weights(small), "a test")
    for name, value in weights(small).items():
        if not name.startswith("classifier/"):
            np.testing.assert_array_equal(model.state()[name], value, err_msg=name)
    np.testing.assert_array_equal(model.latent_classifier.variables[0], classifier)


def test_inputs_by_hand():
    kernel = np.float32([[[[1, 2], [3, 4]]]])  # [1, 1, 2, 2]
    shared = net2net.more_inputs(kernel, 6, np.random.default_rng(0))
    assert shared.shape == (1, 1, 6, 2)
    np.testing.assert_allclose(shared.reshape(3, 2, 2).sum(axis=0), kernel[0, 0], rtol=1e-6)
    shares = shared.reshape(3, 2, 2) / kernel[0, 0]
    np.testing.assert_allclose(shares[..., 0], shares[..., 1], rtol=1e-6)  # of an input, not of a weight
    assert len(np.unique(shares[..., 0].round(4))) == 6 and shares.min() > 0.5 / 3.5
    padded = net2net.more_inputs(kernel, 3, None)
    np.testing.assert_array_equal(padded, [[[[1, 2], [3, 4], [0, 0]]]])


def test_outputs_by_hand():
    kernel, initial = np.float32([[[[1, 2]]]]), np.float32([[[[5, 6, 7, 8]]]])
    np.testing.assert_array_equal(net2net.more_outputs(kernel, initial, copies=True), [[[[1, 2, 1, 2]]]])
    np.testing.assert_array_equal(net2net.more_outputs(kernel, initial, copies=False), [[[[1, 2, 7, 8]]]])


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
def test_what_cannot_be_made_of_it_is_refused_and_changes_nothing(small, other, named):
    model = make(seed=1, **other)
    before = {name: np.asarray(variable).copy() for name, variable in model.state().items()}
    with pytest.raises(InputError, match=rf"(?s)^--config.train.start_from is required.*{named}"):
        net2net.begin_with(model, weights(small), "a test")
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


def test_codes_that_the_encoder_only_hints_at_are_refused(small, tmp_path):
    config = configs.acai.get_config("vae")
    release.write(tmp_path, config.to_dict(), small.release_state(), {"latents": np.zeros((1, 2, 2, 2))})
    config.train.start_from = str(tmp_path)
    with pytest.raises(InputError, match="start_from must have a plain bottleneck. Received: .*, vae"):
        training.acai.start(config, make(seed=1))


@pytest.mark.parametrize(("changes", "named"), [({}, "start_from"), ({"bottleneck": "vae"}, "model.bottleneck")])
def test_configs_that_start_from_nothing(changes, named):
    config = configs.acai.get_config()
    config.model.update(changes)
    config.train.start_from = "nowhere" if named == "start_from" else "acai"
    with pytest.raises(InputError, match=f"--config.(train.)?{named} is required"):
        check(config)


@pytest.mark.slow
def test_the_command_starts_from_it_once(small, tmp_path, monkeypatch):
    """A run that stands still keeps the source's weights; when it goes on, the source may be another by then."""
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
        for name in ("encoder/00_linear_kernel", "critic/00_linear_kernel"):
            np.testing.assert_array_equal(arrays[name], first[name].astype(np.float16), err_msg=name)
