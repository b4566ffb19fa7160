"""Drawn horses and birds [32, 32, 3] with known masks, a data set of them, and networks that know them."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from acai.latent_bank import LatentBank
from common.data.datasets import ImageDataset
from common.images import to_uint8
from pegasus.foreground import outline
from pegasus.labels import BirdWings, HorseSideView
from pegasus.parents import Animals, Parents

SKY, WHITE = (-0.4, -0.2, 0.3), (0.85, 0.85, 0.8)
HORSE_IDS, BIRD_IDS = (152, 87, 43), (303, 1009, 1787)  # of the tables in pegasus/labels; the last horse is brown


def horse_mask():
    """A body in rows 13 to 20 and columns 9 to 25, a neck and a head on the left, and legs."""
    mask = np.zeros((32, 32), bool)
    mask[13:21, 9:26] = mask[7:14, 7:11] = mask[7:10, 4:8] = True
    for column in (10, 13, 21, 24):
        mask[21:30, column : column + 2] = True
    return mask


def bird_mask():
    """A V: two wings, 3 pixels wide, that meet in a body in rows 20 to 23 and columns 14 to 17."""
    rows, columns = np.mgrid[:32, :32]
    arms = np.abs(np.abs(columns - 15.5) - (22 - rows) * 0.6) <= 1.5
    return (arms & (rows >= 8) & (rows <= 22)) | ((rows >= 20) & (rows < 24) & (np.abs(columns - 15.5) < 2))


def paint(mask, behind=SKY, colour=WHITE, noise=0.02, seed=0):
    """A picture of a mask, float32 in [-1, 1]."""
    image = np.where(mask[..., None], colour, behind)
    return np.float32(np.clip(image + noise * np.random.default_rng(seed).normal(size=image.shape), -1, 1))


def make_animals(labels, mask):
    masks = np.stack([np.float32(mask)] * len(labels))
    images = np.stack([paint(mask, seed=k) for k in range(len(labels))])
    behind = np.full((len(labels), 3), SKY, np.float32)
    return Animals(labels, np.arange(len(labels)), images, masks, [outline(mask)] * len(labels), behind)


def make_parents():
    """Parents of two horses, facing left, and three birds."""
    horses = [HorseSideView(id, "left", "white", True) for id in HORSE_IDS[:2]]
    birds = [BirdWings(id, "raised_both", "white", True) for id in BIRD_IDS]
    return Parents(make_animals(horses, horse_mask()), make_animals(birds, bird_mask()), "images")


def encode(images):
    """Images [N, 32, 32, 3] -> latents [N, 8, 8, 48]: each cell is a square of 4x4 pixels."""
    squares = tf.reshape(images, (-1, 8, 4, 8, 4, 3))
    return tf.reshape(tf.transpose(squares, (0, 1, 3, 2, 4, 5)), (-1, 8, 8, 48))


def decode(latents):
    """The inverse of `encode`."""
    squares = tf.reshape(latents, (-1, 8, 8, 4, 4, 3))
    return tf.reshape(tf.transpose(squares, (0, 1, 3, 2, 4, 5)), (-1, 32, 32, 3))


MODEL = SimpleNamespace(
    width=32,
    colours=3,
    autoencoder=SimpleNamespace(encode=encode, decode=decode),
    encode=lambda images: encode(images).numpy(),
    decode=lambda latents: decode(tf.constant(latents, tf.float32)).numpy(),
    decoder=SimpleNamespace(input_shape=(None, 8, 8, 48)),
    critic=None,
    discriminator=lambda images: tf.reduce_mean(images, axis=3)[:, ::8, ::8],
)


class LightClassifier:
    """Says "horse" where the lower half is light, and "spread wings" where the upper half is."""

    @staticmethod
    def logits(pictures):
        return 5 * tf.reduce_mean(tf.stack([pictures[:, 16:], pictures[:, :16]], axis=1), axis=(2, 3, 4)) + 2


def make_dataset():
    """ImageDataset of labelled horses and birds with the ids of real ones, and a bird without a label."""
    horses = [paint(horse_mask(), seed=id) for id in HORSE_IDS]
    birds = [paint(bird_mask(), seed=id) for id in (*BIRD_IDS, 1)]
    labels = np.repeat(np.int32([0, 1]), [len(horses), len(birds)])
    images = to_uint8(np.stack([*horses, *birds]))
    return ImageDataset(images, labels, np.array([*HORSE_IDS, *BIRD_IDS, 1]), ("horse", "bird"), "train")


def make_bank(dataset, rows):
    """LatentBank of some images of a data set."""
    latents = MODEL.encode(np.float32(dataset.images[rows]) / 127.5 - 1).astype(np.float16)
    splits = np.full(len(rows), "train")
    return LatentBank(latents, dataset.labels[rows], dataset.ids[rows], splits, np.array(dataset.class_names))
