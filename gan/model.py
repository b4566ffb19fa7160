"""The training of GANs as a Keras model: algorithm 1 of Goodfellow et al. (arXiv 1406.2661).

`GAN` is composed of networks (`gan.networks`), a pair of losses (`gan.losses`) and additions of later papers
(`gan.tricks`). Each step trains the discriminator on one batch. Every `critic_steps`-th step also trains the
generator, with the fakes that the discriminator has just seen.
"""

import keras
import tensorflow as tf

from common.backend import loss_scaling, strided
from common.distribute import replicas
from common.variables import optimizer_logs, optimizer_variables_by_name, variables_by_name, weights_by_name
from gan import layers, tricks

# The uses of randomness. Each draws from a stream of its own, whose number is its place in this list.
STREAMS = ("noise", "targets", "replay", "penalty", "real", "fake", "generated")


class GAN(keras.Model):
    """A generator and a discriminator or critic, with their training step.

    Calling it maps noise [B, noise_size], or in a conditional GAN a list of noise and class weights [B, classes],
    to images [B, width, width, colours] in [-1, 1] of the released generator.

    Args:
        generator, discriminator: `keras.Model`s such as those of `gan.networks`.
        loss: `gan.losses.AdversarialLoss`.
        draw_noise: function of count, size and seed that returns the generator's input.
        transforms: functions of (images, step, seed), applied to all images that the discriminator sees, in order.
        replay: `gan.tricks.ReplayBuffer`, or None.
        penalties: objects such as `gan.tricks.GradientPenalty`, whose values are logged by their names and added
            to the discriminator's loss with their weights.
        average: `gan.tricks.MovingAverage` of the generator, whose network is then released, or None.
        critic_steps: steps of the discriminator per step of the generator.
        join_batches: normalise real images and fakes as one batch. DCGAN's practice is separate batches.
        precision: Keras dtype policy that the networks were built with.
        seed: int; all draws of a step are a function of the seed and the step, but differ with and without XLA.

    Example:
        generator, discriminator = networks.dcgan_generator(32, 100, 64), networks.dcgan_discriminator(32, 64)
        model = GAN(generator, discriminator, losses.LOSSES["non_saturating"])
        model.compile()
        logs = model.train_step({"image": images, "label": labels})

    Raises:
        ValueError: if a penalty does not fit the discriminator or critic_steps is below 1.
    """

    def __init__(
        self,
        generator,
        discriminator,
        loss,
        draw_noise=tricks.draw_gaussian_noise,
        transforms=(),
        replay=None,
        penalties=(),
        average=None,
        critic_steps=1,
        join_batches=False,
        precision="float32",
        seed=0,
    ):
        super().__init__(name="gan", dtype=precision)
        if critic_steps < 1:
            raise ValueError(f"critic_steps must be at least 1. Received: {critic_steps}.")
        for penalty in penalties:
            penalty.check(discriminator)
        self.generator, self.discriminator, self.adversarial_loss = generator, discriminator, loss
        self.draw_noise, self.transforms, self.penalties = draw_noise, tuple(transforms), tuple(penalties)
        self.replay, self.average = replay or tricks.NoReplay(), average or tricks.NoAverage(generator)
        self.released_generator = self.average.network
        self.critic_steps, self.seed = critic_steps, seed
        self.noise_size = generator.inputs[0].shape[1]
        self.classes = generator.inputs[1].shape[1] if len(generator.inputs) > 1 else 0
        # One pass over both batches is faster. It gives the same logits unless layers depend on the whole batch.
        self.join_batches = join_batches or not layers.batch_dependent_layers(discriminator)
        # Read by `common.backend.compiler.resolve`.
        self.winograd = any(isinstance(layer, strided.Down) for layer in discriminator.layers)
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **options):
        """Sets the optimizers, with loss scaling under mixed_float16.

        Args:
            generator_optimizer, discriminator_optimizer: Keras optimizers; None: DCGAN's Adam. Schedules of their
                learning rates count the steps of their own network.
            **options: options of `keras.Model.compile` for use with `fit`, such as `jit_compile=True`.
        """
        super().compile(optimizer=None, **options)
        self.optimizers = {}
        for name, optimizer in (("generator", generator_optimizer), ("discriminator", discriminator_optimizer)):
            optimizer = optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-8)
            self.optimizers[name] = loss_scaling.wrap_for_policy(optimizer, self.dtype_policy.name)
            self.optimizers[name].build(getattr(self, name).trainable_variables)

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step; each combination of values is traced separately."""
        return {"generator": (step + 1) % self.critic_steps == 0}

    def train_step(self, data, generator=True):
        """Trains the discriminator and then, if `generator`, the generator against the new discriminator.

        Both use the same fakes: the generator's gradient is taken at the pixels and continued through the
        generator.

        Args:
            data: {"image": float32 [B, width, width, colours] in [-1, 1], "label": int32 [B]}. Fakes get the
                labels of the batch.
            generator: whether to train the generator.

        Returns:
            dict of float32 scalars for the log.
        """
        images, labels = data["image"], data["label"]
        noise = self.draw_noise(tf.shape(images)[0], self.noise_size, self._seed("noise"))
        with tf.GradientTape() as tape, layers.frozen_batch_stats(not generator):
            fakes = self._call(self.generator, self._with_classes(noise, labels))  # [B, H, W, C]
        logs = self._train_discriminator(images, tf.stop_gradient(fakes), labels)
        if generator:
            logs |= self._train_generator(tape, fakes, labels)
        logs["diversity"] = tf.reduce_mean(tf.sqrt(replicas.variance(fakes)))  # 0: all fakes are the same
        self.step.assign_add(1)
        return logs | optimizer_logs(self.optimizers["generator"])

    def _train_discriminator(self, images, fakes, labels):
        """Takes the discriminator's step on real images and fakes [B, H, W, C]; returns its logs."""
        weights, optimizer = self.discriminator.trainable_variables, self.optimizers["discriminator"]
        fakes, fake_labels = self.replay.exchange(fakes, labels, self._seed("replay"))
        targets = self.adversarial_loss.draw_targets(tf.shape(images)[0], self._seed("targets"))
        real = self._with_classes(self._transform(images, "real"), labels)
        fake = self._with_classes(self._transform(fakes, "fake"), fake_labels)
        layers.power_iteration(self.discriminator)
        logs = {}
        with tf.GradientTape() as tape:
            real_logits, fake_logits = self._discriminate_both(real, fake)
            loss = total = self.adversarial_loss.discriminator(real_logits, fake_logits, *targets)
            for penalty in self.penalties:
                logs[penalty.name] = penalty(self._discriminate, real, fake, self._seed("penalty"))
                total += penalty.weight * logs[penalty.name]
            scaled_loss = optimizer.scale_loss(total)
        self._step("discriminator", tape.gradient(scaled_loss, weights))
        return logs | {"discriminator_loss": loss} | self.adversarial_loss.accuracies(real_logits, fake_logits)

    def _train_generator(self, tape, fakes, labels):
        """Takes the generator's step with fakes [B, H, W, C] that it made under `tape`; returns its logs."""
        weights, optimizer = self.generator.trainable_variables, self.optimizers["generator"]
        with tf.GradientTape() as pixel_tape, layers.frozen_batch_stats():
            pixel_tape.watch(fakes)
            inputs = self._with_classes(self._transform(fakes, "generated"), labels)
            loss = self.adversarial_loss.generator(self._discriminate(inputs))
            scaled_loss = optimizer.scale_loss(loss)
        pixel_gradient = pixel_tape.gradient(scaled_loss, fakes)
        stepped = self._step("generator", tape.gradient(fakes, weights, pixel_gradient))
        self.average.update(optimizer.iterations, stepped)
        return {"generator_loss": loss}

    def _step(self, name, gradients):
        """Takes the step of a network's optimizer; returns whether it did, bool []: not after an overflow."""
        weights = {name: getattr(self, name).trainable_variables}
        return loss_scaling.apply_together(self.optimizers, {name: gradients}, weights)

    def _transform(self, images, stream):
        for transform in self.transforms:
            images = transform(images, self.step, self._seed(stream))
        return images

    def _with_classes(self, inputs, labels):
        """Network inputs as a list: [inputs] or, in a conditional GAN, [inputs, class weights]."""
        return [inputs, layers.as_class_weights(labels, self.classes)] if self.classes else [inputs]

    def _call(self, network, inputs):
        return network(inputs if self.classes else inputs[0], training=True)

    def _discriminate(self, inputs):
        return self._call(self.discriminator, inputs)

    def _discriminate_both(self, real, fake):
        """Logits [B] of real images and logits [B] of fakes."""
        if not self.join_batches:
            return self._discriminate(real), self._discriminate(fake)
        joined = [tf.concat(pair, 0) for pair in zip(real, fake, strict=True)]
        return tf.split(self._discriminate(joined), 2)

    def _seed(self, stream):
        """Seed int64 [2] of a stream's draws in this step."""
        return tf.stack([self.seed + (STREAMS.index(stream) << 32), tf.cast(self.step, tf.int64)])

    def call(self, inputs, training=False):
        return self.released_generator(inputs)

    @property
    def metrics(self):
        return []  # Keras's default would log a "loss" that stays 0

    def state(self):
        """Everything that a checkpoint holds, as {name: variable}."""
        state = {"step": self.step} | variables_by_name("generator", self.released_generator)
        state |= variables_by_name("discriminator", self.discriminator)
        if self.released_generator is not self.generator:
            state |= variables_by_name("trained_generator", self.generator)
        return state | variables_by_name("replay", self.replay) | optimizer_variables_by_name(self.optimizers)

    def release_state(self):
        """Everything that a release holds, as {name: variable}: the released generator."""
        return weights_by_name("generator", self.released_generator)
