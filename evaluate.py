"""Measures a bundled model or a run: numbers with 95% intervals, metrics.json and report.html.

    python evaluate.py                                             the bundled ACAI's blends of horses and birds
    python evaluate.py --source=runs/pegasus --samples=2000        those of a training of your own
    python evaluate.py --suite=search                              the best of 20,000 against controls' best
    python evaluate.py --suite=search --flagfile=configs/winged.flags   the same where all are asked for wings
    python evaluate.py --source=runs/acai --suite=probe            what its codes tell about classes
    python evaluate.py --source=runs/lines                         the paper's figures for lines; needs no data set
    python evaluate.py --source=runs/dcgan                         a GAN's samples; --suite=blend: class morphs
    python evaluate.py --source=classifier                         the judge itself: accuracy and calibration
    python evaluate.py --source=runs/own --image_folder=DIR        a run of your own images, where they have moved

--suite=all takes every suite that suits the model. Same seed, same numbers. Frechet and kernel distances are of
the features of this project's own classifier unless --features says otherwise: they do not compare with published
ones.
"""

import functools
import os

import numpy as np
from absl import flags

import configs.search
from classifiers import SEARCH_CLASSIFIERS
from common import cli, release
from common.backend import memory
from common.data import datasets
from common.errors import InputError
from evaluation import features
from evaluation.report import report

# What each suits: (kinds of model, sources of its data, least number of classes). The first is the default.
OF_IMAGES = ("cifar10", "folder")
SUITES = {
    "gan": (("gan", "conditional gan"), OF_IMAGES, 1),
    "blend": (("acai", "conditional gan"), OF_IMAGES, 2),
    "search": (("acai",), ("cifar10",), 2),
    "lines": (("acai",), ("lines",), 0),
    "probe": (("acai",), OF_IMAGES, 2),
    "judge": (("classifier",), OF_IMAGES, 2),
}
JUDGED = ("blend", "gan", "search")  # the suites that score pictures, of classes of CIFAR-10, by these judges:
HELD_OUT = 20  # images at least, for their distances' intervals
REFEREE = "referee"  # does nothing else
JUDGES = (REFEREE, "classifier")  # the first is the one that counts; a search adds SEARCH_CLASSIFIERS
flags.DEFINE_string("source", "pegasus", "a bundled model's name, a run directory or a release folder")
flags.DEFINE_enum("suite", None, [*SUITES, "all"], "what to measure; default: the first that suits")
flags.DEFINE_integer("samples", 1000, "pictures of each kind", lower_bound=100, upper_bound=20_000)
configs.search.define(candidates=20_000, refine=40, lowest_candidates=64)
flags.DEFINE_string("first", "horse", "class of the first parent")
flags.DEFINE_string("second", "bird", "class of the second parent")
flags.DEFINE_string("features", "classifier", "classifier, inception or a .keras file")
flags.DEFINE_integer("seed", 0, "of the pairs and the intervals", lower_bound=0)
flags.DEFINE_string("data_dir", None, "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR")
flags.DEFINE_string("image_folder", None, "where a run's own images are; default: where it found them")
flags.DEFINE_string("out", None, "the folder to write to; default: out/evaluate/ and the source's name")
FLAGS = flags.FLAGS


def main():
    folder = release.resolve(FLAGS.source)
    family = release.family(folder)
    config, weights, bank, digest = release.read(folder, family)
    names = class_names(config)
    kind = "conditional gan" if family == "gan" and config["model"]["classes"] else family
    suites = chosen_suites(kind, config["data"]["source"], names)
    idle = [name for name in configs.search.NAMES if FLAGS[name].value != FLAGS[name].default]
    if idle and "search" not in suites:
        raise InputError(f"--{idle[0]} is required with --suite=search. Received: --{idle[0]} alone")
    facts = {"source": FLAGS.source, "weights": digest, "seed": FLAGS.seed, "suite": ", ".join(suites)}
    if {"blend", "search"} & set(suites):
        check_parents(names)
        facts |= {"first": FLAGS.first, "second": FLAGS.second}
    judges = {}
    if set(suites) & set(JUDGED):
        features.check(FLAGS.features)
        needed = (REFEREE, *SEARCH_CLASSIFIERS) if "search" in suites else JUDGES
        judges = {name: release.read(release.BUNDLED / name, "classifier") for name in needed}
        if "search" in suites:
            facts |= search_facts(judges[REFEREE][0]["model"]["class_names"])
        facts |= {"samples": FLAGS.samples, "features": FLAGS.features}
        facts |= {name: digest for name, (*_, digest) in judges.items()}
    if config["data"]["source"] == "cifar10":
        datasets.check_cifar10(FLAGS.data_dir)
    elif config["data"]["source"] == "folder":
        check_folder(config)
    out = FLAGS.out or os.path.join("out", "evaluate", os.path.basename(os.path.normpath(FLAGS.source)))
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: a folder to write to is required. Received: {out} ({error.strerror})") from error

    memory.keep_freed_memory()
    cli.import_tensorflow()
    measure = {"gan": gan, "blend": blend, "lines": lines, "probe": probe, "judge": judge}
    measure["search"] = functools.partial(search, bank=bank)
    if family == "gan":
        measure["blend"] = morphs
    sections = [measure[suite](config, weights, judges) for suite in suites]
    print(report.terminal_table(sections))
    print(*report.write(out, sections, facts), sep="\n")


def class_names(config):
    """What the model was trained on, in the order of its labels."""
    return tuple(config["model"].get("class_names") or config["data"].get("classes", ()))


def chosen_suites(kind, source, names):
    """The suites that --suite names, or else the first that suits; InputError where none does."""
    suiting = [
        name
        for name, (kinds, sources, least) in SUITES.items()
        if kind in kinds
        and source in sources
        and len(names) >= least
        and not (name in JUDGED and set(names) - set(datasets.CIFAR10_CLASSES))
    ]
    if not suiting:
        raise InputError(
            "A classifier or ACAI of at least two classes, an ACAI of lines or a GAN of classes of CIFAR-10 is "
            f"required. Received: {FLAGS.source}, of the family {kind}, data {source}, {len(names)} classes"
        )
    if FLAGS.suite not in (None, "all", *suiting):
        required = " or ".join(f"--suite={name}" for name in suiting)
        raise InputError(f"{required} is required for {FLAGS.source}. Received: --suite={FLAGS.suite}")
    return {None: suiting[:1], "all": suiting}.get(FLAGS.suite, [FLAGS.suite])


def check_parents(names):
    """Raises InputError unless --first and --second are two of the model's classes."""
    if FLAGS.first == FLAGS.second or not {FLAGS.first, FLAGS.second} <= set(names):
        raise InputError(
            f"--first and --second: two different classes of {FLAGS.source} are required ({', '.join(names)}). "
            f"Received: {FLAGS.first} and {FLAGS.second}"
        )


def search_facts(class_names):
    """What a search is asked for by flags; InputError where judges of such classes do not know what."""
    asked = {name: FLAGS[name].value for name in configs.search.NAMES}
    configs.search.search_config(asked).check_classes(class_names)
    return asked


def blend(config, weights, judges):
    from evaluation.suites import blend

    return blend.evaluate(released_acai(config, weights), *judged(config, judges, FLAGS.first, FLAGS.second))


def search(config, weights, judges, bank):
    from acai.latent_bank import LatentBank
    from classifiers.inference import ClassifierEnsemble
    from evaluation.suites import search

    judges, *shared, _, seed, folder = judged(
        config, judges, FLAGS.first, FLAGS.second, names=(REFEREE, *SEARCH_CLASSIFIERS)
    )
    sides = judges.pop(REFEREE), ClassifierEnsemble(judges.values())
    model, bank = released_acai(config, weights), LatentBank.from_arrays(bank)
    asked = configs.search.search_config(FLAGS.flag_values_dict())
    return search.evaluate(model, *sides, *shared, bank, asked, seed, folder)


def gan(config, weights, judges):
    from evaluation.suites import gan

    return gan.evaluate(released_gan(config, weights), *judged(config, judges))


def morphs(config, weights, judges):
    from evaluation.suites import gan

    return gan.evaluate_morphs(released_gan(config, weights), *judged(config, judges, FLAGS.first, FLAGS.second))


def judged(config, judges, *parents, names=JUDGES):
    """What the suites that score pictures take beside the model; InputError where too few images are held out."""
    from classifiers.inference import ReleasedClassifier

    held_out = len(images("holdout", config))
    if held_out < HELD_OUT:
        raise InputError(
            f"--suite=blend and gan: {HELD_OUT} held-out images, every tenth of a class, are required. "
            f"Received: {held_out}"
        )

    return (
        {name: ReleasedClassifier(judges[name][0]["model"], judges[name][1], name) for name in names},
        features.extractor(FLAGS.features),
        images("train", config),
        images("holdout", config),
        *parents,
        FLAGS.samples,
        FLAGS.seed,
        os.path.join("out", "features"),
    )


def lines(config, weights, _):
    from acai.autoencoder import name_in_paper
    from evaluation.suites import lines

    return lines.evaluate(released_acai(config, weights), seed=FLAGS.seed, name=name_in_paper(config["model"]))


def probe(config, weights, _):
    from acai.autoencoder import name_in_paper
    from evaluation.suites import probe

    train, *others = (images(split, config) for split in ("train", *unseen(config)))
    depth, total_kimg = config["model"]["depth"], config["train"]["total_kimg"]
    name = name_in_paper(config["model"])
    model = released_acai(config, weights)
    return probe.evaluate(model, train, others, depth, total_kimg, FLAGS.seed, name=name)


def judge(config, weights, _):
    from classifiers.inference import ReleasedClassifier
    from evaluation.suites import classifiers

    unseen_images = [images(split, config) for split in unseen(config)]
    return classifiers.evaluate(
        ReleasedClassifier(config["model"], weights, FLAGS.source), unseen_images, FLAGS.seed
    )


def released_acai(config, weights):
    from acai.inference import ReleasedACAI

    return ReleasedACAI(config["model"], weights, FLAGS.source)


def released_gan(config, weights):
    from gan.inference import ReleasedGAN

    return ReleasedGAN(config["model"], weights, FLAGS.source)


def unseen(config):
    """The splits that a training did not see; a folder has no test images of its own."""
    return ("holdout", "test") if config["data"]["source"] == "cifar10" else ("holdout",)


def images(split, config):
    """The images of a split that a released model is of, a common.data.datasets.ImageDataset."""
    if config["data"]["source"] == "cifar10":
        return cifar10(split, class_names(config))
    return own_images(image_folder(config), config["model"]["width"], class_names(config))[split == "holdout"]


@functools.cache
def cifar10(split, names):
    return datasets.load_cifar10(FLAGS.data_dir, split, names)


@functools.cache
def own_images(folder, width, names):
    """(train, holdout) of a folder; InputError where its classes are not those of the model."""
    whole = datasets.load_folder(folder, width=width, hold_out=False)
    if whole.class_names != names:
        raise InputError(
            f"--image_folder: the classes that the model knows are required ({', '.join(names)}). "
            f"Received: {folder} with {', '.join(whole.class_names)}"
        )
    train, holdout = datasets.split_holdout(whole)
    if len(np.unique(holdout.labels)) < len(names):
        raise InputError(f"--image_folder: ten images a class are required. Received: {folder} with fewer")
    return train, holdout


def image_folder(config):
    return FLAGS.image_folder or config["data"].get("image_folder", "")


def check_folder(config):
    """Raises InputError unless the model's own images are where they are said to be."""
    folder = image_folder(config)
    if not os.path.isdir(os.path.expanduser(folder)):
        raise InputError(
            f"--image_folder: the images that {FLAGS.source} was trained on are required. "
            f"Received: {folder or 'none'}, no folder"
        )


if __name__ == "__main__":
    cli.run(main)
