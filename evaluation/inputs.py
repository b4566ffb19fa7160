"""The inputs of the suites: a release, its images, classifiers and options; checked without TensorFlow."""

import dataclasses
import functools
import os

import numpy as np

from common import release
from common.data import datasets, folders
from common.errors import InputError
from evaluation import features
from evaluation.suites import MIN_HOLDOUT

CACHE_FOLDER = "features"  # in the user's cache folder; features of the images are stored there


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """The options of evaluate.py.

    Args:
        first, second: names of the classes to blend.
        samples: pictures of each kind.
        features: name of the feature network, see `evaluation.features`.
        seed: of the pairs and the intervals.
        data_dir: where tensorflow-datasets keeps CIFAR-10; None: its default.
        image_folder: where a run's images are; None: where they were in training.
        pictures: of the suites "search" and "viewers": a manifest or a folder of pictures; None: the bundled ones.
        out: the folder to write to.
    """

    first: str
    second: str
    samples: int = 1000
    features: str = "classifier"
    seed: int = 0
    data_dir: str | None = None
    image_folder: str | None = None
    pictures: str | None = None
    out: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Release:
    """The content of a release folder.

    Args:
        source: what the user calls it: a bundled name, a run directory or a release folder.
        family: "acai", "gan", "classifier" or "wing_classifier".
        config: nested dict.
        weights: {name: array}.
        bank: {name: array}, an ACAI's latent bank; {} for other families.
        digest: of the weights.
    """

    source: str
    family: str
    config: dict
    weights: dict
    bank: dict
    digest: str

    @classmethod
    def read(cls, source):
        """Reads a bundled model, a run directory or a release folder; InputError if it is damaged."""
        folder = release.resolve(source)
        family = release.family(folder)
        return cls(source, family, *release.read(folder, family))

    @classmethod
    def read_bundled_classifier(cls, name):
        """Reads a classifier or wing classifier from pretrained/; InputError if it is missing or damaged."""
        family = release.family(release.BUNDLED / name)
        return cls(name, family, *release.read(release.BUNDLED / name, family))

    @property
    def kind(self):
        """The family, or "conditional gan"."""
        return "conditional gan" if self.family == "gan" and self.config["model"]["classes"] else self.family

    @property
    def data_source(self):
        return self.config["data"]["source"]

    @property
    def class_names(self):
        """Names of the classes that the model was trained on, in the order of its labels."""
        return tuple(self.config["model"].get("class_names") or self.config["data"].get("classes", ()))

    @property
    def model_arguments(self):
        """The arguments of ReleasedACAI, ReleasedGAN and ReleasedClassifier."""
        return self.config["model"], self.weights, self.source


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """What a suite measures, and with what.

    Args:
        release: Release to measure.
        classifiers: {name: Release} of the classifiers that score pictures.
        config: EvaluationConfig.
    """

    release: Release
    classifiers: dict
    config: EvaluationConfig

    def check(self, uses_pair, needs_images=True):
        """Raises InputError for classes, feature networks or data that do not exist.

        Args:
            uses_pair: whether a suite blends the classes `config.first` and `config.second`.
            needs_images: whether a suite needs the data. If not, CIFAR-10 is only looked for in a --data_dir.
        """
        names, pair = self.release.class_names, (self.config.first, self.config.second)
        if uses_pair and (len(set(pair)) < 2 or not set(pair) <= set(names)):
            raise InputError(
                f"--first and --second must be two classes of {self.release.source} ({', '.join(names)})."
                f" Received: {' and '.join(pair)}"
            )
        if self.classifiers:
            features.check_name(self.config.features)
        if self.release.data_source == "cifar10":
            if needs_images or self.config.data_dir is not None:
                datasets.check_cifar10(self.config.data_dir, download=needs_images)
        elif self.release.data_source == "folder":
            if not os.path.isdir(os.path.expanduser(self._image_folder)):
                raise InputError(
                    f"--image_folder must be the folder of images that {self.release.source} was trained on. "
                    f"Received: {self._image_folder or 'none'}, which is no folder"
                )
            check_class_names(
                self._image_folder, folders.list_class_names(self._image_folder), self.release.class_names
            )

    def list_facts(self, chosen):
        """Lists what the figures of some suites depend on, for the report: {name: value}."""
        names = [suite.name for suite in chosen]
        facts = {"source": self.release.source, "weights": self.release.digest}
        facts |= {"trained": release.describe_training(self.release.config)}
        facts |= {"seed": self.config.seed, "suite": ", ".join(names)}
        if self.config.image_folder and self.release.data_source == "folder":
            facts["image_folder"] = self.config.image_folder
        if any(suite.uses_pair for suite in chosen):
            facts |= {"first": self.config.first, "second": self.config.second}
        if "search" in names:
            facts["pictures"] = self.config.pictures or "bundled"
        if any(suite.uses_samples for suite in chosen):
            facts["samples"] = self.config.samples
        if self.classifiers:
            facts["features"] = self.config.features
            facts |= {name: classifier.digest for name, classifier in self.classifiers.items()}
        return facts

    def load_images(self, split):
        """Loads the images of the model's classes in a split as a `common.data.datasets.ImageDataset`.

        Raises:
            InputError: if a folder's classes are not the model's, or its classes have too few images.
        """
        if self.release.data_source == "cifar10":
            return _load_cifar10(self.config.data_dir, split, self.release.class_names)
        width = self.release.config["model"]["width"]
        return _load_folder(self._image_folder, width, self.release.class_names)[split == "holdout"]

    def load_holdout(self, minimum=MIN_HOLDOUT, classes=None):
        """Loads the hold-out; InputError if it has fewer than `minimum` images of `classes`, by default of all."""
        holdout = self.load_images("holdout")
        count = len(holdout.select(classes) if classes else holdout)
        if count < minimum:
            whose = f" of {' and '.join(classes)}" if classes else ""
            raise InputError(
                f"The folder must have about {10 * minimum} readable images{whose}, so that every tenth of a "
                f"class makes {minimum} held-out images. Received: {count} held-out images"
            )
        return holdout

    def load_train_and_holdout(self, classes=None):
        """Loads the splits that pictures are compared with; InputError if the hold-out is too small.

        Args:
            classes: names of the classes whose held-out images are used; None: all.
        """
        holdout = self.load_holdout(classes=classes)
        return self.load_images("train"), holdout

    def load_unseen_images(self):
        """Loads the splits that training did not use: the hold-out and, for CIFAR-10, the test images."""
        splits = ("holdout", "test") if self.release.data_source == "cifar10" else ("holdout",)
        return [self.load_images(split) for split in splits]

    def build_classifiers(self, names):
        """Builds {name: classifiers.inference.ReleasedClassifier}."""
        from classifiers.inference import ReleasedClassifier

        return {name: ReleasedClassifier(*self.classifiers[name].model_arguments) for name in names}

    def load_scoring_arguments(self, classifiers, classes=None):
        """Loads the arguments that all suites which score pictures share.

        Args:
            classifiers: names of the classifiers that score the pictures.
            classes: see `load_train_and_holdout`.

        Returns:
            {name: argument of `evaluation.suites.gan.evaluate`}: all of them but the model.
        """
        train, holdout = self.load_train_and_holdout(classes)
        return {
            "classifiers": self.build_classifiers(classifiers),
            "extractor": features.make_extractor(self.config.features),
            "train": train,
            "holdout": holdout,
            "samples": self.config.samples,
            "seed": self.config.seed,
            "cache_folder": CACHE_FOLDER,
        }

    @property
    def _image_folder(self):
        return find_image_folder(self.release, self.config.image_folder)


def find_image_folder(release, image_folder):
    """Returns the path of the images of a Release: `image_folder`, or else where they were in training, or ""."""
    return image_folder or release.config["data"].get("image_folder", "")


def count_images(release, image_folder):
    """Counts the files of each class of the folder of a Release's images, {name: number}, without reading them.

    None where the images are not in a folder or `Inputs.check` refuses it.
    """
    folder = find_image_folder(release, image_folder)
    if release.data_source != "folder" or not os.path.isdir(os.path.expanduser(folder)):
        return None
    counts = folders.count_files(folder)
    return counts if tuple(counts) == release.class_names else None


def check_class_names(folder, found, known):
    """Raises InputError unless the classes of a folder are those that a model knows."""
    if tuple(found) != tuple(known):
        raise InputError(
            f"--image_folder must have the classes that the model knows ({', '.join(known)}). "
            f"Received: {folder} with {', '.join(found)}"
        )


@functools.cache
def _load_cifar10(data_dir, split, class_names):
    return datasets.load_cifar10(data_dir, split, class_names)


@functools.cache
def _load_folder(folder, width, class_names):
    """Loads (train, holdout) of a folder."""
    dataset = datasets.load_folder(folder, width)
    check_class_names(folder, dataset.class_names, class_names)
    train, holdout = datasets.split_holdout(dataset)
    if len(np.unique(holdout.labels)) < len(class_names):
        raise InputError(f"--image_folder must have at least ten images of each class. Received: {folder}")
    return train, holdout
