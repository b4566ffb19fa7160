"""The flags of generate.py, by section."""

from absl import flags

from common import cli
from common.images import RESAMPLING
from pegasus.general import masks
from pictures.request import DEFAULT_STRIPS, Blend, Sample
from pictures.request_checks import LAYOUTS, PATHS

ACTIONS = {
    "blend": "pictures between two classes; of the bundled model and without other flags: the 64 winged horses",
    "explore": "ACAI: explore.html, a page on which you place wings on a horse or mix two images",
    "interpolate": "strips or diagrams between images of both classes, or between a GAN's noises",
    "reconstruct": "ACAI: real images of both classes, encoded and decoded",
    "sample": "pictures of random latents or noise",
    "diagram": "architecture.png, a drawing of layers, shapes, parameters and losses",
}
SECTIONS = {  # of --help
    "What to make, one of these": (*ACTIONS, "from_manifest"),
    "Model and parents": ("source", "first", "second"),
    "Pictures of your own": (
        "first_image",
        "second_image",
        "first_placement",
        "second_placement",
        "second_mask",
    ),
    "How they are blended": ("mix", "path", "mask", "strip", "layout", "bandwidth"),
    "Search, with --blend, or --sample of a GAN": ("candidates", "keep", "data_dir", "bundle"),
    "Output": ("out", "count", "seed", "scale", "resample"),
    "Latents": ("save_latents", "latents"),
}


def define():
    """Defines all flags of SECTIONS."""
    for name, text in ACTIONS.items():
        flags.DEFINE_bool(name, False, text)
    _define_path("from_manifest", "a manifest.json, whose pictures are made again")

    flags.DEFINE(
        cli.PathParser(), "source", Blend.source, "a bundled model's name, a run directory or a release folder"
    )
    first = "class of the first parent; default: the model's, else horse; of a GAN's samples each class in turn"
    flags.DEFINE_string("first", None, first)
    flags.DEFINE_string("second", None, "class of the second parent; default: the model's, else bird")

    _define_path("first_image", "a picture file as the first parent")
    _define_path("second_image", "a picture file as the second parent")
    placement = (
        "where it is placed: scale=0.8,down=4,right=-2,rotation=15,mirror=true or some of these (negative: up)"
    )
    flags.DEFINE_string("first_placement", None, placement)
    flags.DEFINE_string("second_placement", None, placement)
    _define_path("second_mask", "a picture file, white where --second_image covers --first_image")

    flags.DEFINE_float("mix", Blend.mix, "share of the second parent", lower_bound=0, upper_bound=1)
    flags.DEFINE_enum("path", Blend.path, PATHS, "between latents; pixel: cross-fade of the reconstructions")
    kinds = "where the second parent weighs more; a search with it needs no labels"
    flags.DEFINE_enum("mask", None, masks.KINDS, kinds)
    flags.DEFINE_integer("strip", 0, "pictures on the path of each pair, both parents included; 0: no strips")
    layouts = "of --interpolate; j: three corners, the fourth by analogy; mine: an image's nearest neighbours"
    flags.DEFINE_enum("layout", "strip", LAYOUTS, layouts)
    bandwidth = "of --sample, in standard deviations of the latents"
    flags.DEFINE_float("bandwidth", Sample.bandwidth, bandwidth, lower_bound=0, upper_bound=1000)

    drawn = "number of blends that a search draws and scores, or of a GAN's samples; 0: no search"
    flags.DEFINE_integer("candidates", 0, drawn, lower_bound=0)
    flags.DEFINE_integer("keep", 64, "number of candidates to keep", lower_bound=1)
    _define_path("data_dir", "folder with CIFAR-10, whose images are placed; default: TFDS_DATA_DIR")
    flags.DEFINE_bool("bundle", False, "a bare --blend of the source shows the results from now on")

    _define_path("out", "the folder to write to; default: out/ and the action, with the source or the pictures")
    count = f"number of pictures; default: 64, or {DEFAULT_STRIPS} for --interpolate and 4 diagrams"
    flags.DEFINE_integer("count", None, count, lower_bound=1)
    flags.DEFINE_integer("seed", 0, "picture k depends on the seed and k, not on --count", lower_bound=0)
    flags.DEFINE_integer("scale", Blend.scale, "factor of enlargement", lower_bound=1, upper_bound=32)
    flags.DEFINE_enum("resample", Blend.resample, RESAMPLING, "how pictures are enlarged; nearest: squares")

    saved = "an .npz file to which the latents of the pictures, or a GAN's noise, are written, float32"
    _define_path("save_latents", saved)
    _define_path("latents", "with --sample: such a file, whose latents are decoded instead of random ones")


def _define_path(name, text):
    flags.DEFINE(cli.PathParser(), name, None, text)
