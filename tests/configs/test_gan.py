"""The configs of GANs: the values of their papers, and which images the alternating DCGAN is trained on."""

import re
from pathlib import Path

from configs import gan


def test_gans_have_their_papers_settings():
    """arXiv 1511.06434, 1802.05957, 1701.07875 and 1704.00028."""
    expected = {  # loss, critic steps, optimizer, its rate, betas, clip, penalty, discriminator's normalisation
        "dcgan": ("non_saturating", 1, "adam", 2e-4, 0.5, 0.999, 0, 0, "batch"),
        "cgan": ("non_saturating", 1, "adam", 2e-4, 0.5, 0.999, 0, 0, "batch"),
        "sngan": ("hinge", 5, "adam", 2e-4, 0, 0.9, 0, 0, "spectral"),
        "wgan": ("wasserstein", 5, "rmsprop", 5e-5, 0.5, 0.999, 0.01, 0, "batch"),
        "wgan_gp": ("wasserstein", 5, "adam", 1e-4, 0, 0.9, 0, 10, "none"),
    }
    for variant, values in expected.items():
        config = gan.get_config(variant)
        model, training = config.model, config.train
        assert training.learning_rate == training.discriminator_learning_rate
        found = (model.loss, model.critic_steps, training.optimizer, training.learning_rate)
        found += (training.beta_1, training.beta_2, model.weight_clip, model.gradient_penalty, model.normalisation)
        assert found == values, variant
        assert model.conditional == (variant in ("cgan", "sngan")) and model.condition == "projection"
        assert model.architecture == ("residual" if variant == "sngan" else "dcgan")
        assert set(config.data.classes) == {"bird", "horse", "airplane", "deer"}
        tricks = (model.soft_labels, model.flipped_labels, model.instance_noise, model.replay_images)
        tricks += (model.minibatch_deviation, model.spherical_noise, model.join_batches)
        augment = ("translation", "cutout") if variant in ("dcgan", "cgan") else ()
        assert not any(tricks) and model.augment == augment


def test_alternating_is_dcgan_on_white_horses_and_birds_with_spread_wings():
    config, dcgan = gan.get_config("alternating"), gan.get_config()
    assert config.model == dcgan.model
    training = config.train.to_dict() | {"total_kimg": dcgan.train.total_kimg}
    assert training == dcgan.train.to_dict()
    assert config.data.classes == ("horse", "bird") and config.data.alternate
    folder = Path(gan.__file__).parents[1] / "pegasus" / "labels"
    horses, birds = ((folder / name).read_text() for name in ("horse_side_views.csv", "bird_wings.csv"))
    white = re.findall(r"^(\d+),\w+,white,", horses, re.MULTILINE)
    spread = re.findall(r"^(\d+),(?:raised_both|raised_one|spread),", birds, re.MULTILINE)
    assert config.data.ids == tuple(map(int, white + spread)) and len(white) == 337 and len(spread) == 190
