"""Boxes that the picture cuts off at the left or the right, made as wide as the whole object's.

Who walks in or out is seen in part, and most detectors end his box at the picture's edge: it grows narrower
with each frame, its centre moves half as fast as he does, and it overlaps less and less what is expected of
him. The ground truth of MOTChallenge since 2016 goes on beyond the edge, as people do.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mot_reid.rollback import KeepsAttributes

__all__ = ["WholeBoxes"]

# So many boxes of a class must have been seen before their shape is known.
_LEAST_SEEN = 10


class WholeBoxes(KeepsAttributes):
    """Knows how wide boxes of each class usually are for their height, and widens those that were cut off.

    They become as wide as five of six whole boxes are at least (the mean of the logarithms of width by
    height, less their standard deviation): classes whose shape varies, such as cars, are widened with more
    caution. A box that is as wide already stays as it is, and so does one that the upper or the lower edge
    cuts off, too: its height says nothing.
    """

    def __init__(self) -> None:
        self._shapes: Mapping[
            int, tuple[int, float, float]
        ] = {}  # boxes, sum and sum of squares of logarithms

    def completed(
        self, xyxy: NDArray[np.float64], classes: NDArray[np.int64], ends: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Gives the boxes with those widened that end at the left or the right edge alone.

        Args:
            xyxy: boxes ``(N, 4)`` of one frame, in pixels.
            classes: ``(N,)`` of each.
            ends: ``(N, 4)`` whether it ends at the left, upper, right and lower edge of the picture.

        Returns:
            Boxes ``(N, 4)``, the same array where nothing changes.
        """
        across, upright = ends[:, 0::2], ~(ends[:, 1] | ends[:, 3])
        cut = (across[:, 0] ^ across[:, 1]) & upright
        if not np.count_nonzero(cut):
            return xyxy
        widths, heights = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
        inside = upright & ~across.any(axis=1)
        self._learn(classes[inside], np.log(widths[inside] / heights[inside]))
        rows = cut.nonzero()[0]
        usual = np.array([self._usual(number) for number in classes[rows].tolist()]) * heights[rows]
        whole, at_left, at_right = xyxy.copy(), across[rows, 0], across[rows, 1]
        whole[rows, 0] = np.minimum(xyxy[rows, 0], np.where(at_left, xyxy[rows, 2] - usual, np.inf))
        whole[rows, 2] = np.maximum(xyxy[rows, 2], np.where(at_right, xyxy[rows, 0] + usual, -np.inf))
        return whole

    def _learn(self, classes: NDArray[np.int64], shapes: NDArray[np.float64]) -> None:
        """Takes in the logarithms ``(N,)`` of width by height of whole boxes."""
        known = dict(self._shapes)
        for number in set(classes.tolist()):
            count, total, squares = known.get(number, (0, 0.0, 0.0))
            own = shapes[classes == number]
            known[number] = count + len(own), total + float(own.sum()), squares + float(own @ own)
        self._shapes = known

    def _usual(self, number: int) -> float:
        """The width that five of six of a class have at least, in heights; 0 while too few were seen."""
        count, total, squares = self._shapes.get(number, (0, 0.0, 0.0))
        if count < _LEAST_SEEN:
            return 0.0
        mean = total / count
        return math.exp(mean - math.sqrt(max(squares / count - mean**2, 0.0)))
