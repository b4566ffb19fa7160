"""Training of a wing classifier: independent outputs, each with its own cross-entropy."""

import numpy as np
import tensorflow as tf

from classifiers.augmentation import degrade
from classifiers.model import Classifier
from common.variables import weights_by_name


class WingClassifier(Classifier):
    """A classifier whose outputs answer independent questions about each picture.

    A label is a kind of picture, and each kind has an answer to each question. The images of a step are degraded
    by `classifiers.augmentation.degrade`.

    Args:
        targets: [kinds, outputs], 1 for yes, 0 for no and NaN where the question is not asked.
        seed: int; the degradation is a function of the seed and the step.
        **options: of `Classifier`.
    """

    def __init__(self, targets, seed=0, **options):
        super().__init__(classes=np.shape(targets)[1], **options)
        self.asked = np.isfinite(targets).astype(np.float32)
        self.targets, self.seed = np.nan_to_num(np.asarray(targets, np.float32)), seed

    def take_leading_layers(self, weights):
        """Takes the first layers of another network of the same architecture, and trains them no further.

        All layers before the first one of another shape are taken. Call it before `compile`.

        Args:
            weights: {name: array} of the other network, as of `release_state`.
        """
        names = {id(variable): name for name, variable in weights_by_name("network", self.network).items()}
        for layer in self.network.layers:
            taken = [(variable, weights.get(names[id(variable)])) for variable in layer.variables]
            if any(array is None or np.shape(array) != tuple(variable.shape) for variable, array in taken):
                break
            for variable, array in taken:
                variable.assign(array)
            layer.trainable = False

    def augment(self, images):
        return degrade(images, tf.stack([tf.constant(self.seed, tf.int64), tf.cast(self.step, tf.int64)]))

    def loss_and_accuracy(self, logits, labels):
        """Returns two means over the questions asked: the cross-entropy and the share of right answers."""
        targets, asked = tf.gather(self.targets, labels), tf.gather(self.asked, labels)
        smoothed = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = tf.nn.sigmoid_cross_entropy_with_logits(smoothed, logits)
        hits = tf.cast((logits > 0) == (targets > 0.5), tf.float32)
        losses, hits = (tf.reduce_sum(asked * values) / tf.reduce_sum(asked) for values in (losses, hits))
        return losses, hits
