"""Geometry on boxes ``(N, 4)``: conversions, overlap, clipping, warping. Pure functions, in pixels."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "areas",
    "clip",
    "covered_fraction",
    "cxcywh_to_xyxy",
    "intersections",
    "iou",
    "tlwh_to_xyxy",
    "xyxy_to_cxcywh",
    "xyxy_to_tlwh",
]

Float = TypeVar("Float", bound=np.floating)


def xyxy_to_cxcywh(xyxy: NDArray[Float]) -> NDArray[Float]:
    """Corners to centre, width and height: ``(N, 4)`` to ``(N, 4)``."""
    out = np.empty_like(xyxy)
    np.add(xyxy[:, :2], xyxy[:, 2:], out=out[:, :2])
    out[:, :2] /= 2
    np.subtract(xyxy[:, 2:], xyxy[:, :2], out=out[:, 2:])
    return out


def cxcywh_to_xyxy(cxcywh: NDArray[Float]) -> NDArray[Float]:
    """Centre, width and height to corners: ``(N, 4)`` to ``(N, 4)``."""
    out = np.empty_like(cxcywh)
    half = cxcywh[:, 2:] / 2
    np.subtract(cxcywh[:, :2], half, out=out[:, :2])
    np.add(cxcywh[:, :2], half, out=out[:, 2:])
    return out


def xyxy_to_tlwh(xyxy: NDArray[Float]) -> NDArray[Float]:
    """Corners to left, top, width and height (MOTChallenge's order): ``(N, 4)`` to ``(N, 4)``."""
    out = xyxy.copy()
    out[:, 2:] -= xyxy[:, :2]
    return out


def tlwh_to_xyxy(tlwh: NDArray[Float]) -> NDArray[Float]:
    """Left, top, width and height to corners: ``(N, 4)`` to ``(N, 4)``."""
    out = tlwh.copy()
    out[:, 2:] += tlwh[:, :2]
    return out


def areas(xyxy: NDArray[Float]) -> NDArray[Float]:
    """Areas ``(N,)`` in square pixels."""
    sides = xyxy[:, 2:] - xyxy[:, :2]
    return sides[:, 0] * sides[:, 1]


def intersections(a: NDArray[Float], b: NDArray[Float]) -> NDArray[Float]:
    """Areas of overlap ``(A, B)`` in square pixels, for boxes ``(A, 4)`` and ``(B, 4)``."""
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    np.maximum(width, 0, out=width)
    np.maximum(height, 0, out=height)
    width *= height
    return width


def iou(a: NDArray[Float], b: NDArray[Float]) -> NDArray[Float]:
    """Intersection over union ``(A, B)``; 0 where both boxes are empty.

    Args:
        a: boxes ``(A, 4)``.
        b: boxes ``(B, 4)``.
    """
    overlap = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def covered_fraction(boxes: NDArray[Float], by: NDArray[Float]) -> NDArray[Float]:
    """The share ``(A, B)`` of each of ``boxes`` ``(A, 4)`` that lies inside each of ``by`` ``(B, 4)``."""
    overlap = intersections(boxes, by)
    size = areas(boxes)[:, None]
    return np.divide(overlap, size, out=np.zeros_like(overlap), where=size > 0)


def clip(xyxy: NDArray[Float], width: int, height: int) -> NDArray[Float]:
    """Boxes cut at the borders of a ``width`` x ``height`` frame; a box outside it gets no area."""
    out = xyxy.copy()
    np.clip(out[:, 0::2], 0, width, out=out[:, 0::2])
    np.clip(out[:, 1::2], 0, height, out=out[:, 1::2])
    return out
