"""Controls of the search for winged horses: the same horses with something else as wings, or as collages.

Each function takes what a `pegasus.search.SearchResult` holds and gives pictures float32 [N, H, W, C] in [-1, 1].
"""

import numpy as np

from pegasus.blending import blend_cells
from pegasus.foreground import smooth
from pegasus.placement import Placement, place

BLOB = -0.75  # colour of a dark blob


def decode_with(model, result, second):
    """Decodes the result's blends with other images in place of the placed birds.

    Args:
        model: acai.inference.ReleasedACAI.
        result: pegasus.search.SearchResult with its composition.
        second: float32 [N, H, W, C].
    """
    shares = np.array([blend["shares"] for blend in result.blends])
    latents = blend_cells(model.encode(result.composition.first), model.encode(second), shares)
    return np.clip(model.decode(latents), -1, 1)


def with_dark_blobs(model, result):
    """A dark, smooth blob of the wings' shape is in their place."""
    return decode_with(model, result, cover(result.composition, np.full_like(result.composition.first, BLOB)))


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
    return decode_with(model, result, place(images, placements))


def fit_to(mask, wings):
    """The Placement that makes a mask [H, W] as high as another, with the same lower end and centre."""
    (rows, columns), (wing_rows, wing_columns) = np.nonzero(mask), np.nonzero(wings)
    scale = float(np.clip((np.ptp(wing_rows) + 1) / (np.ptp(rows) + 1), 0.3, 3))
    still = Placement(scale)
    row, column = still.target(mask.shape, rows.max(), columns.mean())
    return Placement(scale, down=float(wing_rows.max() - row), right=float(wing_columns.mean() - column))


def collages(result):
    """The placed photographs, joined at the pixels."""
    return cover(result.composition, result.composition.second)


def cover(composition, images):
    """Puts images over the placed horses where the wings are, with soft edges."""
    shares = np.stack([smooth(wings) for wings in composition.wings])[..., None]
    return (1 - shares) * composition.first + shares * images
