"""A patch discriminator: it tells real images from reconstructions and blends.

In the spirit of adversarial mixup resynthesis (Beckham et al., arXiv 1903.02709). It should know real images
before the autoencoder listens to it, so it may train earlier. `pretrained/acai/CARD.md` says what each option
changed.
"""

import tensorflow as tf

from acai import losses
from acai.adversaries import Adversary, AdversaryGradients
from common.backend import loss_scaling
from common.data import augmentation


class PatchDiscriminator(Adversary):
    """The discriminator's loss and the adversarial loss of the autoencoder.

    Args:
        network: `acai.networks.patch_discriminator`, made with the same `classes`.
        weight: acai.adversaries.ramp.LinearRamp, the weight of the adversarial loss in the autoencoder's loss.
        loss: a key of `acai.losses.ADVERSARIAL_LOSSES`.
        gradient_penalty: weight of the R1 penalty on real images (Mescheder et al., arXiv 1801.04406); 0: none.
        augment: names in `common.data.augmentation.POLICIES`, applied to all pictures that the network sees.
        classes: number of classes, of which the network is told those of a picture. A blend has the shares of
            both parents (projection, Miyato and Koyama, arXiv 1802.05637). 0: the network is not told.
        from_step: first step in which the network trains.

    Raises:
        ValueError: for an unknown augmentation.
    """

    name = "discriminator"
    beta_1 = 0.5
    random_stream = 4

    def __init__(self, network, weight, loss="hinge", gradient_penalty=0.0, augment=(), classes=0, from_step=0):
        augmentation.check_policy(augment)
        self.network, self.weight, self.gradient_penalty = network, weight, gradient_penalty
        self.discriminator_loss, self.adversarial_loss = losses.ADVERSARIAL_LOSSES[loss]
        self.augment, self.classes, self.from_step = augment, classes, from_step

    def is_active(self, step):
        return step >= self.from_step

    def gradients(self, pictures, step, seed, scales):
        images, labels, mix, reconstructions, blends = pictures
        count = tf.shape(images)[0]
        class_shares = self._class_shares(labels, mix)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([reconstructions, blends])
            logits = self._logits([images, reconstructions, blends], class_shares, seed)
            real_logits, fake_logits = tf.split(logits, [count, 2 * count])  # [B, h, w], [2B, h, w]
            discriminator_loss = total = self.discriminator_loss(real_logits, fake_logits)
            adversarial_loss = self.weight(step) * self.adversarial_loss(fake_logits)
            logs = {"discriminator_loss": discriminator_loss, "realism_loss": adversarial_loss}
            if self.gradient_penalty:
                logs["gradient_penalty"] = self._gradient_penalty(images, class_shares, seed)
                total += self.gradient_penalty * logs["gradient_penalty"]
        at_weights = tape.gradient(total, self.network.trainable_variables, scales.network)
        at_pictures = tape.gradient(adversarial_loss, [reconstructions, blends], scales.autoencoder)
        return AdversaryGradients(logs, adversarial_loss, at_weights, *at_pictures)

    def _gradient_penalty(self, images, class_shares, seed):
        """R1: half the squared norm of the gradient of the summed logits at the pixels, mean over real images."""
        class_shares = class_shares if class_shares is None else class_shares[: tf.shape(images)[0]]
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = self._logits([images], class_shares, seed)
        slopes = loss_scaling.gradient_for_penalty(tape, logits, images)
        return tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3))) / 2

    def _logits(self, parts, class_shares, seed):
        """Logits of a list of image batches [B, H, W, C], each augmented with its own random numbers."""
        if self.augment:
            seeds = tf.unstack(tf.random.experimental.stateless_split(seed, len(parts), alg="philox"))
            parts = [augmentation.augment(part, self.augment, s) for part, s in zip(parts, seeds, strict=True)]
        images = tf.concat(parts, 0)
        return self.network(images if class_shares is None else [images, class_shares], training=True)

    def _class_shares(self, labels, mix):
        """Class weights [3B, classes] of images, reconstructions and blends; None for an unconditional network."""
        if not self.classes:
            return None
        one_hot, mix = tf.one_hot(labels, self.classes), mix[:, None]
        return tf.concat([one_hot, one_hot, mix * one_hot + (1 - mix) * one_hot[::-1]], 0)
