"""Layers of ACAI. Two of them compute a pair of linear layers as one, which is faster."""

import keras

from common.backend.convolution import convolve_transposed

SLOPE = 0.2  # of all leaky ReLUs


def kernel_initializer():
    """Zero-mean normal, not truncated, with variance 1 / ((1 + SLOPE^2) * fan_in) (He et al. 2015, eq. 15)."""
    return keras.initializers.VarianceScaling(1 / (1 + SLOPE**2), "fan_in", "untruncated_normal")


class UpsampleThenConv2D(keras.layers.Layer):
    """Nearest-neighbour upsampling by 2, then a padded 3x3 convolution, computed as one transposed convolution.

    [B, H, W, C] -> [B, 2H, 2W, filters]. Upsampling is a transposed convolution of stride 2 with a 2x2 kernel of
    ones. Followed by a 3x3 convolution it is a transposed convolution with a 4x4 kernel. Up to rounding the result
    is that of the two layers, with 4 / 9 of the arithmetic.

    Args:
        filters: number of filters of the 3x3 convolution.
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
        return convolve_transposed(inputs, kernel, 2) + self.bias

    def compute_output_shape(self, shape):
        return (shape[0], 2 * shape[1], 2 * shape[2], self.filters)


class ImageMean(keras.layers.Layer):
    """[B, h, w, c] -> [B]: the mean over positions and channels."""

    def call(self, inputs):
        return keras.ops.mean(inputs, axis=(1, 2, 3))

    def compute_output_shape(self, shape):
        return shape[:1]


class LinearThenConv2D(keras.layers.Layer):
    """A 1x1 convolution without activation, then a padded 3x3 convolution, computed as one 3x3 convolution.

    [B, H, W, C] -> [B, H, W, filters]. Up to rounding the result is that of the two layers, with a quarter of the
    arithmetic. The 1x1 bias becomes the kernel of an extra channel of ones, which the 3x3 convolution pads with
    zeros like all others.

    Args:
        channels: number of filters of the 1x1 convolution.
        filters: number of filters of the 3x3 convolution.
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
