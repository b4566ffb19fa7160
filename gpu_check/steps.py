"""Checks of variables' placement and of ACAI's training step: float32, compiled float16, and overflows."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from classifiers.model import Classifier
from common.variables import loss_scale
from gpu_check.bounds import at_least, require
from gpu_check.comparison import (
    REFERENCE,
    acai,
    all_variables,
    batches,
    build_on,
    compare_training,
    compile_step,
    snapshot,
)
from gpu_check.devices import require_device
from gpu_check.gans import every_trick, spectral

HOST_TYPES = ("int32", "bool", "string")  # TensorFlow keeps such variables on the host, and XLA refuses them


def variables(device, sizes):
    """Requires all variables of all families and their optimizers to have GPU types and to be on the device."""
    families = {
        "ACAI": lambda: acai(sizes, "mixed_float16"),
        "GAN": lambda: every_trick(sizes, "mixed_float16"),
        "spectral GAN": lambda: spectral(sizes, "mixed_float16"),
        "plain classifier": lambda: classifier("plain"),
        "residual classifier": lambda: classifier("residual"),
    }
    figures = {}
    for family, make in families.items():
        model = build_on(device, make)
        named = {f"{family}'s {name}": variable for name, variable in all_variables(model).items()}
        for name, variable in named.items():
            dtype = keras.backend.standardize_dtype(variable.dtype)
            require(dtype not in HOST_TYPES, f"{name} must be int64 or a float. Received: {dtype}")
        require_device(device, {name: variable.value for name, variable in named.items()})
        figures[family.replace(" ", "_")] = len(named)
    return figures


def classifier(architecture):
    """A compiled mixed_float16 classifier."""
    model = Classifier(architecture, 32, (4, 4, 4), precision="mixed_float16")
    model.compile()
    return model


def acai_step(device, sizes):
    """Compares two uncompiled float32 steps with the CPU's."""
    return compare_training(lambda: acai(sizes), device, sizes)


def compiled_step(device, sizes):
    """Compares gradients of a compiled mixed_float16 step with an uncompiled float32 step on the CPU."""
    reference, model = (
        build_on(REFERENCE, lambda: acai(sizes)),
        build_on(device, lambda: acai(sizes, "mixed_float16")),
    )
    with tf.device(REFERENCE):
        weights = {name: array for name, array in snapshot(reference).items() if "optimizer" not in name}
    for name, array in weights.items():
        model.state()[name].assign(array)
    measured = gradients(model, device, sizes, sizes.compiled)
    expected = gradients(reference, REFERENCE, sizes, compiled=False)
    require(measured.keys() == expected.keys(), f"the networks must be {[*expected]}. Received: {[*measured]}")
    cosines = {name: cosine(measured[name], expected[name]) for name in expected}
    for name, value in cosines.items():
        at_least("gradient cosine", value, f"cosine of the {name}'s gradient in mixed_float16 to that in float32")
    return {f"{name}_cosine": round(value, 5) for name, value in cosines.items()}


def gradients(model, device, sizes, compiled):
    """Returns {network: its gradients as one array} at the current weights.

    The mixes are fixed, because XLA draws other numbers from a seed than TensorFlow's own operations.
    """

    def step(batch):
        _, parts = model.gradients(batch)
        return {name: [tf.convert_to_tensor(part) for part in network] for name, network in parts.items()}

    mixes = np.linspace(0.02, 0.48, sizes.batch, dtype=np.float32)
    with mock.patch.object(tf.random, "stateless_uniform", lambda *_, **__: tf.constant(mixes)):
        parts = compile_step(model, device, compiled, step)(*batches(sizes, 1))
    for name, network in parts.items():
        require_device(device, {f"a gradient of the {name}": part for part in network})
    return {name: np.concatenate([np.ravel(part) for part in network]) for name, network in parts.items()}


def cosine(first, second):
    """Returns the cosine of the angle between two vectors."""
    first, second = np.float64(first), np.float64(second)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def overflow(device, sizes):
    """Causes overflows in compiled mixed_float16 steps, which must change no weight and halve all loss scales."""
    model = build_on(device, lambda: acai(sizes, "mixed_float16"))
    step = compile_step(model, device, sizes.compiled)
    (good,) = batches(sizes, 1)
    bias = model.latent_classifier.trainable_variables[-1]
    overflows = {"an overflow in the images": (1e6, 0.0), "an overflow in the classifier alone": (1.0, np.inf)}
    for what, (factor, offset) in overflows.items():
        original_bias = np.asarray(bias).copy()
        bias.assign(original_bias + offset)
        before, old = snapshot(model), loss_scales(model)
        step(good | {"image": np.float32(factor) * good["image"]})
        after, new = snapshot(model), loss_scales(model)
        bias.assign(original_bias)
        for name, array in before.items():
            same = np.array_equal(array, after[name])
            require(same or not array.ndim, f"{what} must not change {name}. Received: a change")
        halved = {name: scale / 2 for name, scale in old.items()}
        require(new == halved, f"{what} must halve all loss scales to {halved}. Received: {new}")
    before = snapshot(model)
    logs = step(good)
    after = snapshot(model)
    for name, array in before.items():
        changed = np.isfinite(after[name]).all() and not np.array_equal(array, after[name])
        require(changed or not array.ndim, f"the step after overflows must change {name}. Received: no change")
    require(
        loss_scales(model) == new,
        f"a step without overflow must keep the loss scales. Received: {loss_scales(model)}",
    )
    return {"loss_scale": float(logs["loss_scale"]), "variables": len(before)}


def loss_scales(model):
    """Returns {network: loss scale of its optimizer}."""
    return {name: float(loss_scale(optimizer)) for name, optimizer in model.optimizers.items()}
