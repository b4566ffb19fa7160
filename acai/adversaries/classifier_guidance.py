"""Guidance by a fixed classifier: it should recognise both parents in a blend, each by its share.

The label of a blend is the mix of its parents' labels, as in mixup (Zhang et al., arXiv 1710.09412). Unlike there
the loss trains the autoencoder, and the classifier stays fixed. It sees randomly flipped and shifted blends, so
that the autoencoder cannot satisfy it with one pattern of pixels.
"""

import tensorflow as tf

from acai import losses
from acai.adversaries import Adversary, AdversaryGradients
from common.data import augmentation

AUGMENT = ("flip", "translation")  # of common.data.augmentation


class ClassifierGuidance(Adversary):
    """The classifier's cross-entropy on blends. It trains no network of its own.

    Args:
        weight: acai.adversaries.ramp.LinearRamp, the weight in the autoencoder's loss.
        log_probabilities: function, images [B, H, W, C] -> log probabilities [B, classes].
        classes: for each training label, the index of the same class in `log_probabilities`.
    """

    name = "classifier_guidance"
    random_stream = 5

    def __init__(self, weight, log_probabilities, classes):
        self.weight, self.log_probabilities = weight, log_probabilities
        self.classes = tf.constant(classes, tf.int32)

    def is_active(self, step):
        return step >= self.weight.from_step

    def gradients(self, pictures, step, seed, scales):
        classes, blends = tf.gather(self.classes, pictures.labels), pictures.blends
        with tf.GradientTape() as tape:
            tape.watch(blends)
            views = augmentation.augment(tf.clip_by_value(blends, -1, 1), AUGMENT, seed)
            cross_entropy = losses.mixed_label_loss(self.log_probabilities(views), classes, pictures.mix)
            loss = self.weight(step) * cross_entropy
        at_blends = tape.gradient(loss, blends, scales.autoencoder)
        return AdversaryGradients({"recognition_loss": loss}, loss, [], None, at_blends)
