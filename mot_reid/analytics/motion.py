"""Speeds and headings of objects, in pixels or, where the ground is known, in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mot_reid.analytics.geometry import anchor_points, apply_homography
from mot_reid.analytics.observations import Batch

__all__ = ["SpeedMeter", "ground_points", "headings", "velocities"]

_ROUNDING = 1e-9  # seconds by which differences of times may be off


def ground_points(
    xyxy: NDArray[np.floating], homography: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Where boxes ``(N, 4)`` stand: foot points ``(N, 2)``, pixels; metres by a homography ``(3, 3)``."""
    points = anchor_points(xyxy, (0.5, 1.0))
    return points if homography is None else apply_homography(points, homography)


def velocities(
    objects: NDArray[np.int64], times: NDArray[np.float64], points: NDArray[np.float64], window: float = 1.0
) -> NDArray[np.float64]:
    """Velocities at each row, from the straight line fitted to the object's points of the last moments.

    Least squares over the rows no older than ``window`` seconds, so that jitter of boxes averages out; only
    the past counts, so that live and finished results are the same.

    Args:
        objects: ``(N,)``, sorted; within an object times ascend.
        times: ``(N,)`` seconds.
        points: ``(N, 2)`` pixels or metres.
        window: seconds.

    Returns:
        ``(N, 2)`` a second; NaN where the object has no second point, or fewer than a quarter of the window.
    """
    n = len(times)
    if not n:
        return np.zeros((0, 2))
    rows = np.arange(n)
    first = np.ones(n, bool)
    first[1:] = objects[1:] != objects[:-1]
    group = np.cumsum(first) - 1
    span = float(times.max() - times.min()) + 2 * window + 1
    keys = (times - times.min()) + group * span  # ascends over all rows, objects far apart
    start = np.searchsorted(keys, keys - window - _ROUNDING)
    # Sums over windows from running sums; times and points from the group's first row, so that digits last.
    heads = np.flatnonzero(first)[group]
    t = times - times[heads]
    xy = points - points[heads]
    usable = np.isfinite(xy).all(axis=1)
    weight = usable.astype(np.float64)
    xy = np.where(usable[:, None], xy, 0.0)

    def windowed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return sums[rows + 1] - sums[start]

    count = windowed(weight)
    mean_t = np.divide(windowed(weight * t), count, out=np.zeros(n), where=count > 0)
    variance = windowed(weight * t * t) - count * mean_t**2
    covariance = windowed(xy * t[:, None]) - windowed(xy) * mean_t[:, None]
    enough = usable & (count > 1) & (times - times[start] >= 0.25 * window) & (variance > 1e-9)
    return np.where(enough[:, None], covariance / np.where(variance > 1e-9, variance, 1)[:, None], np.nan)


def headings(velocity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions ``(N,)`` of velocities ``(N, 2)`` in degrees, from 0 to 360; NaN where one is unknown.

    0 is along the first axis, to the right in a picture; 90 along the second one, down in a picture.
    """
    degrees: NDArray[np.float64] = np.degrees(np.arctan2(velocity[:, 1], velocity[:, 0])) % 360
    return degrees


class SpeedMeter:
    """Velocities of the rows of batches; it keeps the last moments of each object.

    Args:
        homography: ``(3, 3)`` pixels to metres, or None for pixels.
        window: seconds over which a velocity is fitted.
    """

    def __init__(self, homography: NDArray[np.float64] | None = None, window: float = 1.0) -> None:
        self._homography, self._window = homography, window
        self._objects = np.zeros(0, np.int64)
        self._times = np.zeros(0)
        self._points = np.zeros((0, 2))

    def update(self, batch: Batch) -> NDArray[np.float64]:
        """Velocities ``(N, 2)`` a second of a batch's rows, NaN where unknown and in carried rows."""
        new = ~batch.carried
        objects = np.concatenate([self._objects, batch.objects[new]])
        times = np.concatenate([self._times, batch.times[new]])
        points = np.concatenate([self._points, ground_points(batch.xyxy[new], self._homography)])
        order = np.lexsort((times, objects))
        fitted = np.empty_like(points)
        fitted[order] = velocities(objects[order], times[order], points[order], self._window)
        result = np.full((len(batch), 2), np.nan)
        result[new] = fitted[len(self._objects) :]
        kept = times >= batch.now - self._window - _ROUNDING
        self._objects, self._times, self._points = objects[kept], times[kept], points[kept]
        return result
