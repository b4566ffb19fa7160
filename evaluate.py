"""Measures a bundled model or a run: figures with 95% intervals in the terminal, metrics.json and report.html.

    python evaluate.py --suite=search                              the bundled winged horses, beside controls
    python evaluate.py --source=runs/mine                          your own run, by the first suite that fits it
    python evaluate.py --source=runs/mine --suite=all              by every suite that fits it
    python evaluate.py                                             blends of the bundled ACAI
    python evaluate.py --suite=search --pictures=out/blend         the pictures of your own search
    python evaluate.py --source=runs/acai --suite=probe            what latents tell about classes
    python evaluate.py --source=acai_lines                         the paper's figures for lines; needs no data set
    python evaluate.py --suite=viewers --out=DIR                   pictures and decoys for viewers to name
    python evaluate.py --suite=viewers --out=DIR --answers=A,B     how often they have named a winged horse

--suite=all leaves out search and viewers, which need pictures that were kept. The same seed gives the same
figures. Frechet and kernel distances use the features of this project's own classifier unless --features says
otherwise, and do not compare with published ones. The suites are listed in evaluation/suites/__init__.py.
"""

import os

from absl import flags

from common import cli
from common.backend import memory
from common.errors import InputError
from common.files import make_folder
from evaluation import suites
from evaluation.inputs import EvaluationConfig, Inputs, Release
from evaluation.report import report
from evaluation.viewers import tally

flags.DEFINE(cli.PathParser(), "source", "pegasus", "name of a bundled model, run directory or release folder")
flags.DEFINE_enum("suite", None, suites.NAMES, "what to measure; default: the first suite that fits")
flags.DEFINE_integer("samples", 1000, "number of pictures of each kind", lower_bound=100, upper_bound=20_000)
flags.DEFINE_string("first", "horse", "class of the first parent")
flags.DEFINE_string("second", "bird", "class of the second parent")
flags.DEFINE(cli.PathParser(), "features", "classifier", "feature network: classifier, inception or a .keras file")
flags.DEFINE_integer("seed", 0, "seed of the pairs and the intervals", lower_bound=0, upper_bound=2**32 - 1)
flags.DEFINE(
    cli.PathParser(), "data_dir", None, "where tensorflow-datasets keeps CIFAR-10; default: TFDS_DATA_DIR"
)
flags.DEFINE(
    cli.PathParser(), "image_folder", None, "folder of a run's own images; default: the one it was trained on"
)
_pictures = (
    "search, viewers: a manifest.json of generate.py or a folder of pictures; default: the source's bundled ones"
)
flags.DEFINE(cli.PathParser(), "pictures", None, _pictures)
flags.DEFINE(cli.PathListParser(), "answers", [], "viewers: files of answers to tally, one a viewer")
flags.DEFINE(
    cli.PathListParser(), "earlier_answers", [], "viewers: files of earlier rounds; nobody may see a picture again"
)
flags.DEFINE(cli.PathParser(), "out", None, "folder to write to; default: out/evaluate/ and the source's name")
FLAGS = flags.FLAGS
SECTIONS = {  # of --help
    "What to measure": ("source", "suite", "pictures"),
    "Pairs and pictures": ("first", "second", "samples", "seed", "features"),
    "Data": ("data_dir", "image_folder"),
    "Answers of viewers": ("answers", "earlier_answers"),
    "Output": ("out",),
}
SUITES_OF_FLAGS = {"pictures": ("search", "viewers"), "answers": ("viewers",), "earlier_answers": ("viewers",)}


def main():
    if FLAGS.answers and FLAGS.suite == "viewers":
        tally_answers()
        return
    release = Release.read(FLAGS.source)
    chosen = suites.choose_suites(
        FLAGS.suite, FLAGS.source, release.kind, release.data_source, release.class_names
    )
    names = [suite.name for suite in chosen]
    config = read_config(names)
    classifiers = {
        name: Release.read_bundled_classifier(name)
        for name in dict.fromkeys(name for suite in chosen for name in suite.classifiers)
    }
    inputs = Inputs(release, classifiers, config)
    inputs.check(any(suite.uses_pair for suite in chosen), any(suite.needs_images for suite in chosen))
    make_folder(config.out)

    memory.keep_freed_memory()
    cli.import_tensorflow()
    sections = [suite.run(inputs) for suite in chosen]
    paths = report.write(config.out, sections, list_facts(inputs, chosen))
    print(report.terminal_table(sections), *paths, sep="\n")


def tally_answers():
    """Prints and writes a tally of viewers' answers; needs neither the model nor the data."""
    out = out_folder()
    sections, facts = tally.tally_files(out, FLAGS.answers, FLAGS.earlier_answers)
    paths = report.write(out, sections, facts)
    print(report.terminal_table(sections[:-1]), *paths, sep="\n")  # the last section has every answer


def out_folder():
    """Returns the folder to write to."""
    return FLAGS.out or os.path.join("out", "evaluate", os.path.basename(os.path.normpath(FLAGS.source)))


def read_config(suite_names):
    """Reads the EvaluationConfig from the flags; InputError for flags that no suite of `suite_names` uses."""
    for name, users in SUITES_OF_FLAGS.items():
        if FLAGS[name].value != FLAGS[name].default and not {*users} & {*suite_names}:
            raise InputError(f"--{name} can only be used with {' or '.join(f'--suite={user}' for user in users)}.")
    if FLAGS.earlier_answers:
        raise InputError("--earlier_answers can only be used with --answers.")
    if FLAGS.pictures and not os.path.exists(FLAGS.pictures):
        raise InputError(
            f"--pictures must be a manifest.json or a folder. Received: {FLAGS.pictures}, no such path"
        )
    return EvaluationConfig(
        first=FLAGS.first,
        second=FLAGS.second,
        samples=FLAGS.samples,
        features=FLAGS.features,
        seed=FLAGS.seed,
        data_dir=FLAGS.data_dir,
        image_folder=FLAGS.image_folder,
        pictures=FLAGS.pictures,
        out=out_folder(),
    )


def list_facts(inputs, chosen):
    """Lists what the figures depend on, for the report: {name: value}."""
    release, config, names = inputs.release, inputs.config, [suite.name for suite in chosen]
    facts = {"source": release.source, "weights": release.digest, "seed": config.seed, "suite": ", ".join(names)}
    if any(suite.uses_pair for suite in chosen):
        facts |= {"first": config.first, "second": config.second}
    if "search" in names:
        facts["pictures"] = config.pictures or "bundled"
    if inputs.classifiers:
        facts |= {} if names == ["search"] else {"samples": config.samples}
        facts["features"] = config.features
        facts |= {name: classifier.digest for name, classifier in inputs.classifiers.items()}
    return facts


if __name__ == "__main__":
    cli.run(main, sections=SECTIONS)
