"""Draws boxes, arrows and networks for the diagrams of models. Positions and sizes are in inches."""

WIDTH, HEIGHT, DPI = 11.0, 8.6, 160
INK, SOFT, PAPER = "#1d2126", "#626b75", "white"
BLUE, ORANGE, VIOLET, GREEN = "#1766b0", "#b4530a", "#7a3fa0", "#4c7a34"


def describe_layers(network):
    """Returns rows of the layers with a kernel: (kernel such as "3×3", output width, output channels, parameters).

    A dense layer has the kernel "dense" and the width 1.
    """
    rows = []
    for layer in network.layers:
        if getattr(layer, "kernel", None) is None:
            continue
        kernel, shape = layer.kernel.shape, layer.output.shape
        size = f"{kernel[0]}×{kernel[0]}" if len(kernel) == 4 else "dense"
        first = "1×1, " if hasattr(layer, "linear_kernel") else ""
        rows.append((f"{first}{size}", shape[1] if len(shape) == 4 else 1, shape[-1], layer.count_params()))
    return rows


def draw_title(axes, title, built):
    """Draws the title above all, and how many parameters the networks have: {name: keras.Model}."""
    total = sum(network.count_params() for network in built.values())
    write_text(axes, 0.35, 8.3, title, size=15, weight="bold", ha="left")
    note = f"{total:,} parameters; above: channels, inside: kernel and parameters, below: size of the map"
    write_text(axes, WIDTH - 0.35, 8.3, note, size=9, colour=SOFT, ha="right")


def draw_layers(axes, left, bottom, title, network, colour, wide=4.9):
    """Draws a network with one bar for each layer: the wider its output, the taller the bar."""
    rows = describe_layers(network)
    highest = max(row[1] for row in rows)
    text = f"{title}  {network.count_params():,}"
    write_text(axes, left, bottom + 1.72, text, 11, colour, "left", weight="bold")
    pitch = min(0.56, wide / (len(rows) + 1))
    x, groups = left, []  # of neighbours with the same width
    for i, (kernel, width, channels, parameters) in enumerate(rows):
        if not i or width != rows[i - 1][1]:
            x += 0.1 if i else 0
            groups.append((width, []))
        tall = 1.3 * (0.72 + 0.28 * width / highest)
        draw_box(axes, x + pitch * 0.45, bottom + tall / 2, pitch * 0.86, tall, colour, fill=0.12)
        label = f"{kernel}  {parameters:,}"
        write_text(axes, x + pitch * 0.45, bottom + tall / 2, label, size=7.8, rotation=90)
        write_text(axes, x + pitch * 0.45, bottom + tall + 0.1, f"{channels}", size=9, weight="bold")
        groups[-1][1].append(x + pitch * 0.45)
        x += pitch
    for width, places in groups:
        write_text(axes, sum(places) / len(places), bottom - 0.14, f"{width}×{width}", size=9, colour=SOFT)


def draw_block(axes, x, y, name, colour, wide=1.1):
    draw_box(axes, x, y, wide, 0.46, colour, fill=0.12)
    write_text(axes, x, y, name, size=10.5, weight="bold", colour=colour)


def draw_data(axes, x, y, symbol, below):
    write_text(axes, x, y, symbol, size=15)
    write_text(axes, x, y - 0.3, below, size=8.5, colour=SOFT)


def draw_loss(axes, x, y, name, formula, colour, wide=2.36, tall=0.54):
    """Draws a filled box with a loss's name above its formula, or with the formula alone."""
    draw_box(axes, x, y, wide, tall, colour, fill=1)
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
