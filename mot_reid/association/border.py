"""Where the picture ends, as the boxes themselves show it: association knows no pictures."""

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.kernels.constants import OUTWARDS, SAME_PIXEL
from mot_reid.rollback import KeepsAttributes
from mot_reid.typing import Floats, Mask

__all__ = ["ImageBorder"]


class ImageBorder(KeepsAttributes):
    """The edges of the picture: the furthest that boxes ever reached, where many of them ended alike.

    Until enough boxes were cut off at an edge, that edge is not known, and nothing lies at it.

    Attributes:
        xyxy: ``(4,)`` the edges in pixels, infinite where they are not known.
    """

    def __init__(self) -> None:
        self._furthest = np.full(4, -np.inf)
        self._touches = np.zeros(4, np.int64)
        self._inside = (-np.inf,) * 4  # boxes that end before these change nothing
        self.xyxy: Floats = np.inf * OUTWARDS
        self._known = False

    def extend(self, xyxy: Floats) -> None:
        """Takes in where the boxes ``(N, 4)`` of one frame end."""
        if not len(xyxy):
            return
        left, top, right, bottom = kernels.ends(xyxy)
        inside = self._inside
        if left >= inside[0] or top >= inside[1] or right >= inside[2] or bottom >= inside[3]:
            self._furthest, self._touches, self.xyxy = kernels.extended(self._furthest, self._touches, xyxy)
            self._known = bool(np.isfinite(self.xyxy).any())
            self._inside = tuple((self._furthest - SAME_PIXEL).tolist())

    def at_edge(self, xyxy: Floats, margin: float) -> Mask:
        """Tells which boxes ``(N, 4)`` end nearer to an edge than ``margin`` of their widths, or beyond."""
        if not self._known:
            return np.zeros(len(xyxy), bool)
        return kernels.at_edge(self.xyxy, xyxy, margin)

    def cut(self, xyxy: Floats) -> NDArray[np.int8]:
        """Tells which edge cuts boxes ``(N, 4)`` off: ``(N,)`` -1 the left alone, 1 the right alone, 0 none.

        Those that end at the upper or lower edge, or at both the left and the right, are 2.
        """
        return kernels.cut_off(self.xyxy, xyxy)
