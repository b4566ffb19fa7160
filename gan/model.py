"""GANs as a Keras model: the algorithm in `train_step`, nothing else.

Goodfellow et al. (arXiv 1406.2661), algorithm 1, with the choices of the papers that `gan.losses`, `gan.networks`
and `gan.tricks` name. Every step trains the discriminator on its batch, so that steps times the batch size are
images seen; every `critic_steps`-th trains the generator too, with the fakes that the discriminator has just seen.
"""

import keras
import tensorflow as tf

from common.backend import loss_scaling
from common.backend.adam import Adam
from common.data import augmentation
from common.distribute import replicas
from common.variables import optimizer_logs, optimizer_variables_by_name, update_averages, variables_by_name
from gan import layers, losses, networks, tricks

STREAMS = ("noise", "targets", "replay", "share", "real", "fake", "generated")  # of randomness, one for each use


class GAN(keras.Model):
    """Generator and discriminator (or critic) and, as an option, an EMA generator.

    Calling it gives the released generator's images [B, width, width, colours] in [-1, 1] for noise
    [B, noise_size] or, with classes, for a list of noise and class weights [B, classes]. Defaults are DCGAN's.

    Args:
        architecture: "dcgan" or "residual".
        width: of the images in pixels, 32 or 64.
        colours: channels of the images.
        noise_size: of the generator's input.
        generator_channels, discriminator_channels, up, normalisation, condition: see `gan.networks`.
        classes: 0, or how many the labels tell apart. Fakes take the labels of the batch's images.
        loss: of `gan.losses.LOSSES`.
        gradient_penalty: lambda, its weight in the critic's loss; 0: none.
        weight_clip: bound of the critic's weights after each of its steps; 0: none.
        critic_steps: steps of the discriminator to one of the generator.
        ema_rate: share kept a generator step by the moving average of its variables; 0: there is none.
        soft_labels, flipped_labels: see `gan.tricks.draw_targets`.
        instance_noise: standard deviation at step 0 of noise on what the discriminator sees; 0: none.
        instance_noise_steps: after how many steps it has gone.
        replay_images: capacity of the buffer of older fakes; 0: none.
        minibatch_deviation: show the discriminator the batch's standard deviation.
        spherical_noise: draw noise on a sphere.
        augment: names of `common.data.augmentation.POLICIES`.
        join_batches: normalise real images and fakes as one batch, which DCGAN's practice is against.
        precision: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".
        seed: of all randomness in a step, which is a function of (seed, step), one with XLA and another without.

    Example:
        model = GAN(loss="hinge", normalisation="spectral")
        model.compile(learning_rate=2e-4)
        logs = model.train_step({"image": images, "label": labels})

    Raises:
        ValueError: for choices that do not exist or do not go together.
    """

    def __init__(
        self,
        architecture="dcgan",
        width=32,
        colours=3,
        noise_size=100,
        generator_channels=64,
        discriminator_channels=64,
        up="transposed",
        normalisation="batch",
        classes=0,
        condition="projection",
        loss="non_saturating",
        gradient_penalty=0.0,
        weight_clip=0.0,
        critic_steps=1,
        ema_rate=0.0,
        soft_labels=0.0,
        flipped_labels=0.0,
        instance_noise=0.0,
        instance_noise_steps=1,
        replay_images=0,
        minibatch_deviation=False,
        spherical_noise=False,
        augment=(),
        join_batches=False,
        precision="float32",
        seed=0,
    ):
        super().__init__(name="gan", dtype=precision)
        networks.check_choice("architecture", architecture, tuple(networks.ARCHITECTURES))
        networks.check_choice("loss", loss, tuple(losses.LOSSES))
        augmentation.check_policy(augment)
        tricks.check_tricks(loss, soft_labels, flipped_labels, instance_noise, instance_noise_steps, replay_images)
        if min(gradient_penalty, weight_clip) < 0 or critic_steps < 1 or not 0 <= ema_rate < 1:
            raise ValueError(
                "Weights of at least 0, steps of at least 1 and a rate in [0, 1) are required. Received: "
                f"{gradient_penalty=}, {weight_clip=}, {critic_steps=}, {ema_rate=}."
            )
        mixes_images = normalisation == "batch" or minibatch_deviation
        if gradient_penalty and mixes_images:
            raise ValueError(
                "A critic that sees every image alone is required for a gradient penalty. Received: "
                f"{normalisation=}, {minibatch_deviation=}."
            )
        make_generator, make_discriminator = networks.ARCHITECTURES[architecture]
        both = (colours, classes, condition)
        sizes = (width, noise_size, generator_channels, *both, up)
        self.generator = make_generator(*sizes, dtype=precision)
        self.discriminator = make_discriminator(
            width, discriminator_channels, *both, normalisation, minibatch_deviation, dtype=precision
        )
        self.released_generator = self.generator
        if ema_rate:
            self.released_generator = make_generator(*sizes, name="ema_generator")
            self.released_generator.trainable = False
            for average, weight in self._averaged_weights():
                average.assign(weight)
        self.replay = tricks.ReplayBuffer(replay_images, (width, width, colours)) if replay_images else None
        self.noise_size, self.classes, self.spherical_noise = noise_size, classes, spherical_noise
        self.loss_name, self.gradient_penalty, self.weight_clip = loss, gradient_penalty, weight_clip
        self.critic_steps, self.ema_rate, self.seed = critic_steps, ema_rate, seed
        self.soft_labels, self.flipped_labels, self.augment = soft_labels, flipped_labels, tuple(augment)
        self.instance_noise, self.instance_noise_steps = instance_noise, instance_noise_steps
        self.joined = join_batches or not mixes_images  # without a look across the batch one pass is the same
        self.winograd = (
            architecture == "dcgan" and normalisation != "spectral"
        )  # see `common.backend.compiler.resolve`
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(
        self,
        learning_rate=2e-4,
        discriminator_learning_rate=None,
        beta_1=0.5,
        beta_2=0.999,
        optimizer="adam",
        **options,
    ):
        """Gives both networks their own optimizer, under mixed_float16 with loss scaling.

        Args:
            learning_rate: of the generator; a number or a Keras schedule over the generator's own steps.
            discriminator_learning_rate: None: `learning_rate`.
            beta_1, beta_2: Adam's.
            optimizer: "adam" or "rmsprop" (mean square kept: 0.99 a step).
            **options: of `keras.Model.compile`, e.g. `jit_compile=True`, for use under `fit`.
        """
        super().compile(optimizer=None, **options)
        networks.check_choice("optimizer", optimizer, ("adam", "rmsprop"))
        if discriminator_learning_rate is None:
            discriminator_learning_rate = learning_rate
        self.optimizers = {}
        for name, rate in (("generator", learning_rate), ("discriminator", discriminator_learning_rate)):
            if optimizer == "adam":
                own = Adam(rate, beta_1, beta_2, epsilon=1e-8)
            else:
                own = keras.optimizers.RMSprop(rate, rho=0.99, epsilon=1e-16)  # within the root: 1e-8 outside
            self.optimizers[name] = loss_scaling.wrap_for_policy(own, self.dtype_policy.name)
            self.optimizers[name].build(getattr(self, name).trainable_variables)

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step; each value of them is a program of its own."""
        return {"generator": (step + 1) % self.critic_steps == 0}

    def train_step(self, data, generator=True):
        """One step on {"image": [B, H, W, C] in [-1, 1], "label": [B]}; returns a dict of float32 scalars.

        The discriminator steps, then, if `generator` says so, the generator against the new discriminator. The
        fakes of both are the same: their gradient is taken at the pixels and then through the generator.
        """
        images, labels = data["image"], data["label"]
        count = tf.shape(images)[0]
        noise = tricks.draw_noise(count, self.noise_size, self._seed("noise"), self.spherical_noise)
        with tf.GradientTape() as tape:
            fakes = self._generate(noise, labels, update_stats=generator)  # [B, H, W, C]
        logs = self._train_discriminator(images, tf.stop_gradient(fakes), labels)
        if generator:
            logs |= self._train_generator(tape, fakes, labels)
        logs["diversity"] = tf.reduce_mean(tf.sqrt(replicas.variance(fakes)))  # 0: all fakes are the same
        self.step.assign_add(1)
        return logs | optimizer_logs(self.optimizers["generator"])

    def _train_discriminator(self, images, fakes, labels):
        """The discriminator's step on real images and fakes [B, H, W, C] that carry no gradient; its logs."""
        weights, optimizer = self.discriminator.trainable_variables, self.optimizers["discriminator"]
        fake_labels, targets, logs = labels, (), {}
        if self.replay:
            fakes, fake_labels = self.replay.exchange(fakes, labels, self._seed("replay"))
        if self.soft_labels or self.flipped_labels:
            count = tf.shape(images)[0]
            targets = tricks.draw_targets(count, self._seed("targets"), self.soft_labels, self.flipped_labels)
        real, fake = self._disguise(images, "real"), self._disguise(fakes, "fake")
        layers.power_iteration(self.discriminator)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = self._judge_both(real, fake, labels, fake_labels)
            loss = total = losses.LOSSES[self.loss_name][0](real_logits, fake_logits, *targets)
            if self.gradient_penalty:
                logs["gradient_penalty"] = self._gradient_penalty(real, fake, labels, fake_labels)
                total = loss + self.gradient_penalty * logs["gradient_penalty"]
            scaled = optimizer.scale_loss(total)
        self._step("discriminator", tape.gradient(scaled, weights))
        if self.weight_clip:
            for weight in weights:
                weight.assign(tf.clip_by_value(weight, -self.weight_clip, self.weight_clip))
        return logs | {"discriminator_loss": loss} | losses.accuracies(self.loss_name, real_logits, fake_logits)

    def _train_generator(self, tape, fakes, labels):
        """The step of the generator, and its average, by the fakes [B, H, W, C] it made under `tape`; its logs."""
        weights, optimizer = self.generator.trainable_variables, self.optimizers["generator"]
        with tf.GradientTape() as pixel_tape:
            pixel_tape.watch(fakes)
            with layers.frozen_batch_stats():
                fake_logits = self._judge(self._disguise(fakes, "generated"), self._class_weights(labels))
            loss = losses.LOSSES[self.loss_name][1](fake_logits)
            scaled = optimizer.scale_loss(loss)
        pixel_gradient = pixel_tape.gradient(scaled, fakes)
        moved = self._step("generator", tape.gradient(fakes, weights, pixel_gradient))
        if self.ema_rate:
            update_averages(self._averaged_weights(), self.ema_rate, optimizer.iterations, moved)
        return {"generator_loss": loss}

    def _step(self, name, gradients):
        """Takes the named network's step; returns whether one was taken, bool []: not after an overflow."""
        weights = {name: getattr(self, name).trainable_variables}
        return loss_scaling.apply_together(self.optimizers, {name: gradients}, weights)

    def _generate(self, noise, labels, update_stats):
        """Fakes of the trained generator; its moving statistics follow if `update_stats` says so."""
        inputs = [noise, self._class_weights(labels)] if self.classes else noise
        with layers.frozen_batch_stats(not update_stats):
            return self.generator(inputs, training=True)

    def _judge_both(self, real, fake, real_labels, fake_labels):
        """(real logits [B], fake logits [B]), of batches apart or of one joined batch."""
        real_weights, fake_weights = self._class_weights(real_labels), self._class_weights(fake_labels)
        if not self.joined:
            return self._judge(real, real_weights), self._judge(fake, fake_weights)
        both = tf.concat([real_weights, fake_weights], 0) if self.classes else None
        return tf.split(self._judge(tf.concat([real, fake], 0), both), 2)

    def _judge(self, images, class_weights):
        return self.discriminator([images, class_weights] if self.classes else images, training=True)

    def _gradient_penalty(self, real, fake, real_labels, fake_labels):
        """[]: how far the critic's slope is from 1 between real images and fakes, and between their classes."""
        shape, seed = tf.shape(real)[:1], self._seed("share")
        share = replicas.draw(tf.random.stateless_uniform, shape, seed, alg="philox")
        between, class_weights = losses.interpolate(real, fake, share), None
        if self.classes:
            real_weights, fake_weights = self._class_weights(real_labels), self._class_weights(fake_labels)
            class_weights = losses.interpolate(real_weights, fake_weights, share)
        with tf.GradientTape() as tape:
            tape.watch(between)
            logits = self._judge(between, class_weights)
        return losses.gradient_penalty(loss_scaling.gradient_for_penalty(tape, logits, between))

    def _disguise(self, images, stream):
        """Images as the discriminator sees them, with instance noise and augmented."""
        if self.instance_noise:
            deviation = tricks.decayed(self.instance_noise, self.step, self.instance_noise_steps)
            images = tricks.add_instance_noise(images, deviation, self._seed(stream, draw=1))
        return augmentation.augment(images, self.augment, self._seed(stream)) if self.augment else images

    def _class_weights(self, labels):
        return layers.as_class_weights(labels, self.classes) if self.classes else None

    def call(self, inputs, training=False):
        return self.released_generator(inputs)

    @property
    def metrics(self):
        return []  # Keras would add a "loss" that stays 0

    def state(self):
        """Everything a checkpoint holds: {name: variable}, optimizers included; names do not vary by process."""
        state = {
            "step": self.step,
            **self.release_state(),
            **variables_by_name("discriminator", self.discriminator),
        }
        if self.ema_rate:
            state |= variables_by_name("trained_generator", self.generator)
        if self.replay:
            state |= variables_by_name("replay", self.replay)
        return state | optimizer_variables_by_name(self.optimizers)

    def release_state(self):
        """What a released model holds: {name: variable} of the generator, averaged if there is an average."""
        return variables_by_name("generator", self.released_generator)

    def _averaged_weights(self):
        return zip(self.released_generator.variables, self.generator.variables, strict=True)

    def _seed(self, stream, draw=0):
        number = STREAMS.index(stream) + draw * len(STREAMS)
        return tf.stack([self.seed + (number << 32), tf.cast(self.step, tf.int64)])
