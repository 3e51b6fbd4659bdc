"""Camera motion over any span of frames, chained from the affines of frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mot_reid.typing import Affine, Floats, Ints

__all__ = ["CameraPath", "move_cxcywh"]


class CameraPath:
    """Maps pixels of any frame to those of any other.

    The chains of 1, 2, 4, ... frames are kept, so that a span of n frames takes log2(n) products, and no
    chain is longer than the span: one over the whole video would drown in rounding where a camera drives on.

    Args:
        affines: ``(2, 3)`` of each frame, maps pixels of the frame before to this one's; None for none.
        first_frame: the number of the frame that ``affines[0]`` leads to.
    """

    def __init__(self, affines: Sequence[Affine | None] = (), first_frame: int = 1) -> None:
        steps = np.tile(np.eye(3), (len(affines), 1, 1))
        for place, affine in enumerate(affines):
            if affine is not None:
                steps[place, :2] = affine
        self._still = bool((steps == np.eye(3)).all())
        self._first = first_frame
        self._chains = [steps]  # [k][i] leads from frame first - 1 + i on by 2 ** k frames

    def between(self, start: Ints, end: Ints) -> Floats:
        """The maps ``(N, 3, 3)`` of pixels of frames ``start`` ``(N,)`` to those of frames ``end`` ``(N,)``.

        Before the first affine and after the last the camera stands still.
        """
        if self._still or not len(start):
            return np.tile(np.eye(3), (len(start), 1, 1))
        spans, which = np.unique(np.column_stack([start, end]), axis=0, return_inverse=True)
        return self._chained(spans[:, 0], spans[:, 1])[which.ravel()]

    def _chained(self, start: Ints, end: Ints) -> Floats:
        result = np.tile(np.eye(3), (len(start), 1, 1))
        count = len(self._chains[0])
        low = np.clip(np.minimum(start, end) - self._first + 1, 0, count)
        length = np.clip(np.maximum(start, end) - self._first + 1, 0, count) - low
        for level in range(int(length.max()).bit_length()):
            rows = np.flatnonzero(length >> level & 1)
            result[rows] = self._level(level)[low[rows]] @ result[rows]
            low[rows] += 1 << level
        back = start > end
        result[back] = np.linalg.inv(result[back])
        return result

    def _level(self, level: int) -> Floats:
        while len(self._chains) <= level:
            last, half = self._chains[-1], 1 << (len(self._chains) - 1)
            self._chains.append(last[half:] @ last[: len(last) - half])
        return self._chains[level]


def move_cxcywh(cxcywh: Floats, maps: Floats) -> Floats:
    """Boxes ``(N, 4)`` as centre, width and height, seen through maps ``(N, 3, 3)``.

    Centres are moved; widths and heights are scaled alike, as a box stays upright when the camera rolls.
    """
    out = cxcywh.copy()
    out[:, :2] = np.einsum("nij,nj->ni", maps[:, :2, :2], cxcywh[:, :2]) + maps[:, :2, 2]
    out[:, 2:] *= np.sqrt(np.abs(np.linalg.det(maps[:, :2, :2])))[:, None]
    return out
