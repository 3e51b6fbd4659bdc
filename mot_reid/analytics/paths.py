"""Paths of objects, simplified. For finished tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["simplified"]


def simplified(points: NDArray[np.float64], tolerance: float) -> NDArray[np.intp]:
    """Which points of a path are enough, by Douglas and Peucker (1973).

    Args:
        points: ``(N, 2)``, in order.
        tolerance: most distance of a point left out from the path drawn without it, in the points' unit.

    Returns:
        Rows kept, ascending; the first and the last are among them.
    """
    n = len(points)
    if n < 3:
        return np.arange(n)
    kept = np.zeros(n, bool)
    kept[[0, n - 1]] = True
    open_pieces = [(0, n - 1)]
    while open_pieces:
        first, last = open_pieces.pop()
        if last - first < 2:
            continue
        off = points[first + 1 : last] - points[first]
        along = points[last] - points[first]
        length = float(along @ along)
        share = np.clip(off @ along / length, 0, 1) if length else np.zeros(len(off))
        distances = np.hypot(*(off - share[:, None] * along).T)
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            middle = first + 1 + farthest
            kept[middle] = True
            open_pieces += [(first, middle), (middle, last)]
    return np.flatnonzero(kept)
