"""Makes pictures with a bundled model or a run directory; needs no data set.

    python generate.py --blend                                    the 64 bundled winged horses
    python generate.py --explore                                  an HTML page to place wings and mix images in
    python generate.py --blend --first_image=a.png --second_image=b.png    two pictures of your own
    python generate.py --blend --source=runs/mine                 64 blends by a model that you have trained
    python generate.py --sample --source=runs/dcgan --count=16    samples of a GAN
    python generate.py --sample --source=dcgan --candidates=20000    those of 20,000 most like winged horses
    python generate.py --interpolate --path=lerp                  strips between pairs
    python generate.py --blend --strip=9                          each picture with the steps between its parents
    python generate.py --blend --candidates=20000                 the best of many winged horses, by a new search
    python generate.py --blend --candidates=20000 --mask=top      the same for any two classes
    python generate.py --from_manifest=out/blend/manifest.json    the same pictures again

Writes manifest.json, each picture as a PNG and, where the action has them, grid.png, parents.png, best.png, strips
and diagrams into --out, in place of the pictures that an older manifest.json there lists.
"""

import os
import sys

from absl import flags

import pictures.flags
from common import cli, release
from common.errors import InputError
from common.files import make_folder
from configs.search import choose_search
from pictures import (
    acai_plan,
    acai_render,
    acai_search,
    folders,
    gallery,
    gan_plan,
    gan_render,
    gan_search,
    latents,
    manifest,
)
from pictures.flags import ACTIONS
from pictures.request import from_flags, request_class
from pictures.request_checks import CHECKS

pictures.flags.define()
FLAGS = flags.FLAGS
SEARCH_FLAGS = {"keep", "candidates", "mask"}
REQUEST_FLAGS = {*CHECKS, *SEARCH_FLAGS} - {"search"}
SHOWING = {"source", "scale", "resample", "out", "save_latents"}
BESIDE_MANIFEST = {*SHOWING, "from_manifest", "first_image", "second_image", "second_mask", "latents"}
BESIDE_BUNDLED = {*SHOWING, "blend", "strip"}  # with these alone --blend shows the bundled search
SAVED = ("blend", "reconstruct", "sample")  # actions whose pictures have latents
FAMILIES = {"acai": (acai_plan, acai_render, acai_search), "gan": (gan_plan, gan_render, gan_search)}


def main():
    action, stored, values = read_flags()
    folder = release.resolve(values.get("source", stored.fields["source"] if stored else FLAGS.source))
    family = release.family(folder)
    kind = request_class(family, action, folder)
    request = manifest.make_request(kind, stored, values) if stored else from_flags(kind, values)
    if FLAGS.save_latents and (action not in SAVED or getattr(request, "path", "slerp") == "pixel"):
        raise InputError("--save_latents needs --blend, --reconstruct or --sample, and no --path=pixel.")
    if FLAGS.save_latents:
        latents.check_path(FLAGS.save_latents)
    if action == "diagram":
        print(write_diagram(request, folder))
        return
    planning, rendering, searching = FAMILIES[family]
    plan = planning.make_plan(request, folder, stored)
    searches = plan.needs_search
    has_images = searches and searching.check_search(plan, FLAGS.data_dir)
    out = make_folder(FLAGS.out or folders.default_folder(request, again=FLAGS.from_manifest is not None))
    if note := folders.describe_replaced(out, plan.request):
        print(note, file=sys.stderr)

    cli.import_tensorflow()
    model = rendering.load_model(plan)
    if action == "explore":
        from pegasus import explore

        parents = plan.bank, (plan.request.first, plan.request.second)
        path = os.path.join(out, "explore.html")
        digest = plan.drawn["weights_digest"]
        print(explore.write(path, model, *parents, request.source, digest, plan.has_labels))
        return
    if searches:
        plan = searching.run_search(plan, model, FLAGS.data_dir, has_images)
    paths = gallery.write(out, plan.request, plan.drawn, *rendering.render(plan, model))
    if FLAGS.bundle:
        paths += manifest.copy_to_release(paths[-1], folder)  # the last is the manifest
    if FLAGS.save_latents:
        paths.append(latents.save(FLAGS.save_latents, rendering.picture_latents(plan, model)))
    print(*paths, sep="\n")


def write_diagram(request, folder):
    """Draws the networks of the release in `folder`; returns the path of the picture."""
    config, *_ = release.read(folder, release.family(folder))
    out = make_folder(FLAGS.out or folders.default_folder(request))
    if note := folders.describe_replaced(out, request):
        print(note, file=sys.stderr)
    cli.import_tensorflow()
    from training.diagrams import architecture

    return architecture.write(os.path.join(out, "architecture.png"), config, request.source)


def read_flags():
    """Reads the flags, and the manifest where one is asked for.

    Returns:
        (action, Manifest or None, {field of a request: value} of what the flags set).
    """
    names = {*REQUEST_FLAGS, *ACTIONS, "out", "from_manifest", "save_latents", "bundle", "data_dir"}
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
        if FLAGS.bundle and not FLAGS.blend:
            raise InputError(f"--bundle needs --blend. Received: --{actions[0]}")
        config = release.read_config(release.resolve(FLAGS.source))
        search = choose_search(config, (FLAGS.first, FLAGS.second), FLAGS.candidates, FLAGS.keep, FLAGS.mask)
        values = {name: values[name] for name in values.keys() - SEARCH_FLAGS}
        values = {"count": search.keep} | values | {"search": search}
        return actions[0], None, values
    for name in ("bundle", "data_dir", "keep"):
        if FLAGS[name].value != FLAGS[name].default:
            raise InputError(f"--{name} cannot be used without --candidates.")
    return actions[0], None, values


if __name__ == "__main__":
    cli.run(main, sections=pictures.flags.SECTIONS)
