"""The critic, which makes an autoencoder an ACAI: it predicts how a picture was mixed.

Berthelot et al. (arXiv 1807.07543), equations 1 and 2. For the letters see `acai.losses`.
"""

import tensorflow as tf

from acai import losses
from acai.adversaries import Adversary, AdversaryGradients


class Critic(Adversary):
    """The critic's loss and the regulariser of the autoencoder, both from one forward pass.

    Args:
        network: `acai.networks.critic`.
        mix_weight: lambda, the weight of the regulariser in the autoencoder's loss, at least 0.
        regularisation: gamma, the share of the image in the pictures that the critic learns to score as unmixed.

    Attributes:
        one_backward_pass: whether one backward pass gives the blends' gradients of both losses. Not in float16:
            rescaling would magnify values that have already underflowed.

    Raises:
        ValueError: for negative weights.
    """

    name = "critic"

    def __init__(self, network, mix_weight=0.5, regularisation=0.2):
        if min(mix_weight, regularisation) < 0:
            raise ValueError(
                f"mix_weight and regularisation must be at least 0. Received: {mix_weight=}, {regularisation=}."
            )
        self.network, self.mix_weight, self.regularisation = network, mix_weight, regularisation
        self.one_backward_pass = not any(layer.compute_dtype == "float16" for layer in network.layers)

    def gradients(self, pictures, step, scales):
        images, mix, reconstructions, blends = pictures
        weights = self.network.trainable_variables
        softened = losses.soften(images, reconstructions, self.regularisation)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(blends)
            scores = self.network(tf.concat([blends, tf.stop_gradient(softened)], 0), training=True)  # [2B]
            blend_scores, softened_scores = tf.split(scores, 2)
            critic_loss = losses.critic_loss(blend_scores, mix, softened_scores)
            mix_regulariser = losses.mix_regulariser(blend_scores, self.mix_weight)
        if self.one_backward_pass:
            *at_weights, at_blends = tape.gradient(critic_loss, [*weights, blends], scales.network)
            ratio = losses.regulariser_per_critic_gradient(blend_scores, mix, self.mix_weight)
            at_blends *= ratio[:, None, None, None]
        else:
            at_weights = tape.gradient(critic_loss, weights, scales.network)
            at_blends = tape.gradient(mix_regulariser, blends, scales.autoencoder)
        logs = {
            "critic_loss": critic_loss,
            "mix_regulariser": mix_regulariser,
            "critic_error_ratio": critic_loss / losses.CONSTANT_GUESS_LOSS,
        }
        return AdversaryGradients(logs, mix_regulariser, at_weights, None, at_blends)
