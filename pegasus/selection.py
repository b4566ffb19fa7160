"""The choice of a search's results: high scores, little duplication."""

import collections

import numpy as np

MAX_USES = 2  # of one parent


def select(scores, descriptions, parents, keep, min_distance, max_uses=MAX_USES):
    """Selects `keep` of N candidates, best first.

    A candidate is skipped if a better one has the same parents or is too similar, or if a parent is used up. If
    too few remain, the best of those that were skipped fill up the end.

    Args:
        scores: [N].
        descriptions: [N, d], whose Euclidean distance says how different two candidates are.
        parents: N pairs (first, second) of integers.
        keep: number of candidates to select.
        min_distance: least distance between two selected candidates.
        max_uses: how often a parent may be selected.

    Returns:
        List of min(keep, N) indices.
    """
    order = np.argsort(-np.asarray(scores), kind="stable").tolist()
    selected, pairs, uses = [], set(), collections.Counter()
    for i in order:
        pair = tuple(parents[i])
        if len(selected) == keep:
            break
        if pair in pairs or max(uses[side] for side in enumerate(pair)) >= max_uses:
            continue
        if selected and np.linalg.norm(descriptions[selected] - descriptions[i], axis=1).min() < min_distance:
            continue
        selected.append(i)
        pairs.add(pair)
        uses.update(enumerate(pair))
    taken = set(selected)
    return (selected + [i for i in order if i not in taken])[:keep]


def arrange(items, groups, columns):
    """Orders items for a grid so that no two of a row are of one group, as far as possible.

    The first item stays first. Each place gets the earliest item left whose group is not in the row yet, or else
    the earliest item left.

    Args:
        items: list.
        groups: the group of each item.
        columns: of the grid.

    Returns:
        List of all items.
    """
    left, arranged = list(zip(items, groups, strict=True)), []
    while left:
        row = {group for _, group in arranged[len(arranged) // columns * columns :]}
        place = next((i for i, (_, group) in enumerate(left) if group not in row), 0)
        arranged.append(left.pop(place))
    return [item for item, _ in arranged]
