"""Makes pictures with a bundled model or a run directory; needs no data set.

    python generate.py --blend                                    the 64 bundled winged horses
    python generate.py --blend --seed=1                           64 blends of random pairs
    python generate.py --blend --candidates=20000                 the best of many winged horses, by a new search
    python generate.py --blend --candidates=20000 --mask=top      the same for any two classes
    python generate.py --blend --source=runs/pegasus --mix=0.6    from a model that you have trained
    python generate.py --blend --strip=9 --path=lerp              with the steps between the parents
    python generate.py --blend --first_image=a.png --second_image=b.png --second_placement=scale=0.7,down=-6
    python generate.py --reconstruct | --interpolate | --sample
    python generate.py --interpolate --layout=j                   three corners, the fourth by analogy
    python generate.py --sample --source=runs/dcgan --count=64    from a GAN
    python generate.py --blend --source=runs/cgan                 horses that a conditional GAN turns into birds
    python generate.py --from_manifest=out/blend/manifest.json    the same pictures again
    python generate.py --explore                                  an HTML page to place wings and mix images in
    python generate.py --diagram                                  a drawing of the networks and their losses

Writes grid.png, each picture as a PNG, parents.png, strips, diagrams and manifest.json into --out, in place of the
pictures that an older manifest.json there lists.
"""

import os

from absl import flags

import configs.search
from common import cli, release
from common.errors import InputError
from common.files import make_folder
from common.images import RESAMPLING
from pictures import acai_plan, acai_render, acai_search, gallery, gan_plan, gan_render, manifest
from pictures.request import Blend, Sample, from_flags, request_class
from pictures.request_checks import CHECKS, LAYOUTS, PATHS

ACTIONS = {
    "blend": "pictures at --mix between two classes",
    "reconstruct": "ACAI: real images of both classes, encoded and decoded",
    "interpolate": "strips or diagrams between images of both classes, or between a GAN's noises",
    "sample": "pictures of random latents or noise",
    "explore": "ACAI: explore.html, a page to place wings on a horse or mix two images",
    "diagram": "ACAI: architecture.png, a drawing of layers, shapes, parameters and losses",
}
for _name, _text in ACTIONS.items():
    flags.DEFINE_bool(_name, False, _text)
flags.DEFINE(
    cli.PathParser(), "source", Blend.source, "a bundled model's name, a run directory or a release folder"
)
flags.DEFINE_string(
    "first", None, "class of the first parent; default: horse, or each class in turn for a GAN's noise"
)
flags.DEFINE_string("second", None, "class of the second parent; default: bird")
flags.DEFINE_integer("count", None, "number of pictures or strips; default: 64, diagrams 4", lower_bound=1)
flags.DEFINE_float("mix", Blend.mix, "share of the second parent", lower_bound=0, upper_bound=1)
flags.DEFINE_integer("strip", 0, "pictures on the path of each pair, both parents included; 0: no strips")
flags.DEFINE_enum("path", Blend.path, PATHS, "between latents; pixel: cross-fade of the reconstructions")
_layouts = "of --interpolate; j: three corners, the fourth by analogy; mine: the nearest neighbours of an image"
flags.DEFINE_enum("layout", "strip", LAYOUTS, _layouts)
_bandwidth = "of --sample, in standard deviations of the latents"
flags.DEFINE_float("bandwidth", Sample.bandwidth, _bandwidth, lower_bound=0, upper_bound=1000)
flags.DEFINE_integer("seed", 0, "picture k depends on the seed and k, not on --count", lower_bound=0)
flags.DEFINE(cli.PathParser(), "first_image", None, "a picture file as the first parent")
flags.DEFINE(cli.PathParser(), "second_image", None, "a picture file as the second parent")
_placement = "scale=0.8,down=4,right=-2,rotation=15,mirror=true or some of these: where {} is placed"
flags.DEFINE_string("first_placement", None, _placement.format("--first_image"))
flags.DEFINE_string("second_placement", None, _placement.format("--second_image"))
flags.DEFINE(
    cli.PathParser(), "second_mask", None, "a picture file, white where --second_image covers --first_image"
)
configs.search.define()
flags.DEFINE_integer("keep", 64, "search: number of candidates to keep", lower_bound=1)
flags.DEFINE_bool("bundle", False, "search: a bare --blend of the source shows the results from now on")
_data_dir = "search: folder with CIFAR-10, whose images are placed; default: TFDS_DATA_DIR"
flags.DEFINE(cli.PathParser(), "data_dir", None, _data_dir)
flags.DEFINE(cli.PathParser(), "out", None, "the folder to write to; default: out/ and the action")
flags.DEFINE_integer("scale", Blend.scale, "factor of enlargement", lower_bound=1, upper_bound=32)
flags.DEFINE_enum("resample", Blend.resample, RESAMPLING, "how pictures are enlarged; nearest: squares")
flags.DEFINE(cli.PathParser(), "from_manifest", None, "a manifest.json, whose pictures are made again")
FLAGS = flags.FLAGS
SEARCH_FLAGS = {"keep", *configs.search.NAMES}
REQUEST_FLAGS = {*CHECKS, *SEARCH_FLAGS} - {"search"}
SHOWING = {"source", "scale", "resample", "out"}
BESIDE_MANIFEST = {*SHOWING, "from_manifest", "first_image", "second_image", "second_mask"}
BESIDE_BUNDLED = {*SHOWING, "blend", "strip"}  # with these alone --blend shows the bundled search
FAMILIES = {"acai": (acai_plan, acai_render), "gan": (gan_plan, gan_render)}


def main():
    action, stored, values = read_flags()
    folder = release.resolve(values.get("source", stored.fields["source"] if stored else FLAGS.source))
    family = release.family(folder)
    kind = request_class(family, action, folder)
    request = manifest.make_request(kind, stored, values) if stored else from_flags(kind, values)
    planning, rendering = FAMILIES[family]
    plan = planning.make_plan(request, folder, stored)
    searches = getattr(request, "search", None) is not None and "blends" not in plan.drawn
    has_images = searches and acai_search.check_search(plan, FLAGS.data_dir)
    out = make_folder(FLAGS.out or os.path.join("out", action))

    cli.import_tensorflow()
    if action == "diagram":
        from training import architecture

        print(architecture.write(os.path.join(out, "architecture.png"), plan.model_config, request.source))
        return
    model = rendering.load_model(plan)
    if action == "explore":
        from pegasus import explore

        parents = plan.bank, (plan.request.first, plan.request.second)
        path = os.path.join(out, "explore.html")
        digest = plan.drawn["weights_digest"]
        print(explore.write(path, model, *parents, request.source, digest, plan.has_labels))
        return
    if searches:
        plan = acai_search.run_search(plan, model, FLAGS.data_dir, has_images)
    paths = gallery.write(out, plan.request, plan.drawn, *rendering.render(plan, model))
    if FLAGS.bundle:
        paths += manifest.copy_to_release(paths[-1], folder)
    print(*paths, sep="\n")


def read_flags():
    """Reads the flags, and the manifest where one is asked for.

    Returns:
        (action, Manifest or None, {field of a request: value} of what the flags set).
    """
    names = {*REQUEST_FLAGS, *ACTIONS, "out", "from_manifest", "bundle", "data_dir"}
    present = {name for name in names if FLAGS[name].present}
    for name in sorted(present):
        if str(FLAGS[name].value).startswith("--"):
            raise InputError(f"--{name} must be given as --{name}=VALUE. Received: --{name} {FLAGS[name].value}")
    if FLAGS.from_manifest is not None:
        if beside := sorted(present - BESIDE_MANIFEST):
            raise InputError(f"--from_manifest cannot be combined with --{beside[0]}.")
        stored = manifest.read(FLAGS.from_manifest)
        return stored.action, stored, {name: FLAGS[name].value for name in present & REQUEST_FLAGS}
    actions = [name for name in ACTIONS if FLAGS[name].value]
    if len(actions) != 1:
        known = ", ".join(f"--{name}" for name in ACTIONS)
        received = " and ".join(f"--{name}" for name in actions) or "none"
        raise InputError(f"Exactly one of {known} or --from_manifest must be given. Received: {received}")
    if FLAGS.blend and present <= BESIDE_BUNDLED and (path := manifest.find_bundled(FLAGS.source)):
        values = {name: FLAGS[name].value for name in present & {"strip", "scale", "resample"}}
        return "blend", manifest.read(path), values | {"source": FLAGS.source}
    values = {name: FLAGS[name].value for name in REQUEST_FLAGS if FLAGS[name].value != FLAGS[name].default}
    if FLAGS.candidates:
        config = release.read_config(release.resolve(FLAGS.source))
        search = configs.search.choose_search(
            config, (FLAGS.first, FLAGS.second), FLAGS.candidates, FLAGS.keep, FLAGS.mask
        )
        values = {name: values[name] for name in values.keys() - SEARCH_FLAGS}
        values = {"count": search.keep} | values | {"search": search}
        return actions[0], None, values
    for name in sorted({*SEARCH_FLAGS, "bundle", "data_dir"} - {"mask"}):
        if FLAGS[name].value != FLAGS[name].default:
            raise InputError(f"--{name} cannot be used without --candidates.")
    return actions[0], None, values


if __name__ == "__main__":
    cli.run(main)
