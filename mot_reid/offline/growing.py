"""Growing: tracks followed back in time to where they began, through detections nobody has used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mot_reid.association.assignment import assign
from mot_reid.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from mot_reid.offline.camera_path import CameraPath, move_cxcywh
from mot_reid.offline.ends import find_ends
from mot_reid.offline.rows import TrackRows, track_starts
from mot_reid.structures import Detections
from mot_reid.typing import Floats, Indices, Ints, Mask

__all__ = ["grow_back"]

_WINDOW = 0.3  # seconds from which the velocity at the start is taken
_DAMPING = 20.0  # square frames
_GAIN = 0.1  # share of what a prediction missed by that goes into the velocity
_LEAST_IOU = 0.5  # of a detection with where the track must have been
_MISSES = 0.1  # seconds for which a track may find nothing and still go on


@dataclass
class _Front:
    """The tracks followed back, K of them, as they are in the frame at hand."""

    tracks: Indices  # (K,) numbers of tracks
    classes: Ints  # (K,)
    boxes: Floats  # (K, 4) centre, width, height
    velocities: Floats  # (K, 2) of the centre, pixels a frame, forward in time
    misses: Ints  # (K,) frames since the last detection

    def chosen(self, rows: Mask) -> _Front:
        return _Front(*(values[rows] for values in vars(self).values()))

    def joined_with(self, other: _Front) -> _Front:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Front(*(np.concatenate(pair) for pair in pairs))


def grow_back(
    rows: TrackRows,
    detections: Mapping[int, Detections],
    least_score: float,
    fps: float = 30.0,
    camera: CameraPath | None = None,
) -> TrackRows:
    """Lengthens tracks at their start: weak detections start none, but hindsight knows there is one.

    It is ByteTrack's second matching (arXiv 2110.06864) run backward in time, and takes in the detections
    that came before a new track was confirmed as well.

    Args:
        rows: tracks; their ``detection_index`` tells which detections they have used.
        detections: of each frame number, as the tracker had them.
        least_score: of a detection that is taken.
        fps: frames a second.
        camera: how the camera moved; None for a camera that stands still.

    Returns:
        The rows, unchanged, and the new ones in front of them.
    """
    if not len(rows) or not detections:
        return rows
    camera = camera or CameraPath()
    starts = track_starts(rows.ids)
    ends = find_ends(rows, starts, "first", max(round(_WINDOW * fps), 3), _DAMPING, camera)
    boxes = xyxy_to_cxcywh(rows.xyxy[starts].astype(np.float64))
    used = _used(rows)
    classes = rows.classes[starts]
    nothing = np.zeros(0, np.int64)
    front = _Front(nothing, nothing, np.zeros((0, 4)), np.zeros((0, 2)), nothing)
    found: list[tuple[int, Indices, Indices]] = []
    last = 0
    for number in sorted(detections.keys() | set(ends.frames.tolist()), reverse=True):
        if len(front.tracks):
            seen = detections.get(number, Detections.empty())
            free = np.flatnonzero(seen.scores >= least_score)
            free = np.setdiff1d(free, used.get(number, []), assume_unique=True)
            front = _step_back(front, last, number, camera)
            front = front.chosen(front.misses - 1 <= _MISSES * fps)
            tracks, chosen = _match(front, seen[free])
            found.append((number, front.tracks[tracks], free[chosen]))
        new = np.flatnonzero(ends.frames == number)
        begun = _Front(new, classes[new], boxes[new], ends.velocities[new], np.zeros(len(new), np.int64))
        front, last = front.joined_with(begun), number
    return _with_found(rows, starts, detections, found)


def _used(rows: TrackRows) -> dict[int, Ints]:
    """The detections that tracks have used, by frame number."""
    known = np.flatnonzero(rows.detection_index >= 0)
    order = known[np.argsort(rows.frames[known], kind="stable")]
    numbers, first = np.unique(rows.frames[order], return_index=True)
    parts = np.split(rows.detection_index[order], first[1:])
    return dict(zip(numbers.tolist(), parts, strict=False))


def _step_back(front: _Front, last: int, number: int, camera: CameraPath) -> _Front:
    """Where the tracks were in an earlier frame, in its pixels."""
    back = camera.between(np.array([last]), np.array([number]))
    velocities = front.velocities @ back[0, :2, :2].T
    boxes = move_cxcywh(front.boxes, np.repeat(back, len(front.boxes), axis=0))
    boxes[:, :2] -= velocities * (last - number)
    return replace(front, boxes=boxes, velocities=velocities, misses=front.misses + last - number)


def _match(front: _Front, free: Detections) -> tuple[Indices, Indices]:
    """Assigns free detections of the same class by overlap; the matched tracks take them over, in place."""
    xyxy = free.xyxy.astype(np.float64)
    overlaps = iou(cxcywh_to_xyxy(front.boxes), xyxy)
    possible = (overlaps >= _LEAST_IOU) & (front.classes[:, None] == free.classes)
    tracks, chosen = assign(1 - overlaps, possible, limit=2.0)
    boxes = xyxy_to_cxcywh(xyxy[chosen])
    front.velocities[tracks] -= _GAIN * (boxes[:, :2] - front.boxes[tracks, :2])
    front.boxes[tracks] = boxes
    front.misses[tracks] = 0
    return tracks, chosen


def _with_found(
    rows: TrackRows,
    starts: Indices,
    detections: Mapping[int, Detections],
    found: list[tuple[int, Indices, Indices]],
) -> TrackRows:
    """The rows and those made of the detections ``(frame number, tracks, detections)``."""
    found = [entry for entry in found if len(entry[1])]
    if not found:
        return rows
    tracks = np.concatenate([entry[1] for entry in found])
    index = np.concatenate([entry[2] for entry in found]).astype(np.int64)
    new = TrackRows(
        frames=np.repeat([entry[0] for entry in found], [len(entry[1]) for entry in found]).astype(np.int64),
        ids=rows.ids[starts[tracks]],
        xyxy=np.concatenate([detections[number].xyxy[chosen] for number, _, chosen in found]),
        scores=np.concatenate([detections[number].scores[chosen] for number, _, chosen in found]),
        classes=rows.classes[starts[tracks]],
        detection_index=index,
        interpolated=np.zeros(len(index), bool),
    )
    return rows.joined_with(new)
