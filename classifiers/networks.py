"""Two small image classifiers of deliberately different design: one plain, one residual.

Each function returns a `keras.Model` from images [B, width, width, colours] in [-1, 1] to {"features": [B, d],
"logits": [B, classes]}, both float32. The logits are a linear function of the features. `dtype` is a Keras dtype
policy.
"""

import keras
from keras import layers

from common.backend.convolution import Conv2D


def plain(width, channels, classes, colours=3, dtype="float32"):
    """Builds a network of blocks, each of two 3x3 convolutions and one pooling.

    Args:
        width: image width in pixels, a power of two.
        channels: output channels of the first convolution, then of each of at most log2(width) blocks.
        classes: number of classes.
        colours: image channels.
        dtype: Keras dtype policy.

    Reference:
        Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024 (arXiv 2404.00498), without the whitening
        of the first layer, the bias scaling and the weight averaging.
    """
    first, *blocks = channels
    images = x = keras.Input((width, width, colours))
    x = layers.Activation("gelu", dtype=dtype)(convolution(first, dtype)(x))
    for block_channels in blocks:
        x = MaxPooling(dtype=dtype)(convolution(block_channels, dtype)(x))
        x = layers.Activation("gelu", dtype=dtype)(batch_norm(dtype)(x))
        x = batch_norm(dtype)(convolution(block_channels, dtype)(x))
        x = layers.Activation("gelu", dtype=dtype)(x)
    return classifier(images, layers.GlobalMaxPooling2D(dtype="float32")(x), classes, "plain")


def residual(width, channels, classes, colours=3, dtype="float32"):
    """Builds a network of stages, each with one pre-activation residual block.

    Every stage but the first starts with a convolution of stride 2. The arguments are those of `plain`; `channels`
    lists the channels of each stage.

    Reference:
        He et al., "Identity mappings in deep residual networks", 2016 (arXiv 1603.05027).
    """
    images = x = keras.Input((width, width, colours))
    x = convolution(channels[0], dtype)(x)
    for stage, stage_channels in enumerate(channels):
        if stage:
            x = convolution(stage_channels, dtype, strides=2)(normalised_relu(x, dtype))
        branch = convolution(stage_channels, dtype)(normalised_relu(x, dtype))
        branch = convolution(stage_channels, dtype)(normalised_relu(branch, dtype))
        x = layers.Add(dtype=dtype)([x, branch])
    features = layers.GlobalAveragePooling2D(dtype="float32")(normalised_relu(x, dtype))
    return classifier(images, features, classes, "residual")


ARCHITECTURES = {"plain": plain, "residual": residual}


def classifier(images, features, classes, name):
    """Adds the linear layer of the logits and returns the `keras.Model`."""
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(images, {"features": features, "logits": logits}, name=name)


def convolution(filters, dtype, strides=1):
    return Conv2D(filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal", dtype=dtype)


def batch_norm(dtype):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)


def normalised_relu(x, dtype):
    return layers.ReLU(dtype=dtype)(batch_norm(dtype)(x))


class MaxPooling(layers.Layer):
    """2x2 max pooling, [B, H, W, C] -> [B, H/2, W/2, C].

    Replaces `keras.layers.MaxPooling2D`, whose gradient is slow in XLA on a CPU.
    """

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        return keras.ops.max(keras.ops.reshape(inputs, (-1, height // 2, 2, width // 2, 2, channels)), axis=(2, 4))
