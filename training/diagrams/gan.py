"""Draws the architecture of a GAN: layers, shapes, parameters, and losses with the formulas of `gan.losses`."""

import re

from gan import losses, networks
from training.diagrams.drawing import (
    BLUE,
    GREEN,
    SOFT,
    VIOLET,
    draw_arrow,
    draw_block,
    draw_data,
    draw_layers,
    draw_loss,
    write_text,
)

LOWEST = 0.0
WIDE = 10.2  # of a network


def build_networks(model_config):
    """Builds {name: keras.Model} of both networks of a release's config."""
    build = {"generator": networks.build_generator, "discriminator": networks.build_discriminator}
    return {name: make(model_config) for name, make in build.items()}


def name_model(config):
    """Returns the name of the model of a release's config."""
    model = config["model"]
    name = {"dcgan": "DCGAN", "residual": "Residual GAN"}[model["architecture"]]
    return f"{name}, conditional" if model["classes"] else name


def formula(function):
    """Returns the formula in the docstring of a function of `gan.losses`, as in "-E log D(G(z))"."""
    return re.search(r"Trains \w: (.+?) \([A-Z]", " ".join(function.__doc__.split()))[1]


def draw(axes, config, built):
    """Draws the networks and losses of a release's config."""
    draw_layers(axes, 0.35, 6.2, "Generator G", built["generator"], BLUE, WIDE)
    model, loss = config["model"], losses.LOSSES[config["model"]["loss"]]
    critic = "Critic C" if loss.is_critic else "Discriminator D"
    draw_layers(axes, 0.35, 4.05, critic, built["discriminator"], VIOLET, WIDE)
    axes.plot([0.35, 10.65], [3.62, 3.62], color="#d9dce0", lw=1)
    top, middle, low = 2.9, 2.2, 1.5
    images = f"{model['width']}×{model['width']}×{model['colours']}"
    draw_data(axes, 0.75, top, "$z$", f"noise {model['noise_size']}")
    draw_block(axes, 2.15, top, "generator", BLUE)
    draw_data(axes, 3.6, top, "$G(z)$", images)
    draw_data(axes, 3.6, low, "$x$", "real images")
    draw_block(axes, 5.4, middle, critic.split()[0].lower(), VIOLET, 1.3)
    draw_arrow(axes, (1.05, top), (1.6, top))
    draw_arrow(axes, (2.7, top), (3.2, top))
    draw_arrow(axes, (4.0, top - 0.1), (4.72, middle + 0.15))
    draw_arrow(axes, (3.9, low + 0.05), (4.72, middle - 0.15))
    draw_loss(axes, 8.75, top, "generator's loss", formula(loss.generator), BLUE, 3.7)
    draw_loss(axes, 8.75, low, f"{critic.split()[0].lower()}'s loss", formula(loss.discriminator), VIOLET, 3.7)
    draw_arrow(axes, (6.08, middle + 0.15), (6.87, top - 0.1))
    draw_arrow(axes, (6.08, middle - 0.15), (6.87, low + 0.1))
    if model["classes"]:
        write_text(axes, 0.75, middle - 0.1, "class", size=10.5, colour=GREEN)
        draw_arrow(axes, (1.0, middle), (1.7, top - 0.25), GREEN)
        draw_arrow(axes, (1.1, middle - 0.1), (4.72, middle), GREEN)
    for i, note in enumerate(list_additions(config)):
        write_text(axes, 0.35 + 5.3 * (i % 2), 0.9 - 0.22 * (i // 2), note, size=9, colour=SOFT, ha="left")


def list_additions(config):
    """Lists what a release's config adds to the two losses, in words."""
    model, train = config["model"], config["train"]
    notes = [
        (model["gradient_penalty"], f"plus {model['gradient_penalty']:g} times the gradient penalty"),
        (model["weight_clip"], f"weights of the critic are clipped to ±{model['weight_clip']:g}"),
        (model["critic_steps"] > 1, f"{model['critic_steps']} steps of the critic for each of the generator"),
        (model["augment"], f"the discriminator's images are augmented: {', '.join(model['augment'])}"),
        (model["instance_noise"], "noise on the discriminator's images, which falls to 0"),
        (model["replay_images"], f"earlier fakes are shown again, from {model['replay_images']:,}"),
        (model["normalisation"] != "none", f"{model['normalisation']} normalisation in the discriminator"),
        (train["ema_rate"], "the generator's moving average is released"),
    ]
    return [text for holds, text in notes if holds]
