"""Interpolation: boxes for the frames in which a track was not seen."""

from __future__ import annotations

import numpy as np

from mot_reid.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.rows import TrackRows
from mot_reid.typing import Mask

__all__ = ["fill_free_gaps", "fill_gaps"]

_SAME_PLACE = 0.6  # overlap (IoU) from which on two boxes are at one place


def fill_gaps(rows: TrackRows, longest: int, camera: CameraPath | None = None) -> TrackRows:
    """Puts rows into the gaps of tracks, on a line between the rows on both sides; no other row changes.

    The line is drawn in the pixels of each frame: both rows are carried there as the camera moved.

    Args:
        rows: tracks with gaps.
        longest: most frames that a track may have been out of sight in a gap that is filled.
        camera: how the camera moved; None for a camera that stands still.

    Returns:
        The rows and those put in, which are ``interpolated``; their scores lie on a line too.
    """
    missing = rows.frames[1:] - rows.frames[:-1] - 1
    gaps = np.flatnonzero((rows.ids[1:] == rows.ids[:-1]) & (missing >= 1) & (missing <= longest))
    if not gaps.size:
        return rows
    counts = missing[gaps]
    before = np.repeat(gaps, counts)
    after = before + 1
    steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    frames = rows.frames[before] + steps
    share = steps / (rows.frames[after] - rows.frames[before])
    camera = camera or CameraPath()
    boxes = xyxy_to_cxcywh(rows.xyxy.astype(np.float64))
    start = move_cxcywh(boxes[before], camera.between(rows.frames[before], frames))
    end = move_cxcywh(boxes[after], camera.between(rows.frames[after], frames))
    filled = TrackRows(
        frames=frames,
        ids=rows.ids[before],
        xyxy=cxcywh_to_xyxy(start + (end - start) * share[:, None]).astype(np.float32),
        scores=(rows.scores[before] * (1 - share) + rows.scores[after] * share).astype(np.float32),
        classes=rows.classes[before],
        detection_index=np.full(len(frames), -1, np.int64),
        interpolated=np.ones(len(frames), bool),
    )
    return rows.joined_with(filled)


def fill_free_gaps(rows: TrackRows, longest: int, always: int, camera: CameraPath | None = None) -> TrackRows:
    """Fills the short gaps of tracks, and longer ones whose place nobody else has taken.

    Where another track's boxes lie all along, two tracks follow one person, or one is not known to be hidden
    right there: he may as well be somewhere else.

    Args:
        rows: tracks; gaps may have been filled before.
        longest: gaps of more frames stay.
        always: gaps of up to so many frames are filled whoever is there.
        camera: how the camera moved; None for a camera that stands still.

    Returns:
        The rows and those put in; a gap is taken where more than half of these have an IoU of 0.6 or more
        with a row that was seen.
    """
    filled = fill_gaps(rows, longest, camera)
    new = np.flatnonzero(filled.interpolated)
    new = new[~_among(filled[new], rows)]
    if not new.size:
        return rows
    seen = filled[~filled.interpolated]
    order = np.argsort(seen.frames, kind="stable")
    frames = seen.frames[order]
    taken = np.zeros(len(new), bool)
    by_time = np.argsort(filled.frames[new], kind="stable")
    for here in np.split(by_time, np.flatnonzero(np.diff(filled.frames[new[by_time]])) + 1):
        number = filled.frames[new[here[0]]]
        there = order[np.searchsorted(frames, number) : np.searchsorted(frames, number, "right")]
        if there.size:
            boxes = filled.xyxy[new[here]].astype(np.float64)
            taken[here] = iou(boxes, seen.xyxy[there].astype(np.float64)).max(axis=1) >= _SAME_PLACE
    gap = np.cumsum(np.concatenate([[True], np.diff(new) > 1])) - 1  # rows put into one gap lie side by side
    kept = np.ones(len(filled), bool)
    lengths = np.bincount(gap)
    kept[new] = ((lengths <= always) | (2 * np.bincount(gap, taken) <= lengths))[gap]
    return filled[kept]


def _among(rows: TrackRows, others: TrackRows) -> Mask:
    """Whether others have rows ``(N,)`` of the same track and frame."""
    width = 1 + max(int(part.frames.max(initial=0)) for part in (rows, others))
    return np.isin(rows.ids * width + rows.frames, others.ids * width + others.frames)
