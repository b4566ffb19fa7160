"""Layers of GANs: spectral normalisation, batch normalisation by class, minibatch standard deviation.

Spectral normalisation is Miyato et al.'s (arXiv 1802.05957): the kernel is divided by its largest singular value
at use, so gradients flow through the division, and the estimate u moves in `power_iteration` only, which the
discriminator's step calls and nothing else. Their W [outputs, inputs] is the transpose of the kernels here.
"""

import contextlib
import contextvars

import keras
import tensorflow as tf
from keras import ops

from common.distribute import replicas

_update_stats = contextvars.ContextVar("whether batch norms update their moving statistics", default=True)


def power_iteration(network):
    """One power iteration of every spectrally normalised layer of a network (Miyato et al., algorithm 1)."""
    for layer in network.layers:
        if isinstance(layer, SpectralLayer):
            layer.power_iteration()


@contextlib.contextmanager
def frozen_batch_stats(frozen=True):
    """Context in which batch norms, if `frozen`, leave their moving statistics alone even in training.

    It holds for the thread that enters it only: MirroredStrategy traces each replica in a thread of its own, and
    these take turns within a step.
    """
    token = _update_stats.set(not frozen)
    try:
        yield
    finally:
        _update_stats.reset(token)


def as_class_weights(classes_of_images, classes):
    """Labels int [B], made one-hot, or class weights float [B, classes] -> class weights float32 [B, classes].

    Raises:
        ValueError: for anything else.
    """
    given = ops.convert_to_tensor(classes_of_images)
    if len(given.shape) == 1 and "int" in keras.backend.standardize_dtype(given.dtype):
        return ops.one_hot(given, classes, dtype="float32")
    if len(given.shape) != 2 or given.shape[1] != classes:
        raise ValueError(
            f"Labels int [B] or class weights [B, {classes}] are required. Received: {given.dtype} "
            f"{tuple(given.shape)}."
        )
    return ops.cast(given, "float32")


class SpectralLayer(keras.layers.Layer):
    """A linear layer whose kernel is divided by sigma, its largest singular value. Sigma is float32 always.

    With u [outputs] held constant and v = W^T u / |W^T u|, sigma = u^T W v, which equals |W^T u|; its gradient
    is the outer product of u and v in both forms.

    Args:
        use_bias: add a bias.
        kernel_initializer: as in Keras.
        **options: of `keras.layers.Layer`.
    """

    def __init__(self, use_bias=True, kernel_initializer="glorot_uniform", **options):
        super().__init__(**options)
        self.use_bias, self.kernel_initializer = use_bias, keras.initializers.get(kernel_initializer)

    def build(self, shape):
        kernel_shape = self.kernel_shape(shape[-1])
        self.kernel = self.add_weight(kernel_shape, self.kernel_initializer, name="kernel", autocast=False)
        outputs = kernel_shape[-1]
        self.u = self.add_weight((outputs,), "random_normal", trainable=False, name="u", autocast=False)
        self.u.assign(unit(self.u))
        if self.use_bias:
            self.bias = self.add_weight((outputs,), "zeros", name="bias")

    def call(self, inputs):
        outputs = self.linear(inputs, ops.cast(self.kernel / self.sigma(), self.compute_dtype))
        return outputs + self.bias if self.use_bias else outputs

    def sigma(self):
        """The estimate of the largest singular value, []."""
        return ops.norm(ops.matmul(self._matrix(), self.u))

    def power_iteration(self):
        """Moves u one step: v = W^T u normalised, then u = W v normalised."""
        matrix = self._matrix()
        v = unit(ops.matmul(matrix, self.u))
        self.u.assign(unit(ops.matmul(ops.transpose(matrix), v)))

    def _matrix(self):
        """The transpose of the paper's W: [inputs, outputs], a convolution's kernel flattened."""
        return ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))


class SpectralConv2D(SpectralLayer):
    """[B, H, W, C] -> [B, H / strides, W / strides, filters], zero-padded."""

    def __init__(self, filters, size, strides=1, **options):
        super().__init__(**options)
        self.filters, self.size, self.strides = filters, size, strides

    def kernel_shape(self, channels):
        return self.size, self.size, channels, self.filters

    def linear(self, inputs, kernel):
        return ops.conv(inputs, kernel, self.strides, "same")


class SpectralDense(SpectralLayer):
    """[B, C] -> [B, units]."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def kernel_shape(self, channels):
        return channels, self.units

    def linear(self, inputs, kernel):
        return ops.matmul(inputs, kernel)


class BatchNorm(keras.layers.Layer):
    """Batch normalisation, as an option with a scale and a shift of each class; float32 inside and out.

    [B, H, W, C] -> the same. In training the batch's own mean and variance are used and, outside of
    `frozen_batch_stats`, the moving ones follow; otherwise the moving ones are used.

    Args:
        classes: 0, or how many have a scale and shift of their own (de Vries et al., arXiv 1707.00683; Miyato and
            Koyama, arXiv 1802.05637). The layer is then called with labels [B] or class weights [B, classes] as
            well; weights between two classes interpolate their scales and shifts.
        momentum: share kept a step by the moving statistics.
        epsilon: added to the variance.
    """

    def __init__(self, classes=0, momentum=0.9, epsilon=1e-5, **options):
        super().__init__(dtype="float32", **options)
        self.classes, self.momentum, self.epsilon = classes, momentum, epsilon

    def build(self, inputs_shape, class_weights_shape=None):
        channels = inputs_shape[-1]
        table = (self.classes, channels) if self.classes else (channels,)
        self.scale = self.add_weight(table, "ones", name="scale")
        self.shift = self.add_weight(table, "zeros", name="shift")
        self.moving_mean = self.add_weight((channels,), "zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight((channels,), "ones", trainable=False, name="moving_variance")

    def call(self, inputs, class_weights=None, training=False):
        if not self.classes:
            return self._normalised(inputs, self.scale, self.shift, training)
        weights = as_class_weights(class_weights, self.classes)
        scale, shift = (ops.matmul(weights, table)[:, None, None] for table in (self.scale, self.shift))
        ones, zeros = ops.ones_like(self.moving_mean), ops.zeros_like(self.moving_mean)
        return self._normalised(inputs, ones, zeros, training) * scale + shift  # these are [B, 1, 1, C]

    def _normalised(self, inputs, scale, shift, training):
        """TensorFlow's one operation for all of it, whose moving variance is of a sample: here it is not.

        Replicas share the moments of the whole batch, for which there is no such operation.
        """
        if not training:
            factor = scale * ops.rsqrt(self.moving_variance + self.epsilon)
            return inputs * factor + (shift - self.moving_mean * factor)
        if replicas.num_replicas() > 1:
            mean, variance = replicas.moments(inputs, (0, 1, 2))
            outputs = tf.nn.batch_normalization(inputs, mean, variance, shift, scale, self.epsilon)
        else:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, scale, shift, epsilon=self.epsilon)
        if _update_stats.get():
            if replicas.num_replicas() == 1:
                count = ops.cast(ops.size(inputs[..., 0]), "float32")
                variance = variance * (1 - 1 / count)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(self.momentum * moving + (1 - self.momentum) * new)
        return outputs


class MinibatchDeviation(keras.layers.Layer):
    """[B, H, W, C] -> [B, H, W, C + 1]: a map of the batch's standard deviation, one mean number.

    Karras et al., "Progressive growing of GANs" (arXiv 1710.10196), section 3; the whole batch is one group.
    """

    def __init__(self, **options):
        super().__init__(dtype="float32", **options)

    def call(self, inputs):
        deviation = ops.mean(ops.sqrt(replicas.variance(inputs) + 1e-8))
        return ops.concatenate([inputs, deviation * ops.ones_like(inputs[..., :1])], axis=-1)


def unit(vector):
    """A vector divided by its length."""
    return vector / (ops.norm(vector) + 1e-12)
