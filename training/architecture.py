"""Draws the architecture of an ACAI: layers, shapes, parameters, and where each loss acts.

All numbers are read off the Keras networks that a release's config makes. The letters of the losses are those of
`acai.losses`. Positions and sizes are in inches.
"""

import io

from acai import networks
from acai.autoencoder import Autoencoder, name_in_paper
from acai.bottlenecks import KINDS
from common.files import write_atomically

WIDTH, HEIGHT, DPI = 11.0, 8.6, 160
INK, SOFT, PAPER = "#1d2126", "#626b75", "white"
COLOURS = {"autoencoder": "#1766b0", "critic": "#b4530a", "discriminator": "#7a3fa0", "classifier": "#4c7a34"}


def build_networks(model_config):
    """{name: keras.Sequential} of all networks that a training with a release's `model_config` updates."""
    code = [model_config[name] for name in ("width", "latent_width", "latent_channels")]
    colours, depth = model_config["colours"], model_config["depth"]
    autoencoder = Autoencoder.from_config(model_config)
    built = {"encoder": autoencoder.encoder, "decoder": autoencoder.decoder}
    if mix_weight(model_config):
        built["critic"] = networks.critic(*code, model_config["critic_depth"] or depth, colours)
    if model_config.get("adversarial_weight"):
        built["discriminator"] = networks.patch_discriminator(
            model_config["width"], model_config["discriminator_channels"], colours
        )
    if network := autoencoder.bottleneck.network:
        built[network.name] = network
    return built


def mix_weight(model_config):
    """The weight of the critic's score in the autoencoder's loss; old configs have the paper's."""
    return model_config.get("mix_weight", 0.5)


def describe_layers(network):
    """[(kernel such as "3×3", output width, output channels, parameters)] of the layers with weights."""
    rows = []
    for layer in network.layers:
        if not layer.weights:
            continue
        _, height, _, channels = layer.output.shape
        size = layer.kernel.shape[0]
        first = "1×1, " if hasattr(layer, "linear_kernel") else ""
        rows.append((f"{first}{size}×{size}", height, channels, layer.count_params()))
    return rows


def write(path, model_config, source):
    """Draws a release's networks and losses to a PNG file and returns the path.

    Args:
        path: of the file.
        model_config: "model" of the release's config.
        source: what the title calls the release.
    """
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, HEIGHT), dpi=DPI, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.set_axis_off()
    built = build_networks(model_config)
    total = sum(network.count_params() for network in built.values())
    write_text(axes, 0.35, 8.3, f"{name_in_paper(model_config)} · {source}", size=15, weight="bold", ha="left")
    note = f"{total:,} parameters; above a layer its channels, in it kernel and parameters, below the map"
    write_text(axes, WIDTH - 0.35, 8.3, note, size=9, colour=SOFT, ha="right")
    drawn = [name for name in ("encoder", "decoder", "critic", "discriminator") if name in built]
    for name, (x, y) in zip(drawn, ((0.35, 6.2), (5.75, 6.2), (0.35, 4.05), (5.75, 4.05)), strict=False):
        draw_layers(axes, x, y, name, built[name])
    draw_flow(axes, model_config)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return path


def draw_layers(axes, left, bottom, name, network):
    """Draws a network with one bar for each layer: the wider its output, the taller the bar."""
    rows = describe_layers(network)
    colour, highest = COLOURS.get(name, COLOURS["autoencoder"]), max(row[1] for row in rows)
    title = f"{name.capitalize().replace('Disc', 'Patch disc')}  {network.count_params():,}"
    write_text(axes, left, bottom + 1.72, title, size=11, weight="bold", colour=colour, ha="left")
    pitch = min(0.56, 4.9 / (len(rows) + 1))
    x, groups = left, {}
    for i, (kernel, width, channels, parameters) in enumerate(rows):
        if i and width != rows[i - 1][1]:
            x += 0.1
        tall = 1.3 * (0.72 + 0.28 * width / highest)
        draw_box(axes, x + pitch * 0.45, bottom + tall / 2, pitch * 0.86, tall, colour, fill=0.12)
        label = f"{kernel}  {parameters:,}"
        write_text(axes, x + pitch * 0.45, bottom + tall / 2, label, size=7.8, rotation=90)
        write_text(axes, x + pitch * 0.45, bottom + tall + 0.1, f"{channels}", size=9, weight="bold")
        groups.setdefault(width, []).append(x + pitch * 0.45)
        x += pitch
    for width, places in groups.items():
        write_text(axes, sum(places) / len(places), bottom - 0.14, f"{width}×{width}", size=9, colour=SOFT)


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
        draw_block(axes, 2.15, y, "encoder", "autoencoder")
        draw_data(axes, 3.55, y, f"$z{prime}$", code)
        draw_block(axes, 6.05, y, "decoder", "autoencoder")
        draw_arrow(axes, (1.05, y), (1.6, y))
        draw_arrow(axes, (2.7, y), (3.25, y))
        draw_arrow(axes, (6.6, y), (7.15, y))
    draw_data(axes, 7.45, top, r"$\hat{x}$", "reconstruction")
    draw_arrow(axes, (3.85, top), (5.5, top))
    draw_loss(axes, 9.48, top, "reconstruction", kind.loss_formula, "autoencoder")
    draw_arrow(axes, (7.75, top), (8.3, top))
    note = "latent classifier: cross-entropy, no gradient into $z$"
    draw_loss(axes, 3.55, top + 0.62, "", note, "classifier", 3.9, 0.3)
    draw_arrow(axes, (3.55, top + 0.24), (3.55, top + 0.46), COLOURS["classifier"])
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
        draw_block(axes, 7.45, low, "critic $d$", "critic")
        draw_arrow(axes, (7.45, middle - 0.4), (7.45, low + 0.23))
        gamma = model_config.get("regularisation", 0.2)  # the paper's
        draw_loss(
            axes, 9.48, middle, "mix regulariser", rf"{weight:g} mean $d(\hat{{x}}_\alpha)^2$", "autoencoder"
        )
        draw_arrow(axes, (7.85, low + 0.23), (8.3, middle - 0.14))
        mixed = rf"$(d(\hat{{x}}_\alpha)-\alpha)^2 + d({gamma:g}\,x + {1 - gamma:g}\,\hat{{x}})^2$"
        draw_loss(axes, 9.48, low, "critic's loss", mixed, "critic")
        draw_arrow(axes, (8.0, low), (8.3, low))
    if weight := model_config.get("adversarial_weight"):
        draw_block(axes, 4.9, low, "discriminator $D$", "discriminator", 1.5)
        draw_arrow(axes, (7.15, middle - 0.14), (5.68, low + 0.2))
        penalty = ", R1" if model_config.get("r1_weight") else ""
        discriminator_loss = r"logistic of $D(x)$ against $D(\hat{x})$, $D(\hat{x}_\alpha)$" + penalty
        draw_loss(axes, 2.1, low - 0.25, "", discriminator_loss, "discriminator", 3.2, 0.4)
        adversarial = f"adversarial: {weight:g} " + r"mean $\log(1+e^{-D})$ of $\hat{x}, \hat{x}_\alpha$"
        draw_loss(axes, 2.1, low + 0.25, "", adversarial, "autoencoder", 3.2, 0.4)
        draw_arrow(axes, (4.13, low + 0.1), (3.73, low + 0.25))
        draw_arrow(axes, (4.13, low - 0.1), (3.73, low - 0.25))
    write_text(
        axes, 0.35, 0.1, "A loss has the colour of the networks that it trains.", size=9, colour=SOFT, ha="left"
    )


def draw_block(axes, x, y, name, owner, wide=1.1):
    draw_box(axes, x, y, wide, 0.46, COLOURS[owner], fill=0.12)
    write_text(axes, x, y, name, size=10.5, weight="bold", colour=COLOURS[owner])


def draw_data(axes, x, y, symbol, below):
    write_text(axes, x, y, symbol, size=15)
    write_text(axes, x, y - 0.3, below, size=8.5, colour=SOFT)


def draw_loss(axes, x, y, name, formula, owner, wide=2.36, tall=0.54):
    """Draws a filled box with a loss's name above its formula, or with the formula alone."""
    draw_box(axes, x, y, wide, tall, COLOURS[owner], fill=1)
    if name:
        write_text(axes, x, y + 0.13, name, size=9, weight="bold", colour=PAPER)
    write_text(axes, x, y - (0.12 if name else 0.01), formula, size=9.5, colour=PAPER)


def draw_box(axes, x, y, wide, tall, colour, fill):
    """Draws a rounded box centred at (x, y); `fill` is the opacity of its inside."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.06"
    corner = (x - wide / 2, y - tall / 2)
    axes.add_patch(FancyBboxPatch(corner, wide, tall, boxstyle=style, fc=to_rgba(colour, fill), ec=colour, lw=1.1))


def draw_arrow(axes, start, end, colour=SOFT):
    axes.annotate("", end, start, arrowprops=dict(arrowstyle="-|>", color=colour, lw=1.2, shrinkA=0, shrinkB=0))


def write_text(axes, x, y, text, size, colour=INK, ha="center", **options):
    axes.text(x, y, text, size=size, color=colour, ha=ha, va="center", **options)
