"""Flags of a search, generate.py --blend --candidates=N."""

from absl import flags

from pegasus import labels
from pegasus.general import masks
from pegasus.parents import CLASSES
from pegasus.search_config import MaskSearch, PlacedSearch

NAMES = ("candidates", "mask")


def define():
    """Defines the flags of NAMES."""
    drawn = "number of blends that a search draws and scores; 0: no search"
    flags.DEFINE_integer("candidates", 0, drawn, lower_bound=0)
    kinds = "where the second parent weighs more; a search then needs no labels"
    flags.DEFINE_enum("mask", None, masks.KINDS, kinds)


def choose_search(model_config, classes, candidates, keep, mask=None):
    """The search for winged horses where their parents are labelled, or else that for any two classes.

    Args:
        model_config: a release's config. The labels are those of CIFAR-10's horses and birds.
        classes: (first, second), each a name or None for the default.
        candidates, keep, mask: see `MaskSearch`; with a mask no labels are used.

    Returns:
        PlacedSearch or MaskSearch.

    Raises:
        InputError: for a value that is out of range.
    """
    data = model_config.get("data", {})
    wanted = [name or default for name, default in zip(classes, CLASSES, strict=True)]
    has_labels = labels.apply_to(data) and {*CLASSES} <= {*data.get("classes", ())}
    if mask is None and has_labels and wanted == [*CLASSES]:
        return PlacedSearch(candidates, keep)
    return MaskSearch(candidates, keep, mask)
