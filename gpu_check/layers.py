"""Check of the project's layers: outputs and gradients against the CPU."""

import numpy as np
import tensorflow as tf

from acai.layers import ImageMean, LinearThenConv2D, UpsampleThenConv2D
from common.backend.activations import LeakyReLU
from common.backend.compiler import tracing
from common.backend.convolution import Conv2D
from common.backend.strided import Down, Up
from gan.layers import BatchNorm, MinibatchDeviation, SpectralConv2D, SpectralDense
from gpu_check.bounds import at_most, require
from gpu_check.comparison import CLASSES, REFERENCE, build_on, relative_error
from gpu_check.devices import require_device

LAYERS = {  # name: (function of channels and a dtype policy, kinds of its inputs)
    "Conv2D": (lambda n, dtype: Conv2D(n, 3, padding="same", dtype=dtype), ["maps"]),
    "Conv2D of stride 2": (lambda n, dtype: Conv2D(n, 4, 2, padding="same", dtype=dtype), ["maps"]),
    "UpsampleThenConv2D": (lambda n, dtype: UpsampleThenConv2D(n, dtype=dtype), ["maps"]),
    "LinearThenConv2D": (lambda n, dtype: LinearThenConv2D(n, n, dtype=dtype), ["images"]),
    "ImageMean": (lambda n, dtype: ImageMean(dtype=dtype), ["maps"]),
    "LeakyReLU": (lambda n, dtype: LeakyReLU(0.2, dtype=dtype), ["maps"]),
    "BatchNorm": (lambda n, dtype: BatchNorm(), ["maps"]),
    "BatchNorm by class": (lambda n, dtype: BatchNorm(CLASSES), ["maps", "class weights"]),
    "SpectralConv2D": (lambda n, dtype: SpectralConv2D(n, 4, 2, dtype=dtype), ["maps"]),
    "SpectralDense": (lambda n, dtype: SpectralDense(n, dtype=dtype), ["rows"]),
    "MinibatchDeviation": (lambda n, dtype: MinibatchDeviation(), ["maps"]),
    "Down from colours": (lambda n, dtype: Down(n, dtype=dtype), ["images"]),
    "Down": (lambda n, dtype: Down(n, dtype=dtype), ["maps"]),
    "Up": (lambda n, dtype: Up(n, dtype=dtype), ["maps"]),
    "Up to colours": (lambda n, dtype: Up(3, dtype=dtype), ["maps"]),
    "MaxPooling": (lambda n, dtype: max_pooling(dtype), ["maps"]),
}


def max_pooling(dtype):
    from classifiers.networks import MaxPooling

    return MaxPooling(dtype=dtype)


def layers(device, sizes):
    """Compares outputs, gradients and moving statistics in float32 and float16, uncompiled and compiled."""
    worst = {}
    for name, (make, kinds) in LAYERS.items():
        inputs = [make_inputs(kind, sizes) for kind in kinds]
        reference = build_layer(make, "float32", sizes, inputs, REFERENCE)
        start = reference.get_weights()
        expected = forward_and_back(reference, inputs, REFERENCE, compiled=False)
        for policy in ("float32", "mixed_float16"):
            layer = build_layer(make, policy, sizes, inputs, device)
            for compiled in (False, True)[: 1 + sizes.compiled]:
                layer.set_weights(start)
                results = forward_and_back(layer, inputs, device, compiled)
                require(results.keys() == expected.keys(), f"{name} must have gradients. Received: {[*results]}")
                bound = f"layer {policy.removeprefix('mixed_')}"
                for part, tensor in results.items():
                    error = relative_error(tensor, expected[part])
                    how = f"in {policy}, {'compiled by XLA' if compiled else 'not compiled'}"
                    at_most(bound, error, f"error of {part} of {name} {how},")
                    worst[policy] = max(worst.get(policy, 0.0), error)
    return {"layers": len(LAYERS)} | {f"{policy}_error": float(f"{error:.2g}") for policy, error in worst.items()}


def make_inputs(kind, sizes):
    """Makes float32 inputs of a kind."""
    width, channels = sizes.width // 2, sizes.channels
    shapes = {
        "maps": (sizes.batch, width, width, channels),
        "images": (sizes.batch, width, width, 3),
        "rows": (sizes.batch, channels),
        "class weights": (sizes.batch, CLASSES),
    }
    return draw_normal(shapes[kind], seed=0)


def draw_normal(shape, seed):
    """Draws normally distributed float32 numbers that float16 represents exactly."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float16).astype(np.float32)


def build_layer(make, policy, sizes, inputs, device):
    """Builds a layer with a dtype policy on a device."""

    def make_and_build():
        layer = make(sizes.channels, policy)
        layer.build(inputs[0].shape)
        return layer

    return build_on(device, make_and_build)


def forward_and_back(layer, inputs, device, compiled):
    """Returns {name: tensor} of a layer's outputs, the gradients of their weighted sum and moving statistics."""

    def run(*inputs):
        with tracing(compiled), tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.cast(layer(*inputs, **options), tf.float32)
            loss = tf.reduce_sum(outputs * draw_normal(outputs.shape, seed=1))
        return outputs, tape.gradient(loss, [*inputs, *layer.trainable_variables])

    options = {"training": True} if isinstance(layer, BatchNorm) else {}
    with tf.device(device):
        tensors = map(tf.constant, inputs)
        outputs, gradients = tf.function(run, jit_compile=compiled, autograph=False)(*tensors)
    names = [f"the gradient at input {number}" for number in range(len(inputs))]
    names += [f"the gradient at {variable.name}" for variable in layer.trainable_variables]
    tensors = {"the outputs": outputs} | dict(zip(names, map(tf.convert_to_tensor, gradients), strict=True))
    require_device(device, tensors)
    return tensors | {variable.name: variable.numpy() for variable in layer.non_trainable_variables}
