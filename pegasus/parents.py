"""Parents of winged horses: labelled white horses from the side and birds with spread wings."""

import dataclasses

import numpy as np

from common import images, progress
from common.errors import InputError
from pegasus import labels
from pegasus.foreground import back_line, border_foreground, border_pixels, outline

CLASSES = ("horse", "bird")
SHADE = "white"  # of the horses: dark ones hide their outline, and white wings do not match brown ones
AREAS = {"horse": (0.1, 0.55), "bird": (0.03, 0.6)}  # share of the image that a foreground may have
MAX_UNSURE, MAX_BORDER = 0.2, 0.4  # share of the image that is neither, share of the border in the foreground
MIN_LIGHTER = 0.1
FRAME_LINES, FRAME_STEP, FRAME_DEVIATION = 5, 0.3, 0.15  # of a framed photograph's sides, see `count_framed_sides`


@dataclasses.dataclass(frozen=True, eq=False)
class Animals:
    """N animals of one class.

    Attributes:
        labels: list of N `HorseSideView` or `BirdWings`.
        rows: int [N], rows of the latent bank; -1 for an image that it lacks.
        images: float32 [N, H, W, C] in [-1, 1].
        masks: float32 [N, H, W], their foregrounds.
        outlines: list of N `pegasus.foreground.Outline`.
        behind: float32 [N, C], mean colour of what is behind and above the horse, or around the bird.
    """

    labels: list
    rows: np.ndarray
    images: np.ndarray
    masks: np.ndarray
    outlines: list
    behind: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Parents:
    """Horses and birds of a search.

    Attributes:
        horses, birds: Animals.
        source: "images", or "reconstructions" of the latent bank's latents.
    """

    horses: Animals
    birds: Animals
    source: str


def prepare_parents(model, bank, dataset=None):
    """Finds the labelled parents and their foregrounds.

    Args:
        model: acai.inference.ReleasedACAI, which decodes the bank where there is no data set.
        bank: acai.latent_bank.LatentBank of a model of CIFAR-10; None: no animal has a row.
        dataset: common.data.datasets.ImageDataset of CIFAR-10's training images; None: the bank.

    Returns:
        Parents.

    Raises:
        InputError: where no labelled horse or bird is found.
    """
    tables = {"horse": labels.horse_side_views(), "bird": labels.bird_wings()}
    tables["horse"] = {id: label for id, label in tables["horse"].items() if label.shade == SHADE}
    tables["bird"] = {id: label for id, label in tables["bird"].items() if label.wings in labels.SPREAD}
    animals = [_prepare(name, table, model, bank, dataset) for name, table in tables.items()]
    return Parents(*animals, source="reconstructions" if dataset is None else "images")


def _prepare(name, table, model, bank, dataset):
    rows = {int(bank.ids[row]): int(row) for row in bank.rows(name)} if bank else {}
    rows = {id: row for id, row in rows.items() if id in table}
    if dataset is None:
        ids = list(rows)
        latents = bank.latents[[rows[id] for id in ids]].astype(np.float32)
        pictures = np.clip(model.decode(latents), -1, 1) if ids else latents
    else:
        indices = np.flatnonzero(dataset.labels == dataset.class_names.index(name))
        indices = [i for i in indices if int(dataset.ids[i]) in table]
        ids, pictures = [int(dataset.ids[i]) for i in indices], images.to_float(dataset.images[indices])
    masks = [border_foreground(picture) for picture in progress.track(pictures, f"finding each {name}")]
    kept = [
        i
        for i, mask in enumerate(masks)
        if is_usable(pictures[i], mask, AREAS[name]) and fits_shade(pictures[i], mask, table[ids[i]].shade)
    ]
    if not kept:
        raise InputError(
            f"A search for winged horses needs a labelled {name}. Received: {len(ids)} labelled images, in which "
            "none was found; search with --mask=KIND instead"
        )
    masks = np.stack([masks[i] for i in kept])
    behind = [mean_behind(pictures[i], mask, above=name == "horse") for i, mask in zip(kept, masks, strict=True)]
    return Animals(
        labels=[table[ids[i]] for i in kept],
        rows=np.array([rows.get(ids[i], -1) for i in kept]),
        images=pictures[kept],
        masks=masks,
        outlines=[outline(mask) for mask in masks],
        behind=np.array(behind, np.float32),
    )


def is_usable(image, mask, areas):
    """Whether a mask can be an animal's, and the image is not framed."""
    area, unsure = np.mean(mask > 0.5), np.mean((mask > 0.1) & (mask < 0.9))
    border = np.mean(mask[border_pixels(mask.shape)] > 0.5)
    fits = areas[0] < area < areas[1] and unsure < MAX_UNSURE and border < MAX_BORDER
    return bool(fits and count_framed_sides(image) < 2)


def fits_shade(image, mask, shade):
    """Whether what a mask shows is lighter than the rest of the image if it is white, or darker if it is dark."""
    grey = image.mean(axis=-1)
    difference = np.sum(grey * mask) / np.sum(mask) - np.sum(grey * (1 - mask)) / np.sum(1 - mask)
    return not (shade == "white" and difference < MIN_LIGHTER or shade == "dark" and difference > -MIN_LIGHTER)


def count_framed_sides(image):
    """Number of sides of an image [H, W, C] with a frame or a bar.

    Such a side's outermost line has nearly one colour, and within FRAME_LINES lines most of it changes.
    """
    count = 0
    for side in (image, image[::-1], image.transpose(1, 0, 2), image.transpose(1, 0, 2)[::-1]):
        steps = np.abs(side[1 : 1 + FRAME_LINES] - side[0]).mean(axis=-1)
        count += side[0].std(axis=0).mean() < FRAME_DEVIATION and np.median(steps, axis=1).max() > FRAME_STEP
    return count


def mean_behind(image, mask, above):
    """Mean colour [C] of an image's background, of that above the animal's back only if `above`."""
    behind = mask < 0.2
    if above:
        back = back_line(mask)
        lowest = np.minimum(back, np.median(back[back < len(mask)]) + 2)
        upper = behind & (np.arange(len(mask))[:, None] < lowest)
        behind = upper if upper.any() else behind
    return image[behind].mean(axis=0)
