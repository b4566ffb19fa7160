"""ACAI as a Keras model: the algorithm in `train_step`, nothing else.

Berthelot, Raffel, Roy and Goodfellow (arXiv 1807.07543), section 3. Letters: see `acai.losses`.
With `realism_weight` above 0 a patch discriminator joins it: see `acai.adversaries.patch_discriminator`.
"""

import functools

import keras
import tensorflow as tf

from acai import losses, networks
from acai.adversaries.classifier_guidance import Recognition
from acai.adversaries.critic import Criticism
from acai.adversaries.patch_discriminator import Realism
from acai.adversaries.ramp import Rise
from acai.autoencoder import Autoencoder
from common.backend import loss_scaling
from common.backend.adam import Adam
from common.distribute import replicas
from common.variables import (
    loss_scale,
    optimizer_logs,
    optimizer_variables_by_name,
    update_averages,
    variables_by_name,
)


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
        mix_weight: lambda, the weight of the critic in the autoencoder's loss; 0: there is no critic.
        regularisation: gamma, the share of the image in what the critic sees as unmixed.
        reconstruction: "squared", the paper's error of the pixels, or "absolute".
        features: function of images [B, width, width, colours] -> list of feature maps, in which reconstructions
            are to be like the images as well; None: there is none, as in the paper.
        feature_weight: of that in the autoencoder's loss.
        judge, judge_classes: see `acai.adversaries.classifier_guidance.Recognition`; None: there is none, as in
        the paper.
        recognition_weight: of that in the autoencoder's loss.
        recognition_from_step, recognition_ramp_steps: as of the discriminator, below.
        realism_weight: of the patch discriminator in the autoencoder's loss; 0: there is none, as in the paper.
        realism_from_step: the step from which the autoencoder's loss has it.
        realism_ramp_steps: in which its weight then rises.
        discriminator_from_step: the step from which the patch discriminator itself trains.
        discriminator_channels: of the patch discriminator's first layer.
        realism_loss, realism_penalty, realism_augment, realism_by_class: see
        `acai.adversaries.patch_discriminator.Realism`.
        bottleneck, bottleneck_strength, codes: what stands between encoder and decoder, see `acai.bottlenecks`.
        ema_rate: share kept a step by the moving average of the autoencoder's weights; 0: there is none.
        towers: parts of a batch that a step takes beside each other on a CPU, see `common.backend.towers`.
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
        reconstruction="squared",
        features=None,
        feature_weight=0.0,
        judge=None,
        judge_classes=None,
        recognition_weight=0.0,
        recognition_from_step=0,
        recognition_ramp_steps=0,
        realism_weight=0.0,
        realism_from_step=0,
        realism_ramp_steps=0,
        discriminator_from_step=0,
        discriminator_channels=48,
        realism_loss="hinge",
        realism_penalty=0.0,
        realism_augment=(),
        realism_by_class=False,
        bottleneck="plain",
        bottleneck_strength=1.0,
        codes=512,
        ema_rate=0.0,
        towers=1,
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
        self.one_backward_pass = one_backward_pass and precision != "mixed_float16"
        code = (width, latent_width, latent_channels)
        sizes = (*code, depth, colours, bottleneck, bottleneck_strength, codes)
        self.autoencoder = self.released = Autoencoder(*sizes, precision)
        self.encoder, self.decoder = self.autoencoder.encoder, self.autoencoder.decoder
        self.bottleneck = self.autoencoder.bottleneck
        self.trained = {"autoencoder": [self.encoder, self.decoder]}
        if mix_weight:
            self.critic = networks.critic(*code, critic_depth or depth, colours, precision)
            self.criticism = Criticism(self.critic, mix_weight, regularisation, self.one_backward_pass)
            self.trained["critic"] = [self.critic]
        self.classifier = networks.classifier(latent_width, latent_channels, classes)
        self.trained["classifier"] = [self.classifier]
        if self.bottleneck.network:
            self.trained[self.bottleneck.network.name] = [self.bottleneck.network]
        if realism_weight:
            choices = realism_loss, realism_penalty, realism_augment, classes if realism_by_class else 0
            image = width, discriminator_channels, colours, precision
            rise = Rise(realism_weight, realism_from_step, realism_ramp_steps)
            self.realism = Realism(rise, *choices, *image)
            self.discriminator = self.realism.network
            self.trained["discriminator"] = [self.discriminator]
        if recognition_weight:
            rise = Rise(recognition_weight, recognition_from_step, recognition_ramp_steps)
            self.recognition = Recognition(rise, judge, judge_classes)
        if ema_rate:
            self.released = Autoencoder(*sizes, prefix="ema_")
            self.averages = [*self.released.networks.values()]  # which Keras then finds
            for network in self.averages:
                network.trainable = False
            for average, weight in self._averaged_weights():
                average.assign(weight)
        self.mix_weight = mix_weight
        self.absolute = reconstruction == "absolute"
        self.features, self.feature_weight = features, feature_weight
        self.realism_weight, self.discriminator_from_step = realism_weight, discriminator_from_step
        self.recognition_weight, self.recognition_from_step = recognition_weight, recognition_from_step
        self.ema_rate, self.towers, self.seed = ema_rate, towers, seed
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
            optimizer = Adam(rates.get(name, learning_rate), beta_1, 0.999, epsilon=1e-8)
            self.optimizers[name] = loss_scaling.wrap_for_policy(optimizer, self.dtype_policy.name)
            self.optimizers[name].build(self.weights_of(name))

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step; each value of them is a program of its own."""
        return {
            "discriminator": bool(self.realism_weight) and step >= self.discriminator_from_step,
            "recognition": bool(self.recognition_weight) and step >= self.recognition_from_step,
        }

    def train_step(self, data, discriminator=None, recognition=None):
        """One step on {"image": [B, H, W, C] in [-1, 1], "label": [B]}; returns a dict of float32 scalars.

        All gradients are taken at the same weights, then every optimizer steps. Row i is blended with row
        B - 1 - i. `discriminator` and `recognition` say whether those take part; None: when there are any.
        """
        discriminator = bool(self.realism_weight) if discriminator is None else discriminator
        recognition = bool(self.recognition_weight) if recognition is None else recognition
        gradients = functools.partial(self._gradients, discriminator=discriminator, recognition=recognition)
        logs, gradients = replicas.run_in_towers(gradients, self.towers, data)
        self._apply(gradients)
        return logs | optimizer_logs(self.optimizers["autoencoder"])

    def _gradients(self, data, discriminator, recognition):
        """Logs, and each network's gradients at the weights as they are: those of the algorithm."""
        images, labels, bottleneck = data["image"], data["label"], self.bottleneck
        mix = replicas.draw(
            tf.random.stateless_uniform,
            tf.shape(images)[:1],
            self._random_seed(stream=0),
            minval=0.0,
            maxval=0.5,
            alg="philox",
        )
        with tf.GradientTape() as tape:
            encoded = self.encoder(bottleneck.corrupt(images, self._random_seed(stream=1)), training=True)
            latents = bottleneck.latents(encoded, self._random_seed(stream=2))
            blending = bool(self.mix_weight) or discriminator or recognition
            if blending:
                latents = tf.concat([latents, losses.mix_latents(latents, mix)], 0)
            decoded = tf.split(self.decoder(latents, training=True), 1 + blending)  # each [B, H, W, C]
            pictures = [bottleneck.to_images(half) for half in decoded]  # reconstructions, then blends
            code_regulariser = bottleneck.regulariser(encoded)
            logs, error = self._errors(images, decoded[0], pictures[0])
            own_loss = error + code_regulariser
        gradients, at_pictures = {}, [[] for _ in pictures]
        if self.mix_weight:
            scale = self._loss_scale("critic")
            found, gradients["critic"], gradient = self.criticism.gradients(images, *pictures, mix, scale)
            at_pictures[1].append(gradient)
            logs |= found
        if discriminator:
            scales = self._loss_scale("discriminator"), self._loss_scale("autoencoder")
            seed = self._random_seed(stream=4)
            found, gradients["discriminator"], gradient = self.realism.gradients(
                images, tf.concat(pictures, 0), labels, mix, self.step, seed, scales
            )
            for found_there, half in zip(at_pictures, tf.split(gradient, 2), strict=True):
                found_there.append(half)
            logs |= found
        if recognition:
            seed, scale = self._random_seed(stream=5), self._loss_scale("autoencoder")
            found, gradient = self.recognition.gradient(pictures[1], labels, mix, self.step, seed, scale)
            at_pictures[1].append(gradient)
            logs |= found
        if bottleneck.network:
            found, gradients[bottleneck.network.name] = self._bottleneck_gradients(encoded)
            logs |= found
        targets, at_targets = [own_loss], [self._loss_scale("autoencoder")]
        for picture, found_there in zip(pictures, at_pictures, strict=True):
            if found_there:  # added two by two, see `common.backend.compiler.keep_order_of_sums`
                targets.append(picture)
                at_targets.append(functools.reduce(tf.add, found_there))
        gradients["autoencoder"] = tape.gradient(targets, self.weights_of("autoencoder"), at_targets)
        found, gradients["classifier"] = self._classifier_gradients(bottleneck.encode(encoded), labels)
        logs |= found
        if bottleneck.regularises:
            logs["code_regulariser"] = code_regulariser
        others = ("mix_regulariser", "realism_loss", "recognition_loss")
        logs["autoencoder_loss"] = own_loss + sum(logs[name] for name in others if name in logs)
        return logs, gradients

    def _errors(self, images, decoded, reconstructions):
        """Logs, and all that makes reconstructions like the images: of pixels and, as an option, of features."""
        error = self.bottleneck.reconstruction_loss(images, decoded)
        logs = {"reconstruction_loss": error}
        if self.absolute:
            error = losses.absolute_reconstruction_loss(images, reconstructions)
        if self.feature_weight:
            logs["feature_loss"] = losses.feature_loss(self.features(images), self.features(reconstructions))
            error += self.feature_weight * logs["feature_loss"]
        return logs, error

    def _bottleneck_gradients(self, encoded):
        """Logs and gradients of the network that the bottleneck trains beside the autoencoder."""
        name = self.bottleneck.network.name
        with tf.GradientTape() as tape:
            loss = self.bottleneck.network_loss(encoded, self._random_seed(stream=3))
        return {f"{name}_loss": loss}, tape.gradient(loss, self.weights_of(name), self._loss_scale(name))

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
        weights = {name: self.weights_of(name) for name in gradients}
        moved = loss_scaling.apply_together(self.optimizers, gradients, weights)
        self.step.assign_add(1)
        if self.ema_rate:
            update_averages(self._averaged_weights(), self.ema_rate, self.step, moved)

    def call(self, images, training=False):
        return self.released.decode(self.released.encode(images))

    @property
    def metrics(self):
        return []  # Keras would add a "loss" that stays 0

    def weights_of(self, name):
        """Trainable variables of "autoencoder" or another name of `trained`."""
        return [weight for network in self.trained[name] for weight in network.trainable_variables]

    def state(self):
        """Everything a checkpoint holds: {name: variable}, optimizers included; names do not vary by process."""
        state = {"step": self.step, **self.release_state()}
        if self.ema_rate:
            for name, network in self.autoencoder.networks.items():
                state |= variables_by_name(f"trained_{name}", network)
        return state | optimizer_variables_by_name(self.optimizers)

    def release_state(self):
        """What a released model holds: {name: variable} of all networks, the autoencoder's averaged if any is."""
        trained = {name: self.trained[name][0] for name in sorted(self.trained.keys() - {"autoencoder"})}
        state = {}
        for name, network in {**trained, **self.released.networks}.items():
            state |= variables_by_name(name, network)
        return state

    def _averaged_weights(self):
        return zip(self.released.variables, self.autoencoder.variables, strict=True)

    def _loss_scale(self, name):
        """What the named optimizer divides by. All move in lockstep; one that joins late begins anew."""
        return loss_scale(self.optimizers[name])

    def _random_seed(self, stream):
        return tf.stack([self.seed + (stream << 32), tf.cast(self.step, tf.int64)])
