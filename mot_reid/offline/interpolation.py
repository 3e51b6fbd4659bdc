"""Interpolation: boxes for the frames in which a track was not seen."""

from __future__ import annotations

import numpy as np

from mot_reid.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.rows import TrackRows

__all__ = ["fill_gaps"]


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
