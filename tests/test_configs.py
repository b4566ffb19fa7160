"""Every variant of every config: locked, as published where it says so, and good for one real step."""

import json
import math
import os
from types import SimpleNamespace

import pytest
import requests

import train
from configs import acai, classifier
from training import acai as training_acai
from training.schedule import cosine

VARIANTS = [
    (acai, "paper"),
    (acai, "pegasus"),
    (acai, "lines"),
    (classifier, "classifier"),
    (classifier, "referee"),
]
NAMES = [name for _, name in VARIANTS]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_papers_values():
    """CIFAR-10 with 256 latents in arXiv 1807.07543 and its official code."""
    config = acai.get_config()
    model, training = config.model, config.train
    assert (model.width, model.depth, model.critic_depth) == (32, 64, 64)
    assert (model.latent_width, model.latent_channels) == (4, 16)
    assert (model.mix_weight, model.regularisation) == (0.5, 0.2)
    assert model.realism_weight == 0 and training.ema_rate == 0  # neither is the paper's
    assert training.batch_size == 64 and training.schedule == "constant"
    assert training.learning_rate == training.critic_learning_rate == 1e-4
    assert training.total_kimg == pytest.approx(2**24 / 1000, abs=0.5)
    assert config.data.pairing == "shuffled" and not config.data.flip
    assert config.data.classes == CLASSES and config.data.hold_out


def test_paper_is_the_default():
    assert acai.get_config().to_dict() == acai.get_config("paper").to_dict()


def test_lines_has_the_papers_sizes():
    config = acai.get_config("lines")
    model = config.model
    assert (model.width, model.depth, model.critic_depth) == (32, 16, 16)
    assert (model.latent_width, model.latent_channels) == (2, 16)
    assert config.data.source == "lines" and model.realism_weight == 0


def test_pegasus_pairs_horses_with_birds():
    config = acai.get_config("pegasus")
    assert set(config.data.classes) == {"bird", "horse"} and config.data.pairing == "across"
    assert sorted(config.data.groups) == [("bird",), ("horse",)]
    assert config.data.hold_out and config.model.realism_weight > 0 and 0.9 < config.train.ema_rate < 1
    training = config.train
    assert training.total_kimg >= 1500
    assert 0 < training.discriminator_from_kimg < training.realism_from_kimg < training.total_kimg


def test_rate_falls_where_the_autoencoder_listens_to_the_discriminator():
    config = acai.get_config("pegasus")
    config.train.realism_from_kimg, config.train.realism_learning_rate = 0.64, 1e-5  # step 10
    schedule = training_acai.rate(config, 1e-3)
    assert [float(schedule(step)) for step in (0, 9, 10, 11)] == pytest.approx([1e-3, 1e-3, 1e-5, 1e-5])
    config.model.realism_weight = 0.0
    assert training_acai.rate(config, 1e-3) == 1e-3
    config.train.schedule, config.train.total_kimg = "cosine", 6.4  # 100 steps
    assert float(training_acai.rate(config, 1e-3)(50)) == pytest.approx(0.5e-3)


def test_cosine_rises_and_then_falls_to_0():
    config = classifier.get_config()
    config.train.total_kimg, config.train.batch_size = 1.0, 10  # 100 steps
    schedule = cosine(config, 0.8, warmup=0.2)
    assert [float(schedule(step)) for step in (0, 5, 20, 60, 100)] == pytest.approx([0, 0.2, 0.8, 0.4, 0])


@pytest.mark.parametrize(("module", "variant"), VARIANTS, ids=NAMES)
def test_variants_differ_in_values_only(module, variant):
    """The same fields of the same types, all plain: config.json gives them back."""

    def types(tree):
        return {name: types(v) if isinstance(v, dict) else type(v) for name, v in tree.items()}

    config = module.get_config(variant)
    assert types(config.to_dict()) == types(module.get_config().to_dict())
    restored = json.loads(config.to_json())
    assert restored == json.loads(json.dumps(config.to_dict()))


def test_calls_do_not_share_state():
    acai.get_config("pegasus").model.depth = 99
    assert acai.get_config("pegasus").model.depth != 99


def test_judge_and_referee_have_nothing_in_common():
    one, other = classifier.get_config(), classifier.get_config("referee")
    assert one.model.architecture != other.model.architecture and one.train.seed != other.train.seed
    assert one.data.classes == other.data.classes == CLASSES
    assert one.data.hold_out and other.data.hold_out


@pytest.mark.parametrize(
    ("module", "names"), [(acai, "paper, pegasus, lines"), (classifier, "classifier, referee")]
)
def test_unknown_variant(module, names):
    with pytest.raises(ValueError, match=f"{names}.*'dragon'"):
        module.get_config("dragon")


SMALL = {
    "model.depth": 2,
    "model.critic_depth": 2,
    "model.discriminator_channels": 2,
    "model.channels": (2, 2, 2),
    "train.batch_size": 4,
    "train.total_kimg": 0.004,
    "train.pictures_every_kimg": 0.004,
    "train.discriminator_from_kimg": 0.0,
    "train.realism_from_kimg": 0.0,
    "train.jit_compile": False,
    "train.bank_per_class": (3, 1),
}


@pytest.mark.parametrize(("module", "variant"), VARIANTS, ids=NAMES)
def test_one_real_step(module, variant, tmp_path, monkeypatch):
    """All of train.main on mocked CIFAR-10 (lines need none): a step, logs, pictures, release, checkpoint."""
    tfds = pytest.importorskip("tensorflow_datasets")
    config = module.get_config(variant)
    for name, value in SMALL.items():
        section, field = name.split(".")
        if field in config[section]:
            config[section][field] = value
    monkeypatch.setattr(train, "CONFIG", SimpleNamespace(value=config.lock()))
    monkeypatch.setattr(train, "WORKDIR", SimpleNamespace(value=f"{tmp_path}/run"))
    monkeypatch.setattr(train, "DATA_DIR", SimpleNamespace(value=f"{tmp_path}/data"))
    monkeypatch.setattr(requests, "head", lambda *_, **__: requests.Response())
    monkeypatch.setattr(requests.Response, "raise_for_status", lambda self: None)
    with tfds.testing.mock_data(num_examples=300):  # about 30 of each class
        train.main()
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logs = json.loads(line)
    assert logs["step"] == 1 and logs["kimg"] == 0.004
    assert all(math.isfinite(value) for value in logs.values())
    check_losses(config, logs)
    (checkpoint,) = os.listdir(tmp_path / "run" / "checkpoints")
    assert checkpoint.startswith("000000001-")
    pictures = {name.partition("-")[0] for name in os.listdir(tmp_path / "run" / "pictures")}
    assert pictures == ({"mistakes"} if module is classifier else {"blends", "reconstructions", "strips"})
    files = set(os.listdir(tmp_path / "run" / "release"))
    assert files == {"config.json", "weights.npz"} | ({"bank.npz"} if module is acai else set())


def check_losses(config, logs):
    if config.family == "classifier":
        assert 0 < logs["classification_loss"] < 10 and logs["accuracy"] in (0, 0.25, 0.5, 0.75, 1)
        assert 0 <= logs["holdout_accuracy"] <= 1
        return
    realism = config.model.realism_weight
    assert ("discriminator_loss" in logs) == bool(realism)
    total = logs["reconstruction_loss"] + logs["mix_regulariser"] + logs.get("realism_loss", 0.0)
    assert logs["autoencoder_loss"] == pytest.approx(total, rel=1e-5)
    rate = config.train.realism_learning_rate if realism else config.train.learning_rate
    assert logs["learning_rate"] == pytest.approx(rate)
