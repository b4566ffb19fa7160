"""Selection and the order in a grid, by hand."""

import numpy as np

from pegasus.selection import arrange, select


def choose(scores, positions, pairs, keep, **options):
    return select(scores, np.array(positions, float)[:, None], pairs, keep, 1.0, **options)


def test_the_highest_scores_come_first():
    assert choose([1, 3, 2], [0, 10, 20], [(0, 0), (1, 1), (2, 2)], 2) == [1, 2]


def test_near_duplicates_and_equal_pairs_come_last():
    pairs = [(0, 0), (1, 1), (2, 2), (0, 0), (4, 4)]
    assert choose([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 3) == [0, 2, 4]
    assert choose([5, 4, 3, 2, 1], [0, 0.5, 10, 20, 30], pairs, 5) == [0, 2, 4, 1, 3]


def test_each_parent_is_used_at_most_twice():
    """A first and a second parent of one number are different parents."""
    pairs = [(7, 0), (7, 1), (7, 2), (0, 7), (1, 7), (2, 7)]
    assert choose([6, 5, 4, 3, 2, 1], [0, 10, 20, 30, 40, 50], pairs, 4) == [0, 1, 3, 4]


def test_no_group_is_twice_in_a_row_of_the_grid():
    assert arrange([*"abcdef"], [1, 1, 2, 2, 3, 3], 3) == [*"aceb" + "df"]
    assert arrange([*"abc"], [1, 1, 1], 2) == [*"abc"]
    groups = np.repeat(np.arange(32), 2).tolist()
    rows = np.array(arrange(groups, groups, 8)).reshape(8, 8)
    assert rows[0, 0] == 0 and all(len(set(row)) == 8 for row in rows.tolist())
