"""Convolutions whose kernel gradients are computed by matrix products, which oneDNN runs faster."""

import keras
import tensorflow as tf

from common.backend import compiler

MIN_CHANNELS = {"float32": 32, "bfloat16": 64}  # of inputs and outputs, from which products are faster


class Conv2D(keras.layers.Conv2D):
    """Keras's Conv2D with the same results up to rounding; it uses `convolve` where it can.

    Arguments as in Keras.
    """

    def convolution_op(self, inputs, kernel):
        if self.strides == (1, 1) and self.padding == "same" and all(size % 2 for size in self.kernel_size):
            return convolve(inputs, tf.convert_to_tensor(kernel))  # the variable in the layer's compute dtype
        return super().convolution_op(inputs, kernel)


def convolve(inputs, kernel, stride=1):
    """Computes a zero-padded convolution, with `kernel_gradient` as the gradient of its kernel if that is faster.

    Args:
        inputs: [B, H, W, C], H and W multiples of the stride.
        kernel: [k, k, C, filters]; k - stride is even and k a multiple of the stride.
        stride: 1, 2, ...

    Returns:
        [B, H / stride, W / stride, filters].
    """

    def plain(inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, stride, "SAME")

    @tf.custom_gradient
    def with_products(inputs, kernel):
        def gradients(upstream):
            at_inputs = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(inputs), stride)
            return at_inputs, kernel_gradient(inputs, upstream, kernel.shape, stride)

        return plain(inputs, kernel), gradients

    return (with_products if products_pay(kernel) else plain)(inputs, kernel)


def convolve_transposed(inputs, kernel, stride):
    """Computes the transpose of `convolve`, likewise with `kernel_gradient` if that is faster.

    Args:
        inputs: [B, h, w, filters].
        kernel, stride: as of `convolve`.

    Returns:
        [B, stride h, stride w, C].
    """
    batch, (rows, columns) = tf.shape(inputs)[0], inputs.shape[1:3]

    def plain(inputs, kernel):
        shape = batch, stride * rows, stride * columns, kernel.shape[2]
        return tf.nn.conv2d_transpose(inputs, kernel, shape, stride)

    @tf.custom_gradient
    def with_products(inputs, kernel):
        def gradients(upstream):
            at_inputs = tf.nn.conv2d(upstream, kernel, stride, "SAME")
            return at_inputs, kernel_gradient(upstream, inputs, kernel.shape, stride)

        return plain(inputs, kernel), gradients

    return (with_products if products_pay(kernel) else plain)(inputs, kernel)


def products_pay(kernel):
    """Whether matrix products are the faster gradient of a kernel in the function being traced."""
    least = MIN_CHANNELS.get(keras.backend.standardize_dtype(kernel.dtype))
    return least is not None and min(kernel.shape[2:]) >= least and compiler.targets_onednn()


def kernel_gradient(inputs, upstream, shape, stride):
    """The gradient of a convolution's kernel, by one matrix product per place in it.

    The factors of a product are the inputs, shifted by the place, and the gradient of the outputs, each with all
    positions of all images as rows. With a stride, `stride` neighbouring columns count as one with more channels.
    oneDNN's own gradient takes up to four times as long.

    Args:
        inputs: [B, H, W, C], of the convolution.
        upstream: [B, h, w, filters], the gradient of its outputs.
        shape: (k, k, C, filters), of the kernel.
        stride: of the convolution.

    Returns:
        [k, k, C, filters].
    """
    height, width, channels, filters = shape
    rows, columns = upstream.shape[1:3]
    margins = [((size - stride) // 2,) * 2 for size in (height, width)]
    padded = tf.pad(inputs, ((0, 0), *margins, (0, 0)))
    steps = padded.shape[1] // stride, padded.shape[2] // stride
    grouped = tf.reshape(padded, (-1, steps[0], stride, steps[1], stride * channels))
    upstream = tf.reshape(upstream, (-1, filters))
    places = [(i, j) for i in range(height) for j in range(width // stride)]
    products = []
    for i, j in places:
        shifted = grouped[:, i // stride : i // stride + rows, i % stride, j : j + columns]
        products.append(tf.matmul(tf.reshape(shifted, (-1, stride * channels)), upstream, transpose_a=True))
    return tf.reshape(tf.stack(products), shape)
