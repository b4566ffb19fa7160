"""Batches of images in memory or on disk: endless shuffled ones for training, and all images in order.

TensorFlow is imported where it is used.
"""

import zlib

import numpy as np

from common.data.disk_cache import StoredImages
from common.errors import InputError
from common.images import to_float


def batches(dataset, batch_size, seed, start_step=0, flip=False, shift=0, across=None, alternate=False):
    """Creates an endless stream of shuffled batches.

    Element k is a pure function of (seed, start_step + k), with the same bits from memory and from disk, so a
    resumed training continues where it stopped. Each epoch is a permutation determined by (seed, epoch). Epochs
    follow each other without dropping a remainder, so every image occurs once per epoch, even if N < B.

    ACAI mixes row i with row B - 1 - i. With `across=(first, second)`, rows 0 to B/2 - 1 are from the classes of
    the first group and rows B/2 to B - 1 from those of the second, each with its own epochs. So every image is
    mixed with one of the other group. None pairs images by the shuffle alone, as in the paper.

    With `alternate=True`, a batch has images of one class: an epoch of the first class, then one of the second,
    and so on in turn. An epoch of N images is ceil(N / B) batches here, and the next one of the class goes on in
    its permutations from there.

    Args:
        dataset: ImageDataset.
        batch_size: images per batch, B; even with `across`.
        seed: integer >= 0.
        start_step: first step of the stream.
        flip: mirror each image left to right with probability 1/2.
        shift: move each image by up to this many pixels along both axes; the border is mirrored.
        across: two groups of class names that divide the dataset's classes between them.
        alternate: see above; not with `across`.

    Returns:
        A `tf.data.Dataset` of {"image": uint8 [B, H, W, C], "label": int32 [B]}. Images remain uint8 until the
        step converts them with `as_floats`, because uint8 is a quarter of the bytes to copy to a GPU.

    Raises:
        InputError: an argument is out of range, or a group or class has no image.
    """
    import tensorflow as tf

    groups = [np.arange(len(dataset))]
    if across is not None:
        groups = _group_rows(dataset, across)
    elif alternate:
        groups = [np.flatnonzero(dataset.labels == label) for label in range(len(dataset.class_names))]
    share, remainder = divmod(batch_size, 1 if across is None else len(groups))
    if share < 1 or remainder:
        raise InputError(f"batch_size must be {'even' if across else 'positive'}. Received: {batch_size}.")
    if not all(len(rows) for rows in groups):
        raise InputError(f"Each group must have images. Received: {[len(rows) for rows in groups]} images.")

    on_disk = isinstance(dataset.images, StoredImages)
    with tf.device("CPU"):
        labels = tf.constant(dataset.labels, tf.int32)
        images = None if on_disk else tf.constant(dataset.images)
    flip_key, shift_key = stream_key(seed, "flip"), stream_key(seed, "shift")
    keys = [stream_key(seed, f"shuffle {i}") for i in range(len(groups))]
    if alternate:
        streams = [_alternating(groups, keys, batch_size, start_step)]
    else:
        streams = [_shuffled(rows, key, share, start_step) for rows, key in zip(groups, keys, strict=True)]

    def batch(step, *rows):
        rows = tf.concat(rows, 0)  # [B]
        image = dataset.images.gather(rows) if on_disk else tf.gather(images, rows)
        if flip:
            mirrored = tf.random.stateless_uniform([batch_size, 1, 1, 1], [flip_key, step]) < 0.5
            image = tf.where(mirrored, tf.reverse(image, [2]), image)
        if shift:
            offsets = tf.random.stateless_uniform([2, batch_size], [shift_key, step], 0, 2 * shift + 1, tf.int64)
            image = _shifted(image, shift, *tf.unstack(offsets))
        return {"image": image, "label": tf.gather(labels, rows)}

    stream = tf.data.Dataset.zip((steps_from(start_step), *streams))
    return stream.map(batch, num_parallel_calls=2 if on_disk else None).prefetch(tf.data.AUTOTUNE)


def as_floats(images):
    """Converts a tensor of uint8 images to float32 in [-1, 1], with the bits of `common.images.to_float`.

    Float images are returned unchanged. It uses a table, because both TensorFlow's graph optimizer and XLA would
    replace a division by a multiplication with a rounded 1 / 127.5.
    """
    import tensorflow as tf

    if images.dtype != tf.uint8:
        return images
    return tf.gather(to_float(np.arange(256, dtype=np.uint8)), tf.cast(images, tf.int32))


def iterate_in_order(dataset, batch_size=250):
    """Yields all images of a dataset in order: float32 [B, H, W, C] in [-1, 1]; the last B can be smaller."""
    for start in range(0, len(dataset), batch_size):
        yield to_float(dataset.images[start : start + batch_size])


def steps_from(start_step):
    """Returns an endless `tf.data.Dataset` of int64 steps."""
    import tensorflow as tf

    return tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)


def stream_key(seed, stream):
    """Returns the first word (int64) of a stateless seed for the named stream; streams are independent.

    Raises:
        InputError: `seed` is negative.
    """
    if seed < 0:
        raise InputError(f"seed must be 0 or more. Received: {seed}.")
    words = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(stream.encode()),))
    return words.generate_state(1, np.uint64).view(np.int64)[0]


def check_groups(groups, classes):
    """Raises InputError unless `groups` are two groups of names that divide `classes` between them."""
    names = [name for group in groups if isinstance(group, tuple | list) for name in group]
    if len(groups) != 2 or not all(groups) or sorted(map(str, names)) != sorted(classes):
        raise InputError(f"groups must divide {', '.join(classes)} between two groups. Received: {groups}.")


def _shuffled(rows, key, batch_size, start_step):
    """Returns a Dataset of int64 [batch_size]: `rows` in a new order every epoch, from batch `start_step` on."""
    import tensorflow as tf

    epoch, offset = divmod(start_step * batch_size, len(rows))

    rows = tf.constant(rows, tf.int64)

    def shuffled_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(rows, [key, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    stream = steps_from(epoch).flat_map(shuffled_epoch).skip(offset)
    return stream.batch(batch_size, drop_remainder=True)


def _alternating(groups, keys, batch_size, start_step):
    """Returns a Dataset of int64 [batch_size]: rows of one group for an epoch, then of the next, in turn."""
    import tensorflow as tf

    lengths = [-(-len(rows) // batch_size) for rows in groups]  # batches an epoch
    turns = np.repeat(np.arange(len(groups)), lengths)  # the group of each step of a cycle
    cycles, place = divmod(start_step, len(turns))
    starts = cycles * np.array(lengths) + np.bincount(turns[:place], minlength=len(groups))
    streams = [
        _shuffled(rows, key, batch_size, int(start)) for rows, key, start in zip(groups, keys, starts, strict=True)
    ]
    choices = steps_from(start_step).map(lambda step: tf.gather(turns, step % len(turns)))
    return tf.data.Dataset.choose_from_datasets(streams, choices)


def _shifted(images, shift, top, left):
    """Crops images [B, H, W, C] with a mirrored border of `shift` at `top` and `left`, int [B] in [0, 2 shift]."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], [0, 0]], "REFLECT")
    rows = tf.gather(padded, top[:, None] + np.arange(height), axis=1, batch_dims=1)
    return tf.gather(rows, left[:, None] + np.arange(width), axis=2, batch_dims=1)


def _group_rows(dataset, across):
    check_groups(across, dataset.class_names)
    labels = [[dataset.class_names.index(name) for name in group] for group in across]
    return [np.flatnonzero(np.isin(dataset.labels, group)) for group in labels]
