"""Makes pictures with a bundled model or a run directory; no data set is needed.

    python generate.py --blend                                    64 horse-birds from the bundled ACAI
    python generate.py --blend --source=runs/pegasus --mix=0.6    from a training of your own
    python generate.py --blend --strip=9 --path=lerp              and every step between the parents
    python generate.py --blend --first_image=a.png --second_image=b.png
    python generate.py --reconstruct | --interpolate | --sample
    python generate.py --from_manifest=out/blend/manifest.json    the same pictures again

Writes grid.png, each picture as a PNG of its own, parents.png, strips and manifest.json into --out, in place of
the pictures that the manifest.json there lists.
"""

import json
import os
import tempfile

import numpy as np
from absl import flags

from acai import recipes
from acai.bank import LatentBank
from common import checkpoints, command, images, release
from common.command import InputError

ACTIONS = {  # what each does, and the flags that only some take
    "blend": ("a picture at --mix between two classes", "mix strip path first_image second_image"),
    "reconstruct": ("real images of both classes, encoded and decoded", ""),
    "interpolate": ("strips of pictures between any two of both classes", "strip path"),
    "sample": ("codes from a Gaussian kernel density over the bank, decoded", "bandwidth"),
}
for _name, (_text, _) in ACTIONS.items():
    flags.DEFINE_bool(_name, False, _text)
flags.DEFINE_string("source", "acai", "a bundled model's name, a run directory or a release folder")
flags.DEFINE_string("first", "horse", "class of the first parent")
flags.DEFINE_string("second", "bird", "class of the second parent")
flags.DEFINE_integer("count", 64, "how many pictures, or strips", lower_bound=1)
flags.DEFINE_float("mix", 0.5, "share of the second parent", lower_bound=0, upper_bound=1)
flags.DEFINE_integer("strip", 0, "pictures on the path of each pair, both parents included; 0: no strips")
flags.DEFINE_enum("path", "slerp", recipes.PATHS, "of codes; pixel: cross-fade of the two reconstructions")
flags.DEFINE_float("bandwidth", 0.3, "of --sample, in standard deviations of the codes", lower_bound=0)
flags.DEFINE_integer("seed", 0, "picture k is a function of the seed and k, not of --count", lower_bound=0)
flags.DEFINE_string("first_image", None, "a picture of your own as the first parent")
flags.DEFINE_string("second_image", None, "and one as the second")
flags.DEFINE_string("out", None, "the folder to write to; default: out/ and the action")
flags.DEFINE_integer("scale", 4, "nearest-neighbour enlargement", lower_bound=1, upper_bound=32)
flags.DEFINE_string("from_manifest", None, "a manifest.json, whose pictures are made again")
FLAGS = flags.FLAGS
RECIPE_FLAGS = "source first second count mix strip path bandwidth seed first_image second_image scale".split()
MOVABLE = "source first_image second_image scale out".split()  # may be given beside --from_manifest
DRAWN = "weights_digest codes_digest first_image_digest second_image_digest rows".split()


def main():
    drawn = read_manifest(FLAGS.from_manifest) if FLAGS.from_manifest is not None else {}
    recipe = recipe_of_flags() | drawn
    folder, sizes, weights, bank, digests = load(recipe["source"])
    for name, digest in digests.items():
        pin(recipe, name, digest, f"--source={folder}")
    own = [read_own(recipe, name, sizes) for name in ("first_image", "second_image") if recipe[name]]
    recipes.draw(recipe, bank)
    out = FLAGS.out or os.path.join("out", recipe["action"])
    try:
        os.makedirs(out, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise InputError(f"--out: a folder to write to is required. Received: {out} ({error.strerror})") from error

    command.import_tensorflow()
    from acai.released import ReleasedACAI

    try:
        model = ReleasedACAI(sizes, weights, str(folder))
    except (TypeError, ValueError) as error:  # sizes that do not make networks, or not those of the weights
        raise InputError(str(error)) from error
    codes = [model.encode(images.to_float(picture[None])) for picture in own] or recipes.parents(recipe, bank)
    rendered = recipes.render(recipe, model, *codes)
    scores = recipes.in_batches(model.predict_mix, rendered["pictures"]) if "pictures" in rendered else []
    try:
        paths = recipes.write(out, recipe, bank, rendered, scores)
    except OSError as error:
        raise InputError(f"--out: room for the pictures is required. Received: {out} ({error})") from error
    print(*paths, sep="\n")


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
    optional = {name for _, names in ACTIONS.values() for name in names.split()}
    for name in sorted(optional - set(ACTIONS[actions[0]][1].split())):
        if recipe[name] != FLAGS[name].default:
            raise InputError(f"--{actions[0]} is required without --{name}. Received: --{name}={recipe[name]}")
    if recipe["strip"] < 0 or recipe["strip"] == 1:
        raise InputError(f"--strip is required to be 0 or at least 2. Received: {recipe['strip']}")
    own = [name for name in ("first_image", "second_image") if recipe[name] is not None]
    if len(own) == 1:
        raise InputError(f"--first_image and --second_image are required together. Received: only --{own[0]}")
    if recipe["action"] == "interpolate":
        recipe["strip"] = recipe["strip"] or 9
    recipe["count"] = 1 if own else recipe["count"]
    count, limit = recipe["count"] * max(1, recipe["strip"]), 2**17 // max(4, recipe["scale"]) ** 2
    if count > limit:
        raise InputError(
            f"At most {limit} pictures (--count times --strip) fit at this --scale. Received: {count}"
        )
    return recipe


def read_manifest(path):
    """Sets the flags to those of a manifest, so that both pass the same checks; returns what it had drawn."""
    beside = [name for name in (*ACTIONS, *RECIPE_FLAGS) if FLAGS[name].present and name not in MOVABLE]
    if beside:
        movable = ", ".join(f"--{name}" for name in MOVABLE)
        raise InputError(f"Beside --from_manifest only {movable} are required. Received: --{beside[0]}")
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would keep us waiting
            raise ValueError("not a file")
        with open(path, encoding="utf-8") as file:
            recipe = json.load(file)["recipe"]
        for name in RECIPE_FLAGS:
            if not FLAGS[name].present and recipe[name] != FLAGS[name].default:
                FLAGS[name].parse(recipe[name])
        if recipe["action"] not in ACTIONS:
            raise ValueError(f"the action {recipe['action']}")
        FLAGS[recipe["action"]].parse(True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, flags.Error) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"--from_manifest: a manifest.json is required. Received: {path} ({reason})") from error
    return {name: recipe[name] for name in DRAWN if name in recipe}


def load(source):
    """A whole release: (folder, sizes of the model, weights, LatentBank, {name: digest})."""
    folder = release.resolve(source)
    config, weights, arrays, digest = release.read(folder)
    try:
        sizes, bank = config["model"], LatentBank.from_arrays(arrays)
        code = tuple(sizes[name] for name in ("latent_width", "latent_width", "latent_channels"))
        fit = [sizes[name] in range(1, 4097) for name in ("width", "colours", "depth")]
        fit += [bank.latents.shape[1:] == code, len(bank) == len(bank.labels) == len(bank.ids) == len(bank.splits)]
        fit += [np.isfinite(array).all() for array in (bank.latents, *weights.values())]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"A whole release of an ACAI is required. Received: {folder} ({error!r})") from error
    if not all(fit):
        raise InputError(f"A release of parts that fit is required. Received: {folder}; fetch or train it again.")
    codes_digest = checkpoints.digest(bank.latents.tobytes() + bank.labels.tobytes())
    return folder, sizes, weights, bank, {"weights_digest": digest, "codes_digest": codes_digest}


def read_own(recipe, name, sizes):
    """The user's own picture as uint8 [width, width, colours]; its digest goes into the recipe."""
    picture = images.read_picture(recipe[name], sizes["width"], sizes["colours"])
    pin(recipe, f"{name}_digest", checkpoints.digest(picture.tobytes()), recipe[name])
    return picture


def pin(recipe, name, digest, received):
    """Notes what a recipe's pictures are made of; InputError when its manifest noted something else."""
    if recipe.setdefault(name, digest) != digest:
        what = name.removesuffix("_digest").replace("_", " ")
        raise InputError(
            f"The {what} of the manifest ({recipe[name]}) required. Received: {received} with {digest}"
        )


if __name__ == "__main__":
    command.run(main)
