"""Pairs of a placed horse and a placed bird in an ACAI's batches, so that it trains on what a search blends."""

import numpy as np

from common.data.batches import steps_from, stream_key
from common.errors import InputError
from common.images import to_uint8
from pegasus.candidates import cell_shares, compose, draw_candidate
from pegasus.parents import prepare_parents
from pegasus.scores import is_plausible

BATCH_SIZE = 256
MOST_DRAWS = 50  # for each pair; about half of all draws are plausible


def make_pairs(dataset, count, latent_size, seed):
    """Places horses and birds as a search does.

    Args:
        dataset: common.data.datasets.ImageDataset of CIFAR-10.
        count: number of pairs, N.
        latent_size: (h, w).
        seed: of the draws.

    Returns:
        (horses uint8 [N, H, W, C], birds uint8 [N, H, W, C], the birds' shares float32 [N, h, w]).

    Raises:
        InputError: hardly any pair is plausible, as for pictures other than those that were labelled.
    """
    parents, parts, found, k = prepare_parents(None, None, dataset), [], 0, 0
    while found < count:
        if k > 1000 + MOST_DRAWS * count:
            raise InputError(
                "--config.data.placed_pairs needs CIFAR-10's labelled horses and birds. Received: other pictures, "
                f"with {found} plausible pairs of {k}"
            )
        drawn = compose(parents, [draw_candidate(parents, seed, k + i) for i in range(BATCH_SIZE)])
        good = is_plausible(drawn)
        shares = cell_shares(drawn.wings[good], latent_size).astype(np.float32)
        parts.append((to_uint8(drawn.first[good]), to_uint8(drawn.second[good]), shares))
        found, k = found + good.sum(), k + BATCH_SIZE
    return tuple(np.concatenate(arrays)[:count] for arrays in zip(*parts, strict=True))


def insert(batches, pairs, labels, count, latent_size, seed, start_step):
    """Puts random pairs in place of some images of each batch.

    Pair k of a batch is in rows k and B - 1 - k, which ACAI blends with each other. The blend of row B - 1 - k has
    the pair's shares, that of row k others, which are drawn.

    Args:
        batches: tf.data.Dataset of {"image": uint8 [B, H, W, C], "label": int32 [B]}.
        pairs: (first images uint8 [N, H, W, C], second images, shares of the second float32 [N, h, w]).
        labels: the labels of first and second images.
        count: pairs in each batch, at most B / 2.
        latent_size: (h, w).
        seed, start_step: of the draws; batch k has those of step `start_step` + k.

    Returns:
        tf.data.Dataset of the same with "shares" float32 [B, h, w, 1], NaN for rows whose shares are to be drawn.
    """
    import tensorflow as tf

    with tf.device("CPU"):
        first, second, shares = (tf.constant(array) for array in pairs)
    key = stream_key(seed, "placed pairs")

    def replace(step, batch):
        drawn = tf.random.stateless_uniform([count], [key, step], 0, len(pairs[0]), tf.int64)
        middle = batch["image"][count:-count] if count else batch["image"]
        image = tf.concat([tf.gather(first, drawn), middle, tf.gather(second, drawn)[::-1]], 0)
        label = tf.concat(
            [tf.fill([count], labels[0]), batch["label"][count:-count], tf.fill([count], labels[1])], 0
        )
        unknown = tf.fill([tf.shape(image)[0] - count, *latent_size, 1], np.float32(np.nan))
        given = tf.concat([unknown, tf.gather(shares, drawn)[::-1, ..., None]], 0)
        return {"image": image, "label": label, "shares": given}

    return tf.data.Dataset.zip((steps_from(start_step), batches)).map(replace).prefetch(tf.data.AUTOTUNE)
