"""What several tests share. First of: The networks against the paper's sizes, a plain numpy version of each,
and their initial statistics."""

import numpy as np


def random_weights(network, seed):
    """Gives every weight, biases too, a value that matters, and returns them as float64 arrays."""
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        scale = 0.3 if len(weight.shape) == 1 else 1 / np.sqrt(np.prod(weight.shape[:-1]))
        weight.assign(scale * rng.standard_normal(weight.shape))
    return [np.asarray(weight, np.float64) for weight in network.weights]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def conv(inputs, kernel, bias, strides=1):
    """Zero-padded by one on each side (not for a 1x1 kernel), which keeps or halves the width."""
    size = kernel.shape[0]
    padding = 0 if size == 1 else 1
    padded = np.pad(inputs, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    batch, height, width, _ = inputs.shape
    output = np.zeros((batch, height // strides, width // strides, kernel.shape[-1]))
    for row, column in np.ndindex(output.shape[1:3]):
        top, left = row * strides, column * strides
        patch = padded[:, top : top + size, left : left + size]
        output[:, row, column] = np.einsum("bhwi,hwio->bo", patch, kernel) + bias
    return output


def double(inputs):
    return np.repeat(np.repeat(inputs, 2, axis=1), 2, axis=2)
