"""Training a GAN: its figures, its pictures, its release, and a watch on the ways it fails."""

import functools

import numpy as np
from absl import logging

from classifiers.inference import bundled_classifier
from common import release
from common.backend import precision
from common.data import batches
from common.data.cifar10 import CIFAR10_CLASSES
from common.images import to_uint8
from common.metrics.features import kernel_distance
from gan.inference import ReleasedGAN
from gan.model import GAN
from pictures.gan_training_grid import training_pictures
from training.loop import Callback
from training.schedule import steps


def watches():
    """Callbacks that warn of the ways in which a training fails; no loss of a GAN says how it goes."""
    return [CollapseWatch()]


def stream(config, train, step):
    """The batches from `step` on, a tf.data.Dataset."""
    return batches.batches(train, config.train.batch_size, config.train.seed, step, config.data.flip)


def build(config, train):
    """The configured model with its optimizers."""
    settings = sizes(config, train)
    del settings["conditional"], settings["class_names"]
    model = GAN(
        **settings,
        instance_noise_steps=max(1, steps(config, config.train.instance_noise_kimg)),
        ema_rate=config.train.ema_rate,
        precision=precision.resolve(config.train.precision),
        seed=config.train.seed,
    )
    model.compile(
        learning_rate=rate(config, config.train.learning_rate, config.model.critic_steps),
        discriminator_learning_rate=rate(config, config.train.discriminator_learning_rate),
        beta_1=config.train.beta_1,
        beta_2=config.train.beta_2,
        optimizer=config.train.optimizer,
    )
    return model


def sizes(config, dataset):
    """The config's model with what the data add: colours, class names and, where it is conditional, classes."""
    names = tuple(dataset.class_names)
    return config.model.to_dict() | {
        "colours": dataset.images.shape[-1],
        "class_names": names,
        "classes": len(names) if config.model.conditional else 0,
    }


def rate(config, learning_rate, every=1):
    """A learning rate or, where it changes on the way, a Keras schedule. `every`: steps to one of its network."""
    from keras.optimizers import schedules

    if config.train.schedule == "constant":
        return learning_rate
    return schedules.CosineDecay(learning_rate, max(1, steps(config, config.train.total_kimg) // every))


def evaluate(config, model, datasets):
    """{name: figure} of 1,000 samples of the released generator, beside the hold-out's images.

    "sample_diversity": standard deviation of a pixel over the samples, as a share of the images'.
    "sample_kd_classifier_1k": kernel distance of the bundled classifier's features, for classes of CIFAR-10.
    """
    released, holdout = as_released(config, model, datasets), datasets[1]
    samples = released.sample(*fixed_inputs(released, 1000))
    found = {"sample_diversity": float(samples.std(0).mean() / pixel_deviation(holdout))}
    if set(holdout.class_names) <= {*CIFAR10_CLASSES} and config.model.width == 32:
        judge, real_features = judge_and_features(holdout)
        found["sample_kd_classifier_1k"] = kernel_distance(real_features, judge(samples)[1])
    return found


def as_released(config, model, datasets):
    weights = {name: np.asarray(value) for name, value in model.release_state().items()}
    return ReleasedGAN(sizes(config, datasets[0]), weights, "the model")


def fixed_inputs(released, count):
    """[noise [count, z]] of the seed 0 and, of a conditional GAN, labels [count]: every class in turn."""
    noise = released.noise(0, count)
    return [noise, np.arange(count) % released.classes] if released.classes else [noise]


@functools.cache
def pixel_deviation(dataset):
    """Standard deviation of a pixel over a data set's images in [-1, 1], a mean over the pixels."""
    total, squares = np.zeros(()), np.zeros(())
    for images in batches.iterate_in_order(dataset):  # a part at a time: they may lie on disk
        total = total + images.sum(0, dtype=np.float64)
        squares = squares + np.square(images, dtype=np.float64).sum(0)
    mean = total / len(dataset)
    return float(np.sqrt(np.maximum(squares / len(dataset) - mean**2, 0)).mean())


@functools.cache
def judge_and_features(holdout):
    """The bundled classifier and its features of the hold-out. Kept: a training asks for them often."""
    judge = bundled_classifier("classifier")
    return judge, np.concatenate([judge(images)[1] for images in batches.iterate_in_order(holdout)])


def render(config, model, datasets):
    """{name: picture} of fixed noise: samples and, of a conditional GAN, morphs between two classes.

    Where the data have no class of a name that the config gives, it is the first one's or the last one's turn.
    """
    released, names = as_released(config, model, datasets), datasets[0].class_names
    first, second = (
        names.index(name) if name in names else other
        for name, other in ((config.data.first, 0), (config.data.second, len(names) - 1))
    )
    return training_pictures(
        released.sample, functools.partial(released.noise, 0), released.classes, first, second
    )


def write_release(config, model, datasets, folder):
    """Writes the released generator into `folder`."""
    release.write(folder, config.to_dict() | {"model": sizes(config, datasets[0])}, model.release_state())


def golden_outputs(config, weights, _, count=8):
    """{"sampled" uint8 [8, H, W, C]} of the seed 0; of a conditional GAN every class in turn."""
    released = ReleasedGAN(config["model"], weights, "the release")
    return {"sampled": to_uint8(released.sample(*fixed_inputs(released, count)))}


class CollapseWatch(Callback):
    """Warns when samples are all but the same, or when the discriminator errs nowhere and so teaches nothing.

    Once each until it is over. Of the scalars it reads those of "sample_diversity", "real_accuracy" and
    "fake_accuracy" that are there: critics have no accuracy, and diversity is measured now and then.
    """

    LEAST_DIVERSITY = 0.1  # of the real images'

    def __init__(self):
        self.warned = {}

    def on_scalars(self, step, scalars):
        if "sample_diversity" in scalars:
            diversity = scalars["sample_diversity"]
            message = f"the samples' diversity is {diversity:.2g} of the real images': the generator has collapsed"
            self._warn(step, "diversity", diversity < self.LEAST_DIVERSITY, message)
        accuracies = [scalars.get(f"{kind}_accuracy", 0.0) for kind in ("real", "fake")]
        message = "the discriminator was right about every image since the last log: it teaches nothing"
        self._warn(step, "accuracy", min(accuracies) == 1.0, message)

    def _warn(self, step, kind, alarm, message):
        if alarm and not self.warned.get(kind):
            logging.warning(
                "step %d: %s; a lower --config.train.discriminator_learning_rate, augmentation or another "
                "--config.train.seed may help",
                *(step, message),
            )
        self.warned[kind] = alarm
