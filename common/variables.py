"""Names of variables in checkpoints and releases, moving averages of weights, and optimizer logs."""

import collections
import re

import keras
import tensorflow as tf

from common.errors import InputError


def variables_by_name(prefix, network):
    """Names every variable of a network by its layer: {"prefix/conv2d_1/kernel": variable, ...}.

    Keras numbers layers per process; here they are numbered per network and kind, and only those with variables.
    So names are equal in every process, and a layer without weights, such as Dropout, does not change other names.

    Args:
        prefix: of all names.
        network: a Keras model, or a single layer, whose name is left out.

    Raises:
        ValueError: for two variables of one name, as a layer that contains layers may have.
    """
    layer_names, counts, found = {}, collections.Counter(), {}
    for layer in getattr(network, "layers", ()):
        kind = re.sub(r"_\d+$", "", layer.name)
        layer_names |= {id(variable): f"{prefix}/{kind}_{counts[kind]}" for variable in layer.variables}
        counts[kind] += bool(layer.variables)
    for variable in network.variables:
        name = f"{layer_names.get(id(variable), prefix)}/{variable.name}"
        if name in found:
            raise ValueError(f"The variables of a layer must have different names. Received: {name} twice.")
        found[name] = variable
    return found


def weights_by_name(prefix, network):
    """As `variables_by_name`, of the weights alone: without the states of seeds, which releases do not hold."""
    return {name: v for name, v in variables_by_name(prefix, network).items() if is_weight(v)}


def is_weight(variable):
    """Whether a variable is a weight or a statistic; the state of a Dropout's seed, an integer, is neither."""
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(variable.dtype))


def optimizer_variables_by_name(optimizers):
    """Returns {"name_optimizer/00": variable, ...} for {name: optimizer}: steps, moments and loss scales."""
    return {f"{name}_optimizer/{i:02d}": v for name, o in optimizers.items() for i, v in enumerate(o.variables)}


def update_averages(pairs, rate, steps, moved):
    """Updates exponential moving averages: average = rate * average + (1 - rate) * weight.

    In the first steps the rate is at most (1 + steps) / (10 + steps), so that the initial weights are forgotten.

    Args:
        pairs: pairs of variables (average, weight).
        rate: decay per step, in [0, 1).
        steps: number of steps taken so far, a tensor.
        moved: bool tensor; False leaves the averages unchanged, as after an overflow.
    """
    steps = tf.cast(steps, tf.float32)
    rate = tf.minimum(rate, (1 + steps) / (10 + steps))
    for average, weight in pairs:
        average.assign_add(tf.where(moved, 1 - rate, 0.0) * (weight - average))


def optimizer_logs(optimizer):
    """Returns {"learning_rate", "loss_scale"} of an optimizer, float32 scalars. Without scaling the scale is 1."""
    return {"learning_rate": tf.cast(optimizer.learning_rate, tf.float32), "loss_scale": loss_scale(optimizer)}


def loss_scale(optimizer):
    """Returns the number by which an optimizer divides gradients."""
    return tf.convert_to_tensor(getattr(optimizer, "dynamic_scale", 1.0))


def restore(state, arrays, source):
    """Assigns arrays to variables of the same names: all of them or, on an error, none.

    Args:
        state: {name: variable}.
        arrays: {name: array}.
        source: where the arrays come from, for messages.

    Raises:
        InputError: names or shapes differ, as for another architecture, or an array is not numeric. The message
            names the first difference.
    """
    missing, unexpected = sorted(state.keys() - arrays.keys()), sorted(arrays.keys() - state.keys())
    shared = sorted(state.keys() & arrays.keys())
    shapes = [n for n in shared if tuple(state[n].shape) != arrays[n].shape]
    shapes += [n for n in shared if arrays[n].dtype.kind not in "biuf"]
    if missing or unexpected or shapes:
        name = (shapes or missing or unexpected)[0]
        ours = tuple(state[name].shape) if name in state else "nothing"
        theirs = f"{arrays[name].dtype} {arrays[name].shape}" if name in arrays else "nothing"
        raise InputError(
            f"Weights must fit the configured architecture. Received: {source} with {theirs} for {name}, where "
            f"the config has {ours}; use the config that trained it, or the code of its networks."
        )
    for name, variable in state.items():
        variable.assign(arrays[name])
