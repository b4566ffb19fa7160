"""Shared by tests of gpu_check: a CPU in place of the GPU, small sizes, and faults of the device's models."""

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


def spoil_all_but_the_first(make, spoil):
    """A function like `make` that spoils all its results but the first, which is the reference on the CPU."""
    results = []

    def make_and_spoil(*args, **options):
        results.append(make(*args, **options))
        if len(results) > 1:
            spoil(results[-1])
        return results[-1]

    return make_and_spoil
