"""Where the picture ends, as the boxes themselves show it: association knows no pictures."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["View"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Boxes end at the same pixel where the picture cuts them off; nobody's own path does that so often.
_LEAST_TOUCHES = 5
_SAME_PIXEL = 1.0
# The left and the upper edge count downwards; turned round, all four edges are largest values.
_OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])


class View:
    """The edges of the picture: the furthest that boxes ever reached, where many of them ended alike.

    Until enough boxes were cut off at an edge, that edge is not known, and nothing lies at it.

    Attributes:
        xyxy: ``(4,)`` the edges in pixels, infinite where they are not known.
    """

    def __init__(self) -> None:
        self._furthest = np.full(4, -np.inf)
        self._touches = np.zeros(4, np.int64)
        self.xyxy: Array = np.inf * _OUTWARDS

    def extend(self, xyxy: NDArray[np.floating]) -> None:
        """Takes in where the boxes ``(N, 4)`` of one frame end."""
        if not len(xyxy):
            return
        ends = xyxy * _OUTWARDS
        furthest = np.maximum(self._furthest, ends.max(axis=0))
        self._touches[furthest > self._furthest + _SAME_PIXEL] = 0
        self._touches += (ends >= furthest - _SAME_PIXEL).sum(axis=0)
        self._furthest = furthest
        self.xyxy = np.where(self._touches >= _LEAST_TOUCHES, furthest, np.inf) * _OUTWARDS

    def at_edge(self, xyxy: NDArray[np.floating], margin: float) -> Mask:
        """Which boxes ``(N, 4)`` end nearer to an edge than ``margin`` of their own widths, or beyond."""
        near = margin * (xyxy[:, 2] - xyxy[:, 0])[:, None]
        return ((self.xyxy - xyxy) * _OUTWARDS < near).any(axis=1)

    def nearest(self, points: Array) -> Array:
        """The points ``(N, 2)``, those outside moved to the edge they are beyond."""
        edges = self.xyxy
        return np.clip(points, edges[:2], edges[2:])
