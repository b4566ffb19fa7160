"""Adversaries: networks that look at decoded images and so teach the autoencoder.

The paper has one, the critic. Others come from other papers. The training step in `acai.model` knows only the
protocol in this file. To add an adversary, write a subclass of `Adversary` and pass it to `ACAI(adversaries=...)`.
"""

from typing import NamedTuple

import tensorflow as tf


class Pictures(NamedTuple):
    """What an adversary sees of a batch. B is the batch size.

    Attributes:
        images: float32 [B, H, W, C] in [-1, 1].
        mix: float32 [B], each image's share in its blend. The rest is the share of image B - 1 - i.
        reconstructions: float32 [B, H, W, C].
        blends: float32 [B, H, W, C].
    """

    images: tf.Tensor
    mix: tf.Tensor
    reconstructions: tf.Tensor
    blends: tf.Tensor


class LossScales(NamedTuple):
    """Factors for the gradients under loss scaling, float32 []; 1 without it.

    Attributes:
        network: for the gradients of the adversary's own network.
        autoencoder: for the gradients at the decoded images.
    """

    network: tf.Tensor
    autoencoder: tf.Tensor


class AdversaryGradients(NamedTuple):
    """What an adversary returns in a training step.

    Attributes:
        logs: {name: float32 []}.
        autoencoder_loss: float32 [], the adversary's weighted term in the autoencoder's loss.
        network: list of gradients of its network's trainable weights.
        reconstructions: gradient of `autoencoder_loss` at the reconstructions, or None.
        blends: gradient of `autoencoder_loss` at the blends.
    """

    logs: dict
    autoencoder_loss: tf.Tensor
    network: list
    reconstructions: tf.Tensor | None
    blends: tf.Tensor


class Adversary:
    """Base class.

    Attributes:
        name: of its network and optimizer in checkpoints and releases.
        network: the Keras model that it trains.
        beta_1: of the network's Adam.
    """

    name = None
    network = None
    beta_1 = 0.9

    def is_active(self, step):
        """Whether the adversary takes part in a step, an int that counts from 0."""
        return True

    def gradients(self, pictures, step, scales):
        """Losses and their gradients at the current weights.

        Args:
            pictures: Pictures.
            step: int64 [], the training step.
            scales: LossScales.

        Returns:
            AdversaryGradients.
        """
        raise NotImplementedError
