"""The camera's motion as the boxes themselves show it, where nobody measured it."""

import numpy as np

from mot_reid import kernels
from mot_reid.typing import Floats

__all__ = ["GOES_ON", "scene_shift"]


# Fewer pairs than the first do not tell the camera's motion from people's, nor fewer than the second where it
# has just been moving.
_LEAST_PAIRS = 4, 3
# The shift must exceed the standard error of its median by these factors, likewise.
_SIGNIFICANCE = 6.0, 4.0
# Seconds for which a camera that has moved is likely to go on.
GOES_ON = 1.0
# By which share of their sides boxes are grown on every side, first to find the shift, then to refine it.
_GROWTHS = (0.5, 0.2)
_LEAST_IOU = 0.1
# Standard deviation of a normal distribution in units of its median absolute deviation.
_MAD = 1.4826


def scene_shift(expected: Floats, seen: Floats, moving: bool = False) -> Floats:
    """The shift ``(2,)`` in pixels that takes most expected boxes to seen ones; 0 if it may be chance.

    A pan moves everybody alike; people's own turns differ from one another. The shift is the median offset of
    the pairs that are each other's best overlap, and it counts only if it stands out of their scatter.

    Args:
        expected: ``(T, 4)`` where the tracks should be, centre x, centre y, width, height.
        seen: ``(M, 4)`` confident detections, likewise.
        moving: whether the camera has moved in the last moments: then it is believed sooner.
    """
    none, least = np.zeros(2), _LEAST_PAIRS[moving]
    total, scatter, pairs = none, none, 0
    for growth in _GROWTHS:
        if min(len(expected), len(seen)) < least:
            return none
        moved = expected + np.concatenate([total, none])
        rows, columns = kernels.mutual_best(_grown(moved, growth), _grown(seen, growth), _LEAST_IOU)
        pairs = len(rows)
        if pairs < least:
            return none
        offsets = seen[columns, :2] - moved[rows, :2]
        step = np.median(offsets, axis=0)
        scatter = np.median(np.abs(offsets - step), axis=0)
        total = total + step
    chance = _SIGNIFICANCE[moving] * _MAD * np.hypot(*scatter) / np.sqrt(pairs)
    return total if np.hypot(*total) > chance else none


def _grown(cxcywh: Floats, growth: float) -> Floats:
    return kernels.corners(cxcywh * np.array([1, 1, 1 + 2 * growth, 1 + 2 * growth]))
