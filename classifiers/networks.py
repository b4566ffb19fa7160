"""Two small classifiers of 32x32 images that share no design: one plain, one residual.

Each is a `keras.Model` from images [B, width, width, colours] in [-1, 1] to {"features": [B, d], "logits":
[B, classes]}, both float32; the logits are linear in the features. `dtype` is a Keras dtype policy.
"""

import keras
from keras import layers


def plain(width, channels, classes, colours=3, dtype="float32"):
    """Blocks of two 3x3 convolutions and a pooling, after Jordan (arXiv 2404.00498).

    Its whitening of the first layer, its bias scaling and its averaging are left out.

    Args:
        width: of the images in pixels, at least 16.
        channels: of the first convolution, then of each block.
        classes: how many.
        colours: channels of the images.
    """
    first, *blocks = channels
    images = x = keras.Input((width, width, colours))
    x = layers.Activation("gelu", dtype=dtype)(convolution(first, dtype)(x))
    for block in blocks:
        x = HalvedByMax(dtype=dtype)(convolution(block, dtype)(x))
        x = layers.Activation("gelu", dtype=dtype)(normalisation(dtype)(x))
        x = normalisation(dtype)(convolution(block, dtype)(x))
        x = layers.Activation("gelu", dtype=dtype)(x)
    return with_outputs(images, layers.GlobalMaxPooling2D(dtype="float32")(x), classes, "plain")


def residual(width, channels, classes, colours=3, dtype="float32"):
    """Stages of identity blocks (He et al. 2016, arXiv 1603.05027), each but the first begun by a stride of 2.

    Arguments as in `plain`; `channels` are those of each stage.
    """
    images = x = keras.Input((width, width, colours))
    x = convolution(channels[0], dtype)(x)
    for stage, count in enumerate(channels):
        if stage:
            x = convolution(count, dtype, strides=2)(rectified(x, dtype))
        inner = convolution(count, dtype)(rectified(x, dtype))
        inner = convolution(count, dtype)(rectified(inner, dtype))
        x = layers.Add(dtype=dtype)([x, inner])
    pooled = layers.GlobalAveragePooling2D(dtype="float32")(rectified(x, dtype))
    return with_outputs(images, pooled, classes, "residual")


ARCHITECTURES = {"plain": plain, "residual": residual}


def with_outputs(images, features, classes, name):
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(images, {"features": features, "logits": logits}, name=name)


def convolution(filters, dtype, strides=1):
    return layers.Conv2D(filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal", dtype=dtype)


def normalisation(dtype):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)


class HalvedByMax(layers.Layer):
    """2x2 max pooling, [B, H, W, C] -> [B, H/2, W/2, C]; the pooling layer's gradient is slow in XLA on a CPU."""

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        return keras.ops.max(keras.ops.reshape(inputs, (-1, height // 2, 2, width // 2, 2, channels)), axis=(2, 4))


def rectified(x, dtype):
    return layers.ReLU(dtype=dtype)(normalisation(dtype)(x))
