"""Writes the diagram of a release's networks and losses."""

import importlib
import io

from common import figures
from common.files import write_atomically
from training.diagrams import drawing

FAMILIES = {"acai": "acai", "gan": "gan", "classifier": "classifier", "wing_classifier": "classifier"}  # modules


@figures.default_settings()
def write(path, config, source):
    """Draws a release's networks and losses to a PNG file and returns the path.

    Args:
        path: of the file.
        config: of the release.
        source: what the title calls the release.
    """
    from matplotlib.figure import Figure

    module = importlib.import_module(f"training.diagrams.{FAMILIES[config.get('family', 'acai')]}")
    height = drawing.HEIGHT - module.LOWEST
    figure = Figure((drawing.WIDTH, height), dpi=drawing.DPI, facecolor=drawing.PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.WIDTH), ylim=(module.LOWEST, drawing.HEIGHT))
    axes.set_axis_off()
    built = module.build_networks(config["model"])
    drawing.draw_title(axes, f"{module.name_model(config)} · {source}", built)
    module.draw(axes, config, built)
    note = "A loss has the colour of the networks that it trains."
    drawing.write_text(axes, 0.35, module.LOWEST + 0.1, note, size=9, colour=drawing.SOFT, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return path
