"""ACAI as a Keras model: the training algorithm of the paper.

Berthelot, Raffel, Roy and Goodfellow (arXiv 1807.07543), section 3. `ACAI.gradients` has equation 3 (blends) and
adds up equation 2 (the autoencoder's loss). `acai.adversaries.critic` has what needs the critic: equation 1 (its
loss) and the second term of equation 2, which makes blends realistic. `acai.losses` has all formulas and explains
the letters.
"""

import functools

import keras
import tensorflow as tf

from acai import losses, networks
from acai.adversaries import LossScales, Pictures
from acai.adversaries.critic import Critic
from acai.adversaries.ramp import LinearRamp
from acai.autoencoder import Autoencoder
from acai.mixing import UniformMix
from common.backend import loss_scaling
from common.variables import (
    loss_scale,
    optimizer_logs,
    optimizer_variables_by_name,
    update_averages,
    variables_by_name,
    weights_by_name,
)

MIX, CORRUPTION, LATENTS, BOTTLENECK_NETWORK, MASKS = 0, 1, 2, 3, 7  # random streams; 4 to 6 were others' once


class ACAI(keras.Model):
    """An autoencoder, the adversaries that train it and a linear classifier of its latents.

    Calling the model reconstructs images with the released autoencoder: images [B, width, width, colours] in
    [-1, 1] -> the same shape, not clipped.

    Args:
        autoencoder: acai.autoencoder.Autoencoder. Its dtype becomes that of the model.
        latent_classifier: `acai.networks.classifier`. It measures what the latents represent and does not change
            them.
        adversaries: of acai.adversaries.Adversary. The paper's ACAI has one, `acai.adversaries.critic.Critic`;
            the autoencoders that the paper compares it with have none.
        mixing: of `acai.mixing`; None: the paper's `UniformMix`.
        ema_rate: share kept per step by a moving average of the autoencoder's weights; 0: no average.
        seed: of all random numbers, which are a function of (seed, step). XLA draws others than TensorFlow.
        regulariser_ramp: acai.adversaries.ramp.LinearRamp, a factor of the bottleneck's regulariser; None: 1.

    Attributes:
        released: the averaged autoencoder or, without an average, the trained one.
        trained_networks: {name of an optimizer: list of the networks that it trains}.
        step: int64 variable, the number of steps taken.

    Example:
        model = paper_acai(depth=16)
        model.compile(learning_rate=1e-4)
        logs = model.train_step({"image": images, "label": labels})

    Raises:
        ValueError: for an `ema_rate` outside [0, 1).
    """

    def __init__(
        self,
        autoencoder,
        latent_classifier,
        adversaries=(),
        mixing=None,
        ema_rate=0.0,
        seed=0,
        regulariser_ramp=None,
    ):
        super().__init__(name="acai", dtype=autoencoder.dtype)
        if not 0 <= ema_rate < 1:
            raise ValueError(f"ema_rate must be in [0, 1). Received: {ema_rate=}.")
        self.autoencoder = self.released = autoencoder
        self.encoder, self.decoder = autoencoder.encoder, autoencoder.decoder
        self.latent_classifier, self.adversaries = latent_classifier, tuple(adversaries)
        self.mixing, self.ema_rate, self.seed = mixing or UniformMix(), ema_rate, seed
        self.regulariser_ramp = regulariser_ramp or LinearRamp(1.0)
        joint = autoencoder.bottleneck.autoencoder_networks.values()
        trained = {"autoencoder": [self.encoder, self.decoder, *joint], "classifier": [latent_classifier]}
        trained |= {name: [network] for name, network in autoencoder.bottleneck.trained_networks.items()}
        trained |= {a.name: [a.network] for a in self.adversaries}
        self.trained_networks = trained
        if ema_rate:
            self.released = autoencoder.frozen_copy("ema_")
            self.averaged_networks = [*self.released.networks.values()]  # an attribute that Keras tracks
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(self, learning_rate=1e-4, learning_rates=None, **options):
        """Creates an optimizer for each trained network, with loss scaling under mixed_float16.

        It is Adam, but for a bottleneck's network where the bottleneck says otherwise.

        Args:
            learning_rate: a number or a Keras schedule, whose steps are `step` of the model. The optimizer's own
                count serves Adam alone: a model that begins with another's moments has it from there.
            learning_rates: {name in `trained_networks`: learning rate} of those with another one.
            **options: of `keras.Model.compile`, e.g. `jit_compile=True`, for use with `fit`.
        """
        super().compile(optimizer=None, **options)
        rates = dict.fromkeys(self.trained_networks, learning_rate) | (learning_rates or {})
        betas = dict.fromkeys(self.trained_networks, 0.9) | {a.name: a.beta_1 for a in self.adversaries}
        self.optimizers, bottleneck = {}, self.autoencoder.bottleneck
        for name in self.trained_networks:
            rate = functools.partial(rates[name], self.step) if callable(rates[name]) else rates[name]
            own = name in bottleneck.trained_networks and bottleneck.make_optimizer()
            optimizer = own or keras.optimizers.Adam(rate, betas[name], 0.999, epsilon=1e-8)
            self.optimizers[name] = loss_scaling.wrap_for_policy(optimizer, self.dtype_policy.name)
            self.optimizers[name].build(self.weights_of(name))

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step. Each value is traced separately."""
        return {"adversaries": tuple(a.name for a in self.adversaries if a.is_active(step))}

    def train_step(self, data, adversaries=None):
        """Takes one step on {"image": [B, H, W, C] in [-1, 1], "label": [B]}; returns a dict of float32 scalars.

        Args:
            data: a batch.
            adversaries: names of those that take part; None: all.
        """
        logs, gradients = self.gradients(data, adversaries)
        return logs | self.apply_gradients(gradients)

    def gradients(self, data, adversaries=None):
        """Logs and {name: gradients} of all trained networks at the current weights.

        The gradients of all adversaries are taken at the decoded pictures. One backward pass through decoder and
        encoder then serves all terms of the autoencoder's loss. Image i is blended with image B - 1 - i. For the
        arguments see `train_step`.
        """
        images, labels, bottleneck = data["image"], data["label"], self.autoencoder.bottleneck
        active = [a for a in self.adversaries if adversaries is None or a.name in adversaries]
        seeds = tf.stack([self._random_seed(MIX), self._random_seed(MASKS)])
        # alpha: its mean over each image [B], and in each cell [B, h, w, 1], or [B, 1, 1, 1] if all are equal
        mix, shares = self.mixing.draw(data, self.decoder.input_shape[1:3], seeds)
        with tf.GradientTape() as tape:
            encoded = self.encoder(bottleneck.corrupt(images, self._random_seed(CORRUPTION)), training=True)
            prepared = bottleneck.prepare(encoded)
            latents = bottleneck.latents(prepared, self._random_seed(LATENTS))  # z [B, h, w, c]
            if active:  # otherwise nothing looks at blends
                latents = tf.concat([latents, losses.mix_latents(latents, shares)], 0)  # equation 3
            decoded = self.decoder(latents, training=True)
            decoded, decoded_blends = tf.split(decoded, 2) if active else (decoded, None)
            reconstructions = bottleneck.to_images(decoded)  # x^ [B, H, W, C]
            blends = bottleneck.to_images(decoded_blends) if active else None  # x^_alpha [B, H, W, C]
            reconstruction_loss = bottleneck.reconstruction_loss(images, decoded)  # equation 2, first term
            weight = self.regulariser_ramp(self.step)
            regulariser, regulariser_logs = bottleneck.weighted_regulariser(prepared, weight)
            loss = reconstruction_loss + regulariser
        pictures = Pictures(images, mix, reconstructions, blends)
        results = [self._adversary_gradients(adversary, pictures) for adversary in active]
        gradients = {a.name: r.network for a, r in zip(active, results, strict=True)}  # equation 1
        # Equation 2: the tape follows the loss, and goes on from what the adversaries returned at the pictures
        targets, factors = [loss], [self._loss_scale("autoencoder")]
        for target, given in (
            (reconstructions, [r.reconstructions for r in results]),
            (blends, [r.blends for r in results]),
        ):
            if (total := sum_or_none(given)) is not None:
                targets.append(target)
                factors.append(total)
        gradients["autoencoder"] = tape.gradient(targets, self.weights_of("autoencoder"), factors)
        network_logs, network_gradients = self._bottleneck_gradients(prepared)
        classifier_logs, gradients["classifier"] = self._classifier_gradients(bottleneck.encode(encoded), labels)
        logs = {"reconstruction_loss": reconstruction_loss}
        for more in (*(r.logs for r in results), network_logs, classifier_logs, regulariser_logs):
            logs |= more
        logs["autoencoder_loss"] = loss + sum(r.autoencoder_loss for r in results)
        return logs, gradients | network_gradients

    def apply_gradients(self, gradients):
        """Takes a step of every optimizer and of the average; returns logs of the autoencoder's optimizer.

        Under loss scaling an overflow anywhere skips the step of all.
        """
        weights = {name: self.weights_of(name) for name in gradients}
        moved = loss_scaling.apply_together(self.optimizers, gradients, weights)
        self.step.assign_add(1)
        num_updates = self.optimizers["autoencoder"].iterations
        update_averages(self._averaged_weights(), self.ema_rate, num_updates, moved)
        return optimizer_logs(self.optimizers["autoencoder"])

    def call(self, images, training=False):
        return self.released.decode(self.released.encode(images))

    @property
    def metrics(self):
        return []  # Keras would add a "loss" that stays 0

    def weights_of(self, name):
        """Trainable variables of the networks that an optimizer trains, by its name in `trained_networks`."""
        return [weight for network in self.trained_networks[name] for weight in network.trainable_variables]

    def state(self):
        """Everything a checkpoint holds, {name: variable}, with optimizers. Names are the same in each process."""
        networks = self._released_networks()
        if self.ema_rate:
            networks |= {f"trained_{name}": network for name, network in self.autoencoder.networks.items()}
        state = {"step": self.step}
        for name, network in networks.items():
            state |= variables_by_name(name, network)
        return state | optimizer_variables_by_name(self.optimizers)

    def release_state(self):
        """{name: variable} of the weights of all networks, with the averaged autoencoder where there is one."""
        state = {}
        for name, network in self._released_networks().items():
            state |= weights_by_name(name, network)
        return state

    def _released_networks(self):
        names = sorted(self.trained_networks.keys() - {"autoencoder"})
        return {name: self.trained_networks[name][0] for name in names} | self.released.networks

    def _adversary_gradients(self, adversary, pictures):
        scales = LossScales(self._loss_scale(adversary.name), self._loss_scale("autoencoder"))
        return adversary.gradients(pictures, self.step, scales)

    def _bottleneck_gradients(self, prepared):
        """Logs and {name: gradients} of networks that the bottleneck trains beside the autoencoder."""
        logs, gradients = {}, {}
        for name in self.autoencoder.bottleneck.trained_networks:
            with tf.GradientTape() as tape:
                loss = self.autoencoder.bottleneck.network_loss(prepared, self._random_seed(BOTTLENECK_NETWORK))
            logs[f"{name}_loss"] = loss
            gradients[name] = tape.gradient(loss, self.weights_of(name), self._loss_scale(name))
        return logs, gradients

    def _classifier_gradients(self, latents, labels):
        """Logs and gradients of the latent classifier. The tape does not see how the latents were computed."""
        with tf.GradientTape() as tape:
            logits = self.latent_classifier(latents, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        hits = tf.argmax(logits, 1, tf.int32) == labels
        logs = {"classifier_loss": loss, "classifier_accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}
        return logs, tape.gradient(loss, self.weights_of("classifier"), self._loss_scale("classifier"))

    def _averaged_weights(self):
        """(average, weight) of each averaged variable."""
        return [*zip(self.released.weights, self.autoencoder.weights, strict=True)] if self.ema_rate else []

    def _loss_scale(self, name):
        """An optimizer's loss scale. All change together, but an optimizer that joins late has its initial one."""
        return loss_scale(self.optimizers[name])

    def _random_seed(self, stream):
        return tf.stack([self.seed + (stream << 32), tf.cast(self.step, tf.int64)])


def sum_or_none(gradients):
    """The sum of the gradients that are not None, or None.

    It adds two at a time, so that the order is fixed: see `common.backend.compiler.keep_order_of_sums`.
    """
    given = [gradient for gradient in gradients if gradient is not None]
    return functools.reduce(tf.add, given) if given else None


def paper_acai(
    width=32,
    latent_width=4,
    latent_channels=16,
    depth=64,
    colours=3,
    critic_depth=None,
    classes=10,
    mix_weight=0.5,
    regularisation=0.2,
    precision="float32",
    more_adversaries=(),
    **options,
):
    """The paper's ACAI: a plain autoencoder with a critic. Defaults: CIFAR-10 with 256 latents.

    Args:
        width, latent_width, latent_channels, depth, colours: see `acai.autoencoder.Autoencoder`.
        critic_depth: channels of the critic's first scale; None: `depth`.
        classes: number of classes of the latent classifier.
        mix_weight, regularisation: see `acai.adversaries.critic.Critic`.
        precision: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".
        more_adversaries: beside the critic.
        **options: of `ACAI`.
    """
    autoencoder = Autoencoder(width, latent_width, latent_channels, depth, colours, dtype=precision)
    critic = networks.critic(width, latent_width, latent_channels, critic_depth or depth, colours, precision)
    classifier = networks.classifier(latent_width, latent_channels, classes)
    adversaries = (Critic(critic, mix_weight, regularisation), *more_adversaries)
    return ACAI(autoencoder, classifier, adversaries, **options)
