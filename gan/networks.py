"""Generators and discriminators: those of DCGAN and small residual ones after SNGAN.

Radford et al. (arXiv 1511.06434, "DCGAN"); Miyato et al. (arXiv 1802.05957, "SNGAN"); conditional forms of Mirza
and Osindero (arXiv 1411.1784, "concat") and of Miyato and Koyama (arXiv 1802.05637, "projection").

Each function returns a `keras.Model` of noise [B, noise_size] or of images [B, width, width, colours]. With
classes its input is a list of these and of class weights [B, classes]. `dtype` is a Keras dtype policy such as
"mixed_float16". The outputs of each network are always float32, and so are the discriminators' last layers.
"""

import math

import keras
from keras import layers, ops

from common.backend import strided
from common.backend.activations import LeakyReLU
from gan.choices import CONDITIONS, NORMALISATIONS, UPSAMPLINGS, check_choice
from gan.layers import BatchNorm, MinibatchDeviation, SpectralConv2D, SpectralDense

SLOPE = 0.2  # of every leaky ReLU
FIRST_WIDTH = 4  # width of the generator's first feature map and the discriminator's last one


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
    """Builds DCGAN's generator: noise [B, noise_size] -> images [B, width, width, colours] in [-1, 1].

    A dense layer makes a 4x4 feature map. Each scale then doubles the width and halves the channels. Batch norm
    and ReLU follow every layer but the last, which ends in tanh. Kernels start from N(0, 0.02).

    Args:
        width: image width in pixels: 8, 16, 32, 64, ...
        noise_size: length of the noise.
        channels: channels of the last hidden scale, at half the image width; each earlier scale has twice as many.
        colours: image channels.
        classes: number of classes, or 0 for an unconditional generator.
        condition: "projection": batch norms have a scale and shift per class; "concat": class weights are
            concatenated with the noise.
        up: "transposed": transposed 4x4 convolutions of stride 2; "resize": nearest-neighbour upsampling followed
            by 3x3 convolutions.

    Raises:
        ValueError: if `width` is not 8, 16, 32, ..., or for an unknown `condition` or `up`.
    """
    scales = count_scales(width)
    check_choice("condition", condition, CONDITIONS)
    check_choice("up", up, UPSAMPLINGS)
    inputs, x, class_inputs = generator_inputs(noise_size, classes, condition)
    options = dict(kernel_initializer=dcgan_initializer())
    first_channels = channels << (scales - 1)
    x = layers.Dense(FIRST_WIDTH**2 * first_channels, use_bias=False, dtype=dtype, **options)(x)
    x = layers.Reshape((FIRST_WIDTH, FIRST_WIDTH, first_channels), dtype=dtype)(x)
    x = normalised_relu(x, class_inputs, dtype)
    for scale in reversed(range(1, scales)):
        x = upsample(x, channels << (scale - 1), up, dtype, use_bias=False, **options)
        x = normalised_relu(x, class_inputs, dtype)
    x = upsample(x, colours, up, dtype, **options)
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
    """Builds DCGAN's discriminator: images [B, width, width, colours] -> logits [B].

    4x4 convolutions of stride 2 with leaky ReLU reduce the images to 4x4; a linear layer follows. Kernels start
    from N(0, 0.02).

    Args:
        width: image width in pixels: 8, 16, 32, 64, ...
        channels: channels of the first layer; each later layer has twice as many.
        colours: image channels.
        classes: number of classes, or 0 for an unconditional discriminator.
        condition: "projection": the logit also has the inner product of the last feature map, summed over its
            positions, and an embedding of the class; "concat": class weights are concatenated with the images as
            constant maps.
        normalisation: "batch": batch norm after every layer but the first and last; "spectral": spectral
            normalisation of every layer; "none".
        minibatch_deviation: append a map of the batch's standard deviation before the last layer.

    Raises:
        ValueError: if `width` is not 8, 16, 32, ..., or for an unknown `condition` or `normalisation`.
    """
    scales = count_scales(width)
    check_choice("normalisation", normalisation, NORMALISATIONS)
    inputs, x, projected = discriminator_inputs(width, colours, classes, condition)
    initializer = dcgan_initializer()
    for scale in range(scales):
        batch_norm = normalisation == "batch" and scale > 0
        options = dict(strides=2, use_bias=not batch_norm, kernel_initializer=initializer)
        x = convolution(channels << scale, 4, normalisation, dtype, **options)(x)
        x = BatchNorm(dtype=dtype)(x) if batch_norm else x
        x = LeakyReLU(SLOPE, dtype=dtype)(x)
    x = MinibatchDeviation()(x) if minibatch_deviation else x
    flat = layers.Flatten(dtype="float32")(x)
    return keras.Model(inputs, logits(flat, x, projected, normalisation, initializer), name=name)


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
    """Builds a residual generator: noise [B, noise_size] -> images [B, width, width, colours] in [-1, 1].

    The arguments are those of `dcgan_generator`, but all blocks have `channels` (256 in the paper) and `up` must
    be "resize". Convolutions that a batch norm follows have no bias. Reference: SNGAN, appendix B.
    """
    check_choice("condition", condition, CONDITIONS)
    check_choice("up", up, ("resize",))
    inputs, x, class_inputs = generator_inputs(noise_size, classes, condition)
    x = layers.Dense(FIRST_WIDTH**2 * channels, dtype=dtype)(x)
    x = layers.Reshape((FIRST_WIDTH, FIRST_WIDTH, channels), dtype=dtype)(x)
    for _ in range(count_scales(width)):
        branch = layers.UpSampling2D(dtype=dtype)(normalised_relu(x, class_inputs, dtype))
        branch = convolution(channels, 3, "none", dtype, use_bias=False)(branch)
        branch = normalised_relu(branch, class_inputs, dtype)
        branch = convolution(channels, 3, "none", dtype, use_bias=False)(branch)
        # The 1x1 convolution and the upsampling commute; this order is cheaper.
        shortcut = convolution(channels, 1, "none", dtype, use_bias=False)(x)
        shortcut = layers.UpSampling2D(dtype=dtype)(shortcut)
        x = layers.Add(dtype=dtype)([branch, shortcut])
    x = convolution(colours, 3, "none", dtype)(normalised_relu(x, {}, dtype))
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
    """Builds a residual discriminator: images [B, width, width, colours] -> logits [B].

    The arguments are those of `dcgan_discriminator`, but all blocks have `channels` (128 in the paper) and none
    has batch norm. Residual blocks reduce the images to 8x8; a sum over positions and a linear layer follow.
    Reference: SNGAN, appendix B.
    """
    num_downsampling = count_scales(width) - 1
    check_choice("normalisation", normalisation, ("spectral", "none"))
    inputs, x, projected = discriminator_inputs(width, colours, classes, condition)
    for block in range(num_downsampling + 2):
        downsamples = block < num_downsampling
        shortcut, branch = x, x if block == 0 else layers.ReLU(dtype=dtype)(x)
        branch = layers.ReLU(dtype=dtype)(convolution(channels, 3, normalisation, dtype)(branch))
        branch = convolution(channels, 3, normalisation, dtype)(branch)
        if downsamples:  # the shortcut's pooling and 1x1 convolution commute; this order is cheaper
            branch, shortcut = (layers.AveragePooling2D(2, dtype=dtype)(maps) for maps in (branch, shortcut))
        if downsamples or block == 0:
            shortcut = convolution(channels, 1, normalisation, dtype)(shortcut)
        x = layers.Add(dtype=dtype)([branch, shortcut])
    x = layers.ReLU(dtype=dtype)(x)
    x = MinibatchDeviation()(x) if minibatch_deviation else x
    return keras.Model(inputs, logits(sum_positions(x), x, projected, normalisation, "glorot_uniform"), name=name)


ARCHITECTURES = {
    "dcgan": (dcgan_generator, dcgan_discriminator),
    "residual": (residual_generator, residual_discriminator),
}


def build_generator(model_config, dtype="float32", name="generator"):
    """Builds the generator of a configuration.

    Args:
        model_config: dict with "architecture" and the arguments of `dcgan_generator`, "channels" being called
            "generator_channels". Other keys are ignored.
        dtype: Keras dtype policy.
        name: name of the `keras.Model`.
    """
    check_choice("architecture", model_config["architecture"], tuple(ARCHITECTURES))
    make_generator, _ = ARCHITECTURES[model_config["architecture"]]
    names = "width noise_size generator_channels colours classes condition up".split()
    return make_generator(*(model_config[name] for name in names), dtype, name)


def build_discriminator(model_config, dtype="float32"):
    """Builds the discriminator of a configuration, as `build_generator` does the generator."""
    check_choice("architecture", model_config["architecture"], tuple(ARCHITECTURES))
    _, make_discriminator = ARCHITECTURES[model_config["architecture"]]
    names = "width discriminator_channels colours classes condition normalisation minibatch_deviation".split()
    return make_discriminator(*(model_config[name] for name in names), dtype)


def count_scales(width):
    """Returns how often `width` can be halved down to 4.

    Raises:
        ValueError: if `width` is not 8, 16, 32, ...
    """
    scales = round(math.log2(width / FIRST_WIDTH)) if width > 0 else 0
    if scales < 1 or FIRST_WIDTH << scales != width:
        raise ValueError(f"width must be 8, 16, 32, 64, ... Received: {width}.")
    return scales


def dcgan_initializer():
    return keras.initializers.RandomNormal(stddev=0.02)


def generator_inputs(noise_size, classes, condition):
    """Returns (network inputs, input of the first layer, class inputs of the batch norms as keyword arguments)."""
    noise = keras.Input((noise_size,))
    if not classes:
        return noise, noise, {}
    class_weights = keras.Input((classes,))
    if condition == "projection":
        return [noise, class_weights], noise, {"class_weights": class_weights}
    return [noise, class_weights], layers.Concatenate()([noise, class_weights]), {}


def discriminator_inputs(width, colours, classes, condition):
    """Returns (network inputs, input of the first layer, class weights for the projection or None)."""
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


def upsample(x, filters, up, dtype, **options):
    if up == "transposed":
        return strided.Up(filters, dtype=dtype, **options)(x)
    return layers.Conv2D(filters, 3, padding="same", dtype=dtype, **options)(layers.UpSampling2D(dtype=dtype)(x))


def normalised_relu(x, class_inputs, dtype):
    classes = class_inputs["class_weights"].shape[1] if class_inputs else 0
    return layers.ReLU(dtype=dtype)(BatchNorm(classes, dtype=dtype)(x, **class_inputs))


def sum_positions(maps):
    """Sums feature maps [B, h, w, C] over their positions; returns float32 [B, C]."""
    return ops.sum(ops.cast(maps, "float32"), axis=(1, 2))


def logits(features, maps, class_weights, normalisation, kernel_initializer):
    """Returns logits [B]: a linear function of features [B, d] and, with class weights, a projection.

    Args:
        features: [B, d].
        maps: the last feature maps, [B, h, w, C], which are projected.
        class_weights: [B, classes], or None for no projection.
        normalisation, kernel_initializer: of the linear layers.
    """

    def linear(units, **options):
        layer = SpectralDense if normalisation == "spectral" else layers.Dense
        return layer(units, kernel_initializer=kernel_initializer, dtype="float32", **options)

    outputs = linear(1)(features)[:, 0]
    if class_weights is not None:
        embedding = linear(maps.shape[-1], use_bias=False)(class_weights)  # [B, C]
        outputs += ops.sum(embedding * sum_positions(maps), axis=1)
    return outputs
