"""A patch discriminator: it tells real images from reconstructions and blends.

In the spirit of adversarial mixup resynthesis (Beckham et al., arXiv 1903.02709). It should know real images
before the autoencoder listens to it, so it may train earlier.
"""

import tensorflow as tf

from acai import losses
from acai.adversaries import Adversary, AdversaryGradients
from common.backend import loss_scaling


class PatchDiscriminator(Adversary):
    """The discriminator's logistic loss and the non-saturating adversarial loss of the autoencoder.

    Args:
        network: `acai.networks.patch_discriminator`.
        weight: acai.adversaries.ramp.LinearRamp, the weight of the adversarial loss in the autoencoder's loss.
        gradient_penalty: weight of the R1 penalty on real images (Mescheder et al., arXiv 1801.04406); 0: none.
        from_step: first step in which the network trains.

    Reference: Goodfellow et al., arXiv 1406.2661.
    """

    name = "discriminator"
    beta_1 = 0.5

    def __init__(self, network, weight, gradient_penalty=0.0, from_step=0):
        self.network, self.weight = network, weight
        self.gradient_penalty, self.from_step = gradient_penalty, from_step

    def is_active(self, step):
        return step >= self.from_step

    def gradients(self, pictures, step, scales):
        count = tf.shape(pictures.images)[0]
        fakes = [pictures.reconstructions, pictures.blends]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(fakes)
            logits = self.network(tf.concat([pictures.images, *fakes], 0), training=True)
            real_logits, fake_logits = tf.split(logits, [count, 2 * count])  # [B, h, w], [2B, h, w]
            discriminator_loss = total = losses.real_label_loss(real_logits) + losses.fake_label_loss(fake_logits)
            adversarial_loss = self.weight(step) * losses.real_label_loss(fake_logits)
            logs = {"discriminator_loss": discriminator_loss, "adversarial_loss": adversarial_loss}
            if self.gradient_penalty:
                logs["gradient_penalty"] = self._gradient_penalty(pictures.images)
                total += self.gradient_penalty * logs["gradient_penalty"]
        at_weights = tape.gradient(total, self.network.trainable_variables, scales.network)
        at_pictures = tape.gradient(adversarial_loss, fakes, scales.autoencoder)
        return AdversaryGradients(logs, adversarial_loss, at_weights, *at_pictures)

    def _gradient_penalty(self, images):
        """R1: half the squared norm of the gradient of the summed logits at the pixels, mean over real images."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = self.network(images, training=True)
        slopes = loss_scaling.gradient_for_penalty(tape, logits, images)
        return tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3))) / 2
