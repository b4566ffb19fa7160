"""Sizes of the models and trainings of the checks."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of models and lengths of trainings.

    Args:
        width: image width in pixels: 8, 16 or 32.
        depth: channels of a model's first scale.
        channels: channels of a single layer's feature maps.
        batch: batch size, a multiple of 4.
        compiled: whether to compile steps with XLA where a check does so; otherwise they run uncompiled.
        training_steps: steps of the command-line training.
        speed_width, speed_depth, speed_batch, speed_steps: sizes of the measured steps.
    """

    width: int = 16
    depth: int = 8
    channels: int = 16
    batch: int = 16
    compiled: bool = True
    training_steps: int = 300
    speed_width: int = 32
    speed_depth: int = 32
    speed_batch: int = 64
    speed_steps: int = 30


GPU = Sizes()
CPU = Sizes(depth=4, channels=8, batch=8, training_steps=60, speed_depth=8, speed_batch=16, speed_steps=5)


def for_device(device):
    """Returns the sizes for a device such as "GPU:0"."""
    return GPU if device.startswith("GPU") else CPU
