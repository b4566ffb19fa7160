"""Numbers beyond what a library, a file's name or the memory holds are refused before TensorFlow is imported."""

import pytest

from common.backend import memory
from common.errors import InputError
from configs import acai, classifier, gan
from configs.check import LARGEST_FLOAT32, MAX_STEPS, check
from pegasus.search_config import MAX_CANDIDATES, Search

CONFIGS = {"acai": acai, "gan": gan, "classifier": classifier}


def checked(variant, name, value):
    family, _, variant = variant.partition(":")
    config, (section, field) = CONFIGS[family].get_config(variant), name.split(".")
    config[section][field] = value
    check(config)


@pytest.mark.parametrize(
    ("variant", "name", "largest"),
    [
        ("acai:lines", "train.seed", 2**32 - 1),
        ("gan:dcgan", "train.seed", 2**32 - 1),
        ("classifier:referee", "train.seed", 2**32 - 1),
        ("acai:lines", "train.keep_checkpoints", 2**31 - 1),
        ("acai:lines", "model.depth", 2**14),
        ("acai:lines", "model.latent_channels", 2**14),
        ("acai:vqvae", "model.codebook_size", 2**20),
        ("gan:dcgan", "model.noise_size", 2**14),
        ("gan:wgan", "model.critic_steps", 2**31 - 1),
        ("classifier:classifier", "data.shift", 31),
    ],
)
def test_integers_up_to_a_bound_are_accepted(variant, name, largest):
    checked(variant, name, largest)
    for value in (largest + 1, 2**63, 10**30):
        with pytest.raises(InputError, match=f"--config.{name} must be at most .* Received: {value}$"):
            checked(variant, name, value)


@pytest.mark.parametrize(
    "name",
    ["train.total_kimg", "train.save_every_kimg", "train.adversarial_from_kimg", "train.adversarial_ramp_kimg"],
)
def test_kimg_beyond_the_steps_that_names_of_checkpoints_hold_are_refused(name):
    checked("acai:lines", name, MAX_STEPS * 16 / 1000)  # batches of 16
    for value in (16_000_001.0, 1e12, 1e300):
        with pytest.raises(InputError, match=f"--config.{name} must be at most .*, which are 999,999,999 steps"):
            checked("acai:lines", name, value)


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("acai:lines", "train.learning_rate"),
        ("acai:lines", "model.mix_weight"),
        ("acai:pegasus", "model.r1_weight"),
        ("acai:lines", "data.memory_limit_gib"),
        ("acai:lines", "train.max_minutes"),
        ("gan:wgan", "model.weight_clip"),
        ("classifier:classifier", "train.weight_decay"),
    ],
)
def test_numbers_that_are_infinite_in_float32_are_refused(variant, name):
    checked(variant, name, LARGEST_FLOAT32)
    for value in (3.5e38, 1e300):
        with pytest.raises(InputError, match=f"--config.{name} must be at most 3.4e"):
            checked(variant, name, value)
    for value in (float("inf"), float("nan")):
        with pytest.raises(InputError, match=f"--config.{name} must be finite"):
            checked(variant, name, value)


@pytest.mark.parametrize(
    ("variant", "name", "bytes_each"),
    [
        ("acai:lines", "train.batch_size", 4),
        ("gan:dcgan", "model.replay_images", 4),
        ("classifier:wing_classifier", "data.composites", 1),
    ],
)
def test_images_beyond_the_memory_are_refused(variant, name, bytes_each, monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda: 2**30)
    largest = 2**30 // (32 * 32 * 3 * bytes_each)
    checked(variant, name, largest // 2 * 2)
    for value in (largest + 2, 10**12):
        with pytest.raises(InputError, match=f"--config.{name} must be at most {largest}, which fill the memory"):
            checked(variant, name, value)


@pytest.mark.parametrize(
    ("variant", "name", "value"),
    [
        ("classifier:classifier", "model.channels", (32, 2**14 + 1)),
        ("classifier:classifier", "model.channels", (8,) * 7),  # of 32 pixels, which are halved five times
        ("acai:lines", "train.bank_per_class", (2**31, 1)),
        ("gan:alternating", "data.ids", (1, 2**63)),
        ("gan:alternating", "data.ids", (-1,)),
    ],
)
def test_tuples_have_bounds_too(variant, name, value):
    with pytest.raises(InputError, match=f"--config.{name} must be .*Received"):
        checked(variant, name, value)


def test_candidates_of_a_search_have_a_bound():
    Search(MAX_CANDIDATES)
    with pytest.raises(InputError, match=f"--candidates must be an integer from 1 to {MAX_CANDIDATES}"):
        Search(MAX_CANDIDATES + 1)
