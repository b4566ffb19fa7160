"""--config.train.start_from: an ACAI that begins with the weights of a release of the same sizes."""

import json

import keras
import numpy as np
import pytest

import configs.acai
import train
import training.acai
from common import release
from common.errors import InputError
from configs.check import check
from tests.support.acai_models import build
from tests.support.running_commands import TrainFlags
from training.checkpoints import Checkpoints

SIZES = dict(width=8, latent_width=2, latent_channels=2, depth=2, critic_depth=2, classes=2, ema_rate=0.5)


def make(seed=0, **options):
    """A model in which trained and averaged weights differ, and no weight is 0."""
    keras.utils.set_random_seed(seed)
    model = build(**SIZES | options)
    model.compile()
    random = np.random.default_rng(seed)
    for name, variable in model.state().items():
        if name != "step" and "_optimizer/" not in name:
            variable.assign(random.normal(0, 0.1, variable.shape).astype(np.float16))  # as a release rounds
    return model


def arrays(variables):
    return {name: np.asarray(variable).copy() for name, variable in variables.items()}


def write(folder, model, variant="paper"):
    """Writes a model's release and returns a config that starts from it."""
    config = configs.acai.get_config(variant)
    release.write(folder, config.to_dict(), model.release_state(), {"latents": np.zeros((1, 2, 2, 2))})
    config.train.start_from = str(folder)
    return config


def test_equal_sizes_copy_all_networks_and_averages(tmp_path):
    """Both the trained and the averaged autoencoder get the released weights; the optimizers begin anew."""
    source, model = make(), make(seed=1, adversarial_weight=0.1)
    before = arrays(model.state())
    config = write(tmp_path, source)
    check(config)
    training.acai.start(config, model)
    released, after = arrays(source.release_state()), arrays(model.state())
    for name, value in released.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
        if name.startswith(("encoder/", "decoder/")):
            np.testing.assert_array_equal(after[f"trained_{name}"], value, err_msg=name)
    changed = {name.partition("/")[0] for name in after if not np.array_equal(after[name], before[name])}
    assert changed == {"encoder", "decoder", "trained_encoder", "trained_decoder", "critic", "classifier"}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3))
    np.testing.assert_array_equal(model(images), source(images))
    assert int(model.step) == 0


def test_a_released_discriminator_is_copied_too(tmp_path):
    source, model = make(adversarial_weight=0.1), make(seed=1, adversarial_weight=0.1)
    training.acai.start(write(tmp_path, source), model)
    for name, value in arrays(source.release_state()).items():
        np.testing.assert_array_equal(model.state()[name], value, err_msg=name)


def test_networks_that_only_the_release_has_are_ignored(tmp_path):
    source, model = make(adversarial_weight=0.1), make(seed=1, mix_weight=0.0, ema_rate=0.0)
    training.acai.start(write(tmp_path, source), model)
    released = arrays(source.release_state())
    assert model.release_state().keys() < released.keys()
    for name, variable in model.release_state().items():
        np.testing.assert_array_equal(variable, released[name], err_msg=name)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (dict(depth=4), "decoder/conv2d_0/bias"),
        (dict(latent_channels=4), "classifier/dense_0/kernel"),
        (dict(latent_width=4), "classifier/dense_0/kernel"),
        (dict(critic_depth=3), "critic/conv2d_0/bias"),
        (dict(classes=3), "classifier/dense_0/bias"),
    ],
    ids=str,
)
def test_other_sizes_are_refused_and_change_nothing(other, named, tmp_path):
    model = make(seed=1, **other)
    before = arrays(model.state())
    message = f"^Weights must fit .* Received: {tmp_path} with .* for .*{named}"
    with pytest.raises(InputError, match=message) as error:
        training.acai.start(write(tmp_path, make()), model)
    assert "\n" not in str(error.value)
    for name, value in before.items():
        np.testing.assert_array_equal(model.state()[name], value, err_msg=name)


@pytest.mark.slow
def test_a_resumed_run_does_not_copy_the_weights_again(tmp_path, monkeypatch):
    """At a learning rate of 0 a run keeps the source's weights, even when the source changes before it resumes."""
    config = configs.acai.get_config("lines")
    sizes = dict(width=32, latent_width=2, latent_channels=2, depth=2, critic_depth=2)
    config.model.update(sizes)
    config.train.update(
        dict(batch_size=4, schedule="constant", learning_rate=0.0, critic_learning_rate=0.0, jit_compile="off")
    )
    config.train.update(dict(start_from=str(tmp_path / "source"), pictures_every_kimg=0.0, release_every_kimg=0.0))
    flags = TrainFlags(config=config, workdir=str(tmp_path / "run"), data_dir=None)
    monkeypatch.setattr(train, "FLAGS", flags)
    monkeypatch.setattr(training.acai, "evaluate", lambda *_: {})
    first = None
    for step in (1, 2):
        source = make(seed=step, colours=1, **sizes | {"classes": 1})
        write(tmp_path / "source", source, "lines")
        first = first or arrays(source.release_state())
        config.train.total_kimg = step * 0.004
        train.main()
        _, saved = Checkpoints(tmp_path / "run" / "checkpoints").load_latest()
        for name, value in first.items():
            np.testing.assert_array_equal(saved[name], value, err_msg=name)


@pytest.mark.parametrize("config", [{}, {"model": None}, {"family": "acai", "model": []}])
def test_a_run_whose_config_has_no_model_is_refused(tmp_path, config):
    Checkpoints(tmp_path / "checkpoints").save(1, {})
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="must be a plain ACAI. Received: .* bottleneck unknown"):
        training.acai.read_source(str(tmp_path))
