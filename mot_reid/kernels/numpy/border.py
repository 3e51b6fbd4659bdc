"""The picture's edges, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from mot_reid.kernels.constants import LEAST_TOUCHES, OUTWARDS, SAME_PIXEL

__all__ = ["at_edge", "extend"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def extend(furthest: Array, touches: NDArray[np.int64], edges: Array, xyxy: Array) -> None:
    """Takes in where boxes ``(N, 4)`` end, in place.

    Args:
        furthest: ``(4,)`` that boxes ever reached, times `OUTWARDS`.
        touches: ``(4,)`` how many boxes ended there.
        edges: ``(4,)`` of the picture, infinite until enough boxes ended there.
        xyxy: one frame's.
    """
    ends = xyxy * OUTWARDS
    reached = np.maximum(furthest, ends.max(axis=0))
    touches[reached > furthest + SAME_PIXEL] = 0
    touches += (ends >= reached - SAME_PIXEL).sum(axis=0)
    furthest[:] = reached
    edges[:] = np.where(touches >= LEAST_TOUCHES, reached, np.inf) * OUTWARDS


def at_edge(edges: Array, xyxy: Array, margin: float) -> Mask:
    """Which boxes ``(N, 4)`` end nearer to ``edges`` ``(4,)`` than ``margin`` of their widths, or beyond."""
    near = margin * (xyxy[:, 2] - xyxy[:, 0])[:, None]
    return ((edges - xyxy) * OUTWARDS < near).any(axis=1)
