"""Additions to a GAN's training step: objects that `gan.model.GAN` takes, and their pure functions.

A seed is int64 [2], as `tf.random.stateless_*` takes it.
"""

import keras
import tensorflow as tf

from common.backend import loss_scaling
from common.data import augmentation
from common.distribute import replicas
from common.variables import is_weight, update_averages
from gan import layers, losses

# Noise: the generator's input


def draw_gaussian_noise(count, size, seed):
    """Draws float32 [count, size] from the standard normal distribution."""
    return replicas.draw(tf.random.stateless_normal, (count, size), seed, alg="philox")


def draw_spherical_noise(count, size, seed):
    """Draws float32 [count, size] uniformly from the sphere of radius sqrt(size).

    Reference:
        Chintala et al., "How to train a GAN?", 2016.
    """
    noise = draw_gaussian_noise(count, size, seed)
    return noise * tf.math.rsqrt(tf.reduce_mean(tf.square(noise), axis=1, keepdims=True))


# The discriminator's targets


class NoisyTargets:
    """Soft and flipped labels: random targets for the discriminator's loss.

    Targets of real images are uniform in [1 - softness, 1] and those of fakes in [0, softness]. Each target t then
    becomes 1 - t with probability `flip_probability`.

    Args:
        softness: in [0, 0.5).
        flip_probability: in [0, 0.5).

    Reference:
        Salimans et al., "Improved techniques for training GANs", 2016 (arXiv 1606.03498); Chintala et al., "How to
        train a GAN?", 2016.
    """

    def __init__(self, softness=0.0, flip_probability=0.0):
        if not (0 <= softness < 0.5 and 0 <= flip_probability < 0.5):
            raise ValueError(
                f"softness and flip_probability must be in [0, 0.5). Received: {softness=}, {flip_probability=}."
            )
        self.softness, self.flip_probability = softness, flip_probability

    def __call__(self, count, seed):
        """Draws (real targets, fake targets), float32 [count] each."""
        draws = replicas.draw(tf.random.stateless_uniform, (2, 2, count), seed, axis=2, alg="philox")
        softening, flips = tf.unstack(draws)  # [2, count]: of real images, of fakes
        targets = tf.stack([1 - self.softness * softening[0], self.softness * softening[1]])
        return tf.unstack(tf.where(flips < self.flip_probability, 1 - targets, targets))


# Transforms: what the discriminator sees of real images and fakes


class InstanceNoise:
    """Gaussian noise on the images whose standard deviation falls linearly to 0.

    Args:
        deviation: standard deviation at step 0, for images in [-1, 1].
        steps: step from which on there is no noise.

    Reference:
        Sonderby et al., "Amortised MAP inference for image super-resolution", 2016 (arXiv 1610.04490).
    """

    STREAM_OFFSET = 7  # distinguishes this transform's random stream from the others of `gan.model.STREAMS`

    def __init__(self, deviation, steps):
        if deviation < 0 or steps < 1:
            raise ValueError(
                f"deviation must be at least 0 and steps at least 1. Received: {deviation=}, {steps=}."
            )
        self.deviation, self.steps = deviation, steps

    def __call__(self, images, step, seed):
        seed = seed + tf.constant([self.STREAM_OFFSET << 32, 0], tf.int64)
        noise = replicas.draw(tf.random.stateless_normal, tf.shape(images), seed, alg="philox")
        return images + self.deviation_at(step) * noise

    def deviation_at(self, step):
        """The standard deviation at a step, float32 []."""
        return self.deviation * tf.maximum(0.0, 1 - tf.cast(step, tf.float32) / self.steps)


class Augmentation:
    """Differentiable augmentation, see `common.data.augmentation`.

    Args:
        policy: names of `common.data.augmentation.POLICIES`.
    """

    def __init__(self, policy):
        augmentation.check_policy(policy)
        self.policy = tuple(policy)

    def __call__(self, images, step, seed):
        return augmentation.augment(images, self.policy, seed)


# Replay


class NoReplay:
    """Shows the discriminator the current fakes."""

    variables = ()

    def exchange(self, fakes, labels, seed):
        return fakes, labels


class ReplayBuffer(keras.layers.Layer):
    """A buffer of earlier fakes, so that the discriminator does not forget them.

    The first half of each batch replaces the oldest entries. Entries drawn with repetition replace its second
    half, unless the buffer is empty.

    Args:
        capacity: number of images.
        image_shape: (H, W, C).

    Reference:
        Shrivastava et al., "Learning from simulated and unsupervised images through adversarial training", 2016
        (arXiv 1612.07828), who replace random entries instead of the oldest ones.
    """

    def __init__(self, capacity, image_shape):
        super().__init__(name="replay", dtype="float32")
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1. Received: {capacity}.")
        self.capacity = capacity
        self.images = self.add_weight((capacity, *image_shape), "zeros", trainable=False, name="images")
        # int64, because TensorFlow keeps int32 variables on the host and XLA refuses them.
        self.labels = self.add_weight((capacity,), "zeros", dtype="int64", trainable=False, name="labels")
        self.stored = self.add_weight((), "zeros", dtype="int64", trainable=False, name="stored")  # fakes so far
        self.built = True

    def exchange(self, fakes, labels, seed):
        """Stores the first half of a batch and returns the batch with its second half drawn from the buffer.

        Args:
            fakes: float32 [B, H, W, C].
            labels: int32 [B].
            seed: int64 [2].

        Raises:
            ValueError: if half a batch exceeds the capacity.
        """
        half = fakes.shape[0] // 2
        count = half * replicas.num_replicas()  # every replica stores the fakes of all replicas
        if count > self.capacity:
            raise ValueError(f"capacity must be at least half the batch size, {count}. Received: {self.capacity}.")
        num_entries = tf.minimum(tf.convert_to_tensor(self.stored), self.capacity)
        shape = ((fakes.shape[0] - half) * replicas.num_replicas(),)
        draws = replicas.take_own_second_half(tf.random.stateless_uniform(shape, seed, alg="philox"))
        entries = tf.cast(draws * tf.cast(num_entries, tf.float32), tf.int64)  # in [0, num_entries)
        stored_labels = tf.cast(tf.gather(self.labels, entries), labels.dtype)
        has_entries = num_entries > 0
        shown = tf.concat([fakes[:half], tf.where(has_entries, tf.gather(self.images, entries), fakes[half:])], 0)
        shown_labels = tf.concat([labels[:half], tf.where(has_entries, stored_labels, labels[half:])], 0)
        oldest = ((self.stored + tf.range(count, dtype=tf.int64)) % self.capacity)[:, None]
        new_images, new_labels = (replicas.gather_first_half(values[:half]) for values in (fakes, labels))
        self.images.assign(tf.tensor_scatter_nd_update(self.images, oldest, new_images))
        self.labels.assign(tf.tensor_scatter_nd_update(self.labels, oldest, tf.cast(new_labels, tf.int64)))
        self.stored.assign_add(count)
        return shown, shown_labels


# The critic's slope


class GradientPenalty:
    """Penalty of a critic whose gradient's norm differs from 1 between real images and fakes.

    In a conditional GAN the class weights of the two are interpolated as well.

    Args:
        weight: lambda, above 0.

    Reference:
        Gulrajani et al., "Improved training of Wasserstein GANs", 2017 (arXiv 1704.00028), algorithm 1.
    """

    name = "gradient_penalty"

    def __init__(self, weight):
        if weight <= 0:
            raise ValueError(f"The weight of a gradient penalty must be above 0. Received: {weight}.")
        self.weight = weight

    def check(self, discriminator):
        """Raises ValueError for a network whose outputs depend on the other images of a batch."""
        if mixing := layers.batch_dependent_layers(discriminator):
            raise ValueError(
                "A gradient penalty needs a discriminator without layers that depend on the whole batch. "
                f"Received: {type(mixing[0]).__name__}."
            )

    def __call__(self, discriminate, real, fake, seed):
        """Returns the penalty without its weight, [].

        Args:
            discriminate: function of discriminator inputs that returns logits [B].
            real, fake: discriminator inputs: lists of images [B, H, W, C] and, with classes, class weights.
            seed: int64 [2].
        """
        share = replicas.draw(tf.random.stateless_uniform, tf.shape(real[0])[:1], seed, alg="philox")
        inputs = [losses.interpolate(*pair, share) for pair in zip(real, fake, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            logits = discriminate(inputs)
        return losses.gradient_penalty(loss_scaling.gradient_for_penalty(tape, logits, inputs[0]))


class WeightClip(keras.constraints.Constraint):
    """Constraint that clips weights to [-bound, bound] after each optimizer step.

    Args:
        bound: above 0.

    Reference:
        Arjovsky et al., "Wasserstein GAN", 2017 (arXiv 1701.07875), algorithm 1.
    """

    def __init__(self, bound):
        if bound <= 0:
            raise ValueError(f"The bound of clipped weights must be above 0. Received: {bound}.")
        self.bound = bound

    def __call__(self, weights):
        return tf.clip_by_value(weights, -self.bound, self.bound)

    def apply(self, network):
        """Constrains all trainable variables of a network."""
        for variable in network.trainable_variables:
            variable.constraint = self


# The released generator


class NoAverage:
    """Releases the trained generator itself."""

    def __init__(self, generator):
        self.network = generator

    def update(self, steps, stepped):
        pass


class MovingAverage:
    """Exponential moving average of a generator's weights and moving statistics.

    Args:
        generator: the trained `keras.Model`.
        network: a float32 `keras.Model` of the same architecture that holds the average; it starts as a copy.
        rate: share of the average that a generator step keeps, in (0, 1).
    """

    def __init__(self, generator, network, rate):
        if not 0 < rate < 1:
            raise ValueError(f"The rate of a moving average must be in (0, 1). Received: {rate}.")
        self.network, self.rate = network, rate
        network.trainable = False
        weights = [[v for v in each.variables if is_weight(v)] for each in (network, generator)]
        self.pairs = list(zip(*weights, strict=True))
        for average, weight in self.pairs:
            average.assign(weight)

    def update(self, steps, stepped):
        """Moves the average towards the generator after `steps` of its steps, if bool [] `stepped` is true."""
        update_averages(self.pairs, self.rate, steps, stepped)
