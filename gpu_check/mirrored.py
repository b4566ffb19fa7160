"""Training on two devices: after its steps both hold the same, bit for bit."""

import keras
import numpy as np
import tensorflow as tf

from common.distribute import distribution
from gpu_check.bounds import require
from gpu_check.gans import gan
from gpu_check.twins import acai, all_variables, batches

FAMILIES = {
    "ACAI": acai,
    "GAN": lambda sizes: gan(sizes, critic_steps=2),  # a batch norm that holds still in every other step
}


def mirrored(device, sizes):
    """Takes two steps of an ACAI and of a GAN on two devices, and compares all copies of all variables."""
    strategy = distribution.make_strategy("mirrored")
    count = strategy.num_replicas_in_sync
    require(count == 2, f"the strategy must have 2 replicas. Received: {count}")
    physical = len(tf.config.list_physical_devices(device.partition(":")[0]))
    figures = {"devices": f"two {'real' if physical > 1 else 'logical'} {device[:3]}s"}
    for family, make in FAMILIES.items():
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = make(sizes)
        start = {name: both for name, both in copies(model).items() if "step" not in name}
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
        figures |= compare_copies(family, start, copies(model))
    return figures


def copies(model):
    """{name: (the first replica's array, the second's)} of every variable of a model."""
    values = {name: variable.value.values for name, variable in all_variables(model).items()}
    return {name: [np.asarray(copy).copy() for copy in copies] for name, copies in values.items()}


def compare_copies(family, before, after):
    """{"<family>_variables": how many have equal copies}; CheckFailed for other copies, or if most stood still."""
    for name, (first, second) in after.items():
        apart = np.abs(np.float64(first) - np.float64(second)).max()
        equal = np.array_equal(first, second)
        require(equal, f"both copies of {name} of the {family} must be equal. Received: {apart:.3g} apart")
    moved = sum(not np.array_equal(copy[0], after[name][0]) for name, copy in before.items())
    share = f"{moved} of {len(before)}"
    require(moved > len(before) / 2, f"most variables of the {family} must move. Received: {share}")
    return {f"{family}_variables": len(after)}
