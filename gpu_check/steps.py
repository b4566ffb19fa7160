"""Where variables lie, and ACAI's training step: against the CPU, compiled in float16, and with an overflow."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from classifiers.model import Classifier
from common.variables import loss_scale
from gpu_check.bounds import at_least, require
from gpu_check.devices import require_on
from gpu_check.gans import every_trick, spectral
from gpu_check.twins import REFERENCE, acai, all_variables, batches, compare_training, on, snapshot, stepper

HOST_TYPES = ("int32", "bool", "string")  # whose variables TensorFlow keeps in the host's memory; XLA refuses them


def variables(device, sizes):
    """Requires every variable of every family, optimizers' too, to be of a type for GPUs, and on the device."""
    families = {
        "ACAI": lambda: acai(sizes, "mixed_float16"),
        "GAN": lambda: every_trick(sizes, "mixed_float16"),
        "spectral GAN": lambda: spectral(sizes, "mixed_float16"),
        "plain classifier": lambda: classifier("plain"),
        "residual classifier": lambda: classifier("residual"),
    }
    figures = {}
    for family, make in families.items():
        model = on(device, make)
        found = {f"{family}'s {name}": variable for name, variable in all_variables(model).items()}
        for name, variable in found.items():
            kind = keras.backend.standardize_dtype(variable.dtype)
            require(kind not in HOST_TYPES, f"{name} must be int64 or a float. Received: {kind}")
        require_on(device, {name: variable.value for name, variable in found.items()})
        figures[family.replace(" ", "_")] = len(found)
    return figures


def classifier(architecture):
    """A compiled classifier of mixed_float16."""
    model = Classifier(architecture, 32, (4, 4, 4), precision="mixed_float16")
    model.compile()
    return model


def acai_step(device, sizes):
    """Compares two uncompiled float32 steps with the CPU's."""
    return compare_training(lambda: acai(sizes), device, sizes)


def compiled_step(device, sizes):
    """Compares gradients of a compiled mixed_float16 step with those of an uncompiled float32 one on the CPU."""
    reference, model = on(REFERENCE, lambda: acai(sizes)), on(device, lambda: acai(sizes, "mixed_float16"))
    with tf.device(REFERENCE):
        weights = {name: array for name, array in snapshot(reference).items() if "optimizer" not in name}
    for name, array in weights.items():
        model.state()[name].assign(array)
    found = gradients(model, device, sizes, sizes.compiled)
    expected = gradients(reference, REFERENCE, sizes, compiled=False)
    require(found.keys() == expected.keys(), f"the networks must be {[*expected]}. Received: {[*found]}")
    cosines = {name: cosine(found[name], expected[name]) for name in expected}
    for name, value in cosines.items():
        at_least("gradient cosine", value, f"cosine of the {name}'s gradient in mixed_float16 to that in float32")
    return {f"{name}_cosine": round(value, 5) for name, value in cosines.items()}


def gradients(model, device, sizes, compiled):
    """{network: its gradients as one array} of a step that changes no weight.

    The mixes are given: from the same seed XLA draws other numbers than TensorFlow's own operations.
    """

    def step(batch):
        _, taken = model.gradients(batch)
        return {name: [tf.convert_to_tensor(part) for part in network] for name, network in taken.items()}

    mixes = np.linspace(0.02, 0.48, sizes.batch, dtype=np.float32)
    with mock.patch.object(tf.random, "stateless_uniform", lambda *_, **__: tf.constant(mixes)):
        taken = stepper(model, device, compiled, step)(*batches(sizes, 1))
    for name, network in taken.items():
        require_on(device, {f"a gradient of the {name}": part for part in network})
    return {name: np.concatenate([np.ravel(part) for part in network]) for name, network in taken.items()}


def cosine(first, second):
    """The cosine of the angle between two arrays."""
    first, second = np.float64(first), np.float64(second)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def overflow(device, sizes):
    """Plants overflows in compiled mixed_float16 steps: these change no weight, and halve all loss scales."""
    model = on(device, lambda: acai(sizes, "mixed_float16"))
    step = stepper(model, device, sizes.compiled)
    (good,) = batches(sizes, 1)
    bias = model.latent_classifier.trainable_variables[-1]
    plants = {"an overflow in the images": (1e6, 0.0), "an overflow in the classifier alone": (1.0, np.inf)}
    for what, (factor, planted) in plants.items():
        own = np.asarray(bias).copy()
        bias.assign(own + planted)
        before, old = snapshot(model), scales(model)
        step(good | {"image": np.float32(factor) * good["image"]})
        after, new = snapshot(model), scales(model)
        bias.assign(own)
        for name, array in before.items():
            same = np.array_equal(array, after[name])
            require(same or not array.ndim, f"{name} must not change by {what}. Received: another")
        halved = {name: scale / 2 for name, scale in old.items()}
        require(new == halved, f"{what} must halve all loss scales to {halved}. Received: {new}")
    before = snapshot(model)
    logs = step(good)
    after = snapshot(model)
    for name, array in before.items():
        moved = np.isfinite(after[name]).all() and not np.array_equal(array, after[name])
        require(moved or not array.ndim, f"{name} must change by the step after overflows. Received: the same")
    require(scales(model) == new, f"a good step must leave the loss scales. Received: {scales(model)}")
    return {"loss_scale": float(logs["loss_scale"]), "variables": len(before)}


def scales(model):
    """{network: its optimizer's loss scale}."""
    return {name: float(loss_scale(optimizer)) for name, optimizer in model.optimizers.items()}
