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
from mot_reid.typing import Floats, Ints

__all__ = ["WholeBoxes"]

# So many boxes of a class must have been seen until their shape is known; after so many it is for good.
_LEAST_SEEN, _MOST_SEEN = 10, 1_000
_NOTHING = 0, 0.0, 0.0


class WholeBoxes(KeepsAttributes):
    """Knows how wide boxes of each class usually are for their height, and widens those that were cut off.

    They become as wide as five of six whole boxes are at least (the mean of the logarithms of width by
    height, less their standard deviation): classes whose shape varies, such as cars, are widened with more
    caution. A box that is as wide already stays as it is, and so does one that the upper or the lower edge
    cuts off, too: its height says nothing.
    """

    def __init__(self) -> None:
        # Of each class: boxes, sum and sum of squares of logarithms.
        self._shapes: Mapping[int, tuple[int, float, float]] = {}

    def completed(self, xyxy: Floats, classes: Ints, sides: NDArray[np.int8]) -> Floats:
        """Gives the boxes with those widened that the left or the right edge alone cuts off.

        Args:
            xyxy: boxes ``(N, 4)`` of one frame, in pixels.
            classes: ``(N,)`` of each.
            sides: ``(N,)`` of each, as `mot_reid.association.border.ImageBorder.cut` gives them.

        Returns:
            Boxes ``(N, 4)``, the same array where nothing changes.
        """
        rows = (np.abs(sides) == 1).nonzero()[0]
        if not rows.size:
            return xyxy
        numbers = classes[rows].tolist()
        for number in set(numbers):
            if self._shapes.get(number, _NOTHING)[0] < _MOST_SEEN:
                self._learn(number, xyxy[(sides == 0) & (classes == number)])
        cut, at_left = xyxy[rows], sides[rows] < 0
        wide = np.array([self._usual(number) for number in numbers]) * (cut[:, 3] - cut[:, 1])
        whole = xyxy.copy()
        whole[rows, 0] = np.where(at_left, np.minimum(cut[:, 0], cut[:, 2] - wide), cut[:, 0])
        whole[rows, 2] = np.where(at_left, cut[:, 2], np.maximum(cut[:, 2], cut[:, 0] + wide))
        return whole

    def _learn(self, number: int, xyxy: Floats) -> None:
        """Takes in whole boxes ``(N, 4)`` of a class."""
        count, total, squares = self._shapes.get(number, _NOTHING)
        shapes = np.log((xyxy[:, 2] - xyxy[:, 0]) / (xyxy[:, 3] - xyxy[:, 1]))
        learnt = count + len(shapes), total + float(shapes.sum()), squares + float(shapes @ shapes)
        self._shapes = {**self._shapes, number: learnt}

    def _usual(self, number: int) -> float:
        """The width that five of six of a class have at least, in heights; 0 while too few were seen."""
        count, total, squares = self._shapes.get(number, _NOTHING)
        if count < _LEAST_SEEN:
            return 0.0
        mean = total / count
        return math.exp(mean - math.sqrt(max(squares / count - mean**2, 0.0)))
