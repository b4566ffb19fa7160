"""Makes pictures with a bundled model or a run directory; no data set is needed.

    python generate.py --blend                                    the bundled ACAI's 64 best horse-birds
    python generate.py --blend --seed=1                           64 of random pairs
    python generate.py --blend --candidates=20000 --keep=64       the best of many, searched for anew
    python generate.py --blend --flagfile=configs/winged.flags    light horses with light wings, the bundled search
    python generate.py --blend --source=runs/pegasus --mix=0.6    from a training of your own
    python generate.py --blend --strip=9 --path=lerp              and every step between the parents
    python generate.py --blend --first_image=a.png --second_image=b.png
    python generate.py --reconstruct | --interpolate | --sample
    python generate.py --interpolate --layout=j                   three corners, the fourth by analogy
    python generate.py --sample --source=runs/dcgan --count=64    from a GAN; one seed, the same pictures
    python generate.py --blend --source=runs/cgan                 horses that a conditional GAN turns into birds
    python generate.py --from_manifest=out/blend/manifest.json    the same pictures again
    python generate.py --explore                                  a page of HTML to mix any two codes in
    python generate.py --diagram                                  the networks and their losses, drawn

Writes grid.png, each picture as a PNG of its own, parents.png, strips, diagrams and manifest.json into --out,
in place of the pictures that the manifest.json there lists.
"""

import contextlib
import importlib
import json
import os
import tempfile
from pathlib import Path

from absl import flags

import configs.search
from common import cli, release
from common.data import datasets
from common.errors import InputError
from common.files import write_atomically
from pegasus.manifest import attach
from pictures import gallery

FAMILIES = ("acai", "gan")  # each has `recipes`, with ACTIONS, load and render
ACTIONS = {
    "blend": "a picture at --mix between two classes",
    "reconstruct": "real images of both classes, encoded and decoded (ACAI)",
    "interpolate": "strips or diagrams of pictures between any of both classes, or between noises",
    "sample": "codes from a Gaussian kernel density over the bank, decoded, or a GAN's noise",
    "explore": "explore.html: pick two parents, drag the mix, see the blend (ACAI)",
    "diagram": "architecture.png: layers, shapes, parameters and where each loss acts (ACAI)",
}
SHOWS = {  # what is made without a manifest, and why only of an ACAI
    "explore": "which has codes of real images to pick parents from",
    "diagram": "of whose networks and losses the drawing is",
}
for _name, _text in ACTIONS.items():
    flags.DEFINE_bool(_name, False, _text)
flags.DEFINE_string("source", "pegasus", "a bundled model's name, a run directory or a release folder")
flags.DEFINE_string("first", None, "class of the first parent; default: horse, or of a GAN's --sample all in turn")
flags.DEFINE_string("second", None, "class of the second parent; default: bird")
flags.DEFINE_integer("count", 64, "how many pictures, or strips; default of diagrams: 4", lower_bound=1)
flags.DEFINE_float("mix", 0.5, "share of the second parent", lower_bound=0, upper_bound=1)
flags.DEFINE_integer("strip", 0, "pictures on the path of each pair, both parents included; 0: no strips")
flags.DEFINE_enum("path", "slerp", gallery.PATHS, "of codes; pixel: cross-fade of the two reconstructions")
flags.DEFINE_enum(
    "layout",
    "strip",
    gallery.LAYOUTS,
    "of --interpolate; j: three corners, the fourth by analogy; mine: a code's nearest neighbours, spread out",
)
flags.DEFINE_float(
    "bandwidth", 0.3, "of --sample, in standard deviations of the codes", lower_bound=0, upper_bound=1000
)
flags.DEFINE_integer("seed", 0, "picture k is a function of the seed and k, not of --count", lower_bound=0)
flags.DEFINE_string("first_image", None, "a picture of your own as the first parent")
flags.DEFINE_string("second_image", None, "and one as the second")
configs.search.define(candidates=0, refine=0, lowest_candidates=0)
flags.DEFINE_integer("keep", 64, "how many of the candidates stay", lower_bound=1)
flags.DEFINE_bool("bundle", False, "of a search: what it finds becomes what a bare --blend of the source shows")
flags.DEFINE_string(
    "data_dir",
    None,
    "of a search: where CIFAR-10 may be prepared, whose training images the kept are to be like as a whole (else: "
    "their reconstructions) and the nearest of which are shown; default: TFDS_DATA_DIR, else its own",
)
flags.DEFINE_string("out", None, "the folder to write to; default: out/ and the action")
flags.DEFINE_integer("scale", 4, "nearest-neighbour enlargement", lower_bound=1, upper_bound=32)
flags.DEFINE_string("from_manifest", None, "a manifest.json, whose pictures are made again")
FLAGS = flags.FLAGS
OPTIONAL = "first second mix strip path layout bandwidth first_image second_image".split()  # not of every action
OPTIONAL += [name for name in configs.search.NAMES if name not in configs.search.TERM_WEIGHTS]
DRAWING = "count seed scale".split()  # of every action but those that SHOWS
RECIPE_FLAGS = [*OPTIONAL, *"source count seed scale keep".split(), *configs.search.TERM_WEIGHTS]
MOVABLE = "source first_image second_image scale out".split()  # may be given beside --from_manifest
DRAWN = "weights_digest codes_digest first_image_digest second_image_digest rows blends refined_digest".split()
LATER = {"layout", "keep", *configs.search.NAMES}  # what manifests of older versions lack
SHOWING = {"source", "strip", "scale", "out"}  # flags beside which a bare --blend shows what was searched for
WINNERS = "pegasus.json"  # in a release's folder
DIAGRAMS = 4  # how many, where --count is not given


def main():
    manifest = winners() or FLAGS.from_manifest
    drawn = read_manifest(manifest) if manifest is not None else {}
    recipe = recipe_of_flags() | drawn
    folder = release.resolve(recipe["source"])
    recipes = recipes_of(folder, recipe)
    source = recipes.load(folder, recipe)
    if "blends" in drawn:
        source = attach(source, recipe, manifest)
    scoring = jury_of(recipe, source) if recipe["candidates"] and "blends" not in recipe else None
    out = FLAGS.out or os.path.join("out", recipe["action"])
    try:
        os.makedirs(out, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise InputError(f"--out: a folder to write to is required. Received: {out} ({error.strerror})") from error

    cli.import_tensorflow()
    if recipe["action"] in SHOWS:
        print(show(recipe, source, out))
        return
    searched = scoring() if scoring else {}
    rendered, entries = recipes.render(recipe, source, **searched)
    try:
        paths = gallery.write(out, recipe, rendered, entries)
    except OSError as error:
        raise InputError(f"--out: room for the pictures is required. Received: {out} ({error})") from error
    if FLAGS.bundle:
        paths += bundle(paths[-1], folder)
    print(*paths, sep="\n")


def winners():
    """The path of what a search has found for the source, where a bare --blend asks for it; else None."""
    names = (*RECIPE_FLAGS, *ACTIONS, "out", "from_manifest", "bundle", "data_dir")
    given = {name for name in names if FLAGS[name].present}
    if not FLAGS.blend or given - SHOWING - {"blend"}:
        return None
    with contextlib.suppress(InputError):
        path = release.resolve(FLAGS.source) / WINNERS
        return path if path.is_file() else None


def bundle(manifest, folder):
    """Copies a manifest, and the refined codes beside it, to a release's folder; returns the paths."""
    paths = []
    for name in (Path(manifest).with_suffix(".npz"), Path(manifest)):
        if name.is_file():
            paths.append(folder / Path(WINNERS).with_suffix(name.suffix))
            write_atomically(paths[-1], name.read_bytes())
    return paths


def show(recipe, source, out):
    """Writes the page or the drawing of an ACAI; returns its path."""
    if recipe["action"] == "diagram":
        from pictures import architecture

        return architecture.write(os.path.join(out, "architecture.png"), source.sizes, recipe["source"])
    from classifiers import inference
    from pegasus import explore

    judge, sizes = None, release.read(release.BUNDLED / "classifier", "classifier")[0]["model"]
    classes = {recipe["first"], recipe["second"]}
    fit = all(sizes[name] == source.sizes[name] for name in ("width", "colours"))
    if fit and classes <= set(sizes["class_names"]) and len(classes) == 2:
        judge = inference.bundled_classifier("classifier")
    return explore.write(os.path.join(out, "explore.html"), recipe, source, judge)


def jury_of(recipe, source):
    """A function that gives what a search scores with, see pictures.acai_recipes.render; all checks are made
    before.

    Wider pictures than the judges' are none of CIFAR-10: no training image is looked for.
    """
    judged = release.read(release.BUNDLED / "classifier", "classifier")[0]["model"]  # all see such pictures
    classes = (recipe["first"], recipe["second"])
    unknown = set(classes) - set(judged["class_names"])
    if unknown or classes[0] == classes[1]:
        raise InputError(
            f"--candidates: two different classes that the classifier knows are required. Received: {classes}"
        )
    configs.search.search_config(recipe, keep=recipe["count"]).check_classes(judged["class_names"])
    own = source.sizes["width"]
    if own % judged["width"] or source.sizes["colours"] != judged["colours"]:
        raise InputError(
            f"--candidates: a model of colour pictures {judged['width']} pixels wide, or a whole number of times "
            f"that, is required. Received: {source.folder} with {own} pixels, {source.sizes['colours']} channels"
        )
    try:
        datasets.check_cifar10(FLAGS.data_dir, download=False)
        prepared = own == judged["width"]
    except InputError:
        if FLAGS.data_dir is not None:
            raise
        prepared = False

    def scoring():
        from classifiers import inference

        training = datasets.load_cifar10(FLAGS.data_dir, "train", classes, download=False) if prepared else None
        return {"judge": inference.search_ensemble(), "training": training}

    return scoring


def recipe_of_flags():
    """The flags as plain data; InputError where they do not go together."""
    for name in (*RECIPE_FLAGS, "out", "from_manifest"):
        value = FLAGS[name].value
        if str(value).startswith("--"):
            raise InputError(f"--{name} is required as --{name}=VALUE. Received: --{name} followed by {value}")
        if isinstance(value, float) and not abs(value) < float("inf"):
            raise InputError(f"--{name} is required to be a finite number. Received: {value}")
    actions = [name for name in ACTIONS if FLAGS[name].value]
    if len(actions) != 1:
        wanted = ", ".join(f"--{name}" for name in ACTIONS)
        received = " and ".join(f"--{name}" for name in actions) or "none"
        raise InputError(f"Exactly one of {wanted} or --from_manifest is required. Received: {received}")
    recipe = {"action": actions[0], **{name: FLAGS[name].value for name in RECIPE_FLAGS}}
    if recipe["strip"] < 0 or recipe["strip"] == 1:
        raise InputError(f"--strip is required to be 0 or at least 2. Received: {recipe['strip']}")
    own = [name for name in ("first_image", "second_image") if recipe[name] is not None]
    if len(own) == 1:
        raise InputError(f"--first_image and --second_image are required together. Received: only --{own[0]}")
    if recipe["action"] == "interpolate":
        recipe["strip"] = recipe["strip"] or 9
    recipe["count"] = 1 if own else recipe["count"]
    recipe["weights"] = {term: recipe[name] for name, term in configs.search.TERM_WEIGHTS.items()}
    if recipe["candidates"]:
        if FLAGS["count"].present and recipe["count"] != recipe["keep"]:
            raise InputError(f"--keep is required with --candidates, not --count. Received: --count={FLAGS.count}")
        recipe["count"] = recipe["keep"]
    else:
        searching = {"keep", "bundle", "data_dir", *configs.search.NAMES} - {"mask"}  # which is of any --blend
        idle = sorted(name for name in searching if FLAGS[name].value != FLAGS[name].default)
        if idle:
            raise InputError(f"--{idle[0]} is required with --candidates. Received: --{idle[0]} alone")
    if recipe["layout"] != "strip" and not FLAGS["count"].present and FLAGS.from_manifest is None:
        recipe["count"] = DIAGRAMS
    each = max(1, recipe["strip"]) ** (1 if recipe["layout"] == "strip" else 2)
    count, limit = recipe["count"] * each, 2**17 // max(4, recipe["scale"]) ** 2
    if count > limit:
        raise InputError(
            f"At most {limit} pictures (--count times --strip) fit at this --scale. Received: {count}"
        )
    return recipe


def recipes_of(folder, recipe):
    """The recipes module of a release's family; InputError where it lacks the action or the action a flag."""
    family, action = release.family(folder), recipe["action"]
    if action in SHOWS and family != "acai":
        raise InputError(f"--{action}: an ACAI, {SHOWS[action]}, is required. Received: {folder}, of {family}")
    if family not in FAMILIES:
        raise InputError(
            f"A model of the family {' or '.join(FAMILIES)} is required. Received: {folder}, of {family}"
        )
    recipes = importlib.import_module(f"pictures.{family}_recipes")
    if action not in recipes.ACTIONS:
        wanted = " or ".join(f"--{name}" for name in recipes.ACTIONS)
        raise InputError(f"Of a model of the family {family} {wanted} is required. Received: --{action}")
    taken = {*recipes.ACTIONS[action].split(), *(() if action in SHOWS else DRAWING)}
    for name in [name for name in RECIPE_FLAGS if name in {*OPTIONAL, *DRAWING} - taken]:
        if recipe[name] != FLAGS[name].default:
            raise InputError(f"--{action} is required without --{name}. Received: --{name}={recipe[name]}")
    return recipes


def read_manifest(path):
    """Sets the flags to those of a manifest, so that both pass the same checks; returns what it had drawn."""
    named = {*ACTIONS, *RECIPE_FLAGS, "bundle", "data_dir"} - {*MOVABLE}
    beside = sorted(name for name in named if FLAGS[name].present)
    if beside and FLAGS.from_manifest is not None:
        movable = ", ".join(f"--{name}" for name in MOVABLE)
        raise InputError(f"Beside --from_manifest only {movable} are required. Received: --{beside[0]}")
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would keep us waiting
            raise ValueError("not a file")
        with open(path, encoding="utf-8") as file:
            recipe = json.load(file)["recipe"]
        for name in set(RECIPE_FLAGS) - {"source"} if FLAGS.from_manifest is None else RECIPE_FLAGS:
            value = recipe.get(name, FLAGS[name].default) if name in LATER else recipe[name]
            if not FLAGS[name].present and value != FLAGS[name].default:
                FLAGS[name].parse(value)
        if recipe["action"] not in ACTIONS:
            raise ValueError(f"the action {recipe['action']}")
        FLAGS[recipe["action"]].parse(True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, flags.Error) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"--from_manifest: a manifest.json is required. Received: {path} ({reason})") from error
    return {name: recipe[name] for name in DRAWN if name in recipe}


if __name__ == "__main__":
    cli.run(main)
