"""Tricks that steady the training of GANs, as pure functions of a stateless seed, and a buffer of older fakes.

A seed is int64 [2], as `tf.random.stateless_*` takes it. Sources: Salimans et al. (arXiv 1606.03498: soft labels);
Chintala et al., "How to train a GAN?" (spherical noise, soft and flipped labels); Sonderby et al. (arXiv
1610.04490: instance noise); Shrivastava et al. (arXiv 1612.07828: replay).
"""

import keras
import tensorflow as tf

from common.distribute import replicas
from gan.losses import LABELLED


def check_tricks(loss, soft_labels, flipped_labels, instance_noise, instance_noise_steps, replay_images):
    """ValueError unless these arguments of `gan.model.GAN` are in range and fit the loss."""
    if not (0 <= soft_labels < 0.5 and 0 <= flipped_labels < 0.5):
        raise ValueError(f"Shares in [0, 0.5) are required. Received: {soft_labels=}, {flipped_labels=}.")
    if (soft_labels or flipped_labels) and loss not in LABELLED:
        raise ValueError(
            f"A loss with labels, one of {LABELLED}, is required for soft or flipped ones. Received: {loss=}."
        )
    if min(instance_noise, replay_images) < 0 or instance_noise_steps < 1:
        raise ValueError(
            "Noise and images of at least 0 and steps of at least 1 are required. Received: "
            f"{instance_noise=}, {instance_noise_steps=}, {replay_images=}."
        )


def draw_noise(count, size, seed, spherical=False):
    """The generator's input, float32 [count, size]: Gaussian, or uniform on the sphere of radius sqrt(size)."""
    noise = replicas.draw(tf.random.stateless_normal, (count, size), seed, alg="philox")
    return on_sphere(noise) if spherical else noise


def on_sphere(noise):
    """Every row of [N, size] at the length sqrt(size), which a long Gaussian row nearly has."""
    return noise * tf.math.rsqrt(tf.reduce_mean(tf.square(noise), axis=1, keepdims=True))


def draw_targets(count, seed, softness=0.0, flip_probability=0.0):
    """(real targets, fake targets), float32 [count] each, for the discriminator's loss.

    Those of real images are uniform in [1 - softness, 1], those of fakes in [0, softness]; then each is flipped,
    t to 1 - t, with `flip_probability`.
    """
    draws = replicas.draw(tf.random.stateless_uniform, (2, 2, count), seed, axis=2, alg="philox")
    soft, flips = tf.unstack(draws)  # [2, count]
    targets = tf.stack([1 - softness * soft[0], softness * soft[1]])
    return tf.unstack(tf.where(flips < flip_probability, 1 - targets, targets))


def add_instance_noise(images, deviation, seed):
    """Images with Gaussian noise of a standard deviation [], in units of [-1, 1]."""
    return images + deviation * replicas.draw(tf.random.stateless_normal, tf.shape(images), seed, alg="philox")


def decayed(start, step, steps):
    """`start` at step 0, then linearly down to 0 at `steps`. float32 []."""
    return start * tf.maximum(0.0, 1 - tf.cast(step, tf.float32) / steps)


class ReplayBuffer(keras.layers.Layer):
    """The last fakes of a training, so that the discriminator does not forget what it once told apart.

    Every batch's first half is stored over the oldest entries; in place of its second half older ones are shown,
    drawn with repetition, once there are any. (Shrivastava et al. overwrite random entries.)

    Args:
        capacity: images it holds.
        image_shape: (H, W, C).
    """

    def __init__(self, capacity, image_shape, name="replay"):
        super().__init__(name=name, dtype="float32")
        self.capacity = capacity
        self.images = self.add_weight((capacity, *image_shape), "zeros", trainable=False, name="images")
        # int64, as all whole numbers that are kept: int32 variables stay on the host, and XLA refuses them
        self.labels = self.add_weight((capacity,), "zeros", dtype="int64", trainable=False, name="labels")
        self.stored = self.add_weight((), "zeros", dtype="int64", trainable=False, name="stored")  # ever
        self.built = True

    def exchange(self, fakes, labels, seed):
        """Fakes [B, H, W, C] and labels int32 [B], fresh ones -> what to show: the second half from the buffer.

        Raises:
            ValueError: for a batch whose half does not fit in.
        """
        half = fakes.shape[0] // 2
        count = half * replicas.num_replicas()  # stored are those of the whole batch
        if count > self.capacity:
            raise ValueError(f"A replay buffer of {count} images or more is required. Received: {self.capacity}.")
        filled = tf.minimum(tf.convert_to_tensor(self.stored), self.capacity)
        shape = ((fakes.shape[0] - half) * replicas.num_replicas(),)
        draws = replicas.take_own_second_half(tf.random.stateless_uniform(shape, seed, alg="philox"))
        old = tf.cast(draws * tf.cast(filled, tf.float32), tf.int64)  # rows in [0, filled)
        some = filled > 0
        old_labels = tf.cast(tf.gather(self.labels, old), labels.dtype)
        shown = tf.concat([fakes[:half], tf.where(some, tf.gather(self.images, old), fakes[half:])], 0)
        shown_labels = tf.concat([labels[:half], tf.where(some, old_labels, labels[half:])], 0)
        places = ((self.stored + tf.range(count, dtype=tf.int64)) % self.capacity)[:, None]
        new_images, new_labels = (replicas.gather_first_half(values[:half]) for values in (fakes, labels))
        self.images.assign(tf.tensor_scatter_nd_update(self.images, places, new_images))
        self.labels.assign(tf.tensor_scatter_nd_update(self.labels, places, tf.cast(new_labels, tf.int64)))
        self.stored.assign_add(count)
        return shown, shown_labels
