"""Layers of ACAI: pairs of linear layers run as one, and a convolution whose gradient suits small maps."""

import keras
import tensorflow as tf

from common.backend import compiler

SLOPE = 0.2  # of every leaky ReLU
SMALL, LARGE = 8, 32  # widths of maps up to which `convolve` pays: for FEW filters at least; for MANY channels too
FEW, MANY = 16, 32
POSITIONS, IMAGES = 4096, 8  # that it looks at together: so many positions, but of so many images at least


def kernel_initializer():
    """Zero-mean normal, not truncated, with variance 1 / ((1 + SLOPE^2) * fan_in) (He et al. 2015, eq. 15)."""
    return keras.initializers.VarianceScaling(1 / (1 + SLOPE**2), "fan_in", "untruncated_normal")


class Conv2D(keras.layers.Conv2D):
    """Keras's, whose kernel's gradient is found by `convolve` where that is faster. Arguments as in Keras."""

    def convolution_op(self, inputs, kernel):
        if self.strides == (1, 1) and self.padding == "same" and convolve_pays(inputs.shape, self.kernel.shape):
            kernel = tf.convert_to_tensor(kernel)  # a variable as the layer's precision has it
            if kernel.dtype == tf.float32 and compiler.for_cpu_by_onednn():
                return convolve(inputs, kernel)
        return super().convolution_op(inputs, kernel)


def convolve_pays(shape, kernel_shape):
    """Whether oneDNN is faster so, for inputs [B, H, W, C] and a kernel [k, k, C, filters]."""
    width, channels, filters = max(shape[1:3]), *kernel_shape[2:]
    if width <= SMALL:
        return filters >= FEW
    wide = width <= LARGE and min(channels, filters) >= MANY
    return wide and shape[0] is not None and shape[0] // groups(shape) <= images_together(shape)


@tf.custom_gradient
def convolve(inputs, kernel):
    """A zero-padded convolution whose kernel's gradient is a convolution too: [B, H, W, C] -> [B, H, W, filters].

    The inputs, their channels taken for images and their images for channels, are convolved with the outputs'
    gradient, a kernel as large as the map; so many images at a time that this kernel stays in the cache. The
    sums are those of oneDNN's own way, which takes a fifth to two thirds longer. The kernel's k is odd.
    """
    padding = [[0, 0], *([size // 2] * 2 for size in kernel.shape[:2]), [0, 0]]

    def gradients(upstream):
        count = groups(inputs.shape)
        parts = zip(tf.split(inputs, count), tf.split(upstream, count), strict=True)
        swapped = [(tf.transpose(x, (3, 1, 2, 0)), tf.transpose(dy, (1, 2, 0, 3))) for x, dy in parts]
        of_kernel = sum(tf.nn.conv2d(*pair, 1, padding) for pair in swapped)  # [C, k, k, filters]
        of_inputs = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(inputs), 1, "SAME")
        return of_inputs, tf.transpose(of_kernel, (1, 2, 0, 3))

    return tf.nn.conv2d(inputs, kernel, 1, "SAME"), gradients


def groups(shape):
    """How many equal groups images [B, H, W, C] come in; 1 where they do not come out even."""
    count, rest = divmod(shape[0] or 1, images_together(shape))
    return 1 if rest else count


def images_together(shape):
    """How many images [B, H, W, C] make a group."""
    return max(IMAGES, POSITIONS // (shape[1] * shape[2]))


class UpsampleThenConv2D(keras.layers.Layer):
    """Nearest-neighbour upsampling by 2, then a padded 3x3 convolution, run as one transposed convolution.

    [B, H, W, C] -> [B, 2H, 2W, filters]. Upsampling is the transposed convolution of stride 2 with a 2x2 kernel of
    ones; behind it the 3x3 kernel makes it a 4x4 one. The result is the two layers' up to rounding, for 4 / 9 of
    the arithmetic.

    Args:
        filters: of the 3x3 convolution.
    """

    def __init__(self, filters, **options):
        super().__init__(**options)
        self.filters = filters

    def build(self, shape):
        self.kernel = self.add_weight((3, 3, shape[-1], self.filters), kernel_initializer(), name="kernel")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")

    def call(self, inputs):
        transposed = keras.ops.transpose(keras.ops.flip(self.kernel, (0, 1)), (0, 1, 3, 2))  # [3, 3, filters, C]
        shifts = [((row, 1 - row), (column, 1 - column), (0, 0), (0, 0)) for row in (0, 1) for column in (0, 1)]
        kernel = sum(keras.ops.pad(transposed, shift) for shift in shifts)  # [4, 4, filters, C]
        return keras.ops.conv_transpose(inputs, kernel, strides=2, padding="same") + self.bias

    def compute_output_shape(self, shape):
        return (shape[0], 2 * shape[1], 2 * shape[2], self.filters)


class ImageMean(keras.layers.Layer):
    """[B, h, w, c] -> [B]: the mean over positions and channels."""

    def call(self, inputs):
        return keras.ops.mean(inputs, axis=(1, 2, 3))

    def compute_output_shape(self, shape):
        return shape[:1]


class LinearThenConv2D(keras.layers.Layer):
    """A 1x1 convolution without activation, then a 3x3 one, run as a single 3x3 convolution.

    [B, H, W, C] -> [B, H, W, filters]. Two linear maps make one, so the result is the two layers' up to
    rounding, for a quarter of the arithmetic. The 1x1 bias becomes the kernel of a channel of ones, which the
    3x3 convolution pads with zeros at the border like all others.

    Args:
        channels: of the 1x1 convolution.
        filters: of the 3x3 convolution.
    """

    def __init__(self, channels, filters, **options):
        super().__init__(**options)
        self.channels, self.filters = channels, filters

    def build(self, shape):
        initializer = kernel_initializer()
        self.linear_kernel = self.add_weight((1, 1, shape[-1], self.channels), initializer, name="linear_kernel")
        self.linear_bias = self.add_weight((self.channels,), "zeros", name="linear_bias")
        self.kernel = self.add_weight((3, 3, self.channels, self.filters), initializer, name="kernel")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")

    def call(self, inputs):
        linear = keras.ops.concatenate([self.linear_kernel[0, 0], self.linear_bias[None]])  # [C + 1, channels]
        kernel = keras.ops.einsum("ic,hwco->hwio", linear, self.kernel)  # [3, 3, C + 1, filters]
        with_ones = keras.ops.pad(inputs, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=1)
        return keras.ops.conv(with_ones, kernel, padding="same") + self.bias

    def compute_output_shape(self, shape):
        return (*shape[:3], self.filters)
