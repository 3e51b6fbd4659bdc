"""One-to-one assignment of pairs in a list, in NumPy and SciPy."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from mot_reid.typing import Floats, Indices, Mask

__all__ = ["assign_pairs", "mark_matched"]

Costs = Floats

# With fewer pairs than this the solver alone is faster; with more, most of them need no solver.
_MANY = 250
_ROUNDS = 4
# A matrix of so many entries is not worth making smaller.
_SMALL = 4096


def assign_pairs(rows: Indices, columns: Indices, costs: Costs, limit: float) -> Indices:
    """Makes pairs so that the sum of (cost - limit) over them is least, no row and no column twice.

    Args:
        rows: ``(P,)`` of each pair, from 0, ascending; no pair comes twice.
        columns: ``(P,)`` likewise.
        costs: ``(P,)``, finite.
        limit: pairs that cost this much or more are not made.

    Returns:
        Which of the pairs are made ``(K,)``, ascending.
    """
    gains = limit - costs
    left = (gains > 0).nonzero()[0]
    if len(left) == len(gains) <= _MANY:
        return _solved(rows, columns, gains)
    chosen: list[Indices] = []
    for _ in range(_ROUNDS):
        if len(left) <= _MANY:
            break
        sure = _sure(rows[left], columns[left], gains[left])
        chosen.append(left[sure])
        left = left[_apart(rows, left, sure) & _apart(columns, left, sure)]
        if not len(sure):
            break
    last = left[_solved(rows[left], columns[left], gains[left])]
    return np.sort(np.concatenate([*chosen, last])) if chosen else last


def mark_matched(
    rows: Indices,
    columns: Indices,
    made: Indices,
    column_of: Indices,
    row_of: Indices,
    free_rows: Mask,
    free_columns: Mask,
) -> None:
    """Writes down, in place, which of the pairs ``(P,)`` are made.

    Args:
        rows: of each pair.
        columns: likewise.
        made: ``(K,)`` numbers of those.
        column_of: ``(T,)`` the column of each row.
        row_of: ``(M,)`` the row of each column.
        free_rows: ``(T,)`` which rows have none.
        free_columns: ``(M,)`` likewise.
    """
    rows, columns = rows[made], columns[made]
    column_of[rows], row_of[columns] = columns, rows
    free_rows[rows] = free_columns[columns] = False


def _solved(rows: Indices, columns: Indices, gains: Costs) -> Indices:
    """The best of the pairs, ascending, by the Hungarian method on the rows and columns that occur."""
    count = len(rows)
    if len(set(rows.tolist())) == count == len(set(columns.tolist())):
        return np.arange(count)  # nobody has a choice
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    if shape[0] * shape[1] > _SMALL:
        rows, columns = _numbered(rows), _numbered(columns)
        shape = int(rows.max()) + 1, int(columns.max()) + 1
    pair_at = np.full(shape, -1)
    pair_at[rows, columns] = np.arange(count)
    matrix = np.zeros(shape)
    matrix[rows, columns] = gains
    chosen: Indices = pair_at[_solver()(matrix, maximize=True)]
    return chosen[chosen >= 0]


@cache
def _solver() -> Callable[..., Any]:
    """SciPy's, loaded when the first frame needs it: it takes longer to load than all the rest."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment


def _numbered(keys: Indices) -> Indices:
    """The keys renumbered without gaps, in their order."""
    occurs = np.zeros(keys.max() + 1, np.intp)
    occurs[keys] = 1
    numbers: Indices = (occurs.cumsum() - 1)[keys]
    return numbers


def _sure(rows: Indices, columns: Indices, gains: Costs) -> Indices:
    """Pairs that some best assignment makes, found without solving it.

    Without such a pair, an assignment has at most one other pair in its row and one in its column; if the
    pair gains at least as much as the best two of those together, it can take their place.
    """
    sure = (gains >= _best_rival(rows, gains) + _best_rival(columns, gains)).nonzero()[0]
    sure = sure[np.unique(rows[sure], return_index=True)[1]]  # of equals that exclude each other, one
    return sure[np.unique(columns[sure], return_index=True)[1]]


def _best_rival(keys: Indices, gains: Costs) -> Costs:
    """For each pair the largest gain of another pair with its key, 0 if there is none: ``(P,)``."""
    order = np.lexsort((-gains, keys))
    keys, gains = keys[order], gains[order]
    starts = np.concatenate([[True], keys[1:] != keys[:-1]])
    followed = np.concatenate([~starts[1:], [False]])
    rivals = gains[starts][np.cumsum(starts) - 1]  # the best one's gain, for all but the best themselves
    rivals[starts] = np.where(followed, np.roll(gains, -1), 0.0)[starts]
    unsorted = np.empty_like(rivals)
    unsorted[order] = rivals
    return unsorted


def _apart(keys: Indices, left: Indices, sure: Indices) -> Mask:
    """Which pairs of ``left`` do not share a key with any of ``left[sure]``."""
    taken = np.zeros(keys.max() + 1, bool)
    taken[keys[left[sure]]] = True
    return ~taken[keys[left]]
