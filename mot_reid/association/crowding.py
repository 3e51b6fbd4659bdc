"""A bound on how many detections one spot of the picture can hold.

A detector without non-maximum suppression, or one that fails, can put thousands of boxes on one object. Every
one of them is a candidate for every track there, and a frame would take seconds. No real scene comes near the
bound: that many objects of one class and of about one size, with their centres within about one of their own
sides, cannot be told apart. Of all classes together it is twice that.
"""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.kernels.constants import FURTHEST_CELL
from mot_reid.structures import Detections
from mot_reid.typing import Floats, Indices, Ints

__all__ = ["MOST_ON_A_SPOT", "best_of_each_spot"]


MOST_ON_A_SPOT = 100
"""Detections of one class and size whose centres share a square about as large as they are."""

# Classes that may fill a spot: a detector can call one object by many names.
_CLASSES_FULL = 2


def best_of_each_spot(detections: Detections, most: int = MOST_ON_A_SPOT) -> Indices | None:
    """Finds the detections that stay where too many lie on one spot: those of the highest scores.

    A spot is a square of the picture with a side of the power of two above the boxes' side (the root of their
    area), so between one and two of their sides.

    Args:
        detections: of one frame.
        most: how many of one class a spot may hold; of all classes, twice as many.

    Returns:
        Row numbers ``(K,)``, ascending; None where all stay, as is usual.
    """
    count = len(detections)
    if count <= most:
        return None
    xyxy = detections.xyxy.astype(np.float64)
    # Every spot lies in one stripe of the picture: where no stripe holds too many, no spot does.
    if kernels.fullest_stripe(xyxy) <= most:
        return None
    left, top, right, bottom = xyxy.T
    width, height = right - left, bottom - top
    octave = np.frexp(np.sqrt(width * height))[1].astype(np.int64)
    scale = np.ldexp(1.0, -octave)
    column = _cells((left + width / 2) * scale)
    row = _cells((top + height / 2) * scale)
    spots = np.column_stack([column, row, octave, detections.classes])
    stays = _best(np.arange(count), spots, detections.scores, most)
    stays = _best(stays, spots[:, :3], detections.scores, _CLASSES_FULL * most)
    return np.sort(stays) if len(stays) < count else None


def _best(rows: Indices, spots: Ints, scores: NDArray[np.floating], most: int) -> Indices:
    """Those of the rows ``(K,)`` that are among the ``most`` of the highest scores on their spot."""
    rows = rows[np.lexsort((-scores[rows], *spots[rows].T))]
    ordered = spots[rows]
    first = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]).nonzero()[0]
    place = np.arange(len(rows)) - np.repeat(first, np.diff([*first, len(rows)]))
    return rows[place < most]


def _cells(places: Floats) -> Ints:
    """The whole numbers ``(N,)`` below some coordinates, measured in cells."""
    return np.maximum(np.minimum(np.floor(places), FURTHEST_CELL), -FURTHEST_CELL).astype(np.int64)
