"""Plans for pictures of an ACAI: what a request will be decoded from, in numpy.

Everything that can be refused is refused here, before TensorFlow is imported. A plan's "drawn" goes into the
manifest: "weights_digest" and "latents_digest" of the release, "first_image_digest" and "second_image_digest" of
the user's pictures, "second_mask_digest", "given_latents_digest", "rows" of the latent bank, [[first, second],
...], for masks, placed pictures and searches "blends", and for searches "parents" and "parents_digest".
"""

import dataclasses

import numpy as np

from acai.latent_bank import LatentBank
from common import files, images, release
from common.errors import InputError
from common.release import record_or_verify_digest
from pegasus import labels
from pegasus.candidates import cell_shares, wings_above
from pegasus.foreground import border_foreground
from pegasus.general import masks
from pegasus.manifest import check_blends, load_results
from pegasus.placement import parse_placement, place
from pictures import latents
from pictures.parent_classes import choose_classes


@dataclasses.dataclass(frozen=True, eq=False)
class ACAIPlan:
    """All that the pictures of a request depend on.

    Attributes:
        request: of pictures.request, with its classes.
        folder: the release folder.
        model_config: "model" of the release's config.
        weights: {name: float16 array}.
        bank: acai.latent_bank.LatentBank.
        drawn: see the module.
        query_images: the user's pictures, placed, float32 [width, width, colours], none or two.
        parent_latents: of a search, float16 [N, 2, h, w, c], or None.
        notes: of a search, see `pegasus.search.SearchResult`; empty without one.
        has_labels: whether `pegasus.labels` apply to the bank's ids.
        given_latents: the user's, float32 [N, h, w, c], or None.
    """

    request: object
    folder: str
    model_config: dict
    weights: dict
    bank: LatentBank
    drawn: dict
    query_images: tuple = ()
    parent_latents: np.ndarray | None = None
    notes: tuple = ()
    has_labels: bool = False
    given_latents: np.ndarray | None = None

    @property
    def needs_search(self):
        """Whether the request has a search that is still to run."""
        return getattr(self.request, "search", None) is not None and "blends" not in self.drawn

    def with_results(self, result):
        """The plan for what a pegasus.search.SearchResult has kept, which may be less than was asked for."""
        count = len(result.notes)
        search = dataclasses.replace(self.request.search, keep=count)
        request = dataclasses.replace(self.request, count=count, search=search)
        digest = files.digest(files.pack({"parents": result.latents}))
        drawn = self.drawn | {"blends": result.blends, "parents": result.source, "parents_digest": digest}
        notes = tuple(result.notes)
        return dataclasses.replace(self, request=request, drawn=drawn, parent_latents=result.latents, notes=notes)


def make_plan(request, folder, manifest=None):
    """The ACAIPlan of a request.

    Args:
        request: of pictures.request.
        folder: release folder of an ACAI.
        manifest: pictures.manifest.Manifest whose draws are taken; None: they are drawn anew.

    Raises:
        InputError: for a release that is damaged or does not fit the request, or draws that do not fit either.
    """
    recorded = manifest.drawn if manifest else {}
    config, weights, arrays, weights_digest = release.read(folder)
    bank = read_bank(config, weights, arrays, folder)
    latents_digest = files.digest(bank.latents.tobytes() + bank.labels.tobytes())
    drawn = record_or_verify_digest(recorded, "weights_digest", weights_digest, f"--source={folder}")
    drawn |= record_or_verify_digest(recorded, "latents_digest", latents_digest, f"--source={folder}")
    pictures = {}
    for name in ("first_image", "second_image", "second_mask"):
        if path := getattr(request, name, None):
            colours = 1 if name == "second_mask" else config["model"]["colours"]
            try:
                image = pictures[name] = images.read_picture(path, config["model"]["width"], colours)
            except InputError as error:
                raise InputError(f"--{name}: {error}") from error
            drawn |= record_or_verify_digest(recorded, f"{name}_digest", files.digest(image.tobytes()), path)
    query_images, shares = place_pictures(request, pictures, bank.latents.shape[1:3])
    request = complete_classes(request, bank, config.get("data", {}))
    if hasattr(request, "first") and not query_images:
        class_rows(request, bank)  # refuses classes without latents
    given = None
    if path := getattr(request, "latents", None):
        given = latents.read(path, bank.latents.shape[1:])
        drawn |= record_or_verify_digest(recorded, "given_latents_digest", files.digest(given.tobytes()), path)
        request = dataclasses.replace(request, count=len(given))
    drawn |= draw(request, bank, recorded)
    if shares is not None:
        drawn["blends"] = [{"shares": shares.tolist()}]
    notes, parents = (), None
    if getattr(request, "search", None) and "blends" in recorded:
        shape = (request.count, *bank.latents.shape[1:])
        notes, parents = load_results(manifest.path, manifest.pictures, recorded, shape, len(bank))
        drawn |= {name: recorded[name] for name in ("parents", "parents_digest") if name in recorded}
    return ACAIPlan(
        request,
        str(folder),
        config["model"],
        weights,
        bank,
        drawn,
        query_images,
        parents,
        tuple(notes),
        labels.apply_to(config.get("data", {})),
        given,
    )


def place_pictures(request, pictures, size):
    """Places the user's pictures.

    Args:
        request: of pictures.request.
        pictures: {"first_image": uint8 [width, width, colours], "second_image", "second_mask"}, or {}.
        size: (h, w) of the latents.

    Returns:
        (images float32 [width, width, colours], none or two; the second's share in each cell [h, w], or None
        where the request does not place them).

    Raises:
        InputError: where the second image needs a mask, and no foreground is found in it.
    """
    if not pictures:
        return (), None
    originals = [images.to_float(pictures[name]) for name in ("first_image", "second_image")]
    names = ("first_placement", "second_placement")
    placements = [parse_placement(name, getattr(request, name) or "") for name in names]
    placed = place(np.stack(originals), placements)
    if not request.placing_fields():
        return tuple(placed), None
    if "second_mask" in pictures:
        mask, first_mask = pictures["second_mask"][..., 0] / 255, np.zeros(placed.shape[1:3])
    else:
        first_mask, mask = (border_foreground(original) for original in originals)
    placed_masks = place(np.stack([first_mask, mask])[..., None], placements, "zero")[..., 0]
    wings = wings_above(*placed_masks)
    if not wings.any():
        raise InputError(
            "--second_image must have a foreground above the first image's back line, or --second_mask=FILE must "
            f"say where it covers the first image. Received: {request.second_image}, in which none was found"
        )
    return tuple(placed), cell_shares(wings[None], size)[0]


def draw(request, bank, recorded):
    """The "rows", and perhaps the "blends", of a request: what a manifest has recorded, or else new draws.

    Searches and placed pictures have no rows, and a search that is still to run no blends. Raises InputError for
    records that do not fit the request.
    """
    is_blend = request.action == "blend"
    if "blends" in recorded and not (is_blend and (request.mask or request.search or request.placing_fields())):
        raise InputError("--from_manifest: only --blend with a mask, placements or a search has blends.")
    rows = recorded["rows"] if "rows" in recorded else draw_rows(request, bank)
    check_rows(rows, request, bank)
    if is_blend and request.search and "blends" in recorded:
        blends = recorded["blends"]
    elif is_blend and request.mask:
        blends = recorded["blends"] if "blends" in recorded else draw_masks(request, bank, rows)
    else:
        return {"rows": rows}
    check_blends(blends, request.count, bank.latents.shape[1:3])
    return {"rows": rows, "blends": blends}


def read_bank(config, weights, arrays, folder):
    """The LatentBank of a release; InputError unless it fits the release's config and weights."""
    try:
        sizes, bank = config["model"], LatentBank.from_arrays(arrays)
        shape = tuple(sizes[name] for name in ("latent_width", "latent_width", "latent_channels"))
        fits = [sizes[name] in range(1, 4097) for name in ("width", "colours", "depth")]
        fits += [
            bank.latents.shape[1:] == shape,
            len(bank) == len(bank.labels) == len(bank.ids) == len(bank.splits),
        ]
        fits += [np.isfinite(array).all() for array in (bank.latents, *weights.values())]
        fits += [array.dtype.kind in "iu" and array.ndim == 1 for array in (bank.labels, bank.ids)]
        fits += [bool(np.all((bank.labels >= 0) & (bank.labels < len(bank.class_names))))]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"--source must be a whole release of an ACAI. Received: {folder} ({error!r})") from error
    if not all(fits):
        raise InputError(
            f"--source must be a release whose parts fit each other. Received: {folder}; fetch or train it again."
        )
    return bank


def complete_classes(request, bank, data):
    """The request with default classes where it has none, see `pictures.parent_classes`."""
    if not hasattr(request, "first"):
        return request
    first, second = choose_classes(bank.class_names.tolist(), data, request.first, request.second)
    return dataclasses.replace(request, first=first, second=second)


def class_rows(request, bank):
    """(rows of first parents, rows of second parents): of either class for blends, else both of both classes.

    Raises:
        InputError: for a class without latents in the bank.
    """
    first, second = bank.rows(request.first), bank.rows(request.second)
    for name, rows in ((request.first, first), (request.second, second)):
        if not len(rows):
            raise InputError(f"--first and --second must be classes with latents in the bank. Received: {name}")
    either = np.union1d(first, second)
    return (first, second) if request.action == "blend" else (either, either)


def rows_per_picture(request):
    """Number of rows of the bank that each picture, strip or diagram is made of."""
    if request.action == "blend":
        return 0 if request.first_image or request.search else 2
    if request.action == "interpolate":
        return request.endpoints_per_picture()
    return 1 if request.action == "reconstruct" else 0


def draw_rows(request, bank):
    """[[row, ...], ...] for each picture; entry k depends on the seed and k only.

    Blends pair the first class with the second, interpolations any two images of both classes. The rows of an
    entry differ where its classes are large enough. A MINE grid has an image and its nearest neighbours.
    """
    per_picture, rows = rows_per_picture(request), []
    if not per_picture:
        return rows
    first, second = class_rows(request, bank)
    for k in range(request.count):
        random = np.random.default_rng(np.random.SeedSequence(request.seed, spawn_key=(k,)))
        chosen = [int(random.choice(first))]
        if request.action == "interpolate" and request.layout == "mine":
            chosen = nearest_neighbours(chosen[0], first, bank, request)
        while len(chosen) < per_picture:
            others = np.setdiff1d(second, chosen)
            chosen.append(int(random.choice(others if len(others) else second)))
        rows.append(chosen)
    return rows


def nearest_neighbours(row, rows, bank, request):
    """The rows of a MINE grid's anchors around `row`, a list row by row, among `rows`; InputError for too few."""
    side, _ = request.anchors()
    if len(rows) < side * side:
        raise InputError(
            f"--layout=mine with --strip={request.strip} needs {side * side} images of both classes. "
            f"Received: {len(rows)}"
        )
    places = latents.nearest_neighbour_grid(bank.latents[rows], int(np.searchsorted(rows, row)), side)
    return rows[places].ravel().tolist()


def check_rows(rows, request, bank):
    """Raises InputError unless `rows` are lists of rows of the bank, as many as the request needs."""
    per_picture = rows_per_picture(request)
    count = request.count if per_picture else 0
    fits = isinstance(rows, list) and len(rows) == count
    fits = fits and all(isinstance(entry, list) and len(entry) == per_picture for entry in rows)
    if not fits or not all(type(row) is int and 0 <= row < len(bank) for entry in rows for row in entry):
        raise InputError(
            f"The manifest's rows must be {count} lists of {per_picture} integers from 0 to {len(bank) - 1}."
        )


def draw_masks(request, bank, rows):
    """The "blends" of a request with a mask; blend k depends on the request, its rows and k only."""
    shape, evidence = bank.latents.shape[1:3], None
    if request.mask == "learned":
        learned = masks.ClassEvidence(*(bank.latents[side] for side in class_rows(request, bank)))
    blends = []
    for k, pair in enumerate(rows):
        random = np.random.default_rng(np.random.SeedSequence(request.seed, spawn_key=(k, 1)))
        if request.mask == "learned":
            evidence = [learned(bank.latents[[row]], side)[0] for side, row in enumerate(pair)]
        shares = masks.mix_shares(request.mix, 0.5, masks.make_pattern(request.mask, shape, random, evidence))
        blends.append({"mask": request.mask, "shares": shares.round(3).tolist()})
    return blends
