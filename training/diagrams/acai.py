"""Draws the architecture of an ACAI: layers, shapes, parameters, and where each loss acts.

All numbers are read off the Keras networks that a release's config makes. The letters of the losses are those of
`acai.losses`.
"""

from acai import networks
from acai.autoencoder import Autoencoder, name_in_paper
from acai.bottlenecks import KINDS
from training.diagrams.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    SOFT,
    VIOLET,
    WIDTH,
    draw_arrow,
    draw_block,
    draw_data,
    draw_layers,
    draw_loss,
    write_text,
)

LOWEST = 0.0  # of the drawing, in inches
COLOURS = {"critic": ORANGE, "discriminator": VIOLET}  # the others are blue


def name_model(config):
    """Returns the name of the model of a release's config."""
    return name_in_paper(config["model"])


def build_networks(model_config):
    """{name: keras.Sequential} of autoencoder, bottleneck and adversaries, by the "model" section of a config."""
    code = [model_config[name] for name in ("width", "latent_width", "latent_channels")]
    colours = model_config["colours"]
    autoencoder = Autoencoder.from_config(model_config)
    built = {"encoder": autoencoder.encoder, "decoder": autoencoder.decoder}
    if mix_weight(model_config):
        built["critic"] = networks.critic(*code, model_config["critic_depth"], colours)
    if model_config.get("adversarial_weight"):
        built["discriminator"] = networks.patch_discriminator(
            model_config["width"], model_config["discriminator_channels"], colours
        )
    return built | autoencoder.bottleneck.autoencoder_networks | autoencoder.bottleneck.trained_networks


def mix_weight(model_config):
    """The weight of the critic's score in the autoencoder's loss; old configs have the paper's."""
    return model_config.get("mix_weight", 0.5)


def draw(axes, config, built):
    """Draws the networks and losses of a release's config."""
    drawn = [name for name in ("encoder", "decoder", "critic", "discriminator") if name in built]
    for name, (x, y) in zip(drawn, ((0.35, 6.2), (5.75, 6.2), (0.35, 4.05), (5.75, 4.05)), strict=False):
        title = name.capitalize().replace("Disc", "Patch disc")
        draw_layers(axes, x, y, title, built[name], COLOURS.get(name, BLUE))
    draw_flow(axes, config["model"])


def draw_flow(axes, model_config):
    """Draws how a batch passes through the networks, and losses in the colours of what they train."""
    images = f"{model_config['width']}×{model_config['width']}×{model_config['colours']}"
    code = f"{model_config['latent_width']}×{model_config['latent_width']}×{model_config['latent_channels']}"
    axes.plot([0.35, WIDTH - 0.35], [3.62, 3.62], color="#d9dce0", lw=1)
    top, middle, low = 2.8, 1.85, 0.72
    kind = KINDS[model_config.get("bottleneck", "plain")]
    blended = mix_weight(model_config) or model_config.get("adversarial_weight")
    for y, prime in ((top, ""), (middle, "'"))[: 2 if blended else 1]:
        draw_data(axes, 0.75, y, f"$x{prime}$", images if not prime else "batch reversed")
        draw_block(axes, 2.15, y, "encoder", BLUE)
        draw_data(axes, 3.55, y, f"$z{prime}$", code)
        draw_block(axes, 6.05, y, "decoder", BLUE)
        draw_arrow(axes, (1.05, y), (1.6, y))
        draw_arrow(axes, (2.7, y), (3.25, y))
        draw_arrow(axes, (6.6, y), (7.15, y))
    draw_data(axes, 7.45, top, r"$\hat{x}$", "reconstruction")
    draw_arrow(axes, (3.85, top), (5.5, top))
    draw_loss(axes, 9.48, top, "reconstruction", kind.loss_formula, BLUE)
    draw_arrow(axes, (7.75, top), (8.3, top))
    note = "latent classifier: cross-entropy, no gradient into $z$"
    draw_loss(axes, 3.55, top + 0.62, "", note, GREEN, 3.9, 0.3)
    draw_arrow(axes, (3.55, top + 0.24), (3.55, top + 0.46), GREEN)
    if kind is not KINDS["plain"]:
        summary = kind.__doc__.splitlines()[0].replace("`strength`", f"{model_config['bottleneck_strength']:g}")
        write_text(axes, 0.35, 0.3 if blended else middle, summary, size=10, ha="left")
    if blended:
        draw_data(axes, 4.75, middle, r"$z_\alpha$", r"$\alpha z + (1-\alpha) z'$")
        draw_data(axes, 7.45, middle, r"$\hat{x}_\alpha$", "blend")
        draw_arrow(axes, (3.85, middle), (4.45, middle))
        draw_arrow(axes, (3.8, top - 0.16), (4.55, middle + 0.26))
        draw_arrow(axes, (5.05, middle), (5.5, middle))
        if share := model_config.get("masked_blends"):
            note = rf"in {share:.0%} of blends each cell has its own $\alpha$"
            write_text(axes, 4.75, middle - 0.48, note, size=8.5, colour=SOFT)
    if weight := mix_weight(model_config):
        draw_block(axes, 7.45, low, "critic $d$", ORANGE)
        draw_arrow(axes, (7.45, middle - 0.4), (7.45, low + 0.23))
        gamma = model_config.get("regularisation", 0.2)  # the paper's
        draw_loss(axes, 9.48, middle, "mix regulariser", rf"{weight:g} mean $d(\hat{{x}}_\alpha)^2$", BLUE)
        draw_arrow(axes, (7.85, low + 0.23), (8.3, middle - 0.14))
        mixed = rf"$(d(\hat{{x}}_\alpha)-\alpha)^2 + d({gamma:g}\,x + {1 - gamma:g}\,\hat{{x}})^2$"
        draw_loss(axes, 9.48, low, "critic's loss", mixed, ORANGE)
        draw_arrow(axes, (8.0, low), (8.3, low))
    if weight := model_config.get("adversarial_weight"):
        draw_block(axes, 4.9, low, "discriminator $D$", VIOLET, 1.5)
        draw_arrow(axes, (7.15, middle - 0.14), (5.68, low + 0.2))
        penalty = ", R1" if model_config.get("r1_weight") else ""
        discriminator_loss = r"logistic of $D(x)$ against $D(\hat{x})$, $D(\hat{x}_\alpha)$" + penalty
        draw_loss(axes, 2.1, low - 0.25, "", discriminator_loss, VIOLET, 3.2, 0.4)
        adversarial = f"adversarial: {weight:g} " + r"mean $\log(1+e^{-D})$ of $\hat{x}, \hat{x}_\alpha$"
        draw_loss(axes, 2.1, low + 0.25, "", adversarial, BLUE, 3.2, 0.4)
        draw_arrow(axes, (4.13, low + 0.1), (3.73, low + 0.25))
        draw_arrow(axes, (4.13, low - 0.1), (3.73, low - 0.25))
