"""The classes of both parents where the user names none."""

from pegasus.parents import CLASSES


def choose_classes(class_names, data, first=None, second=None):
    """Completes the classes of both parents.

    Defaults are the classes of its training's pictures (`data.first` and `data.second`: horse and bird unless set)
    if the model knows them, else horse and bird, else the classes of its groups, else the first two in the order
    of names.

    Args:
        class_names: of the model; empty for a model without classes.
        data: "data" of the release's config.
        first, second: names that the user has given, or None.

    Returns:
        (first, second). A default differs from a name that was given.
    """
    groups = data.get("groups") or ()
    pairs = [(data.get("first"), data.get("second")), CLASSES]
    pairs += [tuple(group[0] for group in groups)] if len(groups) == 2 and all(groups) else []
    names = sorted(class_names)
    pair = next((pair for pair in pairs if {*pair} <= {*names}), (*names, *names)[:2] or CLASSES)
    if first is None:
        first = pair[1] if second == pair[0] else pair[0]
    if second is None:
        second = pair[0] if first == pair[1] else pair[1]
    return first, second
