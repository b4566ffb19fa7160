"""Training of a classifier on augmented CIFAR-10: its metrics, pictures and release."""

import numpy as np
from scipy.special import log_softmax

from classifiers.calibration import fit_temperature
from classifiers.inference import ReleasedClassifier
from classifiers.model import Classifier
from common import images, release
from common.backend import precision
from common.data import batches
from training.callbacks import WarnOnDivergence
from training.schedule import cosine, release_settings


def callbacks(config, run, model, datasets, scalars):
    """Returns the callbacks of this family: a warning when the training diverges."""
    return [WarnOnDivergence(("classification_loss",), config.train.batch_size)]


def stream(config, train, step):
    """Returns the batches from `step` on, a tf.data.Dataset."""
    return batches.batches(
        train, config.train.batch_size, config.train.seed, step, config.data.flip, config.data.shift
    )


def build(config, train):
    """Builds the configured model with its optimizer."""
    model = Classifier(
        **config.model,
        colours=train.images.shape[-1],
        classes=len(train.class_names),
        precision=precision.resolve(config.train.precision),
    )
    learning_rate = cosine(config, config.train.learning_rate, config.train.warmup)
    model.compile(learning_rate, config.train.momentum, config.train.weight_decay)
    return model


def evaluate(config, model, datasets):
    """Computes {name: value} of the accuracy and the loss on the hold-out."""
    logits, labels = holdout_logits(model, datasets), datasets[1].labels
    log_likelihoods = log_softmax(np.float64(logits), axis=1)[np.arange(len(labels)), labels]
    return {
        "holdout_accuracy": float((logits.argmax(1) == labels).mean()),
        "holdout_classification_loss": float(-log_likelihoods.mean()),
    }


def render(config, model, datasets):
    """Renders the first misclassified images of the hold-out, {"mistakes": uint8 [H, W, C]}, if there are any."""
    wrong = np.flatnonzero(holdout_logits(model, datasets).argmax(1) != datasets[1].labels)[:64]
    return {"mistakes": images.grid(datasets[1].images[wrong])} if len(wrong) else {}


def write_release(config, model, datasets, folder):
    """Writes the network, and its temperature fitted to the hold-out, into `folder`."""
    settings = release_settings(config, model)
    settings["model"] |= {"colours": datasets[0].images.shape[-1], "class_names": datasets[0].class_names}
    settings["model"]["temperature"] = fit_temperature(holdout_logits(model, datasets), datasets[1].labels)
    release.write(folder, settings, model.release_state())


def holdout_logits(model, datasets):
    return np.concatenate([np.asarray(model(batch)["logits"]) for batch in batches.iterate_in_order(datasets[1])])


def golden_outputs(config, weights, _):
    """Returns {"probabilities": [8, classes], "features": [8, d]} of noise pictures, fine to coarse."""
    classifier = ReleasedClassifier(config["model"], weights, "the release")
    probabilities, features = classifier(noise_pictures(classifier.width))
    return {"probabilities": probabilities, "features": features}


def noise_pictures(width, count=8):
    """Returns [count, width, width, 3] of uniform noise in [-1, 1], in cells of 1 to `count` pixels."""
    random = np.random.default_rng(0)
    noise = [random.uniform(-1, 1, (-(-width // cell), -(-width // cell), 3)) for cell in range(1, count + 1)]
    return np.stack([n.repeat(i + 1, 0).repeat(i + 1, 1)[:width, :width] for i, n in enumerate(noise)])
