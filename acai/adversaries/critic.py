"""The critic beside an autoencoder, which makes it an ACAI: it guesses from a picture how it was mixed.

Berthelot et al. (arXiv 1807.07543), equations 1 to 3. Letters: see `acai.losses`.
"""

import tensorflow as tf

from acai import losses


class Criticism:
    """Both sides' losses and gradients, of one pass through the critic.

    Args:
        network: the critic, `acai.networks.critic`.
        mix_weight: lambda, its weight in the autoencoder's loss, above 0.
        regularisation: gamma, the share of the image in what it sees as unmixed.
        one_backward_pass: take the blends' gradient for both losses from one pass back through it.
    """

    def __init__(self, network, mix_weight, regularisation, one_backward_pass):
        self.network, self.mix_weight, self.regularisation = network, mix_weight, regularisation
        self.one_backward_pass = one_backward_pass

    def gradients(self, images, reconstructions, blends, mix, scale):
        """Logs, the critic's gradients and the autoencoder's at `blends`.

        Args:
            images, reconstructions, blends: float32 [B, H, W, C].
            mix: float32 [B], each image's share in its blend.
            scale: by which gradients are multiplied, for loss scaling.
        """
        weights = self.network.trainable_variables
        softened = losses.soften(images, reconstructions, self.regularisation)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(blends)
            scores = self.network(tf.concat([blends, tf.stop_gradient(softened)], 0), training=True)  # [2B]
            blend_scores, softened_scores = tf.split(scores, 2)
            critic_loss = losses.critic_loss(blend_scores, mix, softened_scores)
            mix_regulariser = losses.mix_regulariser(blend_scores, self.mix_weight)
        if self.one_backward_pass:
            *critic_gradients, blend_gradient = tape.gradient(critic_loss, [*weights, blends], scale)
            ratio = losses.regulariser_per_critic_gradient(blend_scores, mix, self.mix_weight)
            blend_gradient *= ratio[:, None, None, None]
        else:
            critic_gradients = tape.gradient(critic_loss, weights, scale)
            blend_gradient = tape.gradient(mix_regulariser, blends, scale)
        logs = {"critic_loss": critic_loss, "mix_regulariser": mix_regulariser}
        logs["critic_error_ratio"] = critic_loss / losses.CONSTANT_GUESS_LOSS
        return logs, critic_gradients, blend_gradient
