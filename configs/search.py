"""Which search generate.py --blend --candidates=N makes."""

from pegasus import labels
from pegasus.parents import CLASSES
from pegasus.search_config import MaskSearch, Search


def choose_search(model_config, classes, candidates, keep, mask=None):
    """The search for winged horses where their parents are labelled, or else that for any two classes.

    Args:
        model_config: a release's config. The labels are those of CIFAR-10's horses and birds.
        classes: (first, second), each a name or None for the default.
        candidates, keep, mask: see `MaskSearch`; with a mask no labels are used.

    Returns:
        Search or MaskSearch.

    Raises:
        InputError: for a value that is out of range.
    """
    data = model_config.get("data", {})
    wanted = [name or default for name, default in zip(classes, CLASSES, strict=True)]
    has_labels = labels.apply_to(data) and {*CLASSES} <= {*data.get("classes", ())}
    if mask is None and has_labels and wanted == [*CLASSES]:
        return Search(candidates, keep)
    return MaskSearch(candidates, keep, mask)
