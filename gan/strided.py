"""A DCGAN's convolutions: 4x4, stride 2, down and up, in the forms that XLA runs fastest on a CPU.

`up` is the transpose of `down`, so each is the other's gradient. On two CPU cores XLA took 1.3 to 1.5 times as
long over its own transposed convolution as over the matrix product in `up`, and 1.6 times as long over a
convolution of three colours as over the product in `down`. A GPU is given its own convolutions, which are cuDNN's.
"""

import keras
import tensorflow as tf

SIZE, STRIDE = 4, 2
FEW = 16  # input channels below which the patches of an image are worth writing out


class Down(keras.layers.Conv2D):
    """Images [B, 2h, 2w, C] -> [B, h, w, filters], zero-padded by 1. Arguments as in Keras."""

    def __init__(self, filters, **options):
        super().__init__(filters, SIZE, STRIDE, padding="same", **options)

    def convolution_op(self, inputs, kernel):
        return down(inputs, as_tensor(kernel))


class Up(keras.layers.Conv2DTranspose):
    """Maps [B, h, w, C] -> [B, 2h, 2w, filters]. Arguments as in Keras."""

    def __init__(self, filters, **options):
        super().__init__(filters, SIZE, STRIDE, padding="same", **options)

    def call(self, inputs):
        images = up(inputs, as_tensor(self.kernel))
        return images + as_tensor(self.bias) if self.use_bias else images


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def down(images, kernel):
    """The convolution of images [B, 2h, 2w, C] with a kernel [4, 4, C, D]: [B, h, w, D]."""

    def gradient(change):
        return up(change, kernel), kernel_gradient(images, change)

    if writes_patches(kernel.shape[2]):
        rows, columns = images.shape[1] // STRIDE, images.shape[2] // STRIDE
        maps = patches(images) @ tf.reshape(kernel, (-1, kernel.shape[3]))
        return tf.reshape(maps, (-1, rows, columns, kernel.shape[3])), gradient
    return tf.nn.conv2d(images, kernel, STRIDE, "SAME"), gradient


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def up(maps, kernel):
    """The transposed convolution of maps [B, h, w, D] with a kernel [4, 4, C, D]: [B, 2h, 2w, C]."""

    def gradient(change):
        return down(change, kernel), kernel_gradient(change, maps)

    rows, columns, deep = maps.shape[1:]
    few = kernel.shape[2]
    if has_gpu():
        shape = (tf.shape(maps)[0], STRIDE * rows, STRIDE * columns, few)
        return tf.nn.conv2d_transpose(maps, kernel, shape, STRIDE), gradient
    painted = tf.reshape(maps, (-1, deep)) @ tf.reshape(tf.transpose(kernel, (3, 0, 1, 2)), (deep, -1))
    # Row 2i + 2a + r - 1 of the images gets row 2a + r of the patch at i, columns likewise: add the four (a, b).
    painted = tf.reshape(painted, (-1, rows, columns, 2, 2, 2, 2, few))  # [B, i, j, a, r, b, s, C]
    images = 0
    for a in (0, 1):
        for b in (0, 1):
            tiles = tf.transpose(painted[:, :, :, a, :, b], (0, 1, 3, 2, 4, 5))  # [B, i, r, j, s, C]
            tiles = tf.reshape(tiles, (-1, STRIDE * rows, STRIDE * columns, few))
            images += tf.pad(tiles, ((0, 0), (2 * a, 2 - 2 * a), (2 * b, 2 - 2 * b), (0, 0)))
    return images[:, 1:-1, 1:-1], gradient


def kernel_gradient(images, change):
    """The gradient [4, 4, C, D] of `down`'s kernel, for images [B, 2h, 2w, C] and its result's [B, h, w, D]."""
    few, deep = images.shape[3], change.shape[3]
    if writes_patches(few):
        product = tf.matmul(patches(images), tf.reshape(change, (-1, deep)), transpose_a=True)
        return tf.reshape(product, (SIZE, SIZE, few, deep))
    shape = (SIZE, SIZE, few, deep)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=shape, out_backprop=change, strides=(1, STRIDE, STRIDE, 1), padding="SAME"
    )


def patches(images):
    """The 4x4 patches of images [B, 2h, 2w, C] that `down` looks at: [B * h * w, 16 C]."""
    rows, columns, few = images.shape[1:]
    padded = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [[padded[:, i : i + rows : 2, j : j + columns : 2] for j in range(SIZE)] for i in range(SIZE)]
    return tf.reshape(tf.stack([tf.stack(row, 3) for row in taps], 3), (-1, SIZE * SIZE * few))


def as_tensor(variable):
    """Its value in the layer's precision: a custom gradient takes no variables."""
    return tf.identity(keras.ops.convert_to_tensor(variable))


def writes_patches(channels):
    return channels < FEW and not has_gpu()


def has_gpu():
    return bool(tf.config.list_physical_devices("GPU"))
