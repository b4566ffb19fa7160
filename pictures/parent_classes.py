"""The classes of both parents where the user names none."""

from pegasus.parents import CLASSES


def choose_classes(class_names, data, first=None, second=None):
    """Completes the classes of both parents.

    Defaults are horse and bird if the model knows them, else the classes of its training's pictures or groups,
    else the first two in the order of names.

    Args:
        class_names: of the model; empty for a model without classes.
        data: "data" of the release's config.
        first, second: names that the user has given, or None.

    Returns:
        (first, second). A default differs from a name that was given.
    """
    groups = data.get("groups") or ()
    pairs = [CLASSES, (data.get("first"), data.get("second"))]
    pairs += [tuple(group[0] for group in groups)] if len(groups) == 2 and all(groups) else []
    names = sorted(class_names)
    pair = next((pair for pair in pairs if {*pair} <= {*names}), (*names, *names)[:2] or CLASSES)
    if first is None:
        first = pair[1] if second == pair[0] else pair[0]
    if second is None:
        second = pair[0] if first == pair[1] else pair[1]
    return first, second
