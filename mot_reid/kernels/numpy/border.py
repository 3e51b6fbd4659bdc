"""The picture's edges, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_TOUCHES, OUTWARDS, SAME_PIXEL
from mot_reid.typing import Floats, Ints, Mask

__all__ = ["at_edge", "cut_off", "ends", "extended"]

Counts = Ints


def ends(xyxy: Floats) -> tuple[float, float, float, float]:
    """How far boxes ``(N, 4)``, at least one, reach to the left, up, right and down, times `OUTWARDS`."""
    left, top, right, bottom = (xyxy * OUTWARDS).max(axis=0).tolist()
    return left, top, right, bottom


def extended(furthest: Floats, touches: Counts, xyxy: Floats) -> tuple[Floats, Counts, Floats]:
    """Takes in where boxes ``(N, 4)`` end.

    Args:
        furthest: ``(4,)`` that boxes ever reached, times `OUTWARDS`.
        touches: ``(4,)`` how many boxes ended there.
        xyxy: one frame's, at least one.

    Returns:
        The two as they are afterwards, and the edges of the picture ``(4,)``, infinite until enough boxes
        ended there.
    """
    ends = xyxy * OUTWARDS
    reached = np.maximum(furthest, ends.max(axis=0))
    touches = np.where(reached > furthest + SAME_PIXEL, 0, touches)
    touches += (ends >= reached - SAME_PIXEL).sum(axis=0)
    return reached, touches, np.where(touches >= LEAST_TOUCHES, reached, np.inf) * OUTWARDS


def at_edge(edges: Floats, xyxy: Floats, margin: float) -> Mask:
    """Which boxes ``(N, 4)`` end nearer to ``edges`` ``(4,)`` than ``margin`` of their widths, or beyond."""
    near = margin * (xyxy[:, 2] - xyxy[:, 0])[:, None]
    return ((edges - xyxy) * OUTWARDS < near).any(axis=1)


def cut_off(edges: Floats, xyxy: Floats) -> NDArray[np.int8]:
    """Which boxes ``(N, 4)`` end at ``edges`` ``(4,)`` or beyond.

    Returns:
        ``(N,)`` -1 for the left edge alone, 1 for the right one alone, 0 for none, else 2.
    """
    left, upper, right, lower = ((edges - xyxy) * OUTWARDS <= SAME_PIXEL).T
    sides = right.astype(np.int8) - left
    sides[(left & right) | upper | lower] = 2
    return sides
