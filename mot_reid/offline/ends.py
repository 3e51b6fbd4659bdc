"""Where tracks begin and end, how they move there, and how tall they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mot_reid.boxes import xyxy_to_cxcywh
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.rows import TrackRows
from mot_reid.typing import Floats, Indices, Ints, Mask

__all__ = ["Ends", "find_ends"]

Side = Literal["first", "last"]


@dataclass(frozen=True)
class Ends:
    """The first or the last row of each of T tracks, in the pixels of its frame.

    Attributes:
        rows: ``(T,)`` the row's place.
        frames: ``(T,)`` its frame number.
        centres: ``(T, 2)`` of its box, pixels.
        velocities: ``(T, 2)`` of the centre against the ground, pixels a frame, forward in time.
        heights: ``(T,)`` median height over the frames near it: the last box before an occlusion is cut off.
    """

    rows: Indices
    frames: Ints
    centres: Floats
    velocities: Floats
    heights: Floats


def find_ends(
    rows: TrackRows, starts: Indices, side: Side, window: int, damping: float, camera: CameraPath
) -> Ends:
    """Describes one end of each track.

    Args:
        rows: tracks.
        starts: ``(T,)`` the first row of each track; every track is one run of rows, the last ends with them.
        side: which end.
        window: how many frames from the end on count.
        damping: square frames; a velocity from less than this (the summed squares of the times around their
            mean) is drawn to 0, as a few frames say little about it.
        camera: how the camera moved.
    """
    stops = np.append(starts[1:], len(rows))
    edge = starts if side == "first" else stops - 1
    steps = np.arange(window) if side == "first" else -np.arange(window)
    places = edge[:, None] + steps
    near = (places >= starts[:, None]) & (places < stops[:, None])
    places = np.clip(places, 0, max(len(rows) - 1, 0))
    times = rows.frames[places] - rows.frames[edge][:, None]
    near &= abs(times) < window
    # Only what counts is carried into the end's pixels.
    track, column = np.nonzero(near)
    chosen = places[track, column]
    maps = camera.between(rows.frames[chosen], rows.frames[edge[track]])
    boxes = np.full((*places.shape, 4), np.nan)
    boxes[track, column] = move_cxcywh(xyxy_to_cxcywh(rows.xyxy[chosen].astype(np.float64)), maps)
    return Ends(
        rows=edge,
        frames=rows.frames[edge],
        centres=boxes[:, 0, :2],
        velocities=_slopes(np.where(near, times, 0).astype(np.float64), boxes[..., :2], near, damping),
        heights=np.nanmedian(boxes[..., 3], axis=1) if len(starts) else np.zeros(0),
    )


def _slopes(times: Floats, points: Floats, near: Mask, damping: float) -> Floats:
    """Slopes ``(T, 2)`` by ridge regression of points ``(T, W, 2)`` on times ``(T, W)``, where ``near``."""
    count = near.sum(axis=1)
    centred = np.where(near, times - (times.sum(axis=1) / count)[:, None], 0.0)
    products = (centred[..., None] * np.where(near[..., None], points, 0.0)).sum(axis=1)
    return products / ((centred**2).sum(axis=1) + damping)[:, None]
