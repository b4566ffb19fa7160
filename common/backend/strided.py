"""The convolutions of a DCGAN, 4x4 with stride 2: down, and its transpose, up.

For images with few channels, each 2x2 square of pixels is folded into one position with four times the channels,
and the convolution becomes a 2x2 one with stride 1. The sums are the same, but CPUs compute them in half the time.
With more channels, XLA on a CPU uses `common.backend.winograd`.
"""

import keras
import tensorflow as tf

from common.backend import compiler, winograd
from common.backend.convolution import convolve, convolve_transposed

SIZE, STRIDE = 4, 2
FEW = 16  # channels of the images below which folding pays


class Down(keras.layers.Conv2D):
    """Images [B, 2h, 2w, C] -> [B, h, w, filters], zero-padded by 1. Arguments as in Keras."""

    def __init__(self, filters, **options):
        super().__init__(filters, SIZE, STRIDE, padding="same", **options)

    def convolution_op(self, inputs, kernel):
        return down(inputs, kernel)


class Up(keras.layers.Conv2DTranspose):
    """Maps [B, h, w, C] -> [B, 2h, 2w, filters]. Arguments as in Keras."""

    def __init__(self, filters, **options):
        super().__init__(filters, SIZE, STRIDE, padding="same", **options)

    def call(self, inputs):
        images = up(inputs, self.kernel)
        return images + self.bias if self.use_bias else images


def down(images, kernel):
    """Convolves images [B, 2h, 2w, C] with a kernel [4, 4, C, D]: [B, h, w, D]."""
    kernel = tf.convert_to_tensor(kernel)  # the variable in the layer's compute dtype
    if kernel.shape[2] < FEW:
        squares = tf.nn.space_to_depth(tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))), STRIDE)
        return tf.nn.conv2d(squares, fold_kernel(kernel), 1, "VALID")
    if winograd_pays(kernel):
        return winograd.down(images, kernel)
    return convolve(images, kernel, STRIDE)


def up(maps, kernel):
    """Applies the transposed convolution with a kernel [4, 4, C, D] to maps [B, h, w, D]: [B, 2h, 2w, C]."""
    kernel = tf.convert_to_tensor(kernel)
    count, (rows, columns), few = tf.shape(maps)[0], maps.shape[1:3], kernel.shape[2]
    if few < FEW:
        squares = (count, rows + 1, columns + 1, STRIDE**2 * few)
        images = tf.nn.depth_to_space(
            tf.nn.conv2d_transpose(maps, fold_kernel(kernel), squares, 1, "VALID"), STRIDE
        )
        return images[:, 1:-1, 1:-1]
    if winograd_pays(kernel):
        return winograd.up(maps, kernel)
    return convolve_transposed(maps, kernel, STRIDE)


def winograd_pays(kernel):
    """Whether Winograd convolutions are faster, and as exact, in the function being traced."""
    return kernel.dtype == tf.float32 and compiler.targets_cpu_with_xla()


def fold_kernel(kernel):
    """Returns a kernel [4, 4, C, D] as [2, 2, 4C, D], for folded squares of pixels."""
    few, deep = kernel.shape[2:]
    squares = tf.transpose(tf.reshape(kernel, (2, STRIDE, 2, STRIDE, few, deep)), (0, 2, 1, 3, 4, 5))
    return tf.reshape(squares, (2, 2, STRIDE**2 * few, deep))
