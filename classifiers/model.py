"""Training of a classifier: cross-entropy with softened labels, stochastic gradient descent with momentum."""

import keras
import tensorflow as tf

from classifiers.networks import ARCHITECTURES
from common.backend import loss_scaling
from common.variables import named, optimizer_logs


class Classifier(keras.Model):
    """A network of `classifiers.networks` and its optimizer.

    Calling it gives {"features": [B, d], "logits": [B, classes]} of images [B, H, W, colours] in [-1, 1].

    Args:
        architecture: "plain" or "residual".
        width: of the images in pixels.
        channels: of the stages, see the architecture.
        classes: how many.
        colours: channels of the images.
        label_smoothing: share of the label spread over all classes (Szegedy et al., arXiv 1512.00567).
        precision: Keras dtype policy, "float32", "mixed_bfloat16" or "mixed_float16".
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
        super().__init__(name="judge", dtype=precision)
        self.network = ARCHITECTURES[architecture](width, tuple(channels), classes, colours, precision)
        self.classes, self.label_smoothing = classes, label_smoothing
        self.step = self.add_weight((), "zeros", dtype="int64", trainable=False, name="step")
        self.built = True

    def compile(self, learning_rate=0.1, momentum=0.9, weight_decay=5e-4, **options):
        """Gives the network its optimizer, under mixed_float16 with loss scaling.

        Args:
            learning_rate: a number or a Keras schedule.
            momentum: Nesterov's.
            weight_decay: decoupled, times the learning rate a step, of the kernels only.
            **options: of `keras.Model.compile`, e.g. `jit_compile=True`, for use under `fit`.
        """
        super().compile(optimizer=None, **options)
        optimizer = keras.optimizers.SGD(learning_rate, momentum, nesterov=True, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in self.network.trainable_variables if len(v.shape) == 1]
        )
        self.network_optimizer = loss_scaling.for_policy(optimizer, self.dtype_policy.name)
        self.network_optimizer.build(self.network.trainable_variables)

    def static_arguments(self, step):
        return {}

    def train_step(self, data):
        """One step on {"image": [B, H, W, C] in [-1, 1], "label": [B]}; returns a dict of float32 scalars."""
        labels, optimizer = data["label"], self.network_optimizer
        targets = tf.one_hot(labels, self.classes) * (1 - self.label_smoothing)
        targets += self.label_smoothing / self.classes
        with tf.GradientTape() as tape:
            logits = self.network(data["image"], training=True)["logits"]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            scaled = optimizer.scale_loss(loss)
        variables = self.network.trainable_variables
        optimizer.apply(tape.gradient(scaled, variables), variables)
        self.step.assign_add(1)
        hits = tf.argmax(logits, 1, tf.int32) == labels
        return {
            "classification_loss": loss,
            "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32)),
        } | optimizer_logs(optimizer)

    def call(self, images, training=False):
        return self.network(images, training=training)

    @property
    def metrics(self):
        return []  # Keras would add a "loss" that stays 0

    def state(self):
        """Everything a checkpoint holds: {name: variable}; names do not vary by process."""
        optimizer = {f"optimizer/{i:02d}": v for i, v in enumerate(self.network_optimizer.variables)}
        return {"step": self.step, **self.release_state(), **optimizer}

    def release_state(self):
        """What a released model holds: {name: variable}, moving averages included."""
        return named("network", self.network)
