"""Generators and discriminators: DCGAN's, and the small residual ones of the paper on spectral normalisation.

Radford et al. (arXiv 1511.06434, "DCGAN"); Miyato et al. (arXiv 1802.05957, "SNGAN"); conditional forms of Mirza
and Osindero (arXiv 1411.1784, "concat") and of Miyato and Koyama (arXiv 1802.05637, "projection"). Every function
returns a `keras.Model` of known input shape, whose weights exist at once: of noise [B, noise_size] or images
[B, width, width, colours], and with `classes` above 0 of a list of these and class weights [B, classes].

`dtype` is a Keras dtype policy such as "mixed_float16"; the last layer of each network is always float32.
"""

import math

import keras
from keras import layers, ops

from common.backend import strided
from common.backend.activations import LeakyReLU
from gan.layers import BatchNorm, MinibatchDeviation, SpectralConv2D, SpectralDense

SLOPE = 0.2  # of every leaky ReLU
FIRST_WIDTH = 4  # of the generator's first map and the discriminator's last
NORMALISATIONS = ("batch", "spectral", "none")
CONDITIONS = ("projection", "concat")
UPS = ("transposed", "resize")


def dcgan_generator(
    width,
    noise_size,
    channels,
    colours=3,
    classes=0,
    condition="projection",
    up="transposed",
    dtype="float32",
    name="generator",
):
    """Noise [B, noise_size] -> images [B, width, width, colours] in [-1, 1].

    A projection to 4x4, then each scale doubles the width and halves the channels; batch norm and ReLU behind
    every layer but the last, which ends in tanh. Kernels start from N(0, 0.02).

    Args:
        width: of the images in pixels: 8, 16, 32, 64, ...
        noise_size: of the noise.
        channels: of the last hidden scale, at half the width; each scale before it has twice as many.
        colours: channels of the images.
        classes: 0, or how many can be chosen.
        condition: "projection": batch norms have a scale and shift of each class; "concat": class weights join
            the noise.
        up: "transposed", 4x4 convolutions of stride 2, or "resize", nearest-neighbour upsampling and a 3x3 one.

    Raises:
        ValueError: when `width` is not 4 times a power of two of at least 2, or for another `condition` or `up`.
    """
    scales = count_scales(width)
    check_choice("condition", condition, CONDITIONS)
    check_choice("up", up, UPS)
    inputs, x, by_class = generator_inputs(noise_size, classes, condition)
    options = dict(kernel_initializer=dcgan_initializer())
    most = channels << (scales - 1)
    x = layers.Dense(FIRST_WIDTH**2 * most, use_bias=False, dtype=dtype, **options)(x)
    x = layers.Reshape((FIRST_WIDTH, FIRST_WIDTH, most), dtype=dtype)(x)
    x = normalised_relu(x, by_class, dtype)
    for scale in reversed(range(1, scales)):
        x = upscaled(x, channels << (scale - 1), up, dtype, use_bias=False, **options)
        x = normalised_relu(x, by_class, dtype)
    x = upscaled(x, colours, up, "float32", **options)
    return keras.Model(inputs, layers.Activation("tanh", dtype="float32")(x), name=name)


def dcgan_discriminator(
    width,
    channels,
    colours=3,
    classes=0,
    condition="projection",
    normalisation="batch",
    minibatch_deviation=False,
    dtype="float32",
    name="discriminator",
):
    """Images [B, width, width, colours] -> logits [B].

    4x4 convolutions of stride 2 with leaky ReLU down to 4x4, and a linear layer. Kernels start from N(0, 0.02).

    Args:
        width: of the images in pixels: 8, 16, 32, 64, ...
        channels: of the first layer; each scale doubles them.
        colours: channels of the images.
        classes: 0, or how many there are.
        condition: "projection": the inner product of the last features, summed over places, with an embedding of
            the class is added to the logit; "concat": class weights join the images as constant maps.
        normalisation: "batch", behind every layer but the first and last; "spectral", of every layer; "none".
        minibatch_deviation: add a map of the batch's standard deviation before the last layer.

    Raises:
        ValueError: when `width` is not 4 times a power of two of at least 2, or for another choice.
    """
    scales = count_scales(width)
    check_choice("normalisation", normalisation, NORMALISATIONS)
    inputs, x, embedded = discriminator_inputs(width, colours, classes, condition)
    kernels = dcgan_initializer()
    for scale in range(scales):
        batch_norm = normalisation == "batch" and scale > 0
        options = dict(strides=2, use_bias=not batch_norm, kernel_initializer=kernels)
        x = convolution(channels << scale, 4, normalisation, dtype, **options)(x)
        x = BatchNorm()(x) if batch_norm else x
        x = LeakyReLU(SLOPE, dtype=dtype)(x)
    x = MinibatchDeviation()(x) if minibatch_deviation else x
    flat = layers.Flatten(dtype="float32")(x)
    return keras.Model(inputs, logits(flat, x, embedded, normalisation, kernels), name=name)


def residual_generator(
    width,
    noise_size,
    channels,
    colours=3,
    classes=0,
    condition="projection",
    up="resize",
    dtype="float32",
    name="generator",
):
    """Noise [B, noise_size] -> images [B, width, width, colours] in [-1, 1]: residual blocks (SNGAN, appendix B).

    Arguments as in `dcgan_generator`; all blocks have `channels` (the paper's: 256) and `up` has to be "resize".
    Behind every convolution but the last comes a batch norm, which would undo a bias.
    """
    check_choice("condition", condition, CONDITIONS)
    check_choice("up", up, ("resize",))
    inputs, x, by_class = generator_inputs(noise_size, classes, condition)
    x = layers.Dense(FIRST_WIDTH**2 * channels, dtype=dtype)(x)
    x = layers.Reshape((FIRST_WIDTH, FIRST_WIDTH, channels), dtype=dtype)(x)
    for _ in range(count_scales(width)):
        inner = layers.UpSampling2D(dtype=dtype)(normalised_relu(x, by_class, dtype))
        inner = normalised_relu(convolution(channels, 3, "none", dtype, use_bias=False)(inner), by_class, dtype)
        inner = convolution(channels, 3, "none", dtype, use_bias=False)(inner)
        shortcut = layers.UpSampling2D(dtype=dtype)(
            convolution(channels, 1, "none", dtype, use_bias=False)(x)
        )  # they commute
        x = layers.Add(dtype=dtype)([inner, shortcut])
    x = convolution(colours, 3, "none", "float32")(normalised_relu(x, {}, dtype))
    return keras.Model(inputs, layers.Activation("tanh", dtype="float32")(x), name=name)


def residual_discriminator(
    width,
    channels,
    colours=3,
    classes=0,
    condition="projection",
    normalisation="spectral",
    minibatch_deviation=False,
    dtype="float32",
    name="discriminator",
):
    """Images [B, width, width, colours] -> logits [B]: residual blocks down to 8x8, a sum (SNGAN, appendix B).

    Arguments as in `dcgan_discriminator`; all blocks have `channels` (the paper's: 128), none has batch norm.
    """
    halvings = count_scales(width) - 1
    check_choice("normalisation", normalisation, ("spectral", "none"))
    inputs, x, embedded = discriminator_inputs(width, colours, classes, condition)
    for block in range(halvings + 2):
        halved = block < halvings
        shortcut, inner = x, x if block == 0 else layers.ReLU(dtype=dtype)(x)
        inner = layers.ReLU(dtype=dtype)(convolution(channels, 3, normalisation, dtype)(inner))
        inner = convolution(channels, 3, normalisation, dtype)(inner)
        if halved:  # the pooling and the shortcut's convolution commute
            inner, shortcut = (layers.AveragePooling2D(2, dtype=dtype)(branch) for branch in (inner, shortcut))
        if halved or block == 0:
            shortcut = convolution(channels, 1, normalisation, dtype)(shortcut)
        x = layers.Add(dtype=dtype)([inner, shortcut])
    x = layers.ReLU(dtype=dtype)(x)
    x = MinibatchDeviation()(x) if minibatch_deviation else x
    return keras.Model(inputs, logits(summed(x), x, embedded, normalisation, "glorot_uniform"), name=name)


ARCHITECTURES = {
    "dcgan": (dcgan_generator, dcgan_discriminator),
    "residual": (residual_generator, residual_discriminator),
}


def count_scales(width):
    """Halvings from `width` to 4; ValueError when that is not a whole number of at least 1."""
    scales = round(math.log2(width / FIRST_WIDTH)) if width > 0 else 0
    if scales < 1 or FIRST_WIDTH << scales != width:
        raise ValueError(f"width is required to be 8, 16, 32, 64, ... Received: {width=}.")
    return scales


def check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} is required to be one of {choices}. Received: {name}={value!r}.")


def dcgan_initializer():
    return keras.initializers.RandomNormal(stddev=0.02)


def generator_inputs(noise_size, classes, condition):
    """(inputs, what the first layer sees, options of the batch norms' call)."""
    noise = keras.Input((noise_size,))
    if not classes:
        return noise, noise, {}
    class_weights = keras.Input((classes,))
    if condition == "projection":
        return [noise, class_weights], noise, {"class_weights": class_weights}
    return [noise, class_weights], layers.Concatenate()([noise, class_weights]), {}


def discriminator_inputs(width, colours, classes, condition):
    """(inputs, what the first layer sees, class weights for a projection or None)."""
    check_choice("condition", condition, CONDITIONS)
    images = keras.Input((width, width, colours))
    if not classes:
        return images, images, None
    class_weights = keras.Input((classes,))
    if condition == "projection":
        return [images, class_weights], images, class_weights
    maps = layers.UpSampling2D(width)(class_weights[:, None, None])  # [B, width, width, classes]
    return [images, class_weights], layers.Concatenate()([images, maps]), None


def convolution(filters, size, normalisation, dtype, strides=1, **options):
    if normalisation == "spectral":
        return SpectralConv2D(filters, size, strides, dtype=dtype, **options)
    if (size, strides) == (strided.SIZE, strided.STRIDE):
        return strided.Down(filters, dtype=dtype, **options)
    return layers.Conv2D(filters, size, strides, padding="same", dtype=dtype, **options)


def upscaled(x, filters, up, dtype, **options):
    if up == "transposed":
        return strided.Up(filters, dtype=dtype, **options)(x)
    return layers.Conv2D(filters, 3, padding="same", dtype=dtype, **options)(layers.UpSampling2D(dtype=dtype)(x))


def normalised_relu(x, by_class, dtype):
    classes = by_class["class_weights"].shape[1] if by_class else 0
    return layers.ReLU(dtype=dtype)(BatchNorm(classes)(x, **by_class))


def summed(x):
    """[B, h, w, C] -> float32 [B, C]: the sum over places."""
    return ops.sum(ops.cast(x, "float32"), axis=(1, 2))


def logits(features, x, class_weights, normalisation, kernel_initializer):
    """Logits [B] of features [B, d] and, with class weights, of the projection of the maps x [B, h, w, C]."""

    def linear(units, **options):
        layer = SpectralDense if normalisation == "spectral" else layers.Dense
        return layer(units, kernel_initializer=kernel_initializer, dtype="float32", **options)

    answer = linear(1)(features)[:, 0]
    if class_weights is not None:
        embedding = linear(x.shape[-1], use_bias=False)(class_weights)  # [B, C]
        answer += ops.sum(embedding * summed(x), axis=1)
    return answer
