"""The networks of ACAI, those of its bottlenecks, and a patch discriminator.

Berthelot, Raffel, Roy and Goodfellow, "Understanding and Improving Interpolation in Autoencoders via an
Adversarial Regularizer" (arXiv 1807.07543), appendix B, and the official code. Every function returns a built
network.

`dtype` is a Keras dtype policy such as "mixed_float16". The outputs of each network are always float32, and so is
its last layer. The decoder's last layer is not: rounded to bfloat16, a pixel is off by at most half a grey level.
"""

import math

import keras

from acai.layers import (
    SLOPE,
    AveragedCodebook,
    ImageMean,
    LinearThenConv2D,
    UpsampleThenConv2D,
    kernel_initializer,
)
from common.backend.activations import LeakyReLU
from common.backend.convolution import Conv2D


def encoder(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="encoder"):
    """Images [B, width, width, colours] -> latents [B, latent_width, latent_width, latent_channels].

    Args:
        width: width of the images in pixels, e.g. 32 or 64.
        latent_width: width of the latents, `width` divided by a power of two.
        latent_channels: channels of the latents. For CIFAR-10 the paper has 16 or 64 (256 or 1024 latents).
        depth: channels of the first scale; each halving of the width doubles them.
        colours: channels of the images.
        dtype: Keras dtype policy.
        name: name of the network.

    Raises:
        ValueError: when `width / latent_width` is not a power of two of at least 2.
    """
    layers = encoding_layers(width, latent_width, latent_channels, depth, dtype)
    return sequential(layers, (width, width, colours), name)


def encoding_layers(width, latent_width, latent_channels, depth, dtype):
    """The layers that encoder and critic both have. To change one of the two alone, change its own function."""
    scales = count_scales(width, latent_width)
    layers = [LinearThenConv2D(depth, depth, dtype=dtype), leaky_relu(dtype)]
    layers += [*convolution(depth, dtype), pool(dtype)]
    for scale in range(1, scales):
        layers += [*convolution(depth << scale, dtype), *convolution(depth << scale, dtype), pool(dtype)]
    return [*layers, *convolution(depth << scales, dtype), linear_convolution(latent_channels)]


def decoder(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="decoder"):
    """Latents [B, latent_width, latent_width, latent_channels] -> images [B, width, width, colours].

    The last layer is linear: images are not clipped to [-1, 1]. For the arguments see `encoder`.
    """
    *shallower, deepest = [depth << scale for scale in range(count_scales(width, latent_width))]
    layers = [*convolution(deepest, dtype), *convolution(deepest, dtype)]
    for channels in reversed(shallower):
        layers += [*upsampled_convolution(channels, dtype), *convolution(channels, dtype)]
    layers += [*upsampled_convolution(depth, dtype), linear_convolution(colours, dtype)]
    return sequential(
        [*layers, keras.layers.Identity(dtype="float32")], (latent_width, latent_width, latent_channels), name
    )


def critic(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="critic"):
    """Images [B, width, width, colours] -> predicted mix [B]: an encoder, averaged to one number per image."""
    layers = encoding_layers(width, latent_width, latent_channels, depth, dtype)
    return sequential([*layers, ImageMean(dtype="float32", name="mean")], (width, width, colours), name)


def classifier(latent_width, latent_channels, classes, name="classifier"):
    """Latents [B, latent_width, latent_width, latent_channels] -> class logits [B, classes], one linear layer."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(classes, kernel_initializer=kernel_initializer())]
    return sequential(layers, (latent_width, latent_width, latent_channels), name)


def patch_discriminator(width, channels, colours=3, dtype="float32", name="discriminator"):
    """Images [B, width, width, colours] -> real/fake logits [B, width/8, width/8], one per patch.

    Three 4x4 convolutions of stride 2 with `channels` times 1, 2 and 4 filters, then a 3x3 convolution to the
    logits. Like that of Isola et al. (arXiv 1611.07004), but without normalisation.
    """
    images = x = keras.Input((width, width, colours))
    for scale in range(3):
        for layer in convolution(channels << scale, dtype, size=4, strides=2):
            x = layer(x)
    logits = keras.layers.Reshape((width // 8, width // 8), dtype="float32")(linear_convolution(1)(x))
    return keras.Model(images, logits, name=name)


def code_discriminator(latent_shape, name="code_discriminator"):
    """Latents [B, h, w, c] -> logits [B, 1] of coming from the prior: dense layers of 100, 100 and 1 units."""
    layers = [keras.layers.Flatten()]
    for units in (100, 100):
        layers += [keras.layers.Dense(units, kernel_initializer=kernel_initializer()), leaky_relu("float32")]
    layers += [keras.layers.Dense(1, kernel_initializer=kernel_initializer())]
    return sequential(layers, latent_shape, name)


def codebook(size, channels, name="codebook"):
    """A layer whose `embeddings` [size, channels] are the vectors of a codebook.

    The initial vectors are close together. Otherwise one of them would be the nearest to all outputs of an
    untrained encoder.
    """
    initializer = keras.initializers.RandomUniform(-1 / size, 1 / size)
    layer = keras.layers.Embedding(size, channels, initializer, name=name)
    layer.build()
    return layer


def projected_codebook(size, latent_shape):
    """(projection, codebook, expansion), see `acai.bottlenecks.discrete.ProjectedQuantised`.

    The projection maps latents [B, h, w, c] to points [B, 10, d], d = h w c. The codebook is an `AveragedCodebook`
    of `size` vectors. The expansion maps vectors [B, 10, d] to latents: ReLU, a dense layer of 512 units with ReLU
    and one of d. Initial values are those of the official code, which are Keras's own.
    """
    points, latents = 10, math.prod(latent_shape)
    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(points * latents),
        keras.layers.Reshape((points, latents)),
    ]
    projection = sequential(layers, latent_shape, "projection")
    layers = [keras.layers.Flatten(), keras.layers.ReLU(), keras.layers.Dense(512, "relu")]
    layers += [keras.layers.Dense(latents), keras.layers.Reshape(latent_shape)]
    expansion = sequential(layers, (points, latents), "expansion")
    codebook = AveragedCodebook(size, name="codebook", dtype="float32")
    codebook.build((None, points, latents))
    return projection, codebook, expansion


def count_scales(width, latent_width):
    """Number of halvings from `width` to `latent_width`.

    Raises:
        ValueError: when it is not a whole number of at least 1.
    """
    scales = round(math.log2(width / latent_width)) if 0 < latent_width < width else 0
    if scales < 1 or latent_width << scales != width:
        raise ValueError(f"width must be latent_width times 2, 4, 8, ... Received: {width=}, {latent_width=}.")
    return scales


def sequential(layers, shape, name):
    return keras.Sequential([keras.layers.InputLayer(shape), *layers], name=name)


def convolution(filters, dtype, size=3, strides=1):
    options = dict(strides=strides, padding="same", kernel_initializer=kernel_initializer(), dtype=dtype)
    return [Conv2D(filters, size, **options), leaky_relu(dtype)]


def linear_convolution(filters, dtype="float32"):
    return Conv2D(filters, 3, padding="same", kernel_initializer=kernel_initializer(), dtype=dtype)


def leaky_relu(dtype):
    return LeakyReLU(SLOPE, dtype=dtype)


def pool(dtype):
    return keras.layers.AveragePooling2D(2, dtype=dtype)


def upsampled_convolution(filters, dtype):
    return [UpsampleThenConv2D(filters, dtype=dtype), leaky_relu(dtype)]
