"""The suites of evaluate.py, one module each, listed in SUITES.

A suite's module has two functions:

    run(inputs) -> Section      loads the model, the images and the classifiers, and calls `evaluate`
    evaluate(...) -> Section    measures; takes models, images and numbers as plain arguments, as tests do

`inputs` is an `evaluation.inputs.Inputs`, and a Section (`evaluation.report.estimates`) holds the estimates, a
table, plots and a text. To add a suite, write its module and add an entry to SUITES. This table says which models
a suite fits and what it needs, because evaluate.py checks both before it imports TensorFlow and the modules.
"""

import dataclasses
import importlib

from common.data.cifar10 import CIFAR10_CLASSES
from common.errors import InputError

IMAGES = ("cifar10", "folder")
REFEREE, WING_REFEREE = "referee", "wing_referee"  # bundled classifiers that no training and no search uses
REFEREES = (REFEREE, WING_REFEREE)
SCORING_CLASSIFIERS = (REFEREE, "classifier")
FEATURES = ("classifier",)  # the default of --features
MIN_HOLDOUT = 20  # images, for the intervals of distances
MIN_HOLDOUT_OF_PATHS = 2 * MIN_HOLDOUT  # half of them are what pictures are compared with


@dataclasses.dataclass(frozen=True)
class Suite:
    """An entry of SUITES.

    Args:
        name: value of --suite. Suites for different kinds of models may share a name.
        module: name of its module in this package.
        kinds: kinds of models that it fits, see `evaluation.inputs.Release.kind`.
        data_sources: data sources of models that it fits, see `config.data.source`.
        min_classes: minimum number of classes of a model.
        classifiers: bundled classifiers that score the model's pictures or whose features are used. They know no
            classes but CIFAR-10's.
        uses_pair: whether it blends the classes --first and --second.
        uses_samples: whether it measures --samples pictures or pairs.
        needs_images: whether it needs the data that the model was trained on.
        in_all: whether --suite=all runs it.
        min_holdout: minimum number of held-out images of a folder, of the classes that it blends or of all.
        compares: whether it can measure several models, see `evaluation.several`.
        minutes: what it takes with two CPU cores, 1,000 samples and CIFAR-10; less for smaller data.
    """

    name: str
    module: str
    kinds: tuple
    data_sources: tuple
    min_classes: int
    classifiers: tuple = ()
    uses_pair: bool = False
    uses_samples: bool = False
    needs_images: bool = True
    in_all: bool = True
    min_holdout: int = 0
    compares: bool = False
    minutes: float = 1

    def find_misfit(self, kind, data_source, class_names):
        """Says in a few words why the suite cannot measure a model; "" if it can."""
        if kind not in self.kinds:
            return f"is for models of kind {' or '.join(self.kinds)}, not {kind}"
        if data_source not in self.data_sources:
            return f"is for models of the data {' or '.join(self.data_sources)}, not {data_source}"
        if len(class_names) < self.min_classes:
            return f"needs a model of at least {self.min_classes} classes, not {len(class_names)}"
        if self.classifiers and (unknown := [name for name in class_names if name not in CIFAR10_CLASSES]):
            return f"scores with classifiers of CIFAR-10's classes, which do not know {unknown[0]}"
        return ""

    def find_lack(self, counts, pair):
        """Says why a folder has too few images for the suite; "" if it has enough.

        Args:
            counts: {class: number of its images}; None: enough. Every tenth of a class is held out.
            pair: names of the classes --first and --second. Those that the folder lacks are refused elsewhere.
        """
        if not counts:
            return ""
        if (least := min(counts.values())) < 10:
            return f"needs at least ten images of each class: the folder has {least} of one"
        used, whose = counts.values(), ""
        if self.uses_pair and {*pair} <= counts.keys():
            used, whose = [counts[name] for name in pair], f" of {' and '.join(pair)}"
        if (held_out := sum(count // 10 for count in used)) >= self.min_holdout:
            return ""
        return (
            f"needs {self.min_holdout} held-out images{whose}, every tenth of about {10 * self.min_holdout}: "
            f"the folder has {held_out} of {sum(used)}"
        )

    def load(self):
        """Imports the suite's module and returns it."""
        return importlib.import_module(f"{__name__}.{self.module}")

    def run(self, inputs):
        """Imports the suite's module and measures; returns a Section."""
        return self.load().run(inputs)


SUITES = (  # the first that fits is the default
    Suite(
        "gan",
        "gan",
        ("gan", "conditional gan"),
        IMAGES,
        1,
        SCORING_CLASSIFIERS,
        uses_samples=True,
        min_holdout=MIN_HOLDOUT,
        minutes=2,
    ),
    Suite(
        "blend",
        "blend",
        ("acai",),
        IMAGES,
        2,
        SCORING_CLASSIFIERS,
        uses_pair=True,
        uses_samples=True,
        min_holdout=MIN_HOLDOUT,
        minutes=3,
    ),
    Suite(  # of classes that CIFAR-10 lacks
        "blend", "own_blends", ("acai",), ("folder",), 2, uses_pair=True, uses_samples=True
    ),
    Suite(
        "blend",
        "morphs",
        ("conditional gan",),
        IMAGES,
        2,
        SCORING_CLASSIFIERS,
        uses_pair=True,
        uses_samples=True,
        min_holdout=MIN_HOLDOUT,
        minutes=2,
    ),
    Suite(
        "search",
        "search",
        ("acai", "gan", "conditional gan"),
        ("cifar10",),
        2,
        REFEREES,
        needs_images=False,
        in_all=False,
        minutes=1,
    ),
    Suite("lines", "lines", ("acai",), ("lines",), 0, compares=True),
    Suite("probe", "probe", ("acai",), IMAGES, 2, compares=True, minutes=2),
    Suite(
        "path",
        "path_length",
        ("acai",),
        IMAGES,
        1,
        FEATURES,
        uses_samples=True,
        min_holdout=MIN_HOLDOUT_OF_PATHS,
        compares=True,
        minutes=2,
    ),
    Suite("classifier", "classifiers", ("classifier",), IMAGES, 2, minutes=2),
    Suite("classifier", "wing_classifiers", ("wing_classifier",), ("cifar10",), 2),
    Suite("viewers", "viewers", ("acai", "gan", "conditional gan"), ("cifar10",), 2, in_all=False),
)
NAMES = (*dict.fromkeys(suite.name for suite in SUITES), "all")  # values of --suite


def choose_suites(name, source, kind, data_source, class_names, counts=None, pair=()):
    """Chooses the suites to run.

    Args:
        name: value of --suite: one of NAMES, or None for the first suite that fits.
        source: value of --source, for error messages.
        kind, data_source, class_names: of the model, see `Suite`.
        counts, pair: of the images of a folder, and the classes to blend, see `Suite.find_lack`.

    Returns:
        (list of Suite, not empty; list of lines that say which suites --suite=all leaves out, and why).

    Raises:
        InputError: if no suite fits the model, or the named one does not or has too few images.
    """
    misfits = [(suite, suite.find_misfit(kind, data_source, class_names)) for suite in SUITES]
    fitting = {}  # the first of each name
    for suite, misfit in misfits:
        if not misfit:
            fitting.setdefault(suite.name, suite)
    fitting = list(fitting.values())
    if not fitting:
        raise InputError(
            "--source must be a classifier of at least two classes, an ACAI or a GAN of CIFAR-10 classes. "
            f"Received: {source}, a model of kind {kind}, data {data_source}, {len(class_names)} classes"
        )
    several = {None: fitting[:1], "all": [suite for suite in fitting if suite.in_all]}
    chosen = several.get(name, [suite for suite in fitting if suite.name == name])
    if not chosen:
        choices = " or ".join(f"--suite={suite.name}" for suite in fitting)
        of_name = [(suite, misfit) for suite, misfit in misfits if suite.name == name]
        _, misfit = max(of_name, key=lambda entry: kind in entry[0].kinds)  # the first that is for such models
        raise InputError(f"{source} can be measured with {choices}. Received: --suite={name}, which {misfit}")
    lacks = {suite.name: lack for suite in chosen if (lack := suite.find_lack(counts, pair))}
    enough = [suite for suite in chosen if suite.name not in lacks]
    if not enough:
        choices = " or ".join(f"--suite={suite.name}" for suite in fitting if not suite.find_lack(counts, pair))
        lacking, lack = next(iter(lacks.items()))
        raise InputError(
            f"{source} can be measured with {choices or 'more images'}. Received: --suite={lacking}, which {lack}"
        )
    return enough, [f"left out: {lacking}, which {lack}" for lacking, lack in lacks.items()]
