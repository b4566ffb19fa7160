"""The architecture of an ACAI as one picture: layers, shapes, parameters, and where each loss acts.

All numbers are read off the Keras networks that the sizes of a release make; the losses' letters are those of
`acai.losses`. Places and sizes are in inches.
"""

import io

from acai import networks
from acai.autoencoder import Autoencoder, name_in_paper
from acai.bottlenecks import KINDS
from common.files import write_atomically

WIDTH, HEIGHT, DPI = 11.0, 8.6, 160
INK, SOFT, PAPER = "#1d2126", "#626b75", "white"
COLOURS = {"autoencoder": "#1766b0", "critic": "#b4530a", "discriminator": "#7a3fa0", "classifier": "#4c7a34"}


def networks_of(sizes):
    """{name: keras.Sequential} of what a release's sizes, its config's "model", train."""
    code = [sizes[name] for name in ("width", "latent_width", "latent_channels")]
    colours, depth = sizes["colours"], sizes["depth"]
    autoencoder = Autoencoder.from_config(sizes)
    found = {"encoder": autoencoder.encoder, "decoder": autoencoder.decoder}
    if mix_weight(sizes):
        found["critic"] = networks.critic(*code, sizes["critic_depth"] or depth, colours)
    if sizes.get("realism_weight"):
        found["discriminator"] = networks.patch_discriminator(
            sizes["width"], sizes["discriminator_channels"], colours
        )
    if network := autoencoder.bottleneck.network:
        found[network.name] = network
    return found


def mix_weight(sizes):
    return sizes.get("mix_weight", 0.5)  # the paper's


def layers_of(network):
    """[(kernel such as "3×3", width of the map it leaves, channels, parameters)] of the layers with weights."""
    rows = []
    for layer in network.layers:
        if not layer.weights:
            continue
        _, height, _, channels = layer.output.shape
        size = layer.kernel.shape[0]
        first = "1×1, " if hasattr(layer, "linear_kernel") else ""
        rows.append((f"{first}{size}×{size}", height, channels, layer.count_params()))
    return rows


def write(path, sizes, source):
    """Draws the networks of a release's sizes to a PNG file; returns the path. `source` is the release's name."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, HEIGHT), dpi=DPI, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.set_axis_off()
    found = networks_of(sizes)
    total = sum(network.count_params() for network in found.values())
    write_text(axes, 0.35, 8.3, f"{name_in_paper(sizes)} · {source}", size=15, weight="bold", ha="left")
    note = f"{total:,} parameters; above a layer its channels, in it kernel and parameters, below the map"
    write_text(axes, WIDTH - 0.35, 8.3, note, size=9, colour=SOFT, ha="right")
    drawn = [name for name in ("encoder", "decoder", "critic", "discriminator") if name in found]
    for name, (x, y) in zip(drawn, ((0.35, 6.2), (5.75, 6.2), (0.35, 4.05), (5.75, 4.05)), strict=False):
        draw_layers(axes, x, y, name, found[name])
    draw_flow(axes, sizes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return path


def draw_layers(axes, left, bottom, name, network):
    """One network as bars, a layer each: high maps are high bars; maps of one width stand together."""
    rows = layers_of(network)
    colour, highest = COLOURS.get(name, COLOURS["autoencoder"]), max(row[1] for row in rows)
    title = f"{name.capitalize().replace('Disc', 'Patch disc')}  {network.count_params():,}"
    write_text(axes, left, bottom + 1.72, title, size=11, weight="bold", colour=colour, ha="left")
    pitch = min(0.56, 4.9 / (len(rows) + 1))
    x, groups = left, {}
    for i, (kernel, width, channels, parameters) in enumerate(rows):
        if i and width != rows[i - 1][1]:
            x += 0.1
        tall = 1.3 * (0.72 + 0.28 * width / highest)
        box(axes, x + pitch * 0.45, bottom + tall / 2, pitch * 0.86, tall, colour, fill=0.12)
        label = f"{kernel}  {parameters:,}"
        write_text(axes, x + pitch * 0.45, bottom + tall / 2, label, size=7.8, rotation=90)
        write_text(axes, x + pitch * 0.45, bottom + tall + 0.1, f"{channels}", size=9, weight="bold")
        groups.setdefault(width, []).append(x + pitch * 0.45)
        x += pitch
    for width, places in groups.items():
        write_text(axes, sum(places) / len(places), bottom - 0.14, f"{width}×{width}", size=9, colour=SOFT)


def draw_flow(axes, sizes):
    """How a batch goes through the networks in training, and the losses, each in the colour of whom it trains."""
    images = f"{sizes['width']}×{sizes['width']}×{sizes['colours']}"
    code = f"{sizes['latent_width']}×{sizes['latent_width']}×{sizes['latent_channels']}"
    axes.plot([0.35, WIDTH - 0.35], [3.62, 3.62], color="#d9dce0", lw=1)
    top, middle, low = 2.8, 1.85, 0.72
    kind = KINDS[sizes.get("bottleneck", "plain")]
    blended = mix_weight(sizes) or sizes.get("realism_weight") or sizes.get("recognition_weight")
    for y, prime in ((top, ""), (middle, "'"))[: 2 if blended else 1]:
        data(axes, 0.75, y, f"$x{prime}$", images if not prime else "batch reversed")
        block(axes, 2.15, y, "encoder", "autoencoder")
        data(axes, 3.55, y, f"$z{prime}$", code)
        block(axes, 6.05, y, "decoder", "autoencoder")
        arrow(axes, (1.05, y), (1.6, y))
        arrow(axes, (2.7, y), (3.25, y))
        arrow(axes, (6.6, y), (7.15, y))
    data(axes, 7.45, top, r"$\hat{x}$", "reconstruction")
    arrow(axes, (3.85, top), (5.5, top))
    loss(axes, 9.48, top, "reconstruction", kind.loss_formula, "autoencoder")
    arrow(axes, (7.75, top), (8.3, top))
    note = "latent classifier: cross-entropy, no gradient into $z$"
    loss(axes, 3.55, top + 0.62, "", note, "classifier", 3.9, 0.3)
    arrow(axes, (3.55, top + 0.24), (3.55, top + 0.46), COLOURS["classifier"])
    if kind is not KINDS["plain"]:
        summary = kind.__doc__.splitlines()[0].replace("`strength`", f"{sizes['bottleneck_strength']:g}")
        write_text(axes, 0.35, 0.3 if blended else middle, summary, size=10, ha="left")
    if blended:
        data(axes, 4.75, middle, r"$z_\alpha$", r"$\alpha z + (1-\alpha) z'$")
        data(axes, 7.45, middle, r"$\hat{x}_\alpha$", "blend")
        arrow(axes, (3.85, middle), (4.45, middle))
        arrow(axes, (3.8, top - 0.16), (4.55, middle + 0.26))
        arrow(axes, (5.05, middle), (5.5, middle))
    if weight := mix_weight(sizes):
        block(axes, 7.45, low, "critic $d$", "critic")
        arrow(axes, (7.45, middle - 0.4), (7.45, low + 0.23))
        gamma = sizes.get("regularisation", 0.2)  # the paper's
        loss(axes, 9.48, middle, "mix regulariser", rf"{weight:g} mean $d(\hat{{x}}_\alpha)^2$", "autoencoder")
        arrow(axes, (7.85, low + 0.23), (8.3, middle - 0.14))
        mixed = rf"$(d(\hat{{x}}_\alpha)-\alpha)^2 + d({gamma:g}\,x + {1 - gamma:g}\,\hat{{x}})^2$"
        loss(axes, 9.48, low, "critic's loss", mixed, "critic")
        arrow(axes, (8.0, low), (8.3, low))
    if weight := sizes.get("recognition_weight"):
        said = rf"judges of $\hat{{x}}_\alpha$: {weight:g} cross-entropy"
        loss(axes, 9.48, (top + middle) / 2, "", said, "autoencoder", 2.36, 0.3)
        arrow(axes, (7.75, middle + 0.12), (8.3, (top + middle) / 2 - 0.06))
    if sizes.get("realism_weight"):
        block(axes, 4.9, low, "discriminator $D$", "discriminator", 1.5)
        arrow(axes, (7.15, middle - 0.14), (5.68, low + 0.2))
        hinge = sizes.get("realism_loss", "hinge") == "hinge"
        name, penalty = "hinge" if hinge else "logistic", ", R1" if sizes.get("realism_penalty") else ""
        own = name + r" of $D(x)$ against $D(\hat{x})$, $D(\hat{x}_\alpha)$" + penalty
        loss(axes, 2.1, low - 0.25, "", own, "discriminator", 3.2, 0.4)
        of_each = "-D" if hinge else r"\log(1+e^{-D})"
        of_both = r"mean $" + of_each + r"$ of $\hat{x}, \hat{x}_\alpha$"
        realism = f"realism: {sizes['realism_weight']:g} {of_both}"
        loss(axes, 2.1, low + 0.25, "", realism, "autoencoder", 3.2, 0.4)
        arrow(axes, (4.13, low + 0.1), (3.73, low + 0.25))
        arrow(axes, (4.13, low - 0.1), (3.73, low - 0.25))
    write_text(
        axes, 0.35, 0.1, "A loss has the colour of the networks that it trains.", size=9, colour=SOFT, ha="left"
    )


def block(axes, x, y, name, owner, wide=1.1):
    box(axes, x, y, wide, 0.46, COLOURS[owner], fill=0.12)
    write_text(axes, x, y, name, size=10.5, weight="bold", colour=COLOURS[owner])


def data(axes, x, y, symbol, below):
    write_text(axes, x, y, symbol, size=15)
    write_text(axes, x, y - 0.3, below, size=8.5, colour=SOFT)


def loss(axes, x, y, name, formula, owner, wide=2.36, tall=0.54):
    """A filled box: the loss's name over its formula, or the formula alone."""
    box(axes, x, y, wide, tall, COLOURS[owner], fill=1)
    if name:
        write_text(axes, x, y + 0.13, name, size=9, weight="bold", colour=PAPER)
    write_text(axes, x, y - (0.12 if name else 0.01), formula, size=9.5, colour=PAPER)


def box(axes, x, y, wide, tall, colour, fill):
    """A rounded box around (x, y); `fill` is the opacity of its inside."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.06"
    corner = (x - wide / 2, y - tall / 2)
    axes.add_patch(FancyBboxPatch(corner, wide, tall, boxstyle=style, fc=to_rgba(colour, fill), ec=colour, lw=1.1))


def arrow(axes, start, end, colour=SOFT):
    axes.annotate("", end, start, arrowprops=dict(arrowstyle="-|>", color=colour, lw=1.2, shrinkA=0, shrinkB=0))


def write_text(axes, x, y, text, size, colour=INK, ha="center", **options):
    axes.text(x, y, text, size=size, color=colour, ha=ha, va="center", **options)
