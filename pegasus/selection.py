"""The choice of a search's results: high scores, little duplication."""

import collections

import numpy as np

from common import progress

BATCH_SIZE = 256  # candidates
POOL_SIZE = 2000  # best candidates, of which some are selected
MAX_USES = 2  # of one parent
THUMBNAIL = 4  # pixels of a picture in one of its thumbnail
MIN_DIFFERENCE = 0.2  # root mean square difference of two thumbnails; closer candidates are duplicates


def find_best(config, score):
    """Finds the best of all candidates. It stores only the best so far, so memory does not grow with their number.

    Args:
        config: pegasus.search_config.Search.
        score: function, numbers of candidates [n] -> (numbers [m], scores [m], descriptions [m, d]) of those that
            may be selected; None where none may.

    Returns:
        The same of the best, best first; None where there is none.
    """
    pool = None
    for start in progress.track(range(0, config.candidates, BATCH_SIZE), "decoding and scoring candidates"):
        found = score(np.arange(start, min(start + BATCH_SIZE, config.candidates)))
        if found is not None:
            pool = found if pool is None else [np.concatenate(parts) for parts in zip(pool, found, strict=True)]
            best = np.argsort(-pool[1], kind="stable")[: max(POOL_SIZE, 8 * config.keep)]
            pool = [part[best] for part in pool]
    return pool


def make_thumbnails(pictures):
    """Pictures [N, H, W, C], shrunk and flattened to [N, d]; the distance of two is a root mean square."""
    rows, columns = (size // THUMBNAIL for size in pictures.shape[1:3])
    whole = pictures[:, : rows * THUMBNAIL, : columns * THUMBNAIL]
    small = whole.reshape(len(pictures), rows, THUMBNAIL, columns, THUMBNAIL, -1).mean(axis=(2, 4))
    return small.reshape(len(pictures), -1) / np.sqrt(small[0].size)


def make_notes(numbers, scores, terms, parents=None):
    """What a manifest says of N selected candidates: [{"candidate", "score", "terms", "parents"}, ...].

    Args:
        numbers, scores: [N].
        terms: {name: [N]} of the scores.
        parents: list of N lists; None where candidates have none.
    """
    notes = []
    for k, number in enumerate(numbers):
        rounded = {name: round(float(values[k]), 4) for name, values in terms.items()}
        note = {"candidate": int(number), "score": round(float(scores[k]), 4), "terms": rounded}
        notes.append(note | ({} if parents is None else {"parents": parents[k]}))
    return notes


def select(scores, descriptions, parents, keep, min_distance):
    """Selects `keep` of N candidates, best first.

    A candidate is skipped if a better one has the same parents or is too similar, or if a parent is used up. If
    too few remain, the best of those that were skipped fill up the end.

    Args:
        scores: [N].
        descriptions: [N, d], whose Euclidean distance says how different two candidates are.
        parents: N pairs (first, second) of integers.
        keep: number of candidates to select.
        min_distance: least distance between two selected candidates.

    Returns:
        List of min(keep, N) indices.
    """
    order = np.argsort(-np.asarray(scores), kind="stable").tolist()
    selected, pairs, uses = [], set(), collections.Counter()
    for i in order:
        pair = tuple(parents[i])
        if len(selected) == keep:
            break
        if pair in pairs or max(uses[side] for side in enumerate(pair)) >= MAX_USES:
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
