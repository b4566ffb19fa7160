"""The score of a winged horse: a weighted sum of terms, where higher is better.

horse       log probability of a horse, by the search's wing classifier
wings       log probability of spread wings, by the same
horse_seen  minus the mean difference to the placed horse, where that is and the wings are not
head_seen   the same at the horse's head
wings_seen  minus the mean difference to the placed bird, where its wings are
changed     mean difference to the horse decoded without wings, where they are
outline     difference in colour of the wings and what is around them
light       difference in lightness of the wings and what is around them: dark wings look like a saddle or a rider
contrast    the lesser of such differences in colour of the horse and of its head
slender     length of the wings divided by their width, less the pixels by which they are thicker than a wing
spread      how far the upper half of the wings is from the joint, sideways: a rider sits upright
background  minus the difference of the two parents around the wings
size        area of the wings
joined      pixels of the wings next to the back
whole       minus the wings' pixels in the uppermost row and at the sides, where they are cut off
head_free   minus the area of what is of the bird and beside or above the horse's head
colours     minus the sum of what is more colourful than at the same place of both parents: coloured fringes
seam        the patch discriminator's mean logit relative to that of the horse decoded alone; at most 0

Each is limited so that no term can make up for all others. Pictures are [B, H, W, C] in [-1, 1], masks [B, H, W].
"""

import numpy as np
from scipy import ndimage

TERM_WEIGHTS = {
    "horse": 0.6,
    "wings": 0.8,
    "horse_seen": 8.0,
    "head_seen": 3.0,
    "wings_seen": 4.0,
    "changed": 1.5,
    "outline": 2.0,
    "light": 0.2,
    "contrast": 1.5,
    "slender": 0.25,
    "spread": 1.2,
    "background": 1.5,
    "size": 0.6,
    "joined": 0.3,
    "whole": 1.0,
    "head_free": 1.5,
    "colours": 4.0,
    "seam": 0.2,
}
LOWEST_LOG_PROBABILITY = -6.0
MAX_DIFFERENCE, MAX_LIGHT, LARGE_WINGS = 0.7, 0.6, 110
THICK, LONG = 3.0, 2.5  # pixels from a wing's middle to its edge; length of long wings for their width
COLOURFUL = 0.1  # difference of the highest and the lowest of a pixel's colours
WIDE = 8.0  # pixels from the joint to the middle of the upper half of the wings
SMALLEST_WINGS, MAX_AT_HEAD, MAX_CUT = 45, 0.35, 8  # pixels, share of the bird that can be seen, pixels


def is_plausible(composition):
    """Whether each of N compositions is worth decoding: its wings are large enough, whole and not at the head.

    Args:
        composition: pegasus.candidates.Composition.

    Returns:
        bool [N].
    """
    wings, at_head = (np.sum(mask, axis=(1, 2)) for mask in (composition.wings, composition.at_head))
    cut = count_cut(composition.wings)
    return (wings >= SMALLEST_WINGS) & (at_head <= MAX_AT_HEAD * (wings + at_head)) & (cut <= MAX_CUT)


def picture_terms(composition, pictures, horses):
    """The terms that need no network, for B compositions.

    Args:
        composition: pegasus.candidates.Composition.
        pictures: decoded blends.
        horses: decoded placed horses, without wings.

    Returns:
        {term: float [B]}.
    """
    wings = composition.wings
    hard = wings > 0.5
    ring = grow(hard, 3) & ~grow(hard, 1) & (composition.horses < 0.3)
    body = (composition.horses > 0.5) & (wings < 0.2)
    ahead = is_ahead(composition)
    head = body & ahead
    light = weighted_mean(pictures, wings).mean(axis=1) - weighted_mean(pictures, ring).mean(axis=1)
    beside_horse = grow(composition.horses > 0.3, 2) & ~grow(composition.horses > 0.3, 0) & (wings < 0.1)
    parts = ((body, beside_horse), (head, beside_horse & ahead))
    contrasts = [colour_difference(pictures, *part) for part in parts]
    rows = np.arange(wings.shape[1])[:, None]
    beside_back = hard & (rows >= composition.back[:, None] - 2)
    return {
        "horse_seen": -mean_difference(pictures, composition.first, body),
        "head_seen": -mean_difference(pictures, composition.first, head),
        "wings_seen": -mean_difference(pictures, composition.second, wings),
        "changed": np.minimum(mean_difference(pictures, horses, wings), MAX_DIFFERENCE),
        "outline": np.minimum(colour_difference(pictures, wings, ring), MAX_DIFFERENCE),
        "light": np.clip(light, -MAX_LIGHT, MAX_LIGHT),
        "contrast": np.minimum(np.min(contrasts, axis=0), MAX_DIFFERENCE),
        "slender": np.array([measure_slenderness(mask) for mask in hard]),
        "spread": np.minimum(measure_spread(wings, composition.joint_column) / WIDE, 1),
        "background": -mean_difference(composition.second, composition.first, ring),
        "size": np.minimum(hard.sum(axis=(1, 2)) / LARGE_WINGS, 1),
        "joined": np.minimum(beside_back.sum(axis=(1, 2)) / 6, 1),
        "whole": -count_cut(wings) / 4,
        "colours": -measure_fringes(pictures, composition.first, composition.second) / 50,
        "head_free": -composition.at_head.sum(axis=(1, 2)) / 20,
    }


def network_terms(probabilities, picture_logits, horse_logits):
    """The terms of the networks, for B pictures.

    Args:
        probabilities: of a horse and of spread wings, [B, 2].
        picture_logits, horse_logits: mean logits [B] of the patch discriminator for the blends and for the horses
            decoded alone; None: without this term.

    Returns:
        {term: float [B]}.
    """
    logs = np.maximum(np.log(np.maximum(probabilities, 1e-9)), LOWEST_LOG_PROBABILITY)
    terms = {"horse": logs[:, 0], "wings": logs[:, 1]}
    if picture_logits is not None:
        terms["seam"] = np.minimum(picture_logits - horse_logits, 0)
    return terms


def weighted_sum(terms):
    """The score [B] of {term: [B]}."""
    return sum(TERM_WEIGHTS[name] * values for name, values in terms.items())


def is_ahead(composition):
    """Boolean [B, 1, W]: the columns nearer to the horse's head end than to the wings' joint."""
    head_end, joint = composition.head_end[:, None], composition.joint_column[:, None]
    columns = np.arange(composition.wings.shape[2])
    return (np.abs(columns - head_end) < np.abs(columns - joint))[:, None]


def measure_slenderness(mask):
    """How slender a boolean mask [H, W] is: its length for its width, at most LONG, less THICK's excess.

    Length and width are standard deviations along its principal axes.
    """
    if np.sum(mask) < SMALLEST_WINGS:
        return 0.0
    narrow, wide = np.linalg.eigvalsh(np.cov(np.nonzero(mask)))
    thickness = ndimage.distance_transform_edt(mask).max()
    return min(np.sqrt(wide / max(narrow, 1e-6)), LONG) - max(thickness - THICK, 0)


def measure_fringes(pictures, *parents):
    """Sum [B] over pixels of how much more colourful pictures are than both parents, beyond COLOURFUL."""
    picture, *others = (np.ptp(images, axis=-1) for images in (pictures, *parents))
    return np.maximum(picture - np.maximum(*others) - COLOURFUL, 0).sum(axis=(1, 2))


def measure_spread(wings, joint):
    """Mean distance [B] in columns of the upper half of masks [B, H, W] from the columns `joint` [B]."""
    rows = np.arange(wings.shape[1])
    heights = wings.sum(axis=2)  # [B, H]
    middle = (heights * rows).sum(axis=1) / np.maximum(heights.sum(axis=1), 1e-6)
    upper = wings * (rows < middle[:, None])[..., None]
    distances = np.abs(np.arange(wings.shape[2]) - joint[:, None])
    return (upper * distances[:, None]).sum(axis=(1, 2)) / np.maximum(upper.sum(axis=(1, 2)), 1e-6)


def count_cut(wings):
    """Sum [B] of masks in the uppermost row and at both sides."""
    return wings[:, 0].sum(axis=1) + wings[:, :, 0].sum(axis=1) + wings[:, :, -1].sum(axis=1)


def grow(masks, pixels):
    """Boolean masks with all pixels within a number of rows and columns of theirs."""
    return ndimage.maximum_filter(masks, size=(1, 2 * pixels + 1, 2 * pixels + 1))


def weighted_mean(pictures, weights):
    """Mean colour [B, C] of pictures, with a weight for each pixel; 0 where all weights are 0."""
    weights = np.asarray(weights, np.float32)[..., None]
    return (pictures * weights).sum(axis=(1, 2)) / np.maximum(weights.sum(axis=(1, 2)), 1e-6)


def colour_difference(pictures, first, second):
    """Root mean square difference [B] of the mean colours of two parts of pictures, masks [B, H, W]."""
    return np.sqrt(np.square(weighted_mean(pictures, first) - weighted_mean(pictures, second)).mean(axis=1))


def mean_difference(first, second, weights):
    """Mean absolute difference [B] of two sets of pictures, with a weight for each pixel."""
    return weighted_mean(np.abs(first - second), weights).mean(axis=1)
