"""Makes pictures with a bundled model or a run directory; no data set is needed.

    python generate.py --blend                                    64 horse-birds from the bundled ACAI
    python generate.py --blend --source=runs/pegasus --mix=0.6    from a training of your own
    python generate.py --blend --strip=9 --path=lerp              and every step between the parents
    python generate.py --blend --first_image=a.png --second_image=b.png
    python generate.py --reconstruct | --interpolate | --sample
    python generate.py --from_manifest=out/blend/manifest.json    the same pictures again

Writes grid.png, each picture as a PNG of its own, parents.png, strips and manifest.json.
"""

import hashlib
import json
import os

from absl import flags

from acai import recipes
from acai.bank import LatentBank
from common import command, images, release
from common.checkpoints import write_atomically
from common.command import InputError

ACTIONS = {
    "blend": "the way between codes of two classes, decoded at --mix",
    "reconstruct": "codes of real images, decoded",
    "interpolate": "strips of pictures between codes of real images",
    "sample": "codes drawn from a Gaussian kernel density over the bank, decoded",
}
for _name, _text in ACTIONS.items():
    flags.DEFINE_bool(_name, False, _text)
flags.DEFINE_string("source", "acai", "a bundled model's name or a run directory")
flags.DEFINE_string("first", "horse", "class of the first parent")
flags.DEFINE_string("second", "bird", "class of the second parent")
flags.DEFINE_integer("count", 64, "how many pictures, or strips", lower_bound=1, upper_bound=100_000)
flags.DEFINE_float("mix", 0.5, "share of the second parent", lower_bound=0, upper_bound=1)
flags.DEFINE_integer("strip", 0, "pictures on the path of each pair, both ends included; 0: no strips")
flags.DEFINE_enum("path", "slerp", recipes.PATHS, "pixel: cross-fade of the two reconstructions")
flags.DEFINE_float("bandwidth", 0.3, "of --sample, in standard deviations of the codes", lower_bound=0)
flags.DEFINE_integer("seed", 0, "picture k is a function of the seed and k", lower_bound=0)
flags.DEFINE_string("first_image", None, "a picture of your own as the first parent")
flags.DEFINE_string("second_image", None, "and one as the second")
flags.DEFINE_string("out", None, "the folder to write to; default: out/ and the action")
flags.DEFINE_integer("scale", 4, "nearest-neighbour enlargement", lower_bound=1, upper_bound=32)
flags.DEFINE_string("from_manifest", None, "a manifest.json, whose pictures are made again")
FLAGS = flags.FLAGS
RECIPE_FLAGS = "source first second count mix strip path bandwidth seed first_image second_image scale".split()


def main():
    recipe = recipe_of_manifest() if FLAGS.from_manifest else recipe_of_flags()
    folder = release.resolve(recipe["source"])
    config, weights, arrays, digest = release.read(folder)
    if recipe.setdefault("weights_digest", digest) != digest:
        raise InputError(
            f"The weights of the manifest, {recipe['weights_digest']}, are required. "
            f"Received: {folder} with {digest}; name the folder of those weights with --source"
        )
    bank = LatentBank.from_arrays(arrays)
    own = [read_own(recipe, name, config["model"]) for name in ("first_image", "second_image")]
    if not own[0]:
        recipes.draw(recipe, bank)
    out = FLAGS.out or os.path.join("out", recipe["action"])
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out is required to be a folder. Received: {out} ({error.strerror})") from error

    command.import_tensorflow()
    from acai.released import ReleasedACAI

    model = ReleasedACAI(config["model"], weights, str(folder))
    if own[0]:
        first, second = (model.encode(images.to_float(picture[None])) for picture in own)
    else:
        first, second = recipes.parents(recipe, bank)
    for path in write(out, recipe, bank, recipes.render(recipe, model, first, second)):
        print(path)


def recipe_of_flags():
    """The command line as plain data; InputError where flags do not go together."""
    actions = [name for name in ACTIONS if FLAGS[name].value]
    if len(actions) != 1:
        wanted = ", ".join(f"--{name}" for name in ACTIONS)
        raise InputError(f"Exactly one of {wanted} or --from_manifest is required. Received: {len(actions)}")
    recipe = {"action": actions[0], **{name: FLAGS[name].value for name in RECIPE_FLAGS}}
    if recipe["strip"] < 0 or recipe["strip"] == 1:
        raise InputError(f"--strip is required to be 0 or at least 2. Received: {recipe['strip']}")
    own = recipe["first_image"], recipe["second_image"]
    if any(own) and not (all(own) and recipe["action"] == "blend"):
        raise InputError("--first_image and --second_image are required together, with --blend. Received: one")
    if recipe["action"] == "interpolate":
        recipe["strip"] = recipe["strip"] or 9
    return recipe


def recipe_of_manifest():
    """The recipe in --from_manifest; InputError when it is not one of ours."""
    path = FLAGS.from_manifest
    try:
        with open(path, encoding="utf-8") as file:
            recipe = json.load(file)["recipe"]
        complete = all(name in recipe for name in RECIPE_FLAGS) and recipe["action"] in ACTIONS
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--from_manifest: a manifest.json is required. Received: {path} ({error})") from error
    if not complete:
        raise InputError(
            f"--from_manifest: a whole manifest.json is required. Received: {path} with fields missing"
        )
    if FLAGS["source"].present:
        recipe["source"] = FLAGS.source
    return recipe


def read_own(recipe, name, sizes):
    """The user's own picture as uint8 [width, width, colours], or None; its digest goes into the recipe."""
    path = recipe[name]
    if not path:
        return None
    picture = images.read_picture(path, sizes["width"], sizes["colours"])
    digest = hashlib.sha256(picture.tobytes()).hexdigest()[:16]
    if recipe.setdefault(f"{name}_digest", digest) != digest:
        raise InputError(f"{path}: the picture that the manifest was made of is required. Received: another one")
    return picture


def write(out, recipe, bank, rendered):
    """Writes pictures and manifest; returns the paths that a person wants to open."""
    scale, main_paths, entries = recipe["scale"], [], []
    pictures = {name: images.to_uint8(array) for name, array in rendered.items()}

    def save(name, picture):
        return images.write_png(os.path.join(out, name), picture)

    if "pictures" in pictures:
        main_paths.append(save("grid.png", images.grid(pictures["pictures"], 8, scale)))
        for k, picture in enumerate(pictures["pictures"]):
            entries.append({"file": f"{recipe['action']}-{k:03d}.png"})
            save(entries[k]["file"], images.enlarge(picture, scale))
    if "parents" in pictures:
        flat = pictures["parents"].reshape(-1, *pictures["parents"].shape[2:])
        main_paths.append(save("parents.png", images.grid(flat, 8, scale)))
    if "strips" in pictures:
        entries = entries or [{} for _ in pictures["strips"]]
        strips = pictures["strips"]
        main_paths.append(
            save("strips.png", images.grid(strips.reshape(-1, *strips.shape[2:]), strips.shape[1], scale))
        )
        for k, strip in enumerate(strips):
            entries[k]["strip"] = f"strip-{k:03d}.png"
            save(entries[k]["strip"], images.grid(strip, len(strip), scale))
    for entry, rows in zip(entries, recipe.get("rows", []), strict=False):
        entry["parents"] = [bank.describe(row) for row in rows]
    manifest = os.path.join(out, "manifest.json")
    text = json.dumps({"recipe": recipe, "pictures": entries}, indent=1)
    write_atomically(manifest, text.encode())
    return [*main_paths, manifest]


if __name__ == "__main__":
    command.run(main)
