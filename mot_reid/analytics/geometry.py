"""Plane geometry of lines, polygons and ground planes, on arrays of points. Pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "anchor_points",
    "apply_homography",
    "fit_homography",
    "line_distances",
    "points_in_polygon",
    "polygon_distances",
    "segment_crossings",
    "self_intersects",
]

Points = NDArray[np.float64]


def anchor_points(xyxy: NDArray[np.floating], at: tuple[float, float]) -> Points:
    """The point of each box that counts.

    Args:
        xyxy: boxes ``(N, 4)``, pixels.
        at: shares of the box's width and height from its upper left corner; ``(0.5, 1)`` is the foot point.

    Returns:
        Points ``(N, 2)`` in pixels.
    """
    boxes = np.asarray(xyxy, np.float64)
    return boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) * np.asarray(at, np.float64)


def line_distances(points: Points, start: ArrayLike, end: ArrayLike) -> NDArray[np.float64]:
    """Signed distances of points from the endless line through ``start`` and ``end``.

    Args:
        points: ``(N, 2)``, pixels.
        start: ``(2,)``.
        end: ``(2,)``, another point.

    Returns:
        ``(N,)`` pixels: positive on the right-hand side of who looks from ``start`` to ``end`` on the screen
        (where y points down), negative on the left-hand side.
    """
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = b - a
    off = points - a
    return (along[0] * off[:, 1] - along[1] * off[:, 0]) / np.hypot(*along)


def segment_crossings(before: Points, after: Points, start: ArrayLike, end: ArrayLike) -> NDArray[np.int8]:
    """Which steps go through a segment, and which way.

    A point on the line itself belongs to its right-hand side, so that a path which touches the line in a
    point of its own is counted once, not twice.

    Args:
        before: where each step begins, ``(N, 2)`` pixels.
        after: where it ends, ``(N, 2)``.
        start: of the segment, ``(2,)``.
        end: of the segment, ``(2,)``.

    Returns:
        ``(N,)`` int8: 1 from the left-hand to the right-hand side, -1 the other way, 0 for no crossing.
    """
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    d0, d1 = line_distances(before, a, b), line_distances(after, a, b)
    changes = (d0 >= 0) != (d1 >= 0)
    share = np.divide(d0, d0 - d1, out=np.zeros_like(d0), where=changes)
    meeting = before + (after - before) * share[:, None]
    along = b - a
    where = (meeting - a) @ along / (along @ along)
    through = changes & (where >= 0) & (where <= 1)
    return np.where(through, np.where(d1 >= 0, 1, -1), 0).astype(np.int8)


def points_in_polygon(points: Points, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Whether points lie inside a polygon, by the even-odd rule (a ray to the right, crossings counted).

    Args:
        points: ``(N, 2)``, pixels.
        polygon: corners ``(P, 2)`` in order; the last one is joined with the first.

    Returns:
        ``(N,)`` bool. Of two polygons that share an edge, a point on it is inside exactly one.
    """
    corners = np.asarray(polygon, np.float64)
    x, y = points[:, :1], points[:, 1:]
    x0, y0 = corners[:, 0], corners[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    spans = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = (x1 - x0) * (y - y0) / (y1 - y0) + x0
    return (spans & (x < meets)).sum(axis=1) % 2 == 1


def polygon_distances(points: Points, polygon: ArrayLike) -> NDArray[np.float64]:
    """Distances ``(N,)`` in pixels of points ``(N, 2)`` from the nearest edge of a polygon ``(P, 2)``."""
    corners = np.asarray(polygon, np.float64)
    nearest = np.full(len(points), np.inf)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = b - a
        length = along @ along
        share = np.clip((points - a) @ along / length, 0, 1) if length else np.zeros(len(points))
        off = points - (a + share[:, None] * along)
        np.minimum(nearest, np.hypot(off[:, 0], off[:, 1]), out=nearest)
    return nearest


def self_intersects(polygon: ArrayLike) -> bool:
    """Whether edges of a polygon ``(P, 2)`` that are not neighbours cross each other."""
    corners = np.asarray(polygon, np.float64)
    n = len(corners)
    for i in range(n):
        a, b = corners[i], corners[(i + 1) % n]
        for j in range(i + 2, n):
            if (j + 1) % n == i:
                continue
            c, d = corners[j], corners[(j + 1) % n]
            one = segment_crossings(c[None], d[None], a, b)[0] if (a != b).any() else 0
            other = segment_crossings(a[None], b[None], c, d)[0] if (c != d).any() else 0
            if one and other:
                return True
    return False


def apply_homography(points: Points, homography: NDArray[np.float64]) -> Points:
    """Maps points ``(N, 2)`` by a matrix ``(3, 3)``; what lies on or behind the horizon becomes NaN.

    The sign of a homography is free; in front is where the picture of the ground is, so the matrix is to be
    scaled so that its third coordinate is positive there, as `fit_homography` does.
    """
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mapped[:, 2:] > 0, mapped[:, :2] / mapped[:, 2:], np.nan)


def fit_homography(pixels: ArrayLike, ground: ArrayLike) -> NDArray[np.float64]:
    """The homography that maps pixels to places on the ground, by the direct linear transform.

    Both sets are centred and scaled first (Hartley and Zisserman, *Multiple View Geometry*, algorithm 4.2).

    Args:
        pixels: at least four points ``(N, 2)``, no three of four on a line.
        ground: where they are on the ground, ``(N, 2)`` metres.

    Returns:
        ``(3, 3)``, with a positive third coordinate at the given points.

    Raises:
        ValueError: there are fewer than four points, or they do not determine the plane.
    """
    source, target = np.asarray(pixels, np.float64), np.asarray(ground, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 4:
        raise ValueError(f"expected at least four pairs of points, got {source.shape} and {target.shape}")
    t0, t1 = _normalisation(source), _normalisation(target)
    a, b = apply_affine(source, t0), apply_affine(target, t1)
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    _, singular, vectors = np.linalg.svd(np.array(rows))
    if singular[7] < 1e-9 * singular[0]:
        raise ValueError("the points do not determine the ground plane: three of them lie on a line")
    homography = np.linalg.inv(t1) @ vectors[-1].reshape(3, 3) @ t0
    depth = np.column_stack([source, np.ones(len(source))]) @ homography[2]
    if (depth < 0).all():
        homography, depth = -homography, -depth
    if not (depth > 0).all():
        raise ValueError("the points do not lie on one side of the horizon: is their order the same?")
    return homography / np.abs(homography).max()


def apply_affine(points: Points, matrix: NDArray[np.float64]) -> Points:
    """Maps points ``(N, 2)`` by an affine matrix ``(3, 3)``."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _normalisation(points: Points) -> NDArray[np.float64]:
    centre = points.mean(axis=0)
    spread = np.hypot(*(points - centre).T).mean()
    if not spread > 0:
        raise ValueError("the points do not determine the ground plane: they are all the same")
    scale = np.sqrt(2) / spread
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
