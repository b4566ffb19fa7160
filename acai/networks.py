"""The networks of ACAI: encoder, decoder, critic and latent classifier, and a patch discriminator.

Berthelot, Raffel, Roy and Goodfellow, "Understanding and Improving Interpolation in Autoencoders via an
Adversarial Regularizer" (arXiv 1807.07543), appendix B, and the official code. Every function returns a
`keras.Sequential` of known input shape, whose weights exist at once.

`dtype` is a Keras dtype policy such as "mixed_float16"; the last layer of each network is always float32.
"""

import math

import keras

from common.activations import LeakyReLU

SLOPE = 0.2  # of every leaky ReLU


def kernel_initializer():
    """Zero-mean normal, not truncated, with variance 1 / ((1 + SLOPE^2) * fan_in) (He et al. 2015, eq. 15)."""
    return keras.initializers.VarianceScaling(1 / (1 + SLOPE**2), "fan_in", "untruncated_normal")


def encoder(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="encoder"):
    """Images [B, width, width, colours] -> latents [B, latent_width, latent_width, latent_channels].

    Args:
        width: of the images in pixels, e.g. 32 or 64.
        latent_width: of the code, `width` divided by a power of two.
        latent_channels: of the code. CIFAR-10 in the paper: 16 (256 latents) or 64 (1024) at latent width 4.
        depth: channels of the first scale; each halving of the width doubles them.
        colours: channels of the images.

    Raises:
        ValueError: when `width / latent_width` is not a power of two of at least 2.
    """
    scales = count_scales(width, latent_width)
    layers = [LinearThenConv2D(depth, depth, dtype=dtype), leaky_relu(dtype)]
    layers += [*convolution(depth, dtype), pool(dtype)]
    for scale in range(1, scales):
        layers += [*convolution(depth << scale, dtype), *convolution(depth << scale, dtype), pool(dtype)]
    layers += [*convolution(depth << scales, dtype), linear_convolution(latent_channels)]
    return sequential(layers, (width, width, colours), name)


def decoder(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="decoder"):
    """Latents [B, latent_width, latent_width, latent_channels] -> images [B, width, width, colours].

    The images are linear in the last layer, not clipped to [-1, 1]. Arguments as in `encoder`.
    """
    *shallower, deepest = [depth << scale for scale in range(count_scales(width, latent_width))]
    layers = [*convolution(deepest, dtype), *convolution(deepest, dtype)]
    for channels in reversed(shallower):
        layers += [*upsampled_convolution(channels, dtype), *convolution(channels, dtype)]
    layers += [*upsampled_convolution(depth, dtype), linear_convolution(colours)]
    return sequential(layers, (latent_width, latent_width, latent_channels), name)


def critic(width, latent_width, latent_channels, depth, colours=3, dtype="float32", name="critic"):
    """Images [B, width, width, colours] -> predicted mix [B]: an encoder, averaged to one number an image."""
    body = encoder(width, latent_width, latent_channels, depth, colours, dtype, name)
    body.add(ImageMean(dtype="float32", name="mean"))
    return body


def classifier(latent_width, latent_channels, classes, name="classifier"):
    """Latents [B, latent_width, latent_width, latent_channels] -> class logits [B, classes], one linear layer."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(classes, kernel_initializer=kernel_initializer())]
    return sequential(layers, (latent_width, latent_width, latent_channels), name)


def patch_discriminator(width, channels, colours=3, classes=0, dtype="float32", name="discriminator"):
    """Images [B, width, width, colours] -> real/fake logits [B, width/8, width/8], one a patch.

    With `classes` it is called with [images, class weights [B, classes]], whose embedding's inner product with the
    features of a patch is added to its logit (Miyato and Koyama, arXiv 1802.05637).

    Three 4x4 convolutions of stride 2 with `channels` times 1, 2 and 4, and a 3x3 one to the logits, in the
    manner of Isola et al. (arXiv 1611.07004) without normalisation.
    """
    inputs = images = x = keras.Input((width, width, colours))
    for scale in range(3):
        for layer in convolution(channels << scale, dtype, size=4, strides=2):
            x = layer(x)
    logits = keras.layers.Reshape((width // 8, width // 8), dtype="float32")(linear_convolution(1)(x))
    if classes:
        class_weights = keras.Input((classes,))
        inputs = [images, class_weights]
        embedding = keras.layers.Dense(channels << 2, use_bias=False, dtype="float32")(class_weights)
        logits += keras.ops.sum(keras.ops.cast(x, "float32") * embedding[:, None, None], axis=3)
    return keras.Model(inputs, logits, name=name)


def code_discriminator(latent_shape, name="code_discriminator"):
    """Latents [B, h, w, c] -> prior/code logits [B, 1]: two dense layers of 100 and one to the logit."""
    layers = [keras.layers.Flatten()]
    for units in (100, 100):
        layers += [keras.layers.Dense(units, kernel_initializer=kernel_initializer()), leaky_relu("float32")]
    layers += [keras.layers.Dense(1, kernel_initializer=kernel_initializer())]
    return sequential(layers, latent_shape, name)


def codebook(codes, channels, name="codebook"):
    """A layer whose `embeddings` [codes, channels] are the vectors of a codebook, close together at first.

    Else one vector would be the nearest of all that an encoder gives before it has learnt anything.
    """
    initializer = keras.initializers.RandomUniform(-1 / codes, 1 / codes)
    layer = keras.layers.Embedding(codes, channels, initializer, name=name)
    layer.build()
    return layer


def count_scales(width, latent_width):
    """Halvings from `width` to `latent_width`; ValueError when that is not a whole number of at least 1."""
    scales = round(math.log2(width / latent_width)) if 0 < latent_width < width else 0
    if scales < 1 or latent_width << scales != width:
        raise ValueError(
            f"width is required to be latent_width times 2, 4, 8, ... Received: {width=}, {latent_width=}."
        )
    return scales


def sequential(layers, shape, name):
    return keras.Sequential([keras.layers.InputLayer(shape), *layers], name=name)


def convolution(filters, dtype, size=3, strides=1):
    options = dict(strides=strides, padding="same", kernel_initializer=kernel_initializer(), dtype=dtype)
    return [keras.layers.Conv2D(filters, size, **options), leaky_relu(dtype)]


def linear_convolution(filters):
    initializer = kernel_initializer()
    return keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer=initializer, dtype="float32")


def leaky_relu(dtype):
    return LeakyReLU(SLOPE, dtype=dtype)


def pool(dtype):
    return keras.layers.AveragePooling2D(2, dtype=dtype)


def upsampled_convolution(filters, dtype):
    return [UpsampleThenConv2D(filters, dtype=dtype), leaky_relu(dtype)]


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
