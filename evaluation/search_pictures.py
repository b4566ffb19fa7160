"""The pictures that a search has kept, and the controls that they are measured beside."""

import dataclasses

import numpy as np

from common import progress
from common.errors import InputError
from common.images import to_float
from evaluation import controls
from pegasus import labels
from pegasus.blending import blend_cells
from pegasus.candidates import compose, draw_candidate
from pegasus.foreground import border_foreground
from pegasus.parents import AREAS, CLASSES, is_usable, prepare_parents
from pegasus.search import SearchResult, describe_blends
from pegasus.search_config import MaskSearch

MIN_PICTURES = 20  # for the interval of a kernel distance
NO_DATA = "CIFAR-10 is not at hand"
PLACED_CONTROLS = "collages, dark blobs and folded birds"


@dataclasses.dataclass(frozen=True, eq=False)
class SearchPictures:
    """Pictures and their controls, all [N, H, W, C] in [-1, 1].

    Attributes:
        pictures: what was kept.
        classes: names of the two classes that they should show.
        bird_ids: CIFAR-10's id of each picture's bird; None where they are unknown.
        made: {name: controls that the model made from the same parents}.
        collages: of the same placed parents, joined at the pixels; None without them.
        photographs: {name: photographs and their cross-fades}.
        omitted: [(what is left out, the reason)].
    """

    pictures: np.ndarray
    classes: tuple = CLASSES
    bird_ids: list | None = None
    made: dict = dataclasses.field(default_factory=dict)
    collages: np.ndarray | None = None
    photographs: dict = dataclasses.field(default_factory=dict)
    omitted: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        if len(self.pictures) < MIN_PICTURES:
            raise InputError(
                f"--pictures must have at least {MIN_PICTURES} pictures. Received: {len(self.pictures)}"
            )


def collect(plan, model, train, test, fold, seed):
    """Decodes what a search has kept and makes the controls that are possible.

    Args:
        plan: pictures.acai_plan.ACAIPlan of a search's manifest.
        model: acai.inference.ReleasedACAI.
        train, test: common.data.datasets.ImageDataset of CIFAR-10's horses and birds, of all training images and
            of the test images; None, None without CIFAR-10.
        fold: the fold of ids that the wing referee was trained on, see `pegasus.labels.fold`.
        seed: of the controls.

    Returns:
        SearchPictures.

    Raises:
        InputError: the plan is of no search, or of fewer than MIN_PICTURES pictures.
    """
    request = plan.request
    if plan.parent_latents is None:
        raise InputError(
            "--pictures must be a manifest of generate.py --blend --candidates=N, or a folder of pictures. "
            "Received: a manifest of other pictures"
        )
    classes, omitted, made, collages = (request.first, request.second), [], {}, None
    ids = read_ids(plan)
    first, second = plan.parent_latents.astype(np.float32).swapaxes(0, 1)
    shares = np.array([blend["shares"] for blend in plan.drawn["blends"]])

    def decode(latents):
        return np.clip(model.decode(latents), -1, 1)

    made[f"the {classes[1]}'s share at 0"] = decode(first)
    if isinstance(request.search, MaskSearch):
        omitted.append((PLACED_CONTROLS, "this search places no parents"))
    elif train is None and plan.drawn.get("parents") == "images":
        omitted.append((PLACED_CONTROLS, f"the parents were images, and {NO_DATA}"))
    elif (result := redraw(plan, model, train)) is None:
        omitted.append((PLACED_CONTROLS, "this version draws the manifest's candidates otherwise"))
    else:
        collages = controls.collages(result)
        made["a dark blob as wings"] = controls.with_dark_blobs(model, result)
        if train is None:
            omitted.append(("folded birds", NO_DATA))
        else:
            birds = draw_folded_birds(train, 1 - fold, len(first), seed)
            made["a folded bird as wings"] = controls.with_folded_birds(model, result, *birds)
    return SearchPictures(
        decode(blend_cells(first, second, shares)),
        classes,
        [pair[1] for pair in ids] if classes == CLASSES and plan.has_labels else None,
        made,
        collages,
        {} if train is None or classes != CLASSES else collect_photographs(train, test, 1 - fold, seed),
        omitted,
    )


def read_ids(plan):
    """Returns [[id of the first parent, id of the second], ...] of a search's plan; InputError if it has none."""
    try:
        ids = [[parent["id"] for parent in note["parents"]] for note in plan.notes]
        if {len(pair) for pair in ids} != {2} or {type(id) for pair in ids for id in pair} != {int}:
            raise ValueError("not two integers")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"--pictures must be a manifest with the ids of both parents of each picture. Received: {error}"
        ) from error
    return ids


def redraw(plan, model, train):
    """Draws a search's results again.

    Args:
        plan, model, train: see `collect`.

    Returns:
        pegasus.search.SearchResult with the composition of the placed parents; None unless the draws are those
        that the plan has recorded.
    """
    numbers = [note.get("candidate") for note in plan.notes]
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    dataset = train if plan.drawn.get("parents") == "images" else None
    parents = prepare_parents(model, plan.bank, dataset)
    drawn = [draw_candidate(parents, plan.request.seed, number) for number in numbers]
    composition = compose(parents, drawn)
    blends = describe_blends(drawn, composition, plan.parent_latents.shape[2:4])
    ids = [[parents.horses.labels[c.horse].id, parents.birds.labels[c.bird].id] for c in drawn]
    if ids != read_ids(plan) or blends != plan.drawn["blends"]:
        return None
    return SearchResult(plan.parent_latents, blends, plan.notes, parents.source, composition)


def draw_folded_birds(train, fold, count, seed):
    """Draws birds without visible wings, whose foreground is found.

    Args:
        train: see `collect`.
        fold: of their ids.
        count: int.
        seed: of the draws.

    Returns:
        (images float32 [count, H, W, C], foregrounds [count, H, W]). Birds repeat if too few are found.

    Raises:
        InputError: if none is found.
    """
    birds, wings = train.select(("bird",)), labels.bird_wings()
    rows = [row for row, id in enumerate(birds.ids) if labels.fold(id) == fold and int(id) not in wings]
    images, masks = [], []
    looked_at = np.random.default_rng(seed).permutation(rows).astype(int)[: 2 * count]
    for row in progress.track(looked_at, "finding birds with folded wings"):
        if len(images) == count:
            break
        image = to_float(birds.images[row])
        mask = border_foreground(image)
        if is_usable(image, mask, AREAS["bird"]):
            images.append(image)
            masks.append(mask)
    if not images:
        raise InputError(f"Controls need a bird with folded wings. Received: {len(rows)} birds, none usable")
    chosen = np.arange(count) % len(images)
    return np.stack(images)[chosen], np.stack(masks)[chosen]


def collect_photographs(train, test, fold, seed):
    """Photographs that the wing referee was not trained on.

    Args:
        train, test: see `collect`.
        fold: of the ids of birds with spread wings.
        seed: of the pairs of the cross-fades.

    Returns:
        {name: images float32 [N, H, W, C] in [-1, 1]}; names without images are left out.
    """
    riders = [id for id, label in labels.horse_riders().items() if label.use == "control"]
    wings = [id for id, label in labels.bird_wings().items() if label.wings in labels.SPREAD and label.clear]
    wings = [id for id in wings if labels.fold(id) == fold]
    horses, birds = (to_float(test.select((name,)).images) for name in CLASSES)
    count, random = min(len(horses), len(birds)), np.random.default_rng(seed)
    pairs = [x[random.permutation(len(x))[:count]] for x in (horses, birds)]
    groups = {
        "real horses": horses,
        "real horses with riders": to_float(train.select(("horse",)).select_ids(riders).images),
        "real birds with spread wings": to_float(train.select(("bird",)).select_ids(wings).images),
        "cross-fades of a horse and a bird": (pairs[0] + pairs[1]) / 2,
    }
    return {name: group for name, group in groups.items() if len(group)}
