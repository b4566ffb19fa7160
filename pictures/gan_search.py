"""Searching the noise of a GAN for the pictures most like winged horses.

Candidate k is made from noise k. Its score is that of the wing classifier's two outputs, with the same weights as
in the search for blends.
"""

from common.errors import InputError
from pegasus import scores
from pegasus.search_config import MaskSearch
from pegasus.selection import MIN_DIFFERENCE, find_best, make_notes, make_thumbnails, select
from pictures.acai_search import check_pictures
from pictures.gan_render import choose_labels


def check_search(plan, data_dir):
    """Checks, before TensorFlow is imported, that the wing classifier can score the pictures of a plan.

    Args:
        plan: pictures.gan_plan.GANPlan whose request has a search.
        data_dir: of images to place, which a GAN's search has not; must be None.

    Raises:
        InputError: for a model that knows no horses and birds, pictures of another size, or a flag that does not
            fit.
    """
    if data_dir is not None:
        raise InputError(f"--data_dir cannot be used with --candidates of a GAN. Received: --data_dir={data_dir}")
    if isinstance(plan.request.search, MaskSearch) or not plan.has_labels:
        raise InputError(
            "--candidates of a GAN needs a model of CIFAR-10's horses and birds, and no --mask. "
            f"Received: {plan.folder}"
        )
    check_pictures(plan, "wing_classifier")


def run_search(plan, model, data_dir=None, with_images=None):
    """The plan with the numbers of the noises that its search has kept, best first.

    Args:
        plan: as of `check_search`.
        model: gan.inference.ReleasedGAN.
        data_dir, with_images: not used, because a GAN's pictures have no parents.
    """
    from classifiers.inference import bundled_wing_classifier

    noises, notes = search_noise(plan, model, bundled_wing_classifier())
    return plan.with_results(noises, notes)


def search_noise(plan, model, wing_classifier):
    """Generates all candidates of a plan and selects the best.

    Args:
        plan: pictures.gan_plan.GANPlan whose request has a search.
        model: gan.inference.ReleasedGAN.
        wing_classifier: classifiers.inference.ReleasedWingClassifier.

    Returns:
        (numbers of the noises, [{"candidate", "score", "terms"}, ...]), best first.
    """
    request = plan.request

    def generate_terms(numbers):
        labels = choose_labels(request, plan.class_names, numbers)
        pictures = model.sample(model.noise_of(request.seed, numbers), labels)
        return pictures, scores.network_terms(wing_classifier.probabilities(pictures), None, None)

    def score(numbers):
        pictures, terms = generate_terms(numbers)
        return numbers, scores.weighted_sum(terms), make_thumbnails(pictures)

    numbers, totals, thumbnails = find_best(request.search, score)
    chosen = select(totals, thumbnails, [(k, k) for k in numbers], request.search.keep, MIN_DIFFERENCE)
    numbers = numbers[chosen]
    _, terms = generate_terms(numbers)
    return numbers.tolist(), make_notes(numbers, totals[chosen], terms)
