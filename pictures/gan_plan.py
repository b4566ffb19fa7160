"""Plans for pictures of a GAN: what a request will be generated from.

Everything that can be refused is refused here, before TensorFlow is imported. A noise is a function of the
request's seed and its number, so that "drawn" in the manifest holds "weights_digest", with --latents
"given_latents_digest", and of a search "noises", the numbers of those that it has kept.
"""

import dataclasses

import numpy as np

from common import files, release
from common.errors import InputError
from common.release import record_or_verify_digest
from pegasus import labels
from pegasus.manifest import read_notes
from pegasus.parents import CLASSES
from pictures import latents
from pictures.parent_classes import choose_classes


@dataclasses.dataclass(frozen=True, eq=False)
class GANPlan:
    """All that the pictures of a request depend on.

    Attributes:
        request: of pictures.request.
        folder: the release folder.
        model_config: "model" of the release's config.
        weights: {name: float16 array}.
        drawn: see the module.
        class_names: empty where the model is not conditional.
        has_labels: whether the model was trained on CIFAR-10's horses and birds.
        given_noise: the user's, float32 [N, z], or None.
        notes: of a search, [{"candidate", "score", "terms"}, ...]; empty without one.
    """

    request: object
    folder: str
    model_config: dict
    weights: dict
    drawn: dict
    class_names: tuple
    has_labels: bool = False
    notes: tuple = ()
    given_noise: np.ndarray | None = None

    @property
    def needs_search(self):
        """Whether the request has a search that is still to run."""
        return getattr(self.request, "search", None) is not None and "noises" not in self.drawn

    def with_results(self, noises, notes):
        """The plan for the noises, a list of numbers, that a search has kept, with notes of each."""
        drawn = self.drawn | {"noises": noises}
        return dataclasses.replace(self, drawn=drawn, notes=tuple(notes))


def make_plan(request, folder, manifest=None):
    """The GANPlan of a request.

    Args:
        request: of pictures.request.
        folder: release folder of a GAN.
        manifest: pictures.manifest.Manifest whose pictures are made again, or None.

    Raises:
        InputError: for a release that is damaged or does not fit the request.
    """
    config, weights, _, digest = release.read(folder, "gan")
    try:
        sizes = config["model"]
        names = tuple(sizes["class_names"]) if sizes["classes"] else ()
        needed = ("width", "colours", "noise_size", "generator_channels")
        fits = [sizes[name] in range(1, 4097) for name in needed] + [len(names) == sizes["classes"]]
        fits += [name in sizes for name in ("architecture", "up", "condition", "spherical_noise")]
        fits += [np.isfinite(array).all() for array in weights.values()]
    except (KeyError, TypeError) as error:
        raise InputError(f"--source must be a whole release of a GAN. Received: {folder} ({error!r})") from error
    if not all(fits):
        raise InputError(
            f"--source must be a release whose parts fit each other. Received: {folder}; fetch or train it again."
        )
    drawn = record_or_verify_digest(
        manifest.drawn if manifest else {}, "weights_digest", digest, f"--source={folder}"
    )
    if request.action == "blend":
        first, second = choose_classes(names, config.get("data", {}), request.first, request.second)
        request = dataclasses.replace(request, first=first, second=second)
    for flag in ("first", "second"):
        check_class(flag, getattr(request, flag, None), names, folder)
    data, notes = config.get("data", {}), ()
    has_labels = labels.apply_to(data) and {*CLASSES} <= {*data.get("classes", ())}
    if manifest and getattr(request, "search", None) and "noises" in manifest.drawn:
        drawn["noises"] = check_noises(manifest.drawn["noises"], request)
        notes = read_notes(manifest.path, manifest.pictures, request.count)
    given = None
    if path := getattr(request, "latents", None):
        given = latents.read(path, (sizes["noise_size"],))
        recorded = manifest.drawn if manifest else {}
        drawn |= record_or_verify_digest(recorded, "given_latents_digest", files.digest(given.tobytes()), path)
        request = dataclasses.replace(request, count=len(given))
    return GANPlan(request, str(folder), sizes, weights, drawn, names, has_labels, tuple(notes), given)


def check_noises(noises, request):
    """Returns the numbers of the noises that a manifest's search has kept; InputError where they do not fit."""
    candidates, count = request.search.candidates, request.count
    fits = isinstance(noises, list) and len(noises) == count
    if not fits or not all(type(noise) is int and 0 <= noise < candidates for noise in noises):
        raise InputError(f"The manifest's noises must be {count} integers from 0 to {candidates - 1}.")
    return noises


def check_class(flag, name, known, folder):
    """Raises InputError unless `name`, the value of a flag, is one of the `known` classes or None."""
    if name is not None and not known:
        raise InputError(
            f"--blend, --first and --second need a conditional GAN. Received: {folder}, which has no classes"
        )
    if name not in (None, *known):
        raise InputError(f"--{flag} must be one of {', '.join(known)}. Received: {name}")
