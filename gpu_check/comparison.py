"""Comparison of a model on a CPU with its copy on the device."""

import keras
import numpy as np
import tensorflow as tf

from acai import networks
from acai.adversaries.patch_discriminator import PatchDiscriminator
from acai.adversaries.ramp import LinearRamp
from acai.model import paper_acai
from common.backend import compiler
from gpu_check.bounds import at_most

REFERENCE = "CPU:0"
CLASSES = 3
ROUNDING = 1e-5  # about a hundred times the rounding error of float32


def acai(sizes, precision="float32"):
    """A compiled ACAI with a patch discriminator and an average, weighted so that every loss term matters."""
    network = networks.patch_discriminator(sizes.width, sizes.depth, dtype=precision)
    model = paper_acai(
        width=sizes.width,
        latent_channels=4,
        depth=sizes.depth,
        classes=CLASSES,
        mix_weight=300.0,
        precision=precision,
        more_adversaries=[PatchDiscriminator(network, LinearRamp(30.0), gradient_penalty=10.0)],
        ema_rate=0.5,
    )
    model.compile(1e-3, {"discriminator": 2e-4})
    return with_biases(model)


def with_biases(model):
    """Gives a model nonzero biases and its optimizers a large epsilon; returns the model.

    With biases of 0 scores and gradients would vanish. With a small epsilon Adam turns the rounding error of a
    tiny gradient into a whole step.
    """
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    for optimizer in model.optimizers.values():
        getattr(optimizer, "inner_optimizer", optimizer).epsilon = 1e-3
    return model


def batches(sizes, count, seed=0):
    """Yields `count` batches of noise as numpy arrays."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        images = rng.uniform(-1, 1, (sizes.batch, sizes.width, sizes.width, 3)).astype(np.float32)
        yield {"image": images, "label": rng.integers(0, CLASSES, sizes.batch).astype(np.int32)}


def build_on(device, make):
    """Calls `make` with a fixed seed and places the new variables on the device."""
    keras.utils.set_random_seed(0)
    with tf.device(device):
        return make()


def copy_state(source, target):
    """Copies the state of one model to another."""
    with tf.device(REFERENCE):
        arrays = snapshot(source)
    for name, variable in target.state().items():
        variable.assign(arrays[name])


def snapshot(model):
    """Copies a model's state to {name: array}."""
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def all_variables(model):
    """Returns {name: variable} of a model and its optimizers, including those that no checkpoint holds."""
    state = model.state()
    state_ids = {id(variable) for variable in state.values()}
    others = [variable for variable in model.variables if id(variable) not in state_ids]
    return state | {f"{variable.path} ({number})": variable for number, variable in enumerate(others)}


def compile_step(model, device, compiled, step=None):
    """Returns a function of a batch and static arguments that runs a step, by default training, on the device."""
    step = step or model.train_step

    def traced(batch, **static):
        with compiler.tracing(compiled):
            return step(batch, **static)

    function = tf.function(traced, jit_compile=compiled, autograph=False)

    def run(batch, **static):
        with tf.device(device):
            return function({name: tf.constant(array) for name, array in batch.items()}, **static)

    return run


def take_steps(model, device, data, compiled=False):
    """Takes a training step on each batch; returns a list of their logs, {name: float}."""
    step = compile_step(model, device, compiled)
    logs = [step(batch, **model.static_arguments(number)) for number, batch in enumerate(data)]
    return [{name: float(value) for name, value in log.items()} for log in logs]


def relative_error(values, expected, min_norm=0.0):
    """Returns the L2 norm of values - expected, divided by that of `expected` or by `min_norm` if it is larger."""
    values, expected = np.float64(values), np.float64(expected)
    difference, norm = np.linalg.norm(values - expected), max(np.linalg.norm(expected), min_norm)
    return 0.0 if difference == 0 else float(difference / norm) if norm else float("inf")


def compare_training(make, device, sizes, steps=2, what="a step"):
    """Takes uncompiled steps from equal weights on the CPU and on the device and compares them.

    Args:
        make: function that returns a compiled float32 model.
        device: the device to compare with the CPU.
        sizes: gpu_check.sizes.Sizes.
        steps: number of steps.
        what: description of the steps in error messages.

    Returns:
        dict with the largest relative errors of the logs, "logs", and of the variables' changes, "changes".

    Raises:
        CheckFailed: for an error above its bound.
    """
    reference, model = build_on(REFERENCE, make), build_on(device, make)
    copy_state(reference, model)
    start = snapshot(reference)
    logs, expected_logs = (
        take_steps(m, place, batches(sizes, steps)) for m, place in ((model, device), (reference, REFERENCE))
    )
    worst = {"logs": 0.0, "changes": 0.0}
    for log, expected in zip(logs, expected_logs, strict=True):
        for name, value in expected.items():
            error = abs(log[name] - value) / max(abs(value), 1e-2)
            at_most("step logs", error, f"error of {name} in {what}")
            worst["logs"] = max(worst["logs"], error)
    end, expected_end = snapshot(model), snapshot(reference)
    for name, before in start.items():
        min_norm = ROUNDING * np.linalg.norm(before)  # smaller changes are mostly rounding errors
        error = relative_error(end[name] - before, expected_end[name] - before, min_norm)
        at_most("step changes", error, f"error of the change of {name} in {what}")
        worst["changes"] = max(worst["changes"], error)
    return {name: float(f"{error:.2g}") for name, error in worst.items()}
