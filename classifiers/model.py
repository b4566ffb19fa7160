"""Training of a classifier: cross-entropy with smoothed labels and stochastic gradient descent with momentum."""

import keras
import tensorflow as tf

from classifiers.networks import ARCHITECTURES
from common.backend import loss_scaling
from common.variables import optimizer_logs, variables_by_name, weights_by_name


class Classifier(keras.Model):
    """An image classifier as a Keras model: a network of `classifiers.networks` with its training step.

    Calling it maps images [B, width, width, colours] in [-1, 1] to {"features": [B, d], "logits": [B, classes]}.

    Args:
        architecture: "plain" or "residual".
        width: image width in pixels.
        channels: channels of each stage; see `classifiers.networks`.
        classes: number of classes.
        colours: image channels.
        label_smoothing: share of each target spread over all classes, in [0, 1) (Szegedy et al., arXiv
            1512.00567).
        precision: Keras dtype policy: "float32", "mixed_bfloat16" or "mixed_float16".
    """

    def __init__(
        self,
        architecture="residual",
        width=32,
        channels=(32, 64, 128),
        classes=10,
        colours=3,
        label_smoothing=0.0,
        precision="float32",
    ):
        super().__init__(name="classifier", dtype=precision)
        self.network = ARCHITECTURES[architecture](width, tuple(channels), classes, colours, precision)
        self.classes, self.label_smoothing = classes, label_smoothing
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(self, learning_rate=0.1, momentum=0.9, weight_decay=5e-4, **options):
        """Creates the optimizer, with loss scaling under mixed_float16.

        Args:
            learning_rate: number or Keras schedule.
            momentum: Nesterov momentum in [0, 1).
            weight_decay: decoupled weight decay of the kernels; each step subtracts it times the learning rate.
            **options: options of `keras.Model.compile` for use with `fit`, such as `jit_compile=True`.
        """
        super().compile(optimizer=None, **options)
        optimizer = keras.optimizers.SGD(learning_rate, momentum, nesterov=True, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in self.network.trainable_variables if len(v.shape) == 1]
        )
        self.network_optimizer = loss_scaling.wrap_for_policy(optimizer, self.dtype_policy.name)
        self.network_optimizer.build(self.network.trainable_variables)

    def static_arguments(self, step):
        """Python arguments of `train_step` at a step; each combination of values is traced separately."""
        return {}

    def train_step(self, data):
        """Trains the network on one batch.

        Args:
            data: {"image": float32 [B, width, width, colours] in [-1, 1], "label": int32 [B]}.

        Returns:
            dict of float32 scalars for the log.
        """
        images, labels, optimizer = self.augment(data["image"]), data["label"], self.network_optimizer
        with tf.GradientTape() as tape:
            loss, accuracy = self.loss_and_accuracy(self.network(images, training=True)["logits"], labels)
            scaled = optimizer.scale_loss(loss)
        variables = self.network.trainable_variables
        optimizer.apply(tape.gradient(scaled, variables), variables)
        self.step.assign_add(1)
        return {"classification_loss": loss, "accuracy": accuracy} | optimizer_logs(optimizer)

    def augment(self, images):
        """Returns the images that the network sees in a step; here those of the batch."""
        return images

    def loss_and_accuracy(self, logits, labels):
        """Returns two scalars: the cross-entropy with smoothed labels, and the share of predicted labels."""
        targets = tf.one_hot(labels, self.classes) * (1 - self.label_smoothing)
        targets += self.label_smoothing / self.classes
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        hits = tf.argmax(logits, 1, tf.int32) == labels
        return loss, tf.reduce_mean(tf.cast(hits, tf.float32))

    def call(self, images, training=False):
        return self.network(images, training=training)

    @property
    def metrics(self):
        return []  # Keras's default would log a "loss" that stays 0

    def state(self):
        """Everything that a checkpoint holds, as {name: variable}."""
        optimizer = {f"optimizer/{i:02d}": v for i, v in enumerate(self.network_optimizer.variables)}
        return {"step": self.step, **variables_by_name("network", self.network), **optimizer}

    def release_state(self):
        """Everything that a release holds, as {name: variable}: the network with its moving averages."""
        return weights_by_name("network", self.network)
