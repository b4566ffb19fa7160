"""ACAI as a Keras model: the algorithm in `train_step`, nothing else.

Berthelot, Raffel, Roy and Goodfellow (arXiv 1807.07543), section 3. Letters: see `acai.losses`.
With `realism_weight` above 0 a patch discriminator tells real images from reconstructions and blends, in the
spirit of adversarial mixup resynthesis (Beckham et al., arXiv 1903.02709). It has to know real images before the
autoencoder listens to it, so it may begin earlier. What weights and learning rates did to a training stands in
`pretrained/acai/CARD.md`.
"""

import keras
import tensorflow as tf

from acai import losses, networks
from common import replicas


class ACAI(keras.Model):
    """Autoencoder, critic, latent classifier and, as an option, a patch discriminator and an EMA autoencoder.

    Calling it gives the reconstructions of the released autoencoder: images [B, width, width, colours] in
    [-1, 1] -> the same shape, unclipped. Defaults are the paper's for CIFAR-10 with 256 latents.

    Args:
        width: of the images in pixels, 32 or 64.
        colours: channels of the images.
        latent_width: of the code.
        latent_channels: of the code.
        depth: channels of the encoder's and decoder's first scale.
        critic_depth: the same for the critic; None: `depth`.
        classes: how many the latent classifier tells apart.
        mix_weight: lambda, the weight of the critic in the autoencoder's loss.
        regularisation: gamma, the share of the image in what the critic sees as unmixed.
        realism_weight: of the patch discriminator in the autoencoder's loss; 0: there is none, as in the paper.
        realism_from_step: the step from which the autoencoder's loss has it.
        discriminator_from_step: the step from which the patch discriminator itself trains.
        discriminator_channels: of the patch discriminator's first layer.
        ema_rate: share kept a step by the moving average of the autoencoder's weights; 0: there is none.
        precision: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".
        seed: of the mixes, which are a function of (seed, step), one with XLA and another without.
        one_backward_pass: take the blends' gradient for both losses from one pass back through the critic.
            Always off under mixed_float16, where rescaling would magnify what has already underflowed.

    Example:
        model = ACAI(depth=16)
        model.compile(learning_rate=1e-4)
        logs = model.train_step({"image": images, "label": labels})

    Raises:
        ValueError: for sizes that do not fit together, weights below 0 or rates outside [0, 1).
    """

    def __init__(
        self,
        width=32,
        colours=3,
        latent_width=4,
        latent_channels=16,
        depth=64,
        critic_depth=None,
        classes=10,
        mix_weight=0.5,
        regularisation=0.2,
        realism_weight=0.0,
        realism_from_step=0,
        discriminator_from_step=0,
        discriminator_channels=48,
        ema_rate=0.0,
        precision="float32",
        seed=0,
        one_backward_pass=True,
    ):
        super().__init__(name="acai", dtype=precision)
        if min(mix_weight, regularisation, realism_weight) < 0 or not 0 <= ema_rate < 1:
            raise ValueError(
                "Weights are required to be at least 0 and ema_rate to be in [0, 1). Received: "
                f"{mix_weight=}, {regularisation=}, {realism_weight=}, {ema_rate=}."
            )
        code = (width, latent_width, latent_channels)
        self.encoder = networks.encoder(*code, depth, colours, precision)
        self.decoder = networks.decoder(*code, depth, colours, precision)
        self.critic = networks.critic(*code, critic_depth or depth, colours, precision)
        self.classifier = networks.classifier(latent_width, latent_channels, classes)
        self.trained = {"autoencoder": [self.encoder, self.decoder], "critic": [self.critic]}
        self.trained["classifier"] = [self.classifier]
        if realism_weight:
            self.discriminator = networks.patch_discriminator(width, discriminator_channels, colours, precision)
            self.trained["discriminator"] = [self.discriminator]
        self.released_encoder, self.released_decoder = self.encoder, self.decoder
        if ema_rate:
            self.released_encoder = networks.encoder(*code, depth, colours, name="ema_encoder")
            self.released_decoder = networks.decoder(*code, depth, colours, name="ema_decoder")
            self.released_encoder.trainable = self.released_decoder.trainable = False
            for average, weight in self._averaged_weights():
                average.assign(weight)
        self.mix_weight, self.regularisation = mix_weight, regularisation
        self.realism_weight, self.realism_from_step = realism_weight, realism_from_step
        self.discriminator_from_step = discriminator_from_step
        self.ema_rate, self.seed = ema_rate, seed
        self.one_backward_pass = one_backward_pass and precision != "mixed_float16"
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(self, learning_rate=1e-4, critic_learning_rate=None, discriminator_learning_rate=2e-4, **options):
        """Gives every network its own Adam, under mixed_float16 with loss scaling.

        Args:
            learning_rate: of autoencoder and classifier; a number or a Keras schedule.
            critic_learning_rate: None: `learning_rate`.
            discriminator_learning_rate: of the patch discriminator (beta_1 = 0.5).
            **options: of `keras.Model.compile`, e.g. `jit_compile=True`, for use under `fit`.
        """
        super().compile(optimizer=None, **options)
        rates = {"discriminator": discriminator_learning_rate}
        if critic_learning_rate is not None:
            rates["critic"] = critic_learning_rate
        self.optimizers = {}
        for name in self.trained:
            beta_1 = 0.5 if name == "discriminator" else 0.9
            optimizer = keras.optimizers.Adam(rates.get(name, learning_rate), beta_1, 0.999, epsilon=1e-8)
            if self.dtype_policy.name == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.weights_of(name))
            self.optimizers[name] = optimizer

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step; each value of them is a program of its own."""
        return {"discriminator": bool(self.realism_weight) and step >= self.discriminator_from_step}

    def train_step(self, data, discriminator=None):
        """One step on {"image": [B, H, W, C] in [-1, 1], "label": [B]}; returns a dict of float32 scalars.

        All gradients are taken at the same weights, then every optimizer steps. Row i is blended with row
        B - 1 - i. `discriminator` says whether the patch discriminator takes part; None: when there is one.
        """
        discriminator = bool(self.realism_weight) if discriminator is None else discriminator
        images, labels = data["image"], data["label"]
        mix = replicas.draw(
            tf.random.stateless_uniform,
            tf.shape(images)[:1],
            self._random_seed(stream=0),
            minval=0.0,
            maxval=0.5,
            alg="philox",
        )
        with tf.GradientTape() as autoencoder_tape:
            latents = self.encoder(images, training=True)
            mixed_latents = losses.mix_latents(latents, mix)
            decoded = self.decoder(tf.concat([latents, mixed_latents], 0), training=True)  # [2B, H, W, C]
        with tf.GradientTape() as pixel_tape:
            pixel_tape.watch(decoded)
            reconstructions, blends = tf.split(decoded, 2)
            reconstruction_loss = losses.reconstruction_loss(images, reconstructions)
        error_gradient = pixel_tape.gradient(reconstruction_loss, decoded, self._loss_scale("autoencoder"))
        logs, gradients = self._critic_gradients(images, reconstructions, blends, mix)
        decoded_gradient = error_gradient + tf.concat([tf.zeros_like(images), gradients.pop("blends")], 0)
        if discriminator:
            realism_logs, gradients["discriminator"], realism_gradient = self._realism_gradients(images, decoded)
            decoded_gradient += realism_gradient
            logs |= realism_logs
        gradients["autoencoder"] = autoencoder_tape.gradient(
            decoded, self.weights_of("autoencoder"), decoded_gradient
        )
        classifier_logs, gradients["classifier"] = self._classifier_gradients(latents, labels)
        self._apply(gradients)
        logs |= {"reconstruction_loss": reconstruction_loss, **classifier_logs}
        logs["autoencoder_loss"] = reconstruction_loss + logs["mix_regulariser"] + logs.get("realism_loss", 0.0)
        return logs | self._optimizer_logs()

    def _critic_gradients(self, images, reconstructions, blends, mix):
        """The critic's one forward pass and the gradients that both sides take from it (equations 1 to 3)."""
        weights = self.weights_of("critic")
        softened = losses.soften(images, reconstructions, self.regularisation)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(blends)
            scores = self.critic(tf.concat([blends, tf.stop_gradient(softened)], 0), training=True)  # [2B]
            blend_scores, softened_scores = tf.split(scores, 2)
            critic_loss = losses.critic_loss(blend_scores, mix, softened_scores)
            mix_regulariser = losses.mix_regulariser(blend_scores, self.mix_weight)
        scale = self._loss_scale("critic")
        if self.one_backward_pass:
            *critic_gradients, blend_gradient = tape.gradient(critic_loss, [*weights, blends], scale)
            ratio = losses.regulariser_per_critic_gradient(blend_scores, mix, self.mix_weight)
            blend_gradient *= ratio[:, None, None, None]
        else:
            critic_gradients = tape.gradient(critic_loss, weights, scale)
            blend_gradient = tape.gradient(mix_regulariser, blends, scale)
        logs = {"critic_loss": critic_loss, "mix_regulariser": mix_regulariser}
        logs["critic_error_ratio"] = critic_loss / losses.CONSTANT_GUESS_LOSS
        return logs, {"critic": critic_gradients, "blends": blend_gradient}

    def _realism_gradients(self, images, decoded):
        """Logs, the patch discriminator's gradients and the autoencoder's at `decoded` [2B, H, W, C]."""
        weights = self.weights_of("discriminator")
        realism_weight = tf.where(self.step >= self.realism_from_step, self.realism_weight, 0.0)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(decoded)
            logits = self.discriminator(tf.concat([images, decoded], 0), training=True)  # [3B, h, w]
            real_logits, fake_logits = tf.split(logits, [tf.shape(images)[0], 2 * tf.shape(images)[0]])
            discriminator_loss = losses.discriminator_loss(real_logits, fake_logits)
            realism_loss = losses.realism_loss(fake_logits, realism_weight)
        logs = {"discriminator_loss": discriminator_loss, "realism_loss": realism_loss}
        gradients = tape.gradient(discriminator_loss, weights, self._loss_scale("discriminator"))
        return logs, gradients, tape.gradient(realism_loss, decoded, self._loss_scale("autoencoder"))

    def _classifier_gradients(self, latents, labels):
        """The linear classifier sees the latents but does not shape them: the tape begins behind them."""
        with tf.GradientTape() as tape:
            logits = self.classifier(latents, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        hits = tf.argmax(logits, 1, tf.int32) == labels
        logs = {"classifier_loss": loss, "classifier_accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}
        return logs, tape.gradient(loss, self.weights_of("classifier"), self._loss_scale("classifier"))

    def _apply(self, gradients):
        """Steps every optimizer and the EMA; under loss scaling all of them or, after an overflow, none."""
        gradients = {name: replicas.average(network) for name, network in gradients.items()}
        finite = tf.constant(True)
        if self.dtype_policy.name == "mixed_float16":
            sums = [tf.reduce_sum(gradient) for network in gradients.values() for gradient in network]
            finite = tf.math.is_finite(tf.add_n(sums))
            poison = tf.where(finite, 1.0, float("nan"))  # each optimizer sees it, skips and lowers its scale
            gradients = {name: [poison * g for g in network] for name, network in gradients.items()}
        for name, network in gradients.items():
            self.optimizers[name].apply(network)
        self.step.assign_add(1)
        if self.ema_rate:
            step = tf.cast(self.step, tf.float32)
            rate = tf.minimum(self.ema_rate, (1 + step) / (10 + step))  # forgets the random start
            for average, weight in self._averaged_weights():
                average.assign_add(tf.where(finite, 1 - rate, 0.0) * (weight - average))

    def call(self, images, training=False):
        return self.released_decoder(self.released_encoder(images))

    @property
    def metrics(self):
        return []  # Keras would add a "loss" that stays 0

    def weights_of(self, name):
        """Trainable variables of "autoencoder", "critic", "classifier" or "discriminator"."""
        return [weight for network in self.trained[name] for weight in network.trainable_variables]

    def state(self):
        """Everything a checkpoint holds: {name: variable}, optimizers included; names do not vary by process."""
        state = {"step": self.step, **self.release_state()}
        if self.ema_rate:
            state |= named("trained_encoder", self.encoder) | named("trained_decoder", self.decoder)
        for name, optimizer in self.optimizers.items():
            state |= {f"{name}_optimizer/{i:02d}": v for i, v in enumerate(optimizer.variables)}
        return state

    def release_state(self):
        """What a released model holds: {name: variable} of all networks, the autoencoder's averaged if any is."""
        state = named("encoder", self.released_encoder) | named("decoder", self.released_decoder)
        for name in sorted(self.trained.keys() - {"autoencoder"}):
            state |= named(name, self.trained[name][0])
        return state

    def _averaged_weights(self):
        released = self.released_encoder.variables + self.released_decoder.variables
        return zip(released, self.encoder.variables + self.decoder.variables, strict=True)

    def _loss_scale(self, name):
        """What the named optimizer divides by. All move in lockstep; one that joins late begins anew."""
        return tf.convert_to_tensor(getattr(self.optimizers[name], "dynamic_scale", 1.0))

    def _optimizer_logs(self):
        rate = self.optimizers["autoencoder"].learning_rate
        return {"learning_rate": tf.cast(rate, tf.float32), "loss_scale": self._loss_scale("autoencoder")}

    def _random_seed(self, stream):
        return tf.stack([self.seed + (stream << 32), tf.cast(self.step, tf.int64)])


def named(prefix, network):
    """{"prefix/00_kernel": variable, ...} in the order of the network's layers."""
    return {f"{prefix}/{i:02d}_{v.name}": v for i, v in enumerate(network.variables)}
