"""Running the search that a request for blends asks for."""

from common import release
from common.data import datasets
from common.errors import InputError


def check_search(plan, data_dir):
    """Checks, before TensorFlow is imported, that the bundled classifiers can score the blends of a plan.

    Args:
        plan: pictures.acai_plan.ACAIPlan whose request has a search.
        data_dir: where CIFAR-10 may be prepared; None: the default folder.

    Returns:
        Whether there are training images that the kept blends can be compared with: CIFAR-10 is prepared and the
        model makes pictures of its width.

    Raises:
        InputError: for classes, parents or pictures that the classifiers do not know, or a `data_dir` without
            CIFAR-10.
    """
    request = plan.request
    known = release.read(release.BUNDLED / "classifier", "classifier")[0]["model"]  # the others know the same
    classes = (request.first, request.second)
    if set(classes) - set(known["class_names"]) or classes[0] == classes[1]:
        raise InputError(
            f"--candidates needs two different classes of {', '.join(known['class_names'])}. Received: {classes}"
        )
    request.search.check_classes(known["class_names"])
    width, colours = (plan.model_config[name] for name in ("width", "colours"))
    if width % known["width"] or colours != known["colours"]:
        raise InputError(
            f"--candidates needs a model of colour pictures whose width is a multiple of {known['width']}. "
            f"Received: {plan.folder} with {width} pixels, {colours} channels"
        )
    try:
        datasets.check_cifar10(data_dir, download=False)
    except InputError:
        if data_dir is not None:
            raise
        return False
    return width == known["width"]


def run_search(plan, model, data_dir, with_training_images):
    """The plan with what its search has kept.

    Args:
        plan: as of `check_search`.
        model: acai.inference.ReleasedACAI.
        data_dir: as of `check_search`.
        with_training_images: whether the kept blends shall resemble CIFAR-10's training images as a whole; else
            they shall resemble the reconstructions of the latent bank.
    """
    from classifiers.inference import search_ensemble
    from pegasus import search
    from pictures.acai_plan import class_rows

    request, training = plan.request, None
    classes = (request.first, request.second)
    if with_training_images:
        training = datasets.load_cifar10(data_dir, "train", classes, download=False)
    rows = class_rows(request, plan.bank)
    result = search.run_search(
        request.search, model, search_ensemble(), plan.bank, rows, classes, request.seed, training
    )
    return plan.with_results(result)
