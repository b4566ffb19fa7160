"""python -m training.convert: releases and runs with variables named by number and earlier names of fields."""

import json

import numpy as np
import pytest

import configs.acai
from common import release
from common.errors import InputError
from common.files import digest
from tests.support.acai_models import build
from training import convert
from training.checkpoints import Checkpoints

SIZES = dict(width=32, latent_width=8, latent_channels=2, depth=2, critic_depth=2, discriminator_channels=2)


def old_config():
    """As `configs.acai` wrote it before November 28, 2026."""
    config = configs.acai.get_config("pegasus")
    config.model.update(SIZES)
    config = config.to_dict()
    for new, old in (("adversarial_", "realism_"), ("r1_weight", "realism_penalty"), ("codebook_size", "codes")):
        for section in ("model", "train"):
            config[section] = {name.replace(new, old): value for name, value in config[section].items()}
    config["model"] |= {"realism_loss": "non_saturating", "recognition_weight": 0.0, "reconstruction": "squared"}
    del config["model"]["masked_blends"]
    return config


def by_number(state):
    """{old name: array}: variables of each network counted in their order."""
    counts, found = {}, {}
    for name, variable in state.items():
        network, last = name.split("/")[0], name.split("/")[-1]
        if "_optimizer" in name or name == "step":
            found[name] = np.asarray(variable)
        else:
            found[f"{network}/{counts.get(network, 0):02d}_{last}"] = np.asarray(variable)
            counts[network] = counts.get(network, 0) + 1
    return found


@pytest.fixture(scope="module")
def model():
    model = build(**SIZES, classes=2, adversarial_weight=0.1, ema_rate=0.5)
    model.compile()
    return model


def expected_config():
    config = configs.acai.get_config("pegasus")
    config.model.update(SIZES)
    config.model.masked_blends = 0.0  # the base's: a loss or trick that is new is off
    return json.loads(config.to_json())


def write_old_release(folder, model):
    """Writes a release with a manifest of it beside; returns the digest of the weights."""
    release.write(folder, old_config(), by_number(model.release_state()), {"latents": np.zeros((1, 8, 8, 2))})
    weights_digest = digest((folder / "weights.npz").read_bytes())
    (folder / "pegasus.json").write_text(json.dumps({"weights_digest": weights_digest}))
    return weights_digest


def assert_converted(folder, model, old_digest):
    """Manifests beside a release get the digest of the new weights."""
    config, weights, _, new_digest = release.read(folder)
    assert config == expected_config()
    manifest = json.loads((folder / "pegasus.json").read_text())
    assert manifest == {"weights_digest": new_digest} and new_digest != old_digest
    state = model.release_state()
    assert weights.keys() == state.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(array, np.float16(state[name]), err_msg=name)


def test_a_release(model, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old_digest = write_old_release(old, model)
    convert.main([str(old), str(new)])
    assert_converted(new, model, old_digest)
    assert release.read(old)[0]["model"]["realism_penalty"] == 0.03  # as it was


def test_a_run(model, tmp_path):
    """Also one that has written a release."""
    old, new = tmp_path / "old", tmp_path / "new"
    Checkpoints(old / "checkpoints").save(7, by_number(model.state()))
    (old / "config.json").write_text(json.dumps(old_config()))
    (old / "metrics.jsonl").write_text("{}")
    old_digest = write_old_release(old / "release", model)
    convert.main([str(old), str(new)])
    assert {path.name for path in new.iterdir()} == {"checkpoints", "config.json", "metrics.jsonl", "release"}
    assert_converted(new / "release", model, old_digest)
    assert json.loads((new / "config.json").read_text()) == expected_config()
    step, arrays = Checkpoints(new / "checkpoints").load_latest()
    assert step == 7 and arrays.keys() == model.state().keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, model.state()[name], err_msg=name)


def test_new_names_are_not_renamed_again(model, tmp_path):
    release.write(tmp_path / "old", old_config(), model.release_state(), {"latents": np.zeros((1, 8, 8, 2))})
    with pytest.raises(InputError, match="OLD must have variables named by number"):
        convert.main([str(tmp_path / "old"), str(tmp_path / "new")])
