"""Places on a ground plane, and who cannot be one person there; arrays only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mot_reid.typing import Floats, Floats32, Indices

__all__ = ["foot_points", "homography_of", "too_far"]

Track: TypeAlias = tuple[Floats, Floats]
"""Times ``(P,)``, seconds, and places ``(P, 2)``, metres."""

_STEP = 0.5  # seconds between the moments, and the shifts of a clock, that are looked at


def foot_points(path: Floats32, homography: Floats) -> tuple[Floats, Floats]:
    """Where somebody stood.

    Args:
        path: ``(P, 6)``, see `mot_reid.gallery.records.Tracklet.path`.
        homography: ``(3, 3)`` from the picture, pixels, to the ground, metres.

    Returns:
        Times ``(P,)``, seconds, and places ``(P, 2)``, metres, of the middles of the boxes' lower edges.
    """
    values = path.astype(np.float64)
    feet = np.column_stack([(values[:, 2] + values[:, 4]) / 2, values[:, 5], np.ones(len(values))])
    ground = feet @ homography.T
    return values[:, 1], ground[:, :2] / ground[:, 2:]


def homography_of(points: Floats, others: Floats, weights: Floats) -> Floats | None:
    """What maps points of one plane to those of another one: the normalised direct linear transformation.

    Hartley, "In defense of the eight-point algorithm", PAMI 1997.

    Args:
        points: ``(C, 2)``.
        others: ``(C, 2)`` where they lie on the other plane.
        weights: ``(C,)`` of their squared residuals.

    Returns:
        ``(3, 3)``, or None of fewer than four points, or of points that leave it open.
    """
    if len(points) < 4:
        return None
    frames = []
    for own in (points, others):
        middle = own.mean(axis=0)
        scale = np.sqrt(2) / max(float(np.linalg.norm(own - middle, axis=1).mean()), 1e-9)
        frames.append(np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]]))
    first, second = (
        np.column_stack([own, np.ones(len(own))]) @ frame.T
        for own, frame in zip((points, others), frames, strict=True)
    )
    nothing = np.zeros_like(first)
    equations = np.concatenate(
        [
            np.column_stack([first, nothing, -second[:, :1] * first]),
            np.column_stack([nothing, first, -second[:, 1:2] * first]),
        ]
    )
    both = np.concatenate([weights, weights])
    _, vectors = np.linalg.eigh(equations.T @ (both[:, None] * equations))
    found = np.linalg.inv(frames[1]) @ vectors[:, 0].reshape(3, 3) @ frames[0]
    if not np.isfinite(found).all() or np.linalg.cond(found) > 1e14:
        return None
    return np.asarray(found / np.linalg.norm(found))


def too_far(
    cameras: NDArray[np.object_],
    paths: Sequence[Floats32],
    base: Floats,
    homographies: Mapping[str, Floats],
    apart: float,
    tolerance: float,
    speed: float = 4.0,
) -> Indices:
    """Pairs of records of two cameras that stand or come too far apart to be one person.

    Where both are seen at the same time, the median of their distances counts, at the shift of the clocks
    within the tolerance at which it is least; otherwise the way from the end of one to the start of the other
    and the time there was for it.

    Args:
        cameras: ``(N,)`` names.
        paths: ``(P, 6)`` of each record.
        base: ``(N,)`` seconds on one clock at each source's start; NaN where it is not known.
        homographies: ``(3, 3)`` by camera; others are not looked at.
        apart: metres up to which two places of one person can lie apart.
        tolerance: seconds by which clocks may be off.
        speed: metres a second that nobody passes.

    Returns:
        ``(P, 2)`` row numbers, the smaller first.
    """
    rows = [
        row
        for row, camera in enumerate(cameras.tolist())
        if camera in homographies and np.isfinite(base[row]) and len(paths[row])
    ]
    tracks = {row: foot_points(paths[row], homographies[cameras[row]]) for row in rows}
    tracks = {row: (base[row] + times, places) for row, (times, places) in tracks.items()}
    shifts = np.arange(-np.floor(tolerance / _STEP), np.floor(tolerance / _STEP) + 1) * _STEP
    found = [
        (first, second)
        for first, second in _near_in_time(cameras, tracks, float(shifts[-1]), apart, speed)
        if min(_excess(tracks[first], tracks[second], shift, apart, speed) for shift in shifts.tolist()) > 0
    ]
    return np.array(found, np.intp).reshape(-1, 2)


def _near_in_time(
    cameras: NDArray[np.object_], tracks: Mapping[int, Track], most: float, apart: float, speed: float
) -> Iterator[tuple[int, int]]:
    """Pairs of rows but those that had time for their way, with the clocks shifted as far as they may be."""
    rows = np.array([*tracks], np.intp)
    if not rows.size:
        return
    begin, end = (np.array([times[side] for times, _ in tracks.values()]) for side in (0, -1))
    start, last = (np.array([places[side] for _, places in tracks.values()]) for side in (0, -1))
    for place, first in enumerate(rows.tolist()):
        later = slice(place + 1, None)
        in_time = np.zeros(len(rows) - place - 1, bool)
        for gap, way in (
            (begin[later] + most - end[place], start[later] - last[place]),
            (begin[place] + most - end[later], last[later] - start[place]),
        ):
            in_time |= (gap > 0) & (np.linalg.norm(way, axis=1) - apart - speed * gap <= 0)
        asked = ~in_time & (cameras[rows[later]] != cameras[first])
        yield from ((first, second) for second in rows[later][asked].tolist())


def _excess(first: Track, second: Track, shift: float, apart: float, speed: float) -> float:
    """Metres by which two tracks are further apart than one person's can be, the second's clock shifted."""
    (times, places), (others, there) = first, (second[0] + shift, second[1])
    start, end = max(times[0], others[0]), min(times[-1], others[-1])
    if start <= end:
        moments = np.arange(start, end + 1e-9, _STEP)
        here = np.column_stack([np.interp(moments, times, places[:, axis]) for axis in (0, 1)])
        other = np.column_stack([np.interp(moments, others, there[:, axis]) for axis in (0, 1)])
        return float(np.median(np.linalg.norm(here - other, axis=1))) - apart
    before = times[-1] < others[0]
    way = places[-1] - there[0] if before else there[-1] - places[0]
    return float(np.linalg.norm(way)) - apart - speed * (start - end)
