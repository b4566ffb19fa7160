"""Training of a GAN: its composition from a config, its metrics, pictures, release and warnings."""

import dataclasses
import functools

import numpy as np
from absl import logging

from classifiers.inference import bundled_classifier
from common import release
from common.backend import precision
from common.data import batches
from common.data.cifar10 import CIFAR10_CLASSES
from common.images import to_uint8
from common.metrics import features
from gan import layers, losses, networks, tricks
from gan.choices import check_choice
from gan.inference import ReleasedGAN
from gan.model import GAN
from training.callbacks import HistogramWriter
from training.gan_grids import training_pictures
from training.loop import Callback
from training.schedule import release_settings, steps


def callbacks(config, run, model, datasets, scalars):
    """The callbacks of this family: a warning of a collapse, which losses do not show, and spectral norms."""
    spectral = layers.spectral_layers(model.discriminator)
    norms = HistogramWriter(
        scalars,
        lambda: {"spectral_norms": [float(layer.sigma()) for layer in spectral]},
        steps(config, config.train.pictures_every_kimg),
    )
    return [WarnOnCollapse(config.train.batch_size), *([norms] if spectral else [])]


def stream(config, train, step):
    """Returns the batches from `step` on, a tf.data.Dataset."""
    size, seed, data = config.train.batch_size, config.train.seed, config.data
    return batches.batches(train, size, seed, step, data.flip, alternate=data.alternate)


def build(config, train):
    """Builds the configured model with its optimizers."""
    model = compose(
        model_config(config, train),
        instance_noise_steps=max(1, steps(config, config.train.instance_noise_kimg)),
        ema_rate=config.train.ema_rate,
        precision=precision.resolve(config.train.precision),
        seed=config.train.seed,
    )
    rates = (
        rate(config, config.train.learning_rate, config.model.critic_steps),
        rate(config, config.train.discriminator_learning_rate),
    )
    model.compile(
        *(make_optimizer(config.train.optimizer, r, config.train.beta_1, config.train.beta_2) for r in rates)
    )
    return model


def compose(choices, instance_noise_steps=1, ema_rate=0.0, precision="float32", seed=0):
    """Composes a GAN of the objects that the fields of a config's model section stand for.

    Args:
        choices: dict of the fields of `config.model`, with "colours" and "classes".
        instance_noise_steps: step from which on there is no instance noise.
        ema_rate: share of the generator's moving average that a step keeps, in [0, 1); 0: no average.
        precision: Keras dtype policy.
        seed: seed of all draws in training steps.
    """
    check_choice("loss", choices["loss"], tuple(losses.LOSSES))
    loss = losses.LOSSES[choices["loss"]]
    if choices["soft_labels"] or choices["flipped_labels"]:
        targets = tricks.NoisyTargets(choices["soft_labels"], choices["flipped_labels"])
        loss = dataclasses.replace(loss, draw_targets=targets)
    transforms = []
    if choices["instance_noise"]:
        transforms.append(tricks.InstanceNoise(choices["instance_noise"], instance_noise_steps))
    if choices["augment"]:
        transforms.append(tricks.Augmentation(choices["augment"]))
    penalty, clip, capacity = (choices[name] for name in ("gradient_penalty", "weight_clip", "replay_images"))
    image_shape = (choices["width"], choices["width"], choices["colours"])
    generator = networks.build_generator(choices, precision)
    discriminator = networks.build_discriminator(choices, precision)
    if clip:
        tricks.WeightClip(clip).apply(discriminator)
    average = None
    if ema_rate:
        network = networks.build_generator(choices, name="ema_generator")
        average = tricks.MovingAverage(generator, network, ema_rate)
    return GAN(
        generator,
        discriminator,
        loss,
        draw_noise=tricks.draw_spherical_noise if choices["spherical_noise"] else tricks.draw_gaussian_noise,
        transforms=transforms,
        replay=tricks.ReplayBuffer(capacity, image_shape) if capacity else None,
        penalties=[tricks.GradientPenalty(penalty)] if penalty else (),
        average=average,
        critic_steps=choices["critic_steps"],
        join_batches=choices["join_batches"],
        precision=precision,
        seed=seed,
    )


def make_optimizer(name, learning_rate, beta_1=0.5, beta_2=0.999):
    """Makes the optimizer "adam", with these betas, or "rmsprop"."""
    import keras

    check_choice("optimizer", name, ("adam", "rmsprop"))
    if name == "adam":
        return keras.optimizers.Adam(learning_rate, beta_1, beta_2, epsilon=1e-8)
    return keras.optimizers.RMSprop(learning_rate, rho=0.99, epsilon=1e-16)  # Keras adds epsilon under the root


def model_config(config, dataset):
    """Returns the config's model section with what follows from the dataset: colours and classes."""
    class_names = tuple(dataset.class_names)
    return config.model.to_dict() | {
        "colours": dataset.images.shape[-1],
        "class_names": class_names,
        "classes": len(class_names) if config.model.conditional else 0,
    }


def rate(config, learning_rate, interval=1):
    """Returns a learning rate or its Keras schedule, for a network that trains every `interval` steps."""
    from keras.optimizers import schedules

    if config.train.schedule == "constant":
        return learning_rate
    return schedules.CosineDecay(learning_rate, max(1, steps(config, config.train.total_kimg) // interval))


def evaluate(config, model, datasets):
    """Computes metrics of 1,000 samples of the released generator.

    Returns:
        {name: value}. "sample_diversity" is the standard deviation of a pixel over the samples, divided by that
        over the held-out images. "sample_kd_classifier_1k", of images with CIFAR-10's size and classes, is the
        kernel distance between the bundled classifier's features of the samples and of the held-out images.
    """
    released, holdout = as_released(config, model, datasets), datasets[1]
    samples = released.sample(*fixed_inputs(released, 1000))
    metrics = {"sample_diversity": float(samples.std(0).mean() / pixel_deviation(holdout))}
    if set(holdout.class_names) <= {*CIFAR10_CLASSES} and config.model.width == 32:
        classifier, holdout_features = classifier_and_features(holdout)
        distance = features.kernel_distance(holdout_features, classifier(samples)[1])
        metrics["sample_kd_classifier_1k"] = distance
    return metrics


def as_released(config, model, datasets):
    """Returns the `ReleasedGAN` of a model in training."""
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    return ReleasedGAN(model_config(config, datasets[0]), weights, "the model")


def fixed_inputs(released, count):
    """Returns [noise [count, noise_size]] of seed 0 and, for a conditional GAN, labels [count] in rotation."""
    noise = released.draw_noise(0, count)
    return [noise, np.arange(count) % released.classes] if released.classes else [noise]


@functools.cache
def pixel_deviation(dataset):
    """Returns the standard deviation of a pixel over a dataset's images in [-1, 1], averaged over the pixels."""
    total, squares = np.zeros(()), np.zeros(())
    for images in batches.iterate_in_order(dataset):  # in parts, because the images may be on disk
        total = total + images.sum(0, dtype=np.float64)
        squares = squares + np.square(images, dtype=np.float64).sum(0)
    mean = total / len(dataset)
    return float(np.sqrt(np.maximum(squares / len(dataset) - mean**2, 0)).mean())


@functools.cache
def classifier_and_features(holdout):
    """Returns the bundled classifier and its features of the held-out images; cached for later evaluations."""
    classifier = bundled_classifier("classifier")
    return classifier, np.concatenate([classifier(images)[1] for images in batches.iterate_in_order(holdout)])


def render(config, model, datasets):
    """Renders samples of fixed noise and, for a conditional GAN, morphs between the two classes of the config.

    A class that the data do not have is replaced by their first or last one.

    Returns:
        {name: uint8 [H, W, C]}.
    """
    released, names = as_released(config, model, datasets), datasets[0].class_names
    first = names.index(config.data.first) if config.data.first in names else 0
    second = names.index(config.data.second) if config.data.second in names else len(names) - 1
    draw_noise = functools.partial(released.draw_noise, 0)
    return training_pictures(released.sample, draw_noise, released.classes, first, second)


def write_release(config, model, datasets, folder):
    """Writes the released generator into `folder`."""
    settings = release_settings(config, model) | {"model": model_config(config, datasets[0])}
    release.write(folder, settings, model.release_state())


def golden_outputs(config, weights, _, count=8):
    """Returns {"sampled": uint8 [count, H, W, C]} of seed 0; a conditional GAN rotates through the classes."""
    released = ReleasedGAN(config["model"], weights, "the release")
    return {"sampled": to_uint8(released.sample(*fixed_inputs(released, count)))}


class WarnOnCollapse(Callback):
    """Warns if the samples are nearly identical or the discriminator makes no errors.

    It warns once until the condition ends. It reads the scalars "sample_diversity", "real_accuracy" and
    "fake_accuracy" where they are logged: critics have no accuracy.

    Args:
        batch_size: images per step.
    """

    MIN_DIVERSITY = 0.1  # relative to the real images

    def __init__(self, batch_size):
        self.batch_size, self.warned = batch_size, {}

    def on_scalars(self, step, scalars):
        if "sample_diversity" in scalars:
            diversity = scalars["sample_diversity"]
            message = (
                f"the samples have {diversity:.2g} of the real images' diversity: the generator has collapsed"
            )
            self._warn(step, "diversity", diversity < self.MIN_DIVERSITY, message)
        accuracies = [scalars.get(f"{kind}_accuracy", 0.0) for kind in ("real", "fake")]
        message = "the discriminator has made no error since the last log, so the generator learns nothing from it"
        self._warn(step, "accuracy", min(accuracies) == 1.0, message)

    def _warn(self, step, kind, condition, message):
        if condition and not self.warned.get(kind):
            logging.warning(
                "%.1f kimg: %s; a lower --config.train.discriminator_learning_rate, augmentation or another "
                "--config.train.seed may help",
                *(step * self.batch_size / 1000, message),
            )
        self.warned[kind] = condition
