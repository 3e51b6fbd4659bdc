"""One-to-one assignment on gated costs."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.typing import Indices, Mask

__all__ = ["assign"]

Costs = NDArray[np.floating]


def assign(costs: Costs, allowed: Mask, limit: float) -> tuple[Indices, Indices]:
    """Pairs rows with columns so that the sum of (cost - limit) over the pairs is least.

    Leaving a row and a column apart costs as much as a pair at ``limit``, so a good pair is not given up to
    make two poor ones.

    Args:
        costs: ``(R, C)``, finite where allowed.
        allowed: ``(R, C)``, which pairs are possible at all.
        limit: pairs that cost this much or more are not made.

    Returns:
        The rows and the columns of the pairs, both ``(K,)``, rows ascending.
    """
    rows, columns = (allowed & (costs < limit)).nonzero()
    chosen = kernels.assign_pairs(rows, columns, costs[rows, columns].astype(np.float64), limit)
    return rows[chosen], columns[chosen]
