"""Layers of ACAI. `UpsampleThenConv2D` and `LinearThenConv2D` compute a pair of linear layers as one, which is
faster."""

import math

import keras
import tensorflow as tf

from common.backend.convolution import convolve_transposed

SLOPE = 0.2  # of all leaky ReLUs


def kernel_initializer():
    """Zero-mean normal, not truncated, with the paper's variance 1 / ((1 + SLOPE^2) * fan_in).

    It is half that of He et al. (arXiv 1502.01852, equation 15), which keeps the variance of activations.
    """
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

    [B, H, W, C] -> [B, H, W, filters]. Up to rounding the result is that of the two layers, with about
    (C + 1) / channels of the arithmetic: a quarter for three colours and depth 16, a sixteenth for depth 64. The
    1x1 bias becomes the kernel of an extra channel of ones, which the 3x3 convolution pads with zeros like all
    others.

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


class AveragedCodebook(keras.layers.Layer):
    """Finds the vectors nearest to points, in a codebook whose vectors are averages of points.

    [..., d] -> (index int32 [...] of the nearest vector, the vector [..., d]). Of equally near vectors it is the
    first.

    A vector is the moving average `sums` of the sums of its points, divided by the moving average `counts` of
    their number. As in the official code (`lib/discretization.py`), EPSILON is added to the numbers, which are
    then scaled to their former total. So in the first step a vector without points is divided by about EPSILON,
    10^-5, and no point is near it. From then on it shrinks with its `sums`, by DECAY = 0.999 a step. With 2^14
    vectors the initial components are at most sqrt(3 / 2^14) = 0.0135, so they are among the points again after
    some 7,000 steps. Before the first step the sums are the vectors.

    Args:
        size: number of vectors.

    Attributes:
        counts, sums: variables [size] and [size, d].
    """

    EPSILON = 1e-5

    def __init__(self, size, **options):
        super().__init__(**options)
        self.size = size

    def build(self, shape):
        limit = math.sqrt(3 / self.size)
        initializer = keras.initializers.RandomUniform(-limit, limit)
        self.counts = self.add_weight((self.size,), "zeros", name="counts")
        self.sums = self.add_weight((self.size, shape[-1]), initializer, name="sums")

    def vectors(self):
        """[size, d]."""
        counts, sums = keras.ops.convert_to_tensor(self.counts), keras.ops.convert_to_tensor(self.sums)
        total = keras.ops.sum(counts)
        smoothed = (counts + self.EPSILON) * (total / (total + self.size * self.EPSILON))
        return sums / keras.ops.where(total > 0, smoothed, 1.0)[:, None]

    def call(self, points):
        vectors, shape = self.vectors(), keras.ops.shape(points)
        points = keras.ops.reshape(points, (-1, shape[-1]))  # for one large product
        products = keras.ops.matmul(points, keras.ops.transpose(vectors))  # [N, size]
        distances = keras.ops.sum(keras.ops.square(vectors), 1) - 2 * products  # squared, without |point|^2
        indices = tf.argmin(distances, -1, tf.int32)  # Keras's has more passes over the distances, for -0
        nearest = keras.ops.take(vectors, indices, 0)
        return keras.ops.reshape(indices, shape[:-1]), keras.ops.reshape(nearest, shape)

    def compute_output_shape(self, shape):
        return shape[:-1], shape
