"""The flags of evaluate.py, by section."""

from absl import flags

from common import cli
from evaluation import suites

SECTIONS = {  # of --help
    "What to measure": ("source", "suite", "pictures"),
    "Pairs and pictures": ("first", "second", "samples", "seed", "features"),
    "Data": ("data_dir", "image_folder"),
    "Answers of viewers": ("answers", "earlier_answers"),
    "Output": ("out",),
}


def define():
    """Defines all flags of SECTIONS."""
    source = "name of a bundled model, run directory or release folder; lines, probe, path: several, with commas"
    flags.DEFINE(cli.PathListParser(), "source", ["pegasus"], source)
    flags.DEFINE_enum("suite", None, suites.NAMES, "what to measure; default: the first suite that fits")
    _define_path(
        "pictures",
        "search, viewers: a manifest.json of generate.py or a folder of pictures; default: the bundled ones",
    )
    flags.DEFINE_string("first", None, "class of the first parent; default: the model's, else horse")
    flags.DEFINE_string("second", None, "class of the second parent; default: the model's, else bird")
    flags.DEFINE_integer("samples", 1000, "number of pictures of each kind", lower_bound=100, upper_bound=20_000)
    flags.DEFINE_integer("seed", 0, "seed of the pairs and the intervals", lower_bound=0, upper_bound=2**32 - 1)
    networks = "feature network: a bundled classifier, a run or release of a classifier, or inception"
    _define_path("features", networks, "classifier")
    _define_path("data_dir", "where tensorflow-datasets keeps CIFAR-10; default: TFDS_DATA_DIR")
    _define_path("image_folder", "folder of a run's own images; default: the one it was trained on")
    flags.DEFINE(cli.PathListParser(), "answers", [], "viewers: files of answers to tally, one a viewer")
    earlier = "viewers: files of earlier rounds; nobody may see a picture again"
    flags.DEFINE(cli.PathListParser(), "earlier_answers", [], earlier)
    _define_path("out", "folder to write to; default: out/evaluate/, the source's name and the suite's")


def _define_path(name, text, default=None):
    flags.DEFINE(cli.PathParser(), name, default, text)
