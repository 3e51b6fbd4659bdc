"""One-to-one assignment of pairs in a list, in loops."""

import numpy as np
from numba import types

from mot_reid.kernels.numba.compiling import B1, F8, FLOATS, FOUND, ROWS, compiled

__all__ = ["assign_pairs", "mark_matched"]


@compiled(FOUND, ROWS, ROWS, FLOATS, F8)
def assign_pairs(rows, columns, costs, limit):
    """The Hungarian method on pairs: row by row the shortest augmenting path (Jonker and Volgenant 1987).

    To go without a column costs a row nothing and each pair less than nothing. A path ends at a column that
    nobody has, or at a row that goes without from then on.
    """
    height, width = 0, 0
    for k in range(len(rows)):
        height, width = max(height, rows[k] + 1), max(width, columns[k] + 1)
    starts = np.zeros(height + 1, np.intp)  # of each row's pairs
    for k in range(len(rows)):
        starts[rows[k] + 1] += 1
    for row in range(height):
        starts[row + 1] += starts[row]
    row_price, column_price = np.zeros(height), np.zeros(width)
    pair_of, owner = np.full(height, -1), np.full(width, -1)  # of rows, of columns
    length, through = (
        np.full(width, np.inf),
        np.empty(width, np.intp),
    )  # of the path to each column; its last pair
    settled, reached = np.zeros(width, np.bool_), np.empty(width, np.intp)
    for new in range(height):
        row, so_far, count = new, 0.0, 0
        loser, loss = new, np.inf
        while True:
            if so_far - row_price[row] < loss:
                loser, loss = row, so_far - row_price[row]
            for k in range(starts[row], starts[row + 1]):
                column, cost = columns[k], costs[k] - limit
                if cost >= 0 or settled[column]:
                    continue
                if length[column] == np.inf:
                    reached[count] = column
                    count += 1
                distance = so_far + cost - row_price[row] - column_price[column]
                if distance < length[column]:
                    length[column], through[column] = distance, k
            nearest = -1
            for k in range(count):
                column = reached[k]
                if not settled[column] and (nearest < 0 or length[column] < length[nearest]):
                    nearest = column
            if nearest < 0 or loss <= length[nearest]:
                so_far, nearest = loss, -1
                break
            so_far = length[nearest]
            if owner[nearest] < 0:
                break
            settled[nearest] = True
            row = owner[nearest]
        row_price[new] += so_far
        for k in range(count):
            column = reached[k]
            if settled[column]:
                row_price[owner[column]] += so_far - length[column]
                column_price[column] -= so_far - length[column]
            length[column], settled[column] = np.inf, False
        if nearest < 0 and loser != new:
            nearest, pair_of[loser] = columns[pair_of[loser]], -1
        while nearest >= 0:
            k = through[nearest]
            row = rows[k]
            owner[nearest] = row
            before, pair_of[row] = pair_of[row], k
            nearest = columns[before] if row != new else -1
    return pair_of[pair_of >= 0]


@compiled(types.void, ROWS, ROWS, ROWS, *2 * (FOUND,), *2 * (types.Array(B1, 1, "C"),))
def mark_matched(rows, columns, made, column_of, row_of, free_rows, free_columns):
    for k in made:
        row, column = rows[k], columns[k]
        column_of[row], row_of[column] = column, row
        free_rows[row] = free_columns[column] = False
