"""Measures a bundled model or a run: numbers with 95% intervals, metrics.json and report.html.

    python evaluate.py                                             the bundled ACAI's blends of horses and birds
    python evaluate.py --source=runs/pegasus --samples=2000        those of a training of your own
    python evaluate.py --source=runs/lines                         the paper's figures for lines; needs no data set
    python evaluate.py --source=classifier                         the judge itself: accuracy and calibration

Same seed, same numbers. Frechet and kernel distances are of the features of this project's own classifier unless
--features says otherwise: they do not compare with published ones.
"""

import os

from absl import flags

from common import command, data, memory, release
from common.command import InputError
from evaluation import features, report

SUITES = ("blend", "lines", "judge")
JUDGES = ("referee", "classifier")  # the one that counts first
flags.DEFINE_string("source", "acai", "a bundled model's name, a run directory or a release folder")
flags.DEFINE_enum("suite", None, [*SUITES, "all"], "what to measure; default: what suits the model")
flags.DEFINE_integer("samples", 1000, "pictures of each kind", lower_bound=100, upper_bound=20_000)
flags.DEFINE_string("first", "horse", "class of the first parent")
flags.DEFINE_string("second", "bird", "class of the second parent")
flags.DEFINE_string("features", "classifier", "classifier, inception or a .keras file")
flags.DEFINE_integer("seed", 0, "of the pairs and the intervals", lower_bound=0)
flags.DEFINE_string("data_dir", None, "where tensorflow-datasets keeps CIFAR-10; else TFDS_DATA_DIR")
flags.DEFINE_string("out", None, "the folder to write to; default: out/evaluate/ and the source's name")
FLAGS = flags.FLAGS


def main():
    folder = release.resolve(FLAGS.source)
    config, weights, _, digest = release.read(folder, release.family(folder))
    suite = suite_of(config)
    facts = {"source": FLAGS.source, "weights": digest, "seed": FLAGS.seed, "suite": suite}
    judges = {}
    if suite == "blend":
        features.check(FLAGS.features)
    if suite != "lines":
        data.check_cifar10(FLAGS.data_dir)
    if suite == "blend":
        bundled = [name for name in JUDGES if os.path.isdir(release.BUNDLED / name)]
        judges = {name: release.read(release.BUNDLED / name, "classifier") for name in bundled}
        facts |= {"samples": FLAGS.samples, "features": FLAGS.features}
        facts |= {name: digest for name, (*_, digest) in judges.items()}
    out = FLAGS.out or os.path.join("out", "evaluate", os.path.basename(os.path.normpath(FLAGS.source)))
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: a folder to write to is required. Received: {out} ({error.strerror})") from error

    memory.keep_freed_memory()
    command.import_tensorflow()
    section = {"blend": blend, "lines": lines, "judge": judge}[suite](config, weights, judges)
    print(report.terminal_table([section]))
    print(*report.write(out, [section], facts), sep="\n")


def suite_of(config):
    """The suite that --suite names, or else the one that suits the model; InputError where none does."""
    suits = "judge" if config.get("family") == "classifier" else "blend"
    if config["data"]["source"] == "lines":
        suits = "lines"
    if FLAGS.suite not in (None, "all", suits):
        raise InputError(f"--suite={suits} is required for {FLAGS.source}. Received: --suite={FLAGS.suite}")
    return suits


def lines(config, weights, _):
    from acai.released import ReleasedACAI
    from evaluation import lines

    return lines.evaluate(ReleasedACAI(config["model"], weights, FLAGS.source), seed=FLAGS.seed)


def judge(config, weights, _):
    from evaluation import judge
    from judge.released import Judge

    names = tuple(config["model"]["class_names"])
    holdout, test = (data.load_cifar10(FLAGS.data_dir, split, names) for split in ("holdout", "test"))
    return judge.evaluate(Judge(config["model"], weights, FLAGS.source), holdout, test, FLAGS.seed)


def blend(config, weights, judges):
    from acai.released import ReleasedACAI
    from evaluation import blend
    from judge.released import Judge

    names = tuple(config["data"]["classes"])
    train, holdout = (data.load_cifar10(FLAGS.data_dir, split, names) for split in ("train", "holdout"))
    return blend.evaluate(
        ReleasedACAI(config["model"], weights, FLAGS.source),
        {name: Judge(parts[0]["model"], parts[1], name) for name, parts in judges.items()},
        features.extractor(FLAGS.features),
        train,
        holdout,
        FLAGS.first,
        FLAGS.second,
        FLAGS.samples,
        FLAGS.seed,
        os.path.join("out", "features"),
    )


if __name__ == "__main__":
    command.run(main)
