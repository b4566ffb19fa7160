"""The drawing of the architecture: layers and parameters counted by hand, and every word inside the picture."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from configs import classifier as classifier_config
from configs import gan as gan_config
from gan import losses
from training.diagrams import acai, architecture, classifier, drawing, gan

SIZES = dict(width=32, colours=3, latent_width=8, latent_channels=5, depth=4, critic_depth=2)
SIZES |= dict(mix_weight=0.5, regularisation=0.25, adversarial_weight=0.125, discriminator_channels=6)


def test_layers_and_parameters_are_those_counted_by_hand():
    networks = acai.build_networks(SIZES)
    assert list(networks) == ["encoder", "decoder", "critic", "discriminator"]
    assert drawing.describe_layers(
        networks["encoder"]
    ) == [  # (kernel, map, channels, parameters = size^2 c f + f)
        ("1×1, 3×3", 32, 4, (3 * 4 + 4) + (9 * 4 * 4 + 4)),
        ("3×3", 32, 4, 9 * 4 * 4 + 4),
        ("3×3", 16, 8, 9 * 4 * 8 + 8),
        ("3×3", 16, 8, 9 * 8 * 8 + 8),
        ("3×3", 8, 16, 9 * 8 * 16 + 16),
        ("3×3", 8, 5, 9 * 16 * 5 + 5),
    ]
    assert [row[2] for row in drawing.describe_layers(networks["critic"])] == [2, 2, 4, 4, 8, 5]
    assert drawing.describe_layers(networks["discriminator"])[1] == ("4×4", 8, 12, 16 * 6 * 12 + 12)
    assert "discriminator" not in acai.build_networks(SIZES | {"adversarial_weight": 0.0})


def test_build_networks_the_papers_others():
    """No critic; the encoder of means and variances has twice the channels; a codebook is 7 vectors of 5."""
    others = SIZES | {"mix_weight": 0.0, "adversarial_weight": 0.0, "bottleneck_strength": 1.0, "codebook_size": 7}
    networks = {
        kind: acai.build_networks(others | {"bottleneck": kind})
        for kind in ("plain", "vae", "aae", "vqvae", "projected_vqvae")
    }
    assert list(networks["plain"]) == list(networks["vae"]) == ["encoder", "decoder"]
    assert [drawing.describe_layers(networks[kind]["encoder"])[-1][2] for kind in ("plain", "vae")] == [5, 10]
    assert networks["vqvae"]["codebook"].count_params() == 7 * 5
    projected, size = networks["projected_vqvae"], 320  # of points and vectors
    assert projected["codebook"].count_params() == 7 * (size + 1)  # averages of sums and of counts
    assert projected["projection"].count_params() == (size + 1) * 10 * size
    assert projected["expansion"].count_params() == (10 * size + 1) * 512 + 513 * size
    assert networks["aae"]["code_discriminator"].count_params() == 321 * 100 + 101 * 100 + 101


BASELINE = dict(mix_weight=0.0, adversarial_weight=0.0, codebook_size=7)


def draw(config, folder, monkeypatch):
    """Draws a release's config; checks that every word is inside the picture, and returns all words."""
    figures, saved = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        saved(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    path = architecture.write(str(folder / "architecture.png"), config, "a name")
    picture = np.asarray(Image.open(path))
    assert picture.shape[1] == drawing.WIDTH * drawing.DPI
    (axes,) = figures[0].axes
    texts = [text for text in axes.texts if text.get_text()]
    for text in texts:
        extent = text.get_window_extent()
        assert extent.x0 >= 0 and extent.y0 >= 0, text
        assert extent.x1 <= picture.shape[1] and extent.y1 <= picture.shape[0], text
    for text in texts:  # what stands upright stands in its layer's box
        if text.get_rotation() == 90:
            extent = text.get_window_extent()
            boxes = [patch.get_window_extent() for patch in axes.patches]
            inside = [b for b in boxes if b.x0 <= extent.x0 and extent.x1 <= b.x1]
            assert any(b.y0 <= extent.y0 and extent.y1 <= b.y1 for b in inside), text
    title, note = (text.get_window_extent() for text in texts[:2])
    assert title.x1 < note.x0
    return " ".join(text.get_text() for text in texts)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"adversarial_weight": 0.0, "latent_width": 2, "colours": 1}, marks=pytest.mark.slow),
        {"r1_weight": 0.5, "masked_blends": 0.75},
        pytest.param(BASELINE, marks=pytest.mark.slow),
        pytest.param(BASELINE | {"bottleneck": "vae", "bottleneck_strength": 0.375}, marks=pytest.mark.slow),
        BASELINE | {"bottleneck": "projected_vqvae", "bottleneck_strength": 10.0},
    ],
)
def test_every_word_is_inside_the_picture_and_numbers_are_shown(changes, tmp_path, monkeypatch):
    sizes = SIZES | changes
    words = draw({"model": sizes}, tmp_path, monkeypatch)
    networks = acai.build_networks(sizes)
    for name in networks.keys() & {"encoder", "decoder", "critic", "discriminator"}:
        network = networks[name]
        assert f"{network.count_params():,}" in words
    assert f"{sum(n.count_params() for n in networks.values()):,} parameters" in words
    for critic_text in ("0.5 mean", r"d(0.25\,x + 0.75\,\hat{x})", "blend"):
        assert (critic_text in words) == bool(sizes["mix_weight"])
    assert ("cross-entropy of $x$" in words and "`0.375`" not in words and "0.375 weighs" in words) == (
        "vae" in changes.values()
    )
    assert words.startswith(f"{acai.name_in_paper(sizes)} · a name")
    for adversarial_text in ("0.125 mean $\\log(1+e^{-D})", "logistic of"):
        assert (adversarial_text in words) == bool(sizes["adversarial_weight"])
    assert (", R1" in words) == ("r1_weight" in changes)
    assert ("in 75% of blends" in words) == ("masked_blends" in changes)


def gan_sizes(variant, **changes):
    config = gan_config.get_config(variant).to_dict()
    config["model"] |= dict(colours=3, generator_channels=2, discriminator_channels=3, noise_size=5) | changes
    config["model"]["classes"] = 4 if config["model"]["conditional"] else 0
    return config


@pytest.mark.parametrize("variant", ["cgan", "sngan", "wgan", "wgan_gp"])
def test_gans_are_drawn_with_their_layers_and_losses(variant, tmp_path, monkeypatch):
    config = gan_sizes(variant)
    model, words = config["model"], draw(config, tmp_path, monkeypatch)
    loss = losses.LOSSES[model["loss"]]
    for function in (loss.generator, loss.discriminator):
        formula = gan.formula(function)
        assert formula in words and f": {formula} (" in function.__doc__
    for network in gan.build_networks(model).values():
        assert f"{network.count_params():,}" in words
    assert ("Critic C" in words) == ("critic's loss" in words) == (model["loss"] == "wasserstein")
    assert ("class" in words.split()) == ("conditional" in words) == model["conditional"]
    assert ("10 times the gradient penalty" in words) == (variant == "wgan_gp")
    assert ("clipped to ±0.01" in words) == (variant == "wgan")
    assert ("5 steps" in words) == (variant != "cgan") and "moving average" in words


def test_layers_of_a_gan_are_those_counted_by_hand():
    """A dense layer to 4x4 maps, then transposed convolutions of 4x4 without bias, but the last."""
    generator = gan.build_networks(gan_sizes("dcgan")["model"])["generator"]
    assert drawing.describe_layers(generator) == [
        ("dense", 1, 16 * 8, 5 * 16 * 8),
        ("4×4", 8, 4, 16 * 8 * 4),
        ("4×4", 16, 2, 16 * 4 * 2),
        ("4×4", 32, 3, 16 * 2 * 3 + 3),
    ]


@pytest.mark.parametrize("variant", ["classifier", "referee", "wing_classifier"])
def test_classifiers_are_drawn_with_their_layers_and_loss(variant, tmp_path, monkeypatch):
    config = classifier_config.get_config(variant).to_dict()
    names = ("horse", "spread wings") if variant == "wing_classifier" else ("horse", "bird", "deer")
    config["model"] |= dict(channels=(2, 3, 4, 5), colours=3, class_names=names)
    words = draw(config, tmp_path, monkeypatch)
    (network,) = classifier.build_networks(config["model"]).values()
    assert f"{network.count_params():,}" in words and f"{len(names)} logits" in words and "5 features" in words
    assert ("sigmoid" if variant == "wing_classifier" else "softmax") in words and ", ".join(names) in words
    assert "smoothed by 0.1" in words
