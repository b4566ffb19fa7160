"""Check of training on two devices: after each step their variables must be bit-identical."""

import keras
import numpy as np
import tensorflow as tf

from common.distribute import distribution
from gpu_check.bounds import require
from gpu_check.comparison import acai, all_variables, batches
from gpu_check.gans import gan

FAMILIES = {
    "ACAI": acai,
    "GAN": lambda sizes: gan(sizes, critic_steps=2),  # freezes the generator's batch norms in every other step
}


def mirrored(device, sizes):
    """Takes two steps of an ACAI and of a GAN on two devices and compares both copies of all variables."""
    strategy = distribution.make_strategy("mirrored")
    count = strategy.num_replicas_in_sync
    require(count == 2, f"the strategy must have 2 replicas. Received: {count}")
    physical = len(tf.config.list_physical_devices(device.partition(":")[0]))
    figures = {"devices": f"two {'real' if physical > 1 else 'logical'} {device[:3]}s"}
    for family, make in FAMILIES.items():
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = make(sizes)
        start = {name: pair for name, pair in read_copies(model).items() if "step" not in name}
        step = tf.function(
            lambda batch, model=model, **static: distribution.run_step(
                strategy, model.train_step, batch, **static
            ),
            autograph=False,
        )
        for number, batch in enumerate(batches(sizes, 2)):
            with tf.device("CPU:0"):
                batch = {name: tf.constant(array) for name, array in batch.items()}
            logs = step(batch, **model.static_arguments(number))
            wrong = [name for name, value in logs.items() if not np.isfinite(float(value))]
            require(not wrong, f"logs of the {family} must be finite. Received: {wrong}")
        figures |= compare_copies(family, start, read_copies(model))
    return figures


def read_copies(model):
    """Reads {name: [array of the first replica, array of the second]} of all variables."""
    values = {name: variable.value.values for name, variable in all_variables(model).items()}
    return {name: [np.asarray(copy).copy() for copy in copies] for name, copies in values.items()}


def compare_copies(family, before, after):
    """Compares both copies of each variable, and with `before`; returns {"<family>_variables": their number}.

    Raises:
        CheckFailed: for copies that differ, or if most variables did not change.
    """
    for name, (first, second) in after.items():
        difference = np.abs(np.float64(first) - np.float64(second)).max()
        equal = np.array_equal(first, second)
        message = (
            f"both copies of {name} of the {family} must be equal. Received: a difference of {difference:.3g}"
        )
        require(equal, message)
    changed = sum(not np.array_equal(copy[0], after[name][0]) for name, copy in before.items())
    share = f"{changed} of {len(before)}"
    require(changed > len(before) / 2, f"most variables of the {family} must change. Received: {share}")
    return {f"{family}_variables": len(after)}
