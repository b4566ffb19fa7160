"""Checks of configs, before TensorFlow is imported."""

import pytest

from common.errors import InputError
from configs import acai, classifier, gan
from configs.check import ARCHITECTURES, AUGMENTATIONS, CHOICES, check


def test_checks_know_the_choices_of_the_gan():
    from common.data import augmentation
    from gan import losses, networks

    assert set(CHOICES["model.loss"]) == set(losses.LOSSES)
    assert set(AUGMENTATIONS) == set(augmentation.POLICIES)
    assert ARCHITECTURES["gan"] == tuple(networks.ARCHITECTURES)
    for name, loss in losses.LOSSES.items():
        config = gan.get_config()
        config.model.loss, config.model.soft_labels = name, 0.1
        assert loss.accepts_targets == passes(config)


def passes(config):
    try:
        check(config)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(
    ("variant", "name", "value", "required"),
    [
        ("dcgan", "data.source", "lines", "cifar10 or folder"),
        ("dcgan", "model.architecture", "plain", "one of dcgan, residual"),
        ("dcgan", "model.loss", "huber", "one of non_saturating, hinge"),
        ("dcgan", "model.critic_steps", 0, "at least 1"),
        ("dcgan", "model.generator_channels", 0, "at least 1"),
        ("dcgan", "model.noise_size", 0, "at least 1"),
        ("dcgan", "model.gradient_penalty", 10.0, None),
        ("wgan_gp", "model.gradient_penalty", -1.0, "at least 0"),
        ("wgan_gp", "model.normalisation", "batch", "spectral or none for a gradient penalty"),
        ("wgan_gp", "model.minibatch_deviation", True, "False for a gradient penalty"),
        ("wgan", "model.weight_clip", -0.01, "at least 0"),
        ("wgan", "model.flipped_labels", 0.1, "0 for the loss wasserstein"),
        ("sngan", "model.soft_labels", 0.1, "0 for the loss hinge"),
        ("sngan", "model.up", "transposed", "resize"),
        ("sngan", "model.normalisation", "batch", "spectral or none for the residual"),
        ("dcgan", "model.soft_labels", 0.5, "below 0.5"),
        ("dcgan", "model.flipped_labels", 0.5, "below 0.5"),
        ("dcgan", "model.instance_noise", -0.1, "at least 0"),
        ("dcgan", "model.replay_images", 31, "half a batch, 32"),
        ("dcgan", "model.augment", ("flip", "rotation"), "names among flip, colour"),
        ("dcgan", "train.optimizer", "sgd", "one of adam"),
        ("dcgan", "train.beta_1", 1.0, "below 1"),
        ("dcgan", "train.beta_2", 1.0, "below 1"),
        ("dcgan", "train.instance_noise_kimg", -1.0, "at least 0"),
        ("cgan", "data.first", "pegasus", "one of data.classes"),
        ("alternating", "data.ids", (7, "8"), "integers"),
        ("cgan", "data.second", "pegasus", "one of data.classes"),
    ],
)
def test_invalid_gan_fields_are_refused(variant, name, value, required):
    config = gan.get_config(variant)
    section, field = name.split(".")
    config[section][field] = value
    with pytest.raises(InputError) as error:
        check(config)
    told = str(error.value)
    assert " must be " in told and "Received: " in told and "\n" not in told
    assert required is None or (f"--config.{name} " in told and required in told and repr(value) in told)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model.masked_blends", -0.1, r"model.masked_blends must be in \[0, 1\]. Received: -0.1"),
        ("model.masked_blends", 1.1, r"model.masked_blends must be in \[0, 1\]. Received: 1.1"),
        ("model.masked_blends", float("nan"), "model.masked_blends must be in"),
        ("model.latent_width", 1, "model.masked_blends must be 0 for latents of one cell. Received: 0.6"),
        ("model.codebook_size", 0, "model.codebook_size must be finite and at least 1. Received: 0"),
        ("model.adversarial_weight", -0.1, "model.adversarial_weight must be finite and at least 0"),
        ("model.r1_weight", float("inf"), "model.r1_weight must be finite and at least 0"),
        ("train.adversarial_from_kimg", -1.0, "train.adversarial_from_kimg must be finite and at least 0"),
        ("train.start_from", "nowhere", "train.start_from must be .* Received: nowhere"),
    ],
)
def test_invalid_acai_fields_are_refused(name, value, message):
    config = acai.get_config("pegasus")
    section, field = name.split(".")
    config[section][field] = value
    with pytest.raises(InputError, match=f"^--config.{message}"):
        check(config)


INVALID = {"data.source": "imagenet", "data.pairing": "pairs", "model.width": 48, "model.latent_width": 5}
INVALID |= {"train.schedule": "linear", "train.precision": "float64", "train.jit_compile": "perhaps"}
INVALID |= {"model.depth": 0, "train.keep_checkpoints": 0, "train.max_minutes": -1.0, "train.learning_rate": -1.0}
INVALID |= {"train.total_kimg": 0.0, "train.log_every_kimg": 0.0, "train.ema_rate": 1.0}
INVALID |= {"train.bank_per_class": (5,)}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_fields_of_several_families_are_refused(name):
    config = acai.get_config("lines")
    section, field = name.split(".")
    config[section][field] = INVALID[name]
    with pytest.raises(InputError, match=f"^--config.{name} must be .* Received: ") as error:
        check(config)
    assert str(error.value).endswith(f"Received: {INVALID[name]!r}")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_any_share_of_blends_may_be_masked(share):
    config = acai.get_config("pegasus")
    config.model.masked_blends = share
    check(config)


def test_a_model_without_masks_may_have_latents_of_one_cell():
    config = acai.get_config()
    config.model.latent_width = 1
    check(config)


def test_only_a_plain_bottleneck_can_start_from_another_model():
    config = acai.get_config("vae")
    config.train.start_from = "pegasus"
    with pytest.raises(InputError, match="--config.model.bottleneck must be plain"):
        check(config)


def test_lines_are_32_pixels_wide():
    """Their figures are. A wider model took 32 pixels, too, and got figures that mean nothing."""
    config = acai.get_config("lines")
    config.model.width = 64
    with pytest.raises(InputError, match="^--config.model.width must be 32, .* of lines. Received: 64"):
        check(config)


def test_classifiers_do_not_train_on_lines():
    config = classifier.get_config()
    config.data.source = "lines"
    with pytest.raises(InputError, match="^--config.data.source must be cifar10 or folder; .* Received: 'lines'"):
        check(config)


def test_a_wing_classifier_needs_images_with_labels():
    config = classifier.get_config("wing_referee")
    config.data.source = "folder"
    with pytest.raises(InputError, match="^--config.data.source must be cifar10, whose .* Received: 'folder'"):
        check(config)


def test_a_wing_classifier_needs_all_classes():
    config = classifier.get_config("wing_classifier")
    config.data.classes = ("horse", "bird")
    with pytest.raises(InputError, match="^--config.data.classes must be all ten, .*Received: .*'horse', 'bird'"):
        check(config)


def test_valid_combinations_of_gan_fields_are_accepted():
    config = gan.get_config()
    config.model.replay_images, config.model.soft_labels, config.model.augment = 32, 0.4, ("cutout", "flip")
    check(config)
    config = gan.get_config("dcgan")
    config.data.first = "pegasus"  # there are no morphs without classes
    check(config)
