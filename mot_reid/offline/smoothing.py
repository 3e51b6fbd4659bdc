"""Smoothing: boxes freed of the detector's noise by what comes before and after them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mot_reid.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.rows import TrackRows
from mot_reid.typing import Floats, Ints, Mask

__all__ = ["REACH", "line_values", "smooth"]

REACH = 3.0  # standard deviations of the Gaussian window
_RIDGE = 1e-3  # square frames; keeps the slope at 0 where a track has a single row


def smooth(rows: TrackRows, width: float, camera: CameraPath | None = None) -> TrackRows:
    """Fits a line to each track around each row, under a Gaussian window, and takes its value there.

    Local linear regression (Cleveland 1979); StrongSORT's Gaussian-smoothed interpolation
    (arXiv 2202.13514) does much the same by a Gaussian process. Of widths and heights the logarithms are
    fitted, and none leaves the range of those in its window: a box that opens up at an edge keeps a size.
    The rows around are carried into each row's pixels as the camera moved, so a shaking camera is not
    smoothed away.

    Args:
        rows: tracks, best without gaps.
        width: standard deviation of the window, frames; 0 for none.
        camera: how the camera moved; None for a camera that stands still.

    Returns:
        The same rows with other boxes.
    """
    if not len(rows) or width <= 0:
        return rows
    camera = camera or CameraPath()
    boxes = xyxy_to_cxcywh(rows.xyxy.astype(np.float64))
    reach = int(np.ceil(REACH * width))
    weights = np.zeros((3, len(rows), 1))  # sums of w, w t and w t^2
    values = np.zeros((2, len(rows), 4))  # sums of w y and w t y
    least, most = np.full((len(rows), 2), np.inf), np.full((len(rows), 2), -np.inf)
    longest = int(np.diff(np.flatnonzero(_run_bounds(rows.ids))).max())
    for offset in range(-min(reach, longest - 1), min(reach, longest - 1) + 1):
        here = np.arange(max(0, -offset), len(rows) - max(0, offset))
        there = here + offset
        near = (rows.ids[there] == rows.ids[here]) & (abs(rows.frames[there] - rows.frames[here]) <= reach)
        here, there = here[near], there[near]
        times = (rows.frames[there] - rows.frames[here]).astype(np.float64)[:, None]
        moved = move_cxcywh(boxes[there], camera.between(rows.frames[there], rows.frames[here]))
        moved[:, 2:] = np.log(moved[:, 2:])
        least[here], most[here] = np.minimum(least[here], moved[:, 2:]), np.maximum(most[here], moved[:, 2:])
        weight = np.exp(-0.5 * (times / width) ** 2)
        for power in range(3):
            weights[power, here] += weight * times**power
        for power in range(2):
            values[power, here] += weight * times**power * moved
    fitted = line_values(weights, values)
    fitted[:, 2:] = np.exp(fitted[:, 2:].clip(least, most))
    return replace(rows, xyxy=cxcywh_to_xyxy(fitted).astype(np.float32))


def _run_bounds(ids: Ints) -> Mask:
    return np.concatenate([[True], ids[1:] != ids[:-1], [True]])


def line_values(weights: Floats, values: Floats) -> Floats:
    """The values at time 0 of the lines of least squares, ``(N, D)``.

    Args:
        weights: ``(3, N, 1)`` sums of w, w t and w t^2 over the times t.
        values: ``(2, N, D)`` sums of w y and w t y.
    """
    total, first, second = weights
    second = second + _RIDGE
    fitted: Floats = (second * values[0] - first * values[1]) / (total * second - first**2)
    return fitted
