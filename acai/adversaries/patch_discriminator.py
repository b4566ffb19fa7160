"""The patch discriminator beside an ACAI: it tells real images from reconstructions and blends.

In the spirit of adversarial mixup resynthesis (Beckham et al., arXiv 1903.02709). It has to know real images
before the autoencoder listens to it, so it may begin earlier. What its options did to a training stands in
`pretrained/acai/CARD.md`.
"""

import tensorflow as tf

from acai import losses, networks
from common.backend import loss_scaling
from common.data import augmentation


class Realism:
    """The discriminator, its options and both sides' gradients.

    Args:
        rise: acai.adversaries.ramp.Rise, of the discriminator's weight in the autoencoder's loss.
        loss: a name in `acai.losses.REALISM_LOSSES`.
        gradient_penalty: weight of R1 on real images (Mescheder et al., arXiv 1801.04406); 0: none.
        augment: names of `common.data.augmentation.POLICIES`: what the discriminator sees is changed so.
        classes: 0, or how many there are: the discriminator is then told the class of what it sees, of a blend the
            shares of both parents' (a projection, Miyato and Koyama, arXiv 1802.05637).
        width, channels, colours, precision: of `acai.networks.patch_discriminator`.
    """

    def __init__(
        self,
        rise,
        loss="hinge",
        gradient_penalty=0.0,
        augment=(),
        classes=0,
        width=32,
        channels=48,
        colours=3,
        precision="float32",
    ):
        augmentation.check_policy(augment)
        self.rise, self.gradient_penalty = rise, gradient_penalty
        self.discriminator_loss, self.realism_loss = losses.REALISM_LOSSES[loss]
        self.augment, self.classes = augment, classes
        self.network = networks.patch_discriminator(width, channels, colours, classes, precision)

    def gradients(self, images, decoded, labels, mix, step, seed, scales):
        """Logs, the discriminator's gradients and the autoencoder's at `decoded`.

        Args:
            images: float32 [B, H, W, C].
            decoded: float32 [2B, H, W, C], reconstructions and blends.
            labels: int32 [B], classes of the images.
            mix: float32 [B], each image's share in its blend; the rest is the image's from the end of the batch.
            step: int64 [], of the training.
            seed: int64 [2] of the augmentation.
            scales: by which the gradients of discriminator and autoencoder are multiplied, for loss scaling.
        """
        weights = self.network.trainable_variables
        count = tf.shape(images)[0]
        shares = self._class_shares(labels, mix)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(decoded)
            real_logits, fake_logits = tf.split(
                self._judge([images, *tf.split(decoded, 2)], shares, seed), [count, 2 * count]
            )  # [B, h, w], [2B, h, w]
            discriminator_loss = total = self.discriminator_loss(real_logits, fake_logits)
            realism_loss = self.rise(step) * self.realism_loss(fake_logits)
            logs = {"discriminator_loss": discriminator_loss, "realism_loss": realism_loss}
            if self.gradient_penalty:
                logs["gradient_penalty"] = self._gradient_penalty(images, shares, seed)
                total += self.gradient_penalty * logs["gradient_penalty"]
        gradients = tape.gradient(total, weights, scales[0])
        return logs, gradients, tape.gradient(realism_loss, decoded, scales[1])

    def _gradient_penalty(self, images, shares, seed):
        """R1: half of the squared length of the summed logits' gradient at the pixels, mean over real images."""
        shares = shares if shares is None else shares[: tf.shape(images)[0]]
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = self._judge([images], shares, seed)
        slopes = loss_scaling.gradient_for_penalty(tape, logits, images)
        return tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3))) / 2

    def _judge(self, parts, shares, seed):
        """Logits of images in parts of [B, H, W, C], each with draws of its own."""
        if self.augment:
            seeds = tf.unstack(tf.random.experimental.stateless_split(seed, len(parts), alg="philox"))
            parts = [augmentation.augment(part, self.augment, own) for part, own in zip(parts, seeds, strict=True)]
        images = tf.concat(parts, 0)
        return self.network(images if shares is None else [images, shares], training=True)

    def _class_shares(self, labels, mix):
        """Class weights [3B, classes] of images, reconstructions and blends; None where none are asked for."""
        if not self.classes:
            return None
        own = tf.one_hot(labels, self.classes)
        return tf.concat([own, own, mix[:, None] * own + (1 - mix)[:, None] * own[::-1]], 0)
