"""Where boxes lie, and how they overlap, in NumPy."""

import numpy as np

from mot_reid.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from mot_reid.kernels.constants import FEW, FURTHEST_CELL, LEAST_SIZE, SPREAD, STRIPES
from mot_reid.typing import Floats, Floats32, Indices, Ints, Mask

__all__ = [
    "centres",
    "corners",
    "covered_in_front",
    "fullest_stripe",
    "most_shared",
    "mutual_best",
    "similar_pairs",
    "smoothed",
    "velocities",
]


def corners(boxes: Floats) -> Floats:
    """Centre, width and height to corners: ``(N, 4)`` to ``(N, 4)``."""
    return cxcywh_to_xyxy(boxes)


def smoothed(measured: Floats, index: Indices, predicted: Floats, chosen: Indices, shares: Floats) -> Floats:
    """Corners ``(K, 4)`` of boxes between measured ones and those of the filter.

    Args:
        measured: ``(M, 4)`` centre x, centre y, width, height.
        index: ``(K,)`` which of them.
        predicted: ``(T, 4)`` likewise.
        chosen: ``(K,)`` which of them.
        shares: ``(4,)`` of the filter's, by coordinate.
    """
    boxes, expected = measured.take(index, axis=0), predicted[chosen]
    boxes *= 1 - shares
    expected *= shares
    boxes += expected
    return cxcywh_to_xyxy(boxes)


def velocities(values: Floats, chosen: Indices) -> Floats32:
    """Velocities ``(K, 2)`` of the centres of some boxes ``(K,)``, of Kalman states ``(5, 4, N)``."""
    return values[1, :2].take(chosen, axis=1).T.astype(np.float32)


def centres(xyxy: Floats) -> Floats:
    """Corners to centre, width and height: ``(N, 4)`` to ``(N, 4)``."""
    return xyxy_to_cxcywh(xyxy)


def similar_pairs(a: Floats, b: Floats) -> tuple[Indices, Indices, Floats]:
    """The pairs of boxes ``(A, 4)`` and ``(B, 4)`` that share some area.

    Returns:
        Row numbers in ``a``, ascending, and in ``b``, and how alike the boxes lie, each ``(K,)``.
    """
    rows, columns = overlapping(a, b)
    return rows, columns, similar_boxes(a.take(rows, axis=0), b.take(columns, axis=0))


def covered_in_front(xyxy: Floats, others: Floats) -> Floats:
    """The largest share ``(N,)`` of each box that one of ``others`` ``(M, 4)`` in front of it hides.

    In a picture of people on a floor, the box that reaches further down is the one in front.
    """
    if len(xyxy) * len(others) > FEW:
        rows, columns = _swept(xyxy, others)
        in_front = xyxy[rows, 3] < others[columns, 3]
        rows, columns = rows[in_front], columns[in_front]
    else:
        meet = _meeting(xyxy, others)
        meet &= xyxy[:, 3, None] < others[:, 3]
        rows, columns = meet.nonzero()
    covered = np.zeros(len(xyxy))
    if not len(rows):
        return covered
    a, b = xyxy.take(rows, axis=0), others.take(columns, axis=0)
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    np.maximum(shared, 0, out=shared)
    shared /= np.maximum(a[:, 2:] - a[:, :2], LEAST_SIZE)
    np.maximum.at(covered, rows, shared[:, 0] * shared[:, 1])
    return covered


def fullest_stripe(xyxy: Floats) -> int:
    """How many of some boxes ``(N, 4)``, at least one, have their centres in one upright stripe.

    A stripe is as wide as the power of two above the boxes' side (the root of their area), and holds boxes of
    this octave only; two stripes may count as one.
    """
    left, top, right, bottom = xyxy.T
    width = right - left
    octave = np.frexp(np.sqrt(width * (bottom - top)))[1].astype(np.int64)
    places = np.floor((left + width / 2) * np.ldexp(1.0, -octave))
    cells = np.maximum(np.minimum(places, FURTHEST_CELL), -FURTHEST_CELL).astype(np.int64)
    return int(np.bincount((cells + octave * SPREAD) % STRIPES).max())


def mutual_best(a: Floats, b: Floats, least: float) -> tuple[Indices, Indices]:
    """The boxes ``(A, 4)`` and ``(B, 4)`` that overlap each other most: rows of both, each ``(K,)``.

    Args:
        a: boxes.
        b: boxes.
        least: pairs with this IoU or less do not count.
    """
    rows, columns = overlapping(a, b)
    overlaps = paired_iou(a[rows], b[columns])
    best_of_rows, best_of_columns = np.zeros(len(a)), np.zeros(len(b))
    np.maximum.at(best_of_rows, rows, overlaps)
    np.maximum.at(best_of_columns, columns, overlaps)
    mutual = (overlaps == best_of_rows[rows]) & (overlaps == best_of_columns[columns])
    mutual &= overlaps > least
    return rows[mutual], columns[mutual]


def overlapping(a: Floats, b: Floats) -> tuple[Indices, Indices]:
    """The pairs of boxes ``(A, 4)`` and ``(B, 4)`` that share some area.

    A box without an area, as a filter may predict, may come in where its edges lie.

    Returns:
        Row numbers in ``a``, ascending, and in ``b``, both ``(K,)``.
    """
    if len(a) * len(b) > FEW:
        return _swept(a, b)
    rows, columns = _meeting(a, b).nonzero()
    return rows, columns


def _meeting(a: Floats, b: Floats) -> Mask:
    """Which pairs ``(A, B)`` those are, by looking at all of them."""
    left, top, right, bottom = a.T[:, :, None]
    meet = left < b[:, 2]
    meet &= right > b[:, 0]
    meet &= top < b[:, 3]
    meet &= bottom > b[:, 1]
    return meet


def _swept(a: Floats, b: Floats) -> tuple[Indices, Indices]:
    """Sweeps from left to right: of ``b`` sorted by its left edges, a stretch can reach each of ``a``."""
    order = b[:, 0].argsort(kind="stable")
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


def similar_boxes(a: Floats, b: Floats) -> Floats:
    """IoU times squared IoU of heights ``(K,)``, of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair.

    Somebody's height in the picture changes less from frame to frame than the place, and of two people side
    by side the one further back stands higher and smaller. Yang et al. 2024, arXiv 2308.00783, section 3.2,
    multiply by it once; squared it did better on MOT17.
    """
    shared, heights, overlap = _paired(a, b)
    heights -= shared
    vertical: Floats = shared / np.maximum(heights, LEAST_SIZE, out=heights)
    vertical *= vertical
    vertical *= overlap
    return vertical


def paired_iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union ``(K,)`` of boxes ``(K, 4)`` and ``(K, 4)``, pair by pair."""
    return _paired(a, b)[2]


def _paired(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Shared height, sum of heights and intersection over union ``(K,)`` each, pair by pair."""
    shared = np.minimum(a[:, 2:], b[:, 2:])
    shared -= np.maximum(a[:, :2], b[:, :2])
    wide, high = np.maximum(shared, 0, out=shared).T
    (wide_a, high_a), (wide_b, high_b) = (a[:, 2:] - a[:, :2]).T, (b[:, 2:] - b[:, :2]).T
    overlap: Floats = wide * high
    union = wide_a * high_a
    union += wide_b * high_b
    union -= overlap
    overlap /= np.maximum(union, LEAST_SIZE, out=union)
    return high, high_a + high_b, overlap


def most_shared(xyxy: Floats32, classes: Ints, some: Indices, others: Indices) -> Floats32:
    """The largest IoU ``(K,)`` of each of ``some`` boxes with one of ``others`` of its class, 0 for none.

    Args:
        xyxy: ``(M, 4)`` as they were detected.
        classes: ``(M,)`` theirs.
        some: ``(K,)`` which of them.
        others: ``(L,)`` likewise.
    """
    overlaps = iou(xyxy[some], xyxy[others])
    overlaps[classes[some][:, None] != classes[others]] = 0
    most: Floats32 = overlaps.max(axis=1, initial=0)
    return most
