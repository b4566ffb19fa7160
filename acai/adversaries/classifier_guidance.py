"""A judge beside an ACAI: blends are to be recognised as both of their parents, each by its share.

The label of a blend is the mix of its parents' labels, as in mixup (Zhang et al., arXiv 1710.09412); but here the
autoencoder is trained on it, and the judge stays as it is. The judge sees blends mirrored and moved at random, so
that no single pattern of pixels pays.
"""

import tensorflow as tf

from acai import losses
from common.data import augmentation

VIEWS = ("flip", "translation")  # of common.data.augmentation


class Recognition:
    """The loss of blends by a judge that stays as it is, and its gradient.

    Args:
        rise: acai.adversaries.ramp.Rise, of its weight in the autoencoder's loss.
        judge: function of images [B, H, W, C] -> log probabilities [B, classes].
        classes: for each label of the training, which of the judge's classes it is.
    """

    def __init__(self, rise, judge, classes):
        self.rise, self.judge = rise, judge
        self.classes = tf.constant(classes, tf.int32)

    def gradient(self, blends, labels, mix, step, seed, scale):
        """Logs, and the autoencoder's gradient at `blends`.

        Args:
            blends: float32 [B, H, W, C].
            labels: int32 [B], classes of the images.
            mix: float32 [B], each image's share in its blend; the rest is the image's from the end of the batch.
            step: int64 [], of the training.
            seed: int64 [2] of the views.
            scale: by which the gradient is multiplied, for loss scaling.
        """
        own = tf.gather(self.classes, labels)
        with tf.GradientTape() as tape:
            tape.watch(blends)
            said = self.judge(augmentation.augment(tf.clip_by_value(blends, -1, 1), VIEWS, seed))
            loss = self.rise(step) * losses.recognition_loss(said, own, mix)
        return {"recognition_loss": loss}, tape.gradient(loss, blends, scale)
