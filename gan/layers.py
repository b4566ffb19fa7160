"""Layers of GANs: spectral normalisation, conditional batch normalisation, minibatch standard deviation.

Spectral normalisation follows Miyato et al. (arXiv 1802.05957). The forward pass divides the kernel by its largest
singular value, so gradients flow through the division. The estimate u changes in `power_iteration` only, which
only the discriminator's step calls. The paper's W [outputs, inputs] is the transpose of the kernels here.
"""

import contextlib
import contextvars

import keras
import tensorflow as tf
from keras import ops

from common.distribute import replicas

_update_stats = contextvars.ContextVar("whether batch norms update their moving statistics", default=True)


def batch_dependent_layers(network):
    """Lists the layers whose outputs depend on all images of a batch."""
    kinds = BatchNorm, MinibatchDeviation, keras.layers.BatchNormalization
    return [layer for layer in network.layers if isinstance(layer, kinds)]


def power_iteration(network):
    """Runs one power iteration in each spectrally normalised layer (Miyato et al., algorithm 1)."""
    for layer in spectral_layers(network):
        layer.power_iteration()


def spectral_layers(network):
    """Lists the spectrally normalised layers of a network."""
    return [layer for layer in network.layers if isinstance(layer, SpectralLayer)]


@contextlib.contextmanager
def frozen_batch_stats(frozen=True):
    """Context in which training batch norms do not update their moving statistics, if `frozen`.

    It affects the current thread only: MirroredStrategy traces the replicas in threads that take turns.
    """
    token = _update_stats.set(not frozen)
    try:
        yield
    finally:
        _update_stats.reset(token)


def as_class_weights(labels_or_weights, classes):
    """Converts labels int [B] or class weights float [B, classes] to class weights float32 [B, classes].

    Raises:
        ValueError: for another shape or dtype.
    """
    values = ops.convert_to_tensor(labels_or_weights)
    if len(values.shape) == 1 and "int" in keras.backend.standardize_dtype(values.dtype):
        return ops.one_hot(values, classes, dtype="float32")
    if len(values.shape) != 2 or values.shape[1] != classes:
        raise ValueError(
            f"Classes must be labels int [B] or class weights [B, {classes}]. Received: {values.dtype} "
            f"{tuple(values.shape)}."
        )
    return ops.cast(values, "float32")


class SpectralLayer(keras.layers.Layer):
    """Base class of linear layers whose kernel is divided by sigma, its largest singular value.

    With u [outputs] constant and v = W^T u / |W^T u|, sigma = u^T W v equals |W^T u|. The gradient of both forms
    is the outer product of u and v. Sigma is always float32.

    Args:
        use_bias: whether to add a bias.
        kernel_initializer: as in Keras.
        **options: options of `keras.layers.Layer`.
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
        """Returns the estimate of the largest singular value, []."""
        return ops.norm(ops.matmul(self._matrix(), self.u))

    def power_iteration(self):
        """Updates u once: v = W^T u / |W^T u|, then u = W v / |W v|."""
        matrix = self._matrix()
        v = unit(ops.matmul(matrix, self.u))
        self.u.assign(unit(ops.matmul(ops.transpose(matrix), v)))

    def _matrix(self):
        """Returns the transpose of the paper's W, [inputs, outputs]; a convolution's kernel is flattened."""
        return ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))


class SpectralConv2D(SpectralLayer):
    """Zero-padded spectrally normalised convolution: [B, H, W, C] -> [B, H / strides, W / strides, filters]."""

    def __init__(self, filters, size, strides=1, **options):
        super().__init__(**options)
        self.filters, self.size, self.strides = filters, size, strides

    def kernel_shape(self, channels):
        return self.size, self.size, channels, self.filters

    def linear(self, inputs, kernel):
        return ops.conv(inputs, kernel, self.strides, "same")


class SpectralDense(SpectralLayer):
    """Dense layer with spectral normalisation: [B, C] -> [B, units]."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def kernel_shape(self, channels):
        return channels, self.units

    def linear(self, inputs, kernel):
        return ops.matmul(inputs, kernel)


class BatchNorm(keras.layers.Layer):
    """Batch normalisation of [B, H, W, C], optionally with a scale and shift per class.

    In training it uses the mean and variance of the batch and, outside of `frozen_batch_stats`, updates the moving
    ones. Otherwise it uses the moving ones. Means, variances, scales and shifts are float32 in every policy, and
    outputs have the dtype of the inputs.

    Args:
        classes: number of classes with their own scale and shift, or 0 (de Vries et al., arXiv 1707.00683; Miyato
            and Koyama, arXiv 1802.05637). With classes the layer is called with labels [B] or class weights
            [B, classes] as well. Weights between two classes interpolate their scales and shifts.
    """

    MOMENTUM, EPSILON = 0.9, 1e-5  # share of the moving statistics that a step keeps; added to variances

    def __init__(self, classes=0, **options):
        super().__init__(autocast=False, **options)  # of class weights; each weight needs it, too
        self.classes = classes

    def build(self, inputs_shape, class_weights_shape=None):
        channels = inputs_shape[-1]
        table = (self.classes, channels) if self.classes else (channels,)
        self.scale = self.add_weight(table, "ones", autocast=False, name="scale")
        self.shift = self.add_weight(table, "zeros", autocast=False, name="shift")
        moving = dict(trainable=False, autocast=False)
        self.moving_mean = self.add_weight((channels,), "zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight((channels,), "ones", name="moving_variance", **moving)

    def call(self, inputs, class_weights=None, training=False):
        if not self.classes:
            return self._normalise(inputs, self.scale, self.shift, training)
        weights = as_class_weights(class_weights, self.classes)
        scale, shift = (ops.matmul(weights, table)[:, None, None] for table in (self.scale, self.shift))
        ones, zeros = ops.ones_like(self.moving_mean), ops.zeros_like(self.moving_mean)
        outputs = self._normalise(inputs, ones, zeros, training)
        scale, shift = (ops.cast(each, outputs.dtype) for each in (scale, shift))  # [B, 1, 1, C]
        return outputs * scale + shift

    def _normalise(self, inputs, scale, shift, training):
        # On one device TensorFlow's fused operation is faster. Replicas share the moments of the whole batch, for
        # which there is none.
        if not training:
            factor = scale * ops.rsqrt(self.moving_variance + self.EPSILON)
            outputs = ops.cast(inputs, "float32") * factor + (shift - self.moving_mean * factor)
            return ops.cast(outputs, inputs.dtype)
        if replicas.num_replicas() > 1:
            values = ops.cast(inputs, "float32")
            mean, variance = replicas.moments(values, (0, 1, 2))
            outputs = tf.nn.batch_normalization(values, mean, variance, shift, scale, self.EPSILON)
            outputs = ops.cast(outputs, inputs.dtype)
        else:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, scale, shift, epsilon=self.EPSILON)
        if _update_stats.get():
            if replicas.num_replicas() == 1:  # undo Bessel's correction of the fused operation
                count = ops.cast(ops.size(inputs[..., 0]), "float32")
                variance = variance * (1 - 1 / count)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(self.MOMENTUM * moving + (1 - self.MOMENTUM) * new)
        return outputs


class MinibatchDeviation(keras.layers.Layer):
    """Appends a constant map of the batch's mean standard deviation: [B, H, W, C] -> [B, H, W, C + 1].

    Reference:
        Karras et al., "Progressive growing of GANs", 2017 (arXiv 1710.10196), section 3. The whole batch is one
        group.
    """

    def __init__(self, **options):
        super().__init__(dtype="float32", **options)

    def call(self, inputs):
        deviation = ops.mean(ops.sqrt(replicas.variance(inputs) + 1e-8))
        return ops.concatenate([inputs, deviation * ops.ones_like(inputs[..., :1])], axis=-1)


def unit(vector):
    """Divides a vector by its norm."""
    return vector / (ops.norm(vector) + 1e-12)
