"""Every variant of every config: locked, equal to published values, and trained for one step."""

import json
import math
import os
from types import SimpleNamespace

import numpy as np
import pytest
import requests

import train
import training.acai
import training.session
import training.wing_classifier
from common import release
from configs import acai, classifier, gan
from tests.support.photographs import labelled_images
from tests.support.running_commands import TrainFlags
from training.metric_descriptions import DESCRIPTIONS
from training.schedule import cosine

VARIANTS = [
    *((acai, name) for name in ("paper", "pegasus", "small", "ten_1024", "lines", "quick")),
    *((acai, f"{prefix}{name}") for prefix in acai.PREFIXES for name in acai.BASELINES),
    (classifier, "classifier"),
    (classifier, "referee"),
    (classifier, "wing_classifier"),
    (classifier, "wing_referee"),
    (gan, "dcgan"),
    (gan, "cgan"),
    (gan, "sngan"),
    (gan, "wgan"),
    (gan, "wgan_gp"),
    (gan, "alternating"),
]
NAMES = [name for _, name in VARIANTS]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_paper_config_has_the_papers_values():
    """CIFAR-10 with 256 latents in arXiv 1807.07543 and its official code."""
    config = acai.get_config()
    model, training = config.model, config.train
    assert (model.width, model.depth, model.critic_depth) == (32, 64, 64)
    assert (model.latent_width, model.latent_channels) == (4, 16)
    assert (model.mix_weight, model.regularisation) == (0.5, 0.2)
    assert model.adversarial_weight == model.masked_blends == training.ema_rate == 0  # none is the paper's
    assert training.batch_size == 64 and training.schedule == "constant"
    assert training.learning_rate == training.critic_learning_rate == 1e-4
    assert training.total_kimg == pytest.approx(2**24 / 1000, abs=0.5)
    assert config.data.pairing == "shuffled" and not config.data.flip
    assert config.data.classes == CLASSES


def test_paper_is_the_default():
    assert acai.get_config().to_dict() == acai.get_config("paper").to_dict()


def test_lines_config_has_the_papers_sizes():
    config = acai.get_config("lines")
    model = config.model
    assert (model.width, model.depth, model.critic_depth) == (32, 16, 16)
    assert (model.latent_width, model.latent_channels) == (2, 16)
    assert config.data.source == "lines" and model.adversarial_weight == model.masked_blends == 0


@pytest.mark.parametrize(("variant", "latents", "depth"), [("small", 256, 16), ("ten_1024", 1024, 32)])
def test_smaller_recipes_differ_from_the_paper_only_in_documented_fields(variant, latents, depth):
    config, paper = acai.get_config(variant), acai.get_config()
    assert config.model.latent_width**2 * config.model.latent_channels == latents
    assert config.data.to_dict() == paper.data.to_dict()
    model, papers = config.model.to_dict(), paper.model.to_dict()
    changed = {name for name in model if model[name] != papers[name]}
    assert changed - {"latent_channels"} == {"depth", "critic_depth"}
    assert config.model.depth == config.model.critic_depth == depth


def test_pegasus_pairs_horses_with_birds():
    config = acai.get_config("pegasus")
    assert set(config.data.classes) == {"bird", "horse"} and config.data.pairing == "across"
    assert sorted(config.data.groups) == [("bird",), ("horse",)]
    assert config.model.adversarial_weight > 0 and 0.9 < config.train.ema_rate < 1
    training, model = config.train, config.model
    assert 0 < training.discriminator_from_kimg < training.adversarial_from_kimg < training.total_kimg
    assert (model.latent_width, model.latent_channels, model.depth) == (8, 16, 32)
    assert 0 < model.masked_blends < 1 and training.start_from == ""


def test_learning_rate_changes_when_the_adversarial_loss_starts():
    config = acai.get_config("pegasus")
    config.train.batch_size, config.train.adversarial_from_kimg = 64, 0.64  # step 10
    config.train.adversarial_learning_rate = 1e-5
    schedule = training.acai.rate(config, 1e-3, "constant")
    assert [float(schedule(step)) for step in (0, 9, 10, 11)] == pytest.approx([1e-3, 1e-3, 1e-5, 1e-5])
    config.model.adversarial_weight = 0.0
    assert training.acai.rate(config, 1e-3, "constant") == 1e-3
    config.train.total_kimg = 6.4  # 100 steps
    assert float(training.acai.rate(config, 1e-3, "cosine")(50)) == pytest.approx(0.5e-3)
    config.train.schedule_floor = 0.2  # half way from 1 to 0.2
    fallen = training.acai.rate(config, 1e-3, "cosine")
    assert [float(fallen(step)) for step in (0, 50, 100, 200)] == pytest.approx([1e-3, 0.6e-3, 0.2e-3, 0.2e-3])


def test_critic_has_its_own_schedule():
    config = acai.get_config()
    config.model.depth, config.model.critic_depth, config.data.classes = 2, 2, ("bird",)
    config.train.schedule, config.train.total_kimg = "cosine", 6.4  # 100 steps
    images = SimpleNamespace(images=np.zeros((1, 32, 32, 3), np.uint8), class_names=("bird",))
    model = training.acai.build(config, images)
    model.step.assign(50)
    rates = {name: float(optimizer.learning_rate) for name, optimizer in model.optimizers.items()}
    assert rates == pytest.approx({"autoencoder": 0.5e-4, "classifier": 0.5e-4, "critic": 1e-4})


def test_cosine_schedule_warms_up_and_decays_to_0():
    config = classifier.get_config()
    config.train.total_kimg, config.train.batch_size = 1.0, 10  # 100 steps
    schedule = cosine(config, 0.8, warmup=0.2)
    assert [float(schedule(step)) for step in (0, 5, 20, 60, 100)] == pytest.approx([0, 0.2, 0.8, 0.4, 0])
    schedule = cosine(config, 0.8, warmup=0.2, floor=0.5)
    assert [float(schedule(step)) for step in (0, 5, 20, 60, 100)] == pytest.approx([0, 0.2, 0.8, 0.6, 0.4])


@pytest.mark.parametrize(("module", "variant"), VARIANTS, ids=NAMES)
def test_variants_have_the_same_fields(module, variant):
    """All variants of a family have fields of the same plain types, which config.json restores."""

    def types(tree):
        return {name: types(v) if isinstance(v, dict) else type(v) for name, v in tree.items()}

    config = module.get_config(variant)
    first = [name for m, name in VARIANTS if m is module and m.get_config(name).family == config.family][0]
    assert types(config.to_dict()) == types(module.get_config(first).to_dict())
    restored = json.loads(config.to_json())
    assert restored == json.loads(json.dumps(config.to_dict()))


def test_calls_do_not_share_state():
    acai.get_config("pegasus").model.depth = 99
    assert acai.get_config("pegasus").model.depth != 99


def test_classifier_and_referee_differ_in_architecture_and_seed():
    one, other = classifier.get_config(), classifier.get_config("referee")
    assert one.model.architecture != other.model.architecture and one.train.seed != other.train.seed
    assert one.data.classes == other.data.classes == CLASSES


def test_search_classifier_b_differs_from_the_referee_by_its_seed_only():
    seeds = [classifier.get_config(name).train.seed for name in ("classifier", "search_classifier_b", "referee")]
    assert len(set(seeds)) == 3
    second = classifier.get_config("search_classifier_b")
    second.train.seed = seeds[2]
    assert second == classifier.get_config("referee")


def test_wing_classifiers_differ_in_all_that_could_make_them_err_alike():
    one, other = (classifier.get_config(name) for name in ("wing_classifier", "wing_referee"))
    for section, field in (
        ("model", "architecture"),
        ("data", "fold"),
        ("data", "ranges"),
        ("train", "seed"),
    ):
        assert one[section][field] != other[section][field], field


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            acai,
            "paper, pegasus, small, ten_1024, lines, quick, folder, lines_baseline, .*, baseline, .*, vqvae",
        ),
        (classifier, "classifier, search_classifier_b, referee, wing_classifier, wing_referee"),
        (gan, "dcgan, cgan, sngan, wgan, wgan_gp, alternating"),
    ],
)
def test_unknown_variant_lists_the_variants(module, names):
    with pytest.raises(ValueError, match=f"{names}.*'dragon'"):
        module.get_config("dragon")


def test_a_misspelt_variant_gets_the_nearest_one():
    with pytest.raises(ValueError, match="Received: 'quik'; did you mean quick\\?"):
        acai.get_config("quik")


SMALL = {
    "model.depth": 2,
    "model.critic_depth": 2,
    "model.discriminator_channels": 2,
    "model.generator_channels": 2,
    "model.channels": (2, 2, 2),
    "train.batch_size": 4,
    "train.total_kimg": 0.004,
    "train.pictures_every_kimg": 0.004,
    "train.discriminator_from_kimg": 0.0,
    "train.adversarial_from_kimg": 0.0,
    "train.jit_compile": "off",
    "train.bank_per_class": (3, 1),
    "data.composites": 12,
}


USUAL = "pegasus lines classifier wing_classifier dcgan".split()


def one_of_each():
    """All variants; those similar to another variant, or tested elsewhere, are slow tests."""
    for (module, variant), name in zip(VARIANTS, NAMES, strict=True):
        yield pytest.param(module, variant, id=name, marks=[] if name in USUAL else [pytest.mark.slow])


@pytest.mark.parametrize(("module", "variant"), [*one_of_each()])
def test_each_config_trains_one_step(module, variant, tmp_path, monkeypatch, small_classifiers):
    """Runs train.main on mocked CIFAR-10 (lines need none): a step, logs, pictures, a release and a checkpoint."""
    tfds = pytest.importorskip("tensorflow_datasets")
    config = module.get_config(variant)
    for name, value in SMALL.items():
        section, field = name.split(".")
        if field in config[section]:
            config[section][field] = value
    if "ids" in config.data:  # those of the mocked images are others
        config.data.ids = ()
    flags = TrainFlags(config=config.lock(), workdir=f"{tmp_path}/run", data_dir=f"{tmp_path}/data")
    monkeypatch.setattr(train, "FLAGS", flags)
    monkeypatch.setattr(requests, "head", lambda *_, **__: requests.Response())
    monkeypatch.setattr(requests.Response, "raise_for_status", lambda self: None)
    if config.family == "wing_classifier":  # mocked images have no labels
        monkeypatch.setattr(training.session, "load_images", lambda *_: [labelled_images()] * 2)
        monkeypatch.setattr(training.wing_classifier, "HELD_OUT", 12)
    with tfds.testing.mock_data(num_examples=300):  # about 30 of each class
        train.main()
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logs = json.loads(line)
    assert logs["step"] == 1 and logs["kimg"] == 0.004
    assert all(math.isfinite(value) for value in logs.values())
    assert logs.keys() - {"step", "kimg"} <= DESCRIPTIONS.keys()
    assert any(name.startswith(("holdout_", "sample_")) for name in logs), "no validation"
    (checkpoint,) = os.listdir(tmp_path / "run" / "checkpoints")
    assert checkpoint.startswith("000000001-")
    pictures = {name.partition("-")[0] for name in os.listdir(tmp_path / "run" / "pictures")}
    shown = {acai: {"blends", "reconstructions", "strips"}, classifier: {"mistakes"}, gan: {"samples"}}
    conditional = module is gan and config.model.conditional
    assert pictures == shown[module] | ({"morphs"} if conditional else set())
    assert release.read_config(tmp_path / "run" / "release")["trained_kimg"] == 0.004
    files = set(os.listdir(tmp_path / "run" / "release"))
    assert files == {"config.json", "weights.npz"} | ({"bank.npz"} if module is acai else set())
