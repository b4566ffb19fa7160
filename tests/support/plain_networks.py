"""Plain numpy versions of layers and of Adam, and random weights and images to compare with them."""

import numpy as np


def random_weights(network, seed=0):
    """Assigns random values to all trainable variables, biases too, and returns them as float64 arrays."""
    rng = np.random.default_rng(seed)
    for weight in network.trainable_variables:
        scale = 0.3 if len(weight.shape) == 1 else 1 / np.sqrt(np.prod(weight.shape[:-1]))
        weight.assign(scale * rng.standard_normal(weight.shape))
    return [np.asarray(weight, np.float64) for weight in network.trainable_variables]


def noise(*shape, seed=0):
    """Draws images, or other arrays, of the given shape: float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def conv(inputs, kernel, bias, strides=1):
    """Convolves images with a zero on each side (a 1x1 kernel: without), which keeps or halves the width."""
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
    """Doubles height and width by repeating each pixel."""
    return np.repeat(np.repeat(inputs, 2, axis=1), 2, axis=2)


class PlainAdam:
    """TensorFlow's Adam: rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + 1e-8)."""

    def __init__(self, variables, rate, beta_1):
        self.variables, self.rate, self.beta_1, self.steps = variables, rate, beta_1, 0
        self.first = [np.zeros(v.shape) for v in variables]
        self.second = [np.zeros(v.shape) for v in variables]

    def apply(self, gradients):
        self.steps += 1
        rate = self.rate * np.sqrt(1 - 0.999**self.steps) / (1 - self.beta_1**self.steps)
        for i, gradient in enumerate(np.asarray(g, np.float64) for g in gradients):
            self.first[i] = self.beta_1 * self.first[i] + (1 - self.beta_1) * gradient
            self.second[i] = 0.999 * self.second[i] + 0.001 * gradient**2
            step = rate * self.first[i] / (np.sqrt(self.second[i]) + 1e-8)
            self.variables[i].assign(np.asarray(self.variables[i], np.float64) - step)
