"""Controls of the search for winged horses: the same horses with something else as wings, or as collages.

Each function takes what a `pegasus.search.SearchResult` holds and gives pictures float32 [N, H, W, C] in [-1, 1].
"""

import numpy as np

from composites.parts import fit_to
from pegasus.blending import blend_cells
from pegasus.candidates import cell_shares
from pegasus.foreground import smooth
from pegasus.placement import place

BLOB = -0.75  # colour of a dark blob


def decode_with(model, result, second, masks):
    """Blends the placed horses with other images than the placed birds, by the cells of other masks.

    Args:
        model: acai.inference.ReleasedACAI.
        result: pegasus.search.SearchResult with its composition.
        second: float32 [N, H, W, C].
        masks: what of these shall be seen, float [N, H, W].
    """
    first = result.composition.first
    latents = [model.encode(images) for images in (first, second)]
    shares = cell_shares(masks, latents[0].shape[1:3])
    return np.clip(model.decode(blend_cells(*latents, shares)), -1, 1)


def with_dark_blobs(model, result):
    """A dark, round blob with the area of the wings is in their place: its lower end is theirs."""
    masks = np.stack([draw_disc(wings > 0.5) for wings in result.composition.wings])
    second = (1 - masks[..., None]) * result.composition.first + masks[..., None] * BLOB
    return decode_with(model, result, second, masks)


def draw_disc(mask):
    """A disc float32 [H, W] with soft edges, and with the area, the lower end and the middle column of a mask."""
    rows, columns = np.nonzero(mask)
    radius = np.sqrt(len(rows) / np.pi)
    down, right = np.mgrid[: mask.shape[0], : mask.shape[1]]
    distance = np.hypot(down - (rows.max() + 0.5 - radius), right - columns.mean())
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


def with_folded_birds(model, result, images, masks):
    """A bird with folded wings is in the wings' place: as high as these, its lower end on the back.

    Args:
        model, result: see `decode_with`.
        images: N birds, float32 [N, H, W, C] in [-1, 1].
        masks: their foregrounds, [N, H, W], none of them empty.
    """
    placements = [
        fit_to(mask > 0.5, wings > 0.5) for mask, wings in zip(masks, result.composition.wings, strict=True)
    ]
    placed = place(np.asarray(masks)[..., None], placements, "zero")[..., 0]
    return decode_with(model, result, place(images, placements), placed)


def collages(result):
    """The placed photographs, joined at the pixels with soft edges."""
    shares = np.stack([smooth(wings) for wings in result.composition.wings])[..., None]
    return (1 - shares) * result.composition.first + shares * result.composition.second
