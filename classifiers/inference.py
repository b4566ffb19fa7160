"""Inference with released classifiers: probabilities and features of pictures."""

import keras
import numpy as np
from scipy.special import expit, softmax

from classifiers import SEARCH_CLASSIFIERS
from classifiers.networks import ARCHITECTURES
from common import progress, release
from common.errors import InputError
from common.inference import check_images
from common.variables import restore, weights_by_name

BATCH_SIZE = 250  # images of one pass through a network


class ReleasedNetwork:
    """A trained network of `classifiers.networks`. An image and its mirror image get the same outputs.

    Images whose width is a multiple of the network's are first shrunk by average pooling.

    Args:
        model_config: dict with "architecture", "width", "channels", "colours" and "class_names".
        weights: {name: array} with the names of `classifiers.model.Classifier.release_state`.
        source: name of the release in error messages and progress bars.

    Raises:
        common.errors.InputError: if the weights do not fit the configuration.
    """

    family = None  # of the releases that `load` accepts

    def __init__(self, model_config, weights, source):
        self.class_names = tuple(model_config["class_names"])
        self.width, self.source = model_config["width"], source
        self.network = ARCHITECTURES[model_config["architecture"]](
            self.width, tuple(model_config["channels"]), len(self.class_names), model_config["colours"]
        )
        restore(weights_by_name("network", self.network), weights, source)

    @classmethod
    def load(cls, source):
        """Loads a bundled classifier by its name, or that of a run directory by its path.

        Raises:
            common.errors.InputError: if there is no such release, or it is damaged or of another family.
        """
        config, weights, *_ = release.read(release.resolve(source, "source"), cls.family)
        return cls(config["model"], weights, str(source))

    def mirrored_means(self, images):
        """Returns {"logits": [N, classes], "features": [N, d]}, float32, means over images and mirror images.

        Raises:
            ValueError: if the images are integers or of another rank.
        """
        images = check_images(images)
        starts = progress.track(range(0, len(images), BATCH_SIZE), f"classifying pictures with {self.source}")
        batches = [self._mirrored_means(images[start : start + BATCH_SIZE]) for start in starts]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    def downscale(self, images):
        """Shrinks images [N, W, W, colours] to the network's width by average pooling.

        Raises:
            InputError: if W is not a multiple of the network's width.
        """
        factor, remainder = divmod(images.shape[1], self.width)
        if remainder or not factor:
            raise InputError(
                f"The width of the pictures for {self.source} must be a multiple of {self.width} pixels. "
                f"Received: {images.shape[1]} pixels"
            )
        return images if factor == 1 else keras.ops.average_pool(images, factor)

    def _mirrored_means(self, images):
        outputs = self.network(self.downscale(np.concatenate([images, images[:, :, ::-1]])))
        return {
            name: np.mean(np.split(keras.ops.convert_to_numpy(value), 2), axis=0)
            for name, value in outputs.items()
        }


class ReleasedClassifier(ReleasedNetwork):
    """A trained classifier with its calibration temperature.

    Args:
        model_config: dict with "architecture", "width", "channels", "colours", "class_names" and "temperature".
        weights: {name: array} of a release.
        source: name of the release in error messages and progress bars.

    Attributes:
        class_names: tuple of str, in the order of the probabilities.

    Examples:
        >>> import numpy as np
        >>> from classifiers.inference import ReleasedClassifier
        >>> classifier = ReleasedClassifier.load("classifier")
        >>> probabilities, features = classifier(np.zeros((2, 32, 32, 3), np.float32))
        >>> probabilities.shape, len(classifier.class_names)
        ((2, 10), 10)
    """

    family = "classifier"

    def __init__(self, model_config, weights, source):
        super().__init__(model_config, weights, source)
        self.temperature = model_config["temperature"]

    def __call__(self, images):
        """Classifies each image together with its mirror image.

        Args:
            images: float32 [N, W, W, colours] in [-1, 1].

        Returns:
            Probabilities [N, classes] and features [N, d], float32. The probabilities are the softmax of the mean
            logits of the two images, divided by the temperature; the features are their mean.

        Raises:
            ValueError: if the images are integers or of another rank.
        """
        outputs = self.mirrored_means(images)
        return softmax(outputs["logits"] / self.temperature, axis=1), outputs["features"]

    def log_probabilities_and_features(self, images):
        """Log probabilities [N, classes] and features [N, d] of unmirrored images, as differentiable tensors."""
        outputs = self.network(self.downscale(images))
        return keras.ops.log_softmax(outputs["logits"] / self.temperature), outputs["features"]


class ReleasedWingClassifier(ReleasedNetwork):
    """A trained classifier with two independent outputs: is there a horse, are there spread wings?

    Args:
        model_config: dict with "architecture", "width", "channels", "colours" and "class_names", and with "scale"
            and "offset", a number of each for each output, which calibrate the logits.
        weights: {name: array} of a release.
        source: name of the release in error messages and progress bars.

    Attributes:
        class_names: tuple of str, in the order of the probabilities.

    Examples:
        >>> import numpy as np
        >>> from classifiers.inference import ReleasedWingClassifier
        >>> classifier = ReleasedWingClassifier.load("wing_classifier")
        >>> classifier.class_names
        ('horse', 'spread wings')
        >>> classifier.probabilities(np.zeros((3, 32, 32, 3), np.float32)).shape
        (3, 2)
    """

    family = "wing_classifier"

    def __init__(self, model_config, weights, source):
        super().__init__(model_config, weights, source)
        self.scale, self.offset = (np.array(model_config[name], np.float32) for name in ("scale", "offset"))

    def probabilities(self, images):
        """Probabilities float32 [N, 2] of images float [N, W, W, colours] in [-1, 1].

        They are the sigmoids of the calibrated logits, averaged over each image and its mirror image. As for
        `ReleasedClassifier`, integers raise a ValueError.
        """
        return expit(self.mirrored_means(images)["logits"] * self.scale + self.offset)

    def logits(self, images):
        """Calibrated logits [N, 2] of unmirrored images, as differentiable tensors."""
        return self.network(self.downscale(images))["logits"] * self.scale + self.offset


def bundled_classifier(name):
    """Loads a classifier from pretrained/."""
    config, weights, *_ = release.read(release.BUNDLED / name, "classifier")
    return ReleasedClassifier(config["model"], weights, name)


def bundled_wing_classifier():
    """Loads the wing classifier that searches use from pretrained/."""
    config, weights, *_ = release.read(release.BUNDLED / "wing_classifier", "wing_classifier")
    return ReleasedWingClassifier(config["model"], weights, "wing_classifier")


def search_ensemble():
    """Loads the bundled classifiers that searches use, as one ensemble."""
    return ClassifierEnsemble([bundled_classifier(name) for name in SEARCH_CLASSIFIERS])


class ClassifierEnsemble:
    """Several classifiers that score together: an image that fools one of them seldom fools another.

    Args:
        classifiers: sequence of `ReleasedClassifier` with the same classes in the same order.

    Raises:
        ValueError: if their classes differ.
    """

    def __init__(self, classifiers):
        self.classifiers = tuple(classifiers)
        self.class_names = self.classifiers[0].class_names
        for classifier in self.classifiers:
            if classifier.class_names != self.class_names:
                raise ValueError(
                    f"The classifiers must have the same classes. Received: {self.class_names} and "
                    f"{classifier.class_names}."
                )

    def log_probabilities_and_features(self, images):
        """Mean log probabilities [N, classes] and concatenated features [N, d], as differentiable tensors."""
        outputs = [classifier.log_probabilities_and_features(images) for classifier in self.classifiers]
        log_probabilities, features = zip(*outputs, strict=True)
        return sum(log_probabilities) / len(log_probabilities), keras.ops.concatenate(features, axis=-1)
