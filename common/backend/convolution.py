"""A convolution whose kernel gradient is itself a convolution, which oneDNN runs faster on small maps."""

import keras
import tensorflow as tf

from common.backend import compiler

SMALL, LARGE = (
    8,
    32,
)  # `convolve` pays up to these map widths: with FEW filters; with MANY channels too
FEW, MANY = 16, 32
POSITIONS, IMAGES = 4096, 8  # a group covers about this many positions, but at least this many images


class Conv2D(keras.layers.Conv2D):
    """Keras's Conv2D with the same results up to rounding; it uses `convolve` where that is faster.

    Arguments as in Keras.
    """

    def convolution_op(self, inputs, kernel):
        if self.strides == (1, 1) and self.padding == "same" and convolve_pays(inputs.shape, self.kernel.shape):
            kernel = tf.convert_to_tensor(kernel)  # the variable in the layer's compute dtype
            if kernel.dtype == tf.float32 and compiler.targets_onednn():
                return convolve(inputs, kernel)
        return super().convolution_op(inputs, kernel)


def convolve_pays(shape, kernel_shape):
    """Whether `convolve` is faster on oneDNN for inputs [B, H, W, C] and a kernel [k, k, C, filters]."""
    width, channels, filters = max(shape[1:3]), *kernel_shape[2:]
    if width <= SMALL:
        return filters >= FEW
    wide = width <= LARGE and min(channels, filters) >= MANY
    return wide and shape[0] is not None and shape[0] // num_groups(shape) <= images_per_group(shape)


@tf.custom_gradient
def convolve(inputs, kernel):
    """Computes a zero-padded convolution whose kernel gradient is also a convolution.

    The kernel gradient convolves the inputs with the gradient of the outputs. Channels take the place of images,
    and images that of channels, so this convolution's kernel is as large as the map. The images are split into
    groups for which that kernel fits into the cache. oneDNN's own kernel gradient takes 1.2 to 1.7 times as long.

    Args:
        inputs: [B, H, W, C].
        kernel: [k, k, C, filters], k odd.

    Returns:
        [B, H, W, filters].
    """
    padding = [[0, 0], *([size // 2] * 2 for size in kernel.shape[:2]), [0, 0]]

    def gradients(upstream):
        count = num_groups(inputs.shape)
        groups = zip(tf.split(inputs, count), tf.split(upstream, count), strict=True)
        swapped = [(tf.transpose(x, (3, 1, 2, 0)), tf.transpose(dy, (1, 2, 0, 3))) for x, dy in groups]
        kernel_gradient = sum(tf.nn.conv2d(*pair, 1, padding) for pair in swapped)  # [C, k, k, filters]
        input_gradient = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(inputs), 1, "SAME")
        return input_gradient, tf.transpose(kernel_gradient, (1, 2, 0, 3))

    return tf.nn.conv2d(inputs, kernel, 1, "SAME"), gradients


def num_groups(shape):
    """Number of equal groups that images [B, H, W, C] are split into; 1 where they cannot be split evenly."""
    count, rest = divmod(shape[0] or 1, images_per_group(shape))
    return 1 if rest else count


def images_per_group(shape):
    """Number of images [B, H, W, C] in a group."""
    return max(IMAGES, POSITIONS // (shape[1] * shape[2]))
