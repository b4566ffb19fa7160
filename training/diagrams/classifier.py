"""Draws the architecture of a classifier or wing classifier: layers, shapes, parameters, and the loss."""

from classifiers.networks import ARCHITECTURES
from training.diagrams.drawing import (
    BLUE,
    SOFT,
    draw_arrow,
    draw_block,
    draw_data,
    draw_layers,
    draw_loss,
    write_text,
)

LOWEST = 3.6


def build_networks(model_config):
    """Builds {"network": keras.Model} of a release's config."""
    names = model_config["class_names"]
    make, channels = ARCHITECTURES[model_config["architecture"]], tuple(model_config["channels"])
    return {"network": make(model_config["width"], channels, len(names), model_config["colours"])}


def name_model(config):
    """Returns the name of the model of a release's config."""
    return f"{config['model']['architecture']} {config['family'].replace('_', ' ')}"


def draw(axes, config, built):
    """Draws the network and the loss of a release's config."""
    model, data = config["model"], config["data"]
    draw_layers(axes, 0.35, 6.2, "Network", built["network"], BLUE, 10.2)
    axes.plot([0.35, 10.65], [5.7, 5.7], color="#d9dce0", lw=1)
    y = 4.9
    draw_data(axes, 0.85, y, "$x$", f"{model['width']}×{model['width']}×{model['colours']}")
    draw_block(axes, 2.6, y, "network", BLUE)
    draw_data(axes, 4.4, y, "$h$", f"{built['network'].output['features'].shape[-1]} features")
    draw_data(axes, 6.2, y, "$s$", f"{len(model['class_names'])} logits")
    kind = "softmax" if config["family"] == "classifier" else "sigmoid"
    smoothing = f", targets smoothed by {model['label_smoothing']:g}" if model["label_smoothing"] else ""
    draw_loss(axes, 9.0, y, "cross-entropy", f"of {kind}(s){smoothing}", BLUE, 3.3)
    for start, end in ((1.25, 2.0), (3.2, 4.0), (4.8, 5.8), (6.6, 7.3)):
        draw_arrow(axes, (start, y), (end, y))
    mirrored = "mirrored with probability 1/2, " if data["flip"] else ""
    names = ", ".join(model["class_names"])
    note = f"images are {mirrored}moved by up to {data['shift']} pixels; outputs: {names}"
    write_text(axes, 0.35, 4.1, note, size=9, colour=SOFT, ha="left")
