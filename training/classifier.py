"""Training a classifier, the judge or the referee: augmented CIFAR-10, its accuracy, and its release."""

import numpy as np
from scipy.special import log_softmax

from classifiers.calibration import fit_temperature
from classifiers.inference import ReleasedClassifier
from classifiers.model import Classifier
from common import images, release
from common.backend import precision
from common.data import batches
from training.callbacks import RunawayWatch
from training.schedule import cosine


def watches():
    """Callbacks that warn of the ways in which a training fails."""
    return [RunawayWatch(("classification_loss",))]


def stream(config, train, step):
    """The batches from `step` on, a tf.data.Dataset."""
    settings = config.data
    return batches.batches(train, config.train.batch_size, config.train.seed, step, settings.flip, settings.shift)


def build(config, train):
    """The configured model with its optimizer."""
    model = Classifier(
        **config.model,
        colours=train.images.shape[-1],
        classes=len(train.class_names),
        precision=precision.resolve(config.train.precision),
    )
    settings = config.train
    model.compile(
        cosine(config, settings.learning_rate, settings.warmup), settings.momentum, settings.weight_decay
    )
    return model


def evaluate(config, model, datasets):
    """{name: figure} of the hold-out."""
    logits, labels = holdout_logits(model, datasets), datasets[1].labels
    right = log_softmax(np.float64(logits), axis=1)[np.arange(len(labels)), labels]
    return {
        "holdout_accuracy": float((logits.argmax(1) == labels).mean()),
        "holdout_classification_loss": float(-right.mean()),
    }


def render(config, model, datasets):
    """{name: picture}: the first images of the hold-out that the classifier takes for another class."""
    wrong = np.flatnonzero(holdout_logits(model, datasets).argmax(1) != datasets[1].labels)[:64]
    return {"mistakes": images.grid(datasets[1].images[wrong])} if len(wrong) else {}


def write_release(config, model, datasets, folder):
    """Writes the network and its temperature, fitted to the hold-out, into `folder`."""
    settings = config.to_dict()
    settings["model"] |= {"colours": datasets[0].images.shape[-1], "class_names": datasets[0].class_names}
    settings["model"]["temperature"] = fit_temperature(holdout_logits(model, datasets), datasets[1].labels)
    release.write(folder, settings, model.release_state())


def holdout_logits(model, datasets):
    return np.concatenate([np.asarray(model(batch)["logits"]) for batch in batches.iterate_in_order(datasets[1])])


def golden_outputs(config, weights, _, count=8):
    """{"probabilities" [8, classes], "features" [8, d]} of pictures of plain noise, from coarse to fine."""
    judge = ReleasedClassifier(config["model"], weights, "the release")
    width, random = judge.width, np.random.default_rng(0)
    noise = [random.uniform(-1, 1, (-(-width // cell), -(-width // cell), 3)) for cell in range(1, count + 1)]
    pictures = [n.repeat(i + 1, 0).repeat(i + 1, 1)[:width, :width] for i, n in enumerate(noise)]
    probabilities, features = judge(np.stack(pictures))
    return {"probabilities": probabilities, "features": features}
