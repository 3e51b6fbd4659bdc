"""One-to-one assignment on gated costs."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["assign"]

Rows = NDArray[np.intp]


def assign(costs: NDArray[np.floating], allowed: NDArray[np.bool_], limit: float) -> tuple[Rows, Rows]:
    """Pairs rows with columns so that the sum of (cost - limit) over the pairs is least.

    Leaving a row and a column apart costs as much as a pair at ``limit``, so a good pair is not given up to
    make two poor ones. Only rows and columns that have an allowed pair reach the solver.

    Args:
        costs: ``(R, C)``, finite where allowed.
        allowed: ``(R, C)``, which pairs are possible at all.
        limit: pairs that cost this much or more are not made.

    Returns:
        The rows and the columns of the pairs, both ``(K,)``, rows ascending.
    """
    possible = allowed & (costs < limit)
    rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
    if not rows.size:
        return rows, columns
    gains = np.where(possible, costs - limit, 0.0)[np.ix_(rows, columns)]
    chosen_rows, chosen_columns = linear_sum_assignment(gains)
    made = gains[chosen_rows, chosen_columns] < 0
    return rows[chosen_rows[made]], columns[chosen_columns[made]]
