"""Which boxes overlap which: in a crowd few pairs of very many, found without a look at all of them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["overlapping", "paired_iou"]

Rows = NDArray[np.intp]
Boxes = NDArray[np.floating]

# Up to so many pairs, it takes less time to look at all of them than to sort.
_FEW = 10_000
# No union of two boxes is smaller, in square pixels.
_LEAST_UNION = 1e-12


def overlapping(a: Boxes, b: Boxes) -> tuple[Rows, Rows]:
    """The pairs of boxes ``(A, 4)`` and ``(B, 4)`` that share some area.

    A box without an area, as a filter may predict, may come in where its edges lie.

    Returns:
        Row numbers in ``a``, ascending, and in ``b``, both ``(K,)``.
    """
    if len(a) * len(b) > _FEW:
        return _swept(a, b)
    left, top, right, bottom = a.T[:, :, None]
    meet = left < b[:, 2]
    meet &= right > b[:, 0]
    meet &= top < b[:, 3]
    meet &= bottom > b[:, 1]
    return meet.nonzero()


def paired_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union ``(K,)`` of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair."""
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    np.maximum(shared, 0, out=shared)
    sides_a, sides_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    overlap: NDArray[np.float64] = shared[:, 0] * shared[:, 1]
    union = sides_a[:, 0] * sides_a[:, 1]
    union += sides_b[:, 0] * sides_b[:, 1]
    union -= overlap
    overlap /= np.maximum(union, _LEAST_UNION)
    return overlap


def _swept(a: Boxes, b: Boxes) -> tuple[Rows, Rows]:
    """Sweeps from left to right: of ``b`` sorted by its left edges, a stretch can reach each of ``a``."""
    order = b[:, 0].argsort()
    b = b[order]
    first = np.searchsorted(np.maximum.accumulate(b[:, 2]), a[:, 0], side="right")
    last = np.searchsorted(b[:, 0], a[:, 2], side="left")
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(a)), counts)
    columns = np.arange(len(rows)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    meet = a[:, 1].take(rows) < b[:, 3].take(columns)
    meet &= a[:, 3].take(rows) > b[:, 1].take(columns)
    meet &= a[:, 0].take(rows) < b[:, 2].take(columns)
    return rows[meet], order[columns[meet]]
