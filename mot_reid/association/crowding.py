"""A bound on how many detections one spot of the picture can hold.

A detector without non-maximum suppression, or one that fails, can put thousands of boxes on one object. Every
one of them is a candidate for every track there, and a frame would take seconds. No real scene comes near the
bound: that many objects of one class and of about one size, with their centres within about one of their own
sides, cannot be told apart.
"""

import numpy as np
from numpy.typing import NDArray

from mot_reid.structures import Detections

__all__ = ["MOST_ON_A_SPOT", "best_of_each_spot"]

Rows = NDArray[np.intp]

MOST_ON_A_SPOT = 100
"""Detections of one class and size whose centres share a square about as large as they are."""

# Cells further out than this are one; no picture reaches there.
_FURTHEST = 2.0**31
# Large odd numbers that spread cells over the integers, as a hash does.
_SPREAD = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F], np.int64)


def best_of_each_spot(detections: Detections, most: int = MOST_ON_A_SPOT) -> Rows | None:
    """Finds the detections that stay where too many lie on one spot: those of the highest scores.

    A spot is a square of the picture with a side of the power of two above the boxes' side (the root of their
    area), so between one and two of their sides.

    Args:
        detections: of one frame.
        most: how many a spot may hold.

    Returns:
        Row numbers ``(K,)``, ascending; None where all stay, as is usual.
    """
    count = len(detections)
    if count <= most:
        return None
    xyxy = detections.xyxy.astype(np.float64)
    sides = xyxy[:, 2:] - xyxy[:, :2]
    octave = np.frexp(np.sqrt(sides[:, 0] * sides[:, 1]))[1]
    cells = np.floor(np.ldexp(xyxy[:, :2] + sides / 2, -octave[:, None])).clip(-_FURTHEST, _FURTHEST)
    spots = np.column_stack([cells, octave, detections.classes]).astype(np.int64)
    ordered = np.sort((spots * _SPREAD).sum(axis=1))  # numbers of one spot are equal
    if not (ordered[most:] == ordered[:-most]).any():
        return None
    order = np.lexsort((-detections.scores, *spots.T))
    ordered_spots = spots[order]
    first = np.concatenate([[True], (ordered_spots[1:] != ordered_spots[:-1]).any(axis=1)]).nonzero()[0]
    place = np.arange(count) - np.repeat(first, np.diff([*first, count]))
    stays = order[place < most]
    return np.sort(stays) if len(stays) < count else None
