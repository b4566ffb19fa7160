"""Two copies of a model, one on a CPU and one on the device, and how far they come apart."""

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
ROUNDING = 1e-5  # some hundred times that of float32


def acai(sizes, precision="float32"):
    """A compiled ACAI with a patch discriminator and averages, in whose gradients every term has its share."""
    network = networks.patch_discriminator(sizes.width, sizes.depth, dtype=precision)
    model = paper_acai(
        width=sizes.width,
        latent_channels=4,
        depth=sizes.depth,
        classes=CLASSES,
        mix_weight=300.0,
        precision=precision,
        more_adversaries=[PatchDiscriminator(network, LinearRamp(30.0), "non_saturating", gradient_penalty=10.0)],
        ema_rate=0.5,
    )
    model.compile(1e-3, {"discriminator": 2e-4})
    return with_biases(model)


def with_biases(model):
    """The model with biases other than 0, where scores and gradients would vanish, and a large Adam epsilon.

    With a small one a weight of almost no gradient moves by the sign of its rounding.
    """
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    for optimizer in model.optimizers.values():
        getattr(optimizer, "inner_optimizer", optimizer).epsilon = 1e-3
    return model


def batches(sizes, count, seed=0):
    """So many batches of noise, as numpy arrays."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        images = rng.uniform(-1, 1, (sizes.batch, sizes.width, sizes.width, 3)).astype(np.float32)
        yield {"image": images, "label": rng.integers(0, CLASSES, sizes.batch).astype(np.int32)}


def on(device, make):
    """What `make` makes, its variables on the device."""
    keras.utils.set_random_seed(0)
    with tf.device(device):
        return make()


def copy_state(source, target):
    """Gives a model the weights of another."""
    with tf.device(REFERENCE):
        arrays = snapshot(source)
    for name, variable in target.state().items():
        variable.assign(arrays[name])


def snapshot(model):
    """{name: array} of a model's state."""
    return {name: np.asarray(variable).copy() for name, variable in model.state().items()}


def all_variables(model):
    """{name: variable} of a model, those of its optimizers and those that no checkpoint holds among them."""
    found = model.state()
    known = {id(variable) for variable in found.values()}
    others = [variable for variable in model.variables if id(variable) not in known]
    return found | {f"{variable.path} ({number})": variable for number, variable in enumerate(others)}


def stepper(model, device, compiled, step=None):
    """A function of a batch and static arguments that takes a model's step on the device."""
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
    """The logs, {name: float}, of a step on each batch."""
    step = stepper(model, device, compiled)
    logs = [step(batch, **model.static_arguments(number)) for number, batch in enumerate(data)]
    return [{name: float(value) for name, value in log.items()} for log in logs]


def relative_error(found, expected, least=0.0):
    """L2 norm of the difference of two arrays by that of the expected one, or by `least` if that is more."""
    found, expected = np.float64(found), np.float64(expected)
    difference, norm = np.linalg.norm(found - expected), max(np.linalg.norm(expected), least)
    return 0.0 if difference == 0 else float(difference / norm) if norm else float("inf")


def compare_training(make, device, sizes, steps=2, what="a step"):
    """Takes uncompiled steps on the CPU and on the device from equal weights, and compares.

    Args:
        make: function that makes a compiled model of float32.
        device: to compare with the CPU.
        sizes: gpu_check.sizes.Sizes, of the batches.
        steps: how many.
        what: what a failure calls them.

    Returns:
        {"logs", "changes"}: the largest error of a log, and of what the steps changed in a variable.
    """
    reference, model = on(REFERENCE, make), on(device, make)
    copy_state(reference, model)
    start = snapshot(reference)
    logs, expected_logs = (
        take_steps(own, place, batches(sizes, steps)) for own, place in ((model, device), (reference, REFERENCE))
    )
    worst = {"logs": 0.0, "changes": 0.0}
    for log, expected in zip(logs, expected_logs, strict=True):
        for name, value in expected.items():
            error = abs(log[name] - value) / max(abs(value), 1e-2)
            at_most("step logs", error, f"error of {name} in {what}")
            worst["logs"] = max(worst["logs"], error)
    end, expected_end = snapshot(model), snapshot(reference)
    for name, before in start.items():
        least = ROUNDING * np.linalg.norm(before)  # a smaller change is rounded too coarsely to compare
        error = relative_error(end[name] - before, expected_end[name] - before, least)
        at_most("step changes", error, f"error of the change of {name} in {what}")
        worst["changes"] = max(worst["changes"], error)
    return {name: float(f"{error:.2g}") for name, error in worst.items()}
