"""The convolutions of a DCGAN, 4x4 with stride 2, with 9 products instead of 16; for XLA, which compiles the sums.

This is Winograd's minimal filtering F(2x2, 2x2) (Lavin and Gray 2015, arXiv 1509.09308, section 4). Each 2x2
square of pixels becomes one position with four times the channels, and the kernel a 2x2 one with stride 1. Along
one axis two neighbours y0 = d0 g0 + d1 g1 and y1 = d1 g0 + d2 g1 then need three products instead of four:

    p0 = (d0 - d1) g0    p1 = d1 (g0 + g1)    p2 = (d2 - d1) g1    y0 = p0 + p1    y1 = p1 + p2

Both axes give a list of nine products, ordered by the first axis. The transposed convolution runs the transposes
of the same three steps in reverse order.
"""

import tensorflow as tf


def down(images, kernel):
    """Convolves images [B, 4h, 4w, C] with a kernel [4, 4, C, D]: [B, 2h, 2w, D]."""
    products = [tf.tensordot(d, g, 1) for d, g in zip(tiles(images), filters(kernel), strict=True)]
    return assembled(*products)


def up(maps, kernel):
    """Applies the transposed convolution with a kernel [4, 4, C, D] to maps [B, 2h, 2w, D]: [B, 4h, 4w, C]."""
    parts = [tf.tensordot(y, g, ((3,), (1,))) for y, g in zip(spread(maps), filters(kernel), strict=True)]
    return overlaid(*parts)


def filters(kernel):
    """Transforms a kernel [4, 4, C, D] into nine [4C, D]: g0, g0 + g1 and g1 along each axis."""
    few, deep = kernel.shape[2:]
    squares = tf.transpose(tf.reshape(kernel, (2, 2, 2, 2, few, deep)), (0, 2, 1, 3, 4, 5))
    squares = tf.reshape(squares, (2, 2, 4 * few, deep))
    return [g for row in with_sum(squares[0], squares[1]) for g in with_sum(row[0], row[1])]


def gradient_of(transpose):
    """Decorator that sets the gradient of a linear function of tensors to `transpose()`, its transpose.

    XLA compiles it to faster code than the gradient that TensorFlow derives.
    """
    return lambda linear: tf.custom_gradient(lambda *inputs: (linear(*inputs), transpose()))


@gradient_of(lambda: overlaid)
def tiles(images):
    """Transforms images [B, 4h, 4w, C] into nine [B, h, w, 4C]: differences of positions along both axes."""
    return [d for line in differences(to_squares(images), 1) for d in differences(line, 2)]


@gradient_of(lambda: tiles)
def overlaid(*parts):
    """The transpose of `tiles`."""
    return from_squares(merged([merged(parts[i : i + 3], 2) for i in (0, 3, 6)], 1))


@gradient_of(lambda: spread)
def assembled(*products):
    """Sums nine products [B, h, w, D] to outputs [B, 2h, 2w, D]: y0 and y1 along both axes."""
    lines = [joined(products[i : i + 3], 2) for i in (0, 3, 6)]
    return joined(lines, 1)


@gradient_of(lambda: assembled)
def spread(maps):
    """The transpose of `assembled`."""
    return [y for line in separated(maps, 1) for y in separated(line, 2)]


def to_squares(images):
    """Folds the 2x2 squares of images zero-padded by 1: [B, 2h, 2w, C] -> [B, h + 1, w + 1, 4C]."""
    rows, columns, few = images.shape[1] // 2 + 1, images.shape[2] // 2 + 1, images.shape[3]
    padded = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    squares = tf.transpose(tf.reshape(padded, (-1, rows, 2, columns, 2, few)), (0, 1, 3, 2, 4, 5))
    return tf.reshape(squares, (-1, rows, columns, 4 * few))


def from_squares(squares):
    """The transpose of `to_squares`, which is also its inverse."""
    rows, columns, few = squares.shape[1], squares.shape[2], squares.shape[3] // 4
    images = tf.transpose(tf.reshape(squares, (-1, rows, columns, 2, 2, few)), (0, 1, 3, 2, 4, 5))
    return tf.reshape(images, (-1, 2 * rows, 2 * columns, few))[:, 1:-1, 1:-1]


def differences(positions, axis):
    """Returns d0 - d1, d1 and d2 - d1 for the t overlapping tiles of three in 2t + 1 positions along an axis."""
    last = positions.shape[axis] - 1
    d0, d1, d2 = (part(positions, axis, *each, 2) for each in ((0, last), (1, last), (2, last + 1)))
    return d0 - d1, d1, d2 - d1


def merged(changes, axis):
    """The transpose of `differences`: three tensors of t tiles -> 2t + 1 positions."""
    c0, c1, c2 = changes
    count = c1.shape[axis]
    even, odd = padded(c0, axis, 0, 1) + padded(c2, axis, 1, 0), c1 - c0 - c2
    return tf.concat(
        [interleaved(part(even, axis, 0, count), odd, axis), part(even, axis, count, count + 1)], axis
    )


def joined(products, axis):
    """Alternates p0 + p1 and p1 + p2 of three products along an axis: t -> 2t positions."""
    p0, p1, p2 = products
    return interleaved(p0 + p1, p1 + p2, axis)


def separated(positions, axis):
    """The transpose of `joined`."""
    return with_sum(part(positions, axis, 0, None, 2), part(positions, axis, 1, None, 2))


def interleaved(even, odd, axis):
    shape = [-1, *odd.shape[1:axis], 2 * odd.shape[axis], *odd.shape[axis + 1 :]]
    return tf.reshape(tf.stack([even, odd], axis + 1), shape)


def with_sum(first, second):
    return first, first + second, second


def part(tensor, axis, start, end, stride=1):
    return tensor[(slice(None),) * axis + (slice(start, end, stride),)]


def padded(tensor, axis, before, after):
    widths = [(0, 0)] * len(tensor.shape)
    widths[axis] = (before, after)
    return tf.pad(tensor, widths)
