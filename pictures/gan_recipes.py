"""What a GAN's pictures are made of, as plain data: a recipe (see pictures.gallery), then noise, then images.

Beside what every recipe holds: "first" and "second" (classes of a conditional model) and "layout". Picture k is
made of noises whose numbers follow from k, noise n is a function of (seed, n): no row of any data is drawn.
"""

import typing

import numpy as np

from common import release
from common.errors import InputError
from common.inference import BATCH_SIZE
from common.interpolation import analogy_corners, interpolate_grid, lerp, slerp
from pictures import gallery

ACTIONS = {  # and the flags that each takes
    "blend": "first second mix strip",
    "interpolate": "first strip layout",
    "sample": "first",
}


class Source(typing.NamedTuple):
    """A release, read and checked; `class_names` is empty where the model is not conditional."""

    folder: str
    sizes: dict
    weights: dict
    class_names: list


def load(folder, recipe):
    """The Source in a release folder; completes the recipe. All that can be refused is, before TensorFlow.

    Raises:
        InputError: for a release that is not whole, or a recipe that does not go with it.
    """
    config, weights, _, digest = release.read(folder, "gan")
    try:
        sizes = config["model"]
        names = list(sizes["class_names"]) if sizes["classes"] else []
        needed = ("width", "colours", "noise_size", "generator_channels")
        fit = [sizes[name] in range(1, 4097) for name in needed] + [len(names) == sizes["classes"]]
        fit += [name in sizes for name in ("architecture", "up", "condition", "spherical_noise")]
        fit += [np.isfinite(array).all() for array in weights.values()]
    except (KeyError, TypeError) as error:
        raise InputError(f"A whole release of a GAN is required. Received: {folder} ({error!r})") from error
    if not all(fit):
        raise InputError(f"A release of parts that fit is required. Received: {folder}; fetch or train it again.")
    if "blends" in recipe:
        raise InputError(f"A manifest without blends of codes is required of a GAN. Received: one for {folder}")
    release.record_or_verify_digest(recipe, "weights_digest", digest, f"--source={folder}")
    check_classes(recipe, names, folder)
    if recipe["layout"] != "strip":
        gallery.map_side(recipe)
    return Source(str(folder), sizes, weights, names)


def check_classes(recipe, names, folder):
    """Completes the recipe's classes; InputError for one that the model lacks or cannot choose."""
    if recipe["action"] == "blend":
        for name, usual in (("first", "horse"), ("second", "bird")):
            recipe[name] = usual if recipe[name] is None else recipe[name]
    for name in ("first", "second"):
        if recipe[name] is not None and not names:
            raise InputError(
                f"A conditional model is required for --blend or --{name}. Received: --source={folder}, whose "
                "classes cannot be chosen"
            )
        if recipe[name] not in (None, *names):
            raise InputError(
                f"A class of this model is required: {', '.join(names)}. Received: --{name}={recipe[name]}"
            )


def render(recipe, source):
    """Makes a recipe: ({name: images}, [what the manifest says of each picture]), see `pictures.gallery.write`."""
    from gan.inference import ReleasedGAN

    try:
        model = ReleasedGAN(source.sizes, source.weights, source.folder, BATCH_SIZE)
    except (KeyError, TypeError, ValueError) as error:  # sizes that make no network, or not that of the weights
        raise InputError(str(error)) from error
    return made(recipe, model, source.class_names)


def made(recipe, model, class_names):
    """As `render`, of a model that has `noise` and `sample` as gan.inference.ReleasedGAN.

    Sample and blend k are of noise k, strip k of noises 2k and 2k + 1, J-diagram k of 3k to 3k + 2, and the MINE
    grid k of as many as it has places.
    """
    count, per_picture = recipe["count"], count_noises(recipe)
    noise = model.draw_noise(recipe["seed"], count * per_picture).reshape(count, per_picture, -1)
    numbers = np.arange(count * per_picture).reshape(count, per_picture)
    entries = [{"noise": own} for own in numbers.tolist()]
    labels = None
    if class_names:
        chosen = recipe["first"]
        labels = np.array([class_names.index(chosen) if chosen else k % len(class_names) for k in range(count)])
        for entry, label in zip(entries, labels, strict=True):
            entry["class"] = class_names[label]
    if recipe["action"] == "sample":
        return {"pictures": model.sample(noise[:, 0], labels)}, entries
    if recipe["layout"] != "strip":
        return {"diagrams": diagrams(recipe, model, noise, labels)}, entries
    if recipe["action"] == "interpolate":
        first, second = noise[:, 0], noise[:, 1]

        def pictures_at(mixes):
            return [model.sample(slerp(first, second, mix), labels) for mix in mixes]
    else:
        for entry in entries:
            entry["second_class"] = recipe["second"]

        def pictures_at(mixes):
            return morphs(model, noise[:, 0], *(class_names.index(recipe[c]) for c in ("first", "second")), mixes)

    return gallery.between(recipe, pictures_at), entries


def count_noises(recipe):
    """How many noises a picture is made of."""
    if recipe["layout"] == "strip":
        return 2 if recipe["action"] == "interpolate" else 1
    side, _ = gallery.map_side(recipe)
    return 3 if recipe["layout"] == "j" else side * side


def morphs(model, noise, first, second, mixes):
    """Images, a list of [N, H, W, C], one for each share of the second class, while the noise [N, z] stays.

    Miyato and Koyama 2018, arXiv 1802.05637, section 4: linear in the embedding of the class, which is linear in
    the class weights.
    """
    ends = np.eye(model.classes, dtype=np.float32)[[first, second]]
    weights = [lerp(ends[:1], ends[1:], mix) for mix in mixes]
    return [model.sample(noise, np.repeat(each, len(noise), axis=0)) for each in weights]


def diagrams(recipe, model, noise, labels):
    """J-diagrams or MINE grids (White 2016, arXiv 1609.04468), images [N, strip, strip, H, W, C].

    A J-diagram has three noises in its corners, the fourth by analogy: longer than a noise is drawn, by sqrt(3) as
    a rule. A MINE grid has a noise at every second place, in the order of their numbers, as a GAN has no codes of
    images to find neighbours among.

    Args:
        noise: [N, 3 or anchors, z].
        labels: int [N] or None.
    """
    side, gap = gallery.map_side(recipe)
    if recipe["layout"] == "j":
        anchors = analogy_corners(*np.moveaxis(noise, 1, 0))
    else:
        anchors = noise.reshape(len(noise), side, side, -1)
    cells = interpolate_grid(anchors, gap, "slerp")
    flat = cells.reshape(-1, cells.shape[-1])
    pictures = model.sample(flat, None if labels is None else np.repeat(labels, len(flat) // len(noise)))
    return pictures.reshape(*cells.shape[:3], *pictures.shape[1:])
