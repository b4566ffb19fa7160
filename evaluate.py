"""Measures a bundled model or a run: figures with 95% intervals in the terminal, metrics.json and report.html.

    python evaluate.py --suite=search                              the bundled winged horses, beside controls
    python evaluate.py --source=runs/mine                          your own run, by the first suite that fits it
    python evaluate.py --source=runs/mine --suite=all              by every suite that fits it
    python evaluate.py                                             blends of the bundled ACAI
    python evaluate.py --suite=search --pictures=out/blend         the pictures of your own search
    python evaluate.py --source=runs/acai --suite=probe            what latents tell about classes
    python evaluate.py --source=runs/acai --suite=path             how evenly pictures change on the way to another
    python evaluate.py --source=acai_lines                         the paper's figures for lines; needs no data set
    python evaluate.py --source=runs/a,runs/b --suite=lines        several models: means over seeds
    python evaluate.py --suite=viewers --out=DIR                   pictures and decoys for viewers to name
    python evaluate.py --suite=viewers --out=DIR --answers=A,B     how often they have named a winged horse

--suite=all leaves out search and viewers, which need pictures that were kept. The same seed gives the same
figures. Frechet and kernel distances use the features of this project's own classifier unless --features says
otherwise, and do not compare with published ones. The suites are listed in evaluation/suites/__init__.py.
"""

import os
import sys

from absl import flags

import evaluation.flags
from common import cli
from common.backend import memory
from common.errors import InputError
from common.files import make_folder
from evaluation import several, suites
from evaluation.inputs import EvaluationConfig, Inputs, Release, count_images
from evaluation.report import report
from evaluation.viewers import tally
from pictures.folders import source_name
from pictures.parent_classes import choose_classes

evaluation.flags.define()
FLAGS = flags.FLAGS
SUITES_OF_FLAGS = {"pictures": ("search", "viewers"), "answers": ("viewers",), "earlier_answers": ("viewers",)}


def main():
    if FLAGS.answers and FLAGS.suite == "viewers" and len(FLAGS.source) == 1:
        tally_answers()
        return
    several.check_sources(FLAGS.source)
    releases = [Release.read(source) for source in FLAGS.source]
    several.check_models(releases)
    chosen, left_out = zip(*map(choose_suites, releases), strict=True)
    if len(releases) > 1:
        several.check_suites(chosen)
    inputs = [read_inputs(*pair) for pair in zip(releases, chosen, strict=True)]
    out = make_folder(out_folder())
    facts = several.merge_facts([pair[0].list_facts(pair[1]) for pair in zip(inputs, chosen, strict=True)])
    notes = *left_out[0], describe_plan(chosen[0], len(releases)), report.describe_replaced(out, facts)
    print(*filter(None, notes), sep="\n", file=sys.stderr)

    memory.keep_freed_memory()
    cli.import_tensorflow()
    sections = several.measure(inputs, chosen)
    paths = report.write(out, sections, facts)
    print(report.terminal_table(several.choose_shown(sections)), *paths, sep="\n")


def choose_suites(release):
    """Chooses the suites for a Release; see `evaluation.suites.choose_suites`."""
    facts = release.kind, release.data_source, release.class_names
    counts = count_images(release, FLAGS.image_folder)
    return suites.choose_suites(FLAGS.suite, release.source, *facts, counts, choose_pair(release))


def choose_pair(release):
    """Chooses the names of the classes to blend for a Release."""
    return choose_classes(release.class_names, release.config["data"], FLAGS.first, FLAGS.second)


def read_inputs(release, chosen):
    """Reads the inputs of the chosen suites for a Release; InputError if something is missing or does not fit."""
    config = read_config([suite.name for suite in chosen], release)
    classifiers = {
        name: Release.read_bundled_classifier(name)
        for name in dict.fromkeys(name for suite in chosen for name in suite.classifiers)
    }
    inputs = Inputs(release, classifiers, config)
    inputs.check(any(suite.uses_pair for suite in chosen), any(suite.needs_images for suite in chosen))
    return inputs


def tally_answers():
    """Prints and writes a tally of viewers' answers; needs neither the model nor the data."""
    out = out_folder()
    sections, facts = tally.tally_files(out, FLAGS.answers, FLAGS.earlier_answers)
    paths = report.write(out, sections, facts)
    print(report.terminal_table(sections[:-1]), *paths, sep="\n")  # the last section has every answer


def describe_plan(chosen, count):
    """Says which suites run, and about how long they take for a number of models."""
    each = ", ".join(f"{suite.name} (about {suite.minutes:g} min)" for suite in chosen)
    each += f" of each of {count} models" if count > 1 else ""
    minutes = count * sum(suite.minutes for suite in chosen)
    total = f"; about {minutes:g} minutes in all" if len(chosen) > 1 or count > 1 else ""
    return f"measuring: {each}{total}; times are of two idle CPU cores, 1,000 samples and CIFAR-10"


def out_folder():
    """Returns the folder to write to: a suite that is named has one of its own."""
    first, *others = FLAGS.source
    name = f"{source_name(first)}-and-{len(others)}-more" if others else source_name(first)
    return FLAGS.out or os.path.join("out", "evaluate", f"{name}-{FLAGS.suite}" if FLAGS.suite else name)


def read_config(suite_names, release):
    """Reads the EvaluationConfig from the flags for a Release.

    Raises:
        InputError: for flags that no suite of `suite_names` uses.
    """
    for name, users in SUITES_OF_FLAGS.items():
        if FLAGS[name].value != FLAGS[name].default and not {*users} & {*suite_names}:
            raise InputError(f"--{name} can only be used with {' or '.join(f'--suite={user}' for user in users)}.")
    if FLAGS.earlier_answers:
        raise InputError("--earlier_answers can only be used with --answers.")
    if FLAGS.pictures and not os.path.exists(FLAGS.pictures):
        raise InputError(
            f"--pictures must be a manifest.json or a folder. Received: {FLAGS.pictures}, no such path"
        )
    first, second = choose_pair(release)
    return EvaluationConfig(
        first=first,
        second=second,
        samples=FLAGS.samples,
        features=FLAGS.features,
        seed=FLAGS.seed,
        data_dir=FLAGS.data_dir,
        image_folder=FLAGS.image_folder,
        pictures=FLAGS.pictures,
        out=out_folder(),
    )


if __name__ == "__main__":
    cli.run(main, sections=evaluation.flags.SECTIONS)
