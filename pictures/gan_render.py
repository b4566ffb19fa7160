"""Generating the pictures of a GAN's plans. A `model` is a gan.inference.ReleasedGAN.

Sample and blend k are made from noise k, except a search's samples; strip k from noises 2k and 2k + 1, J-diagram
k from 3k to 3k + 2, and MINE grid k from as many as it has anchors, in their order: there are no latents of images
with neighbours. The fourth corner of a J-diagram has a larger norm than a noise, by sqrt(3) as a rule.
"""

import numpy as np

from common.errors import InputError
from common.interpolation import lerp, slerp
from pictures.render import decode_diagrams, decode_pairs


def load_model(plan):
    """The model of a GANPlan; InputError where its config makes no network or another than its weights."""
    from gan.inference import ReleasedGAN

    try:
        return ReleasedGAN(plan.model_config, plan.weights, plan.folder)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(str(error)) from error


def render(plan, model):
    """Generates a plan's pictures.

    Returns:
        ({name: array}, [dict of what the manifest says of each picture]), see `pictures.gallery.write`.
    """
    if plan.request.action == "sample":
        return render_samples(plan, model)
    request, names, count = plan.request, plan.class_names, plan.request.count
    per_picture = request.endpoints_per_picture() if request.action == "interpolate" else 1
    numbers = np.arange(count * per_picture).reshape(count, per_picture)
    noise = model.draw_noise(request.seed, numbers.size).reshape(count, per_picture, -1)
    labels = choose_labels(request, names, np.arange(count))
    entries = name_classes([{"noise": row} for row in numbers.tolist()], names, labels)
    if request.action == "blend":
        entries = [entry | {"second_class": request.second} for entry in entries]
        classes = [names.index(name) for name in (request.first, request.second)]

        def draw(shares):
            return morph_classes(model, noise[:, 0], *classes, shares)

        return decode_pairs(draw, request.mix, request.strip), entries
    if request.layout != "strip":
        return decode_diagrams(lambda points: sample_each(model, points, labels), noise, request, "slerp"), entries

    def draw_path(shares):
        return [model.sample(slerp(noise[:, 0], noise[:, 1], share), labels) for share in shares]

    return decode_pairs(draw_path, None, request.strip), entries


def render_samples(plan, model):
    """The pictures and entries of `render` for samples."""
    request, names = plan.request, plan.class_names
    noises = np.array(plan.drawn.get("noises", range(request.count)))
    labels = choose_labels(request, names, noises)
    entries = name_classes([{"noise": [int(k)]} for k in noises], names, labels)
    if plan.notes:
        entries = [entry | note for entry, note in zip(entries, plan.notes, strict=True)]
    return {"pictures": model.sample(picture_latents(plan, model), labels)}, entries


def picture_latents(plan, model):
    """The noise float32 [N, z] that the pictures of a plan are made from."""
    if plan.given_noise is not None:
        return plan.given_noise
    return model.noise_of(plan.request.seed, plan.drawn.get("noises", range(plan.request.count)))


def name_classes(entries, class_names, labels):
    """Adds its class to each of N dicts, by labels int [N]; a model without classes adds none."""
    if not class_names:
        return entries
    return [entry | {"class": class_names[label]} for entry, label in zip(entries, labels, strict=True)]


def choose_labels(request, class_names, numbers):
    """Labels int [N] of N pictures: the request's class, or each in turn by `numbers`; None without classes."""
    if not class_names:
        return None
    if request.first:
        return np.full(len(numbers), class_names.index(request.first))
    return numbers % len(class_names)


def morph_classes(model, noise, first, second, shares):
    """Images, a list of [N, H, W, C], one for each share of the second class, all of the same noise [N, z].

    The embedding of the class is interpolated linearly (Miyato and Koyama 2018, arXiv 1802.05637, section 4); it
    is linear in the class weights.
    """
    ends = np.eye(model.classes, dtype=np.float32)[[first, second]]
    weights = [lerp(ends[:1], ends[1:], share) for share in shares]
    return [model.sample(noise, np.repeat(each, len(noise), axis=0)) for each in weights]


def sample_each(model, noise, labels):
    """Images [M, H, W, C] of noise [M, z], M / N for each of N labels, which are int [N] or None."""
    return model.sample(noise, None if labels is None else np.repeat(labels, len(noise) // len(labels)))
