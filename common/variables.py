"""Weights of models: their names in checkpoints and releases, their moving averages, their optimizers' logs."""

import tensorflow as tf

from common.errors import InputError


def variables_by_name(prefix, network):
    """{"prefix/00_kernel": variable, ...} in the order of the network's layers; the same in every process."""
    return {f"{prefix}/{i:02d}_{v.name}": v for i, v in enumerate(network.variables)}


def optimizer_variables_by_name(optimizers):
    """{"name_optimizer/00": variable, ...} of {name: optimizer}: steps, moments and loss scales."""
    return {f"{name}_optimizer/{i:02d}": v for name, o in optimizers.items() for i, v in enumerate(o.variables)}


def update_averages(pairs, rate, steps, moved):
    """Has averages follow weights by 1 - `rate` a step, faster in the first ones: they forget the random start.

    Args:
        pairs: (average, weight), variables.
        rate: share that is kept.
        steps: taken so far, a tensor.
        moved: bool tensor; False, as after an overflow: averages stay as they are.
    """
    steps = tf.cast(steps, tf.float32)
    rate = tf.minimum(rate, (1 + steps) / (10 + steps))
    for average, weight in pairs:
        average.assign_add(tf.where(moved, 1 - rate, 0.0) * (weight - average))


def optimizer_logs(optimizer):
    """{"learning_rate", "loss_scale"} of an optimizer, float32 scalars; without loss scaling the scale is 1."""
    return {"learning_rate": tf.cast(optimizer.learning_rate, tf.float32), "loss_scale": loss_scale(optimizer)}


def loss_scale(optimizer):
    """What an optimizer divides gradients by."""
    return tf.convert_to_tensor(getattr(optimizer, "dynamic_scale", 1.0))


def restore(state, arrays, source):
    """Assigns {name: array} to the variables {name: variable}, all of them or none.

    Raises:
        InputError: naming the first difference, when names or shapes differ (another architecture's), or what is
            there is no numbers.
    """
    missing, surplus = sorted(state.keys() - arrays.keys()), sorted(arrays.keys() - state.keys())
    shared = sorted(state.keys() & arrays.keys())
    shapes = [n for n in shared if tuple(state[n].shape) != arrays[n].shape]
    shapes += [n for n in shared if arrays[n].dtype.kind not in "biuf"]
    if missing or surplus or shapes:
        name = (shapes or missing or surplus)[0]
        ours = tuple(state[name].shape) if name in state else "nothing"
        theirs = f"{arrays[name].dtype} {arrays[name].shape}" if name in arrays else "nothing"
        raise InputError(
            f"Weights of the configured architecture are required. Received: {source} with {theirs} for "
            f"{name} where the config makes {ours}; use the config that trained it."
        )
    for name, variable in state.items():
        variable.assign(arrays[name])
