"""Running the search that a request for blends asks for."""

from common import release
from common.data import datasets
from common.errors import InputError
from pegasus.search_config import MaskSearch


def check_search(plan, data_dir):
    """Checks, before TensorFlow is imported, that the bundled classifiers can score the blends of a plan.

    Args:
        plan: pictures.acai_plan.ACAIPlan whose request has a search.
        data_dir: where CIFAR-10 may be prepared; None: the default folder.

    Returns:
        Whether a search for winged horses can place images: CIFAR-10 is prepared, and the model's pictures are as
        wide as its images. Else it places reconstructions.

    Raises:
        InputError: for classes, parents or pictures that the classifiers do not know, or a `data_dir` without
            CIFAR-10.
    """
    request = plan.request
    known = check_pictures(plan, "classifier")  # the others know the same
    classes = (request.first, request.second)
    if set(classes) - set(known["class_names"]) or classes[0] == classes[1]:
        raise InputError(
            f"--candidates needs two different classes of {', '.join(known['class_names'])}. Received: {classes}"
        )
    try:
        datasets.check_cifar10(data_dir, download=False)
    except InputError:
        if data_dir is not None:
            raise
        return False
    return plan.model_config["width"] == known["width"]


def check_pictures(plan, classifier):
    """Checks that a bundled classifier can score the pictures of a plan.

    Args:
        plan: ACAIPlan or GANPlan.
        classifier: its name in pretrained/.

    Returns:
        The "model" section of its config.

    Raises:
        InputError: for pictures of another number of colours or a width that is no multiple of its own.
    """
    known = release.read_config(release.BUNDLED / classifier)["model"]
    width, colours = (plan.model_config[name] for name in ("width", "colours"))
    if width % known["width"] or colours != known["colours"]:
        raise InputError(
            f"--candidates needs a model of colour pictures whose width is a multiple of {known['width']}. "
            f"Received: {plan.folder} with {width} pixels, {colours} channels"
        )
    return known


def run_search(plan, model, data_dir, with_images):
    """The plan with what its search has kept.

    Args:
        plan: as of `check_search`.
        model: acai.inference.ReleasedACAI.
        data_dir: as of `check_search`.
        with_images: what `check_search` has returned.
    """
    request, classes = plan.request, (plan.request.first, plan.request.second)
    if isinstance(request.search, MaskSearch):
        from classifiers.inference import search_ensemble
        from pegasus.general import search as general_search
        from pictures.acai_plan import class_rows

        rows = class_rows(request, plan.bank)
        result = general_search.run_search(
            request.search, model, search_ensemble(), plan.bank, rows, classes, request.seed
        )
        return plan.with_results(result)
    from classifiers.inference import bundled_wing_classifier
    from pegasus import search
    from pegasus.parents import prepare_parents

    dataset = None
    if with_images:
        dataset = datasets.load_cifar10(data_dir, "train", classes, hold_out=False, download=False)
    parents = prepare_parents(model, plan.bank, dataset)
    result = search.run_search(request.search, model, bundled_wing_classifier(), parents, request.seed)
    return plan.with_results(result)
