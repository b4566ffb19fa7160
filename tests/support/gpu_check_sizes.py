"""Sizes of the models with which gpu_check is tested on a CPU."""

from gpu_check.sizes import Sizes

DEVICE = "CPU:0"
TINY = Sizes(
    width=8,
    depth=2,
    channels=4,
    batch=4,
    compiled=False,
    training_steps=60,
    speed_width=8,
    speed_depth=2,
    speed_batch=4,
    speed_steps=1,
)
