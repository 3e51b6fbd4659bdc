"""The best picture of each track: large, whole, not hidden, not at the edge."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mot_reid.app.frames import FrameReader, encode
from mot_reid.boxes import covered_fraction
from mot_reid.offline.rows import TrackRows

__all__ = ["best_rows", "crops"]

_EDGE = 2.0  # pixels


def best_rows(rows: TrackRows, size: tuple[int, int]) -> NDArray[np.intp]:
    """The row of each track, in the order of ids, whose box shows it best.

    What counts is the area, the share that no box nearer to the camera covers, the score, and that the box
    does not touch the picture's edge; a box that no detector has seen is the last choice.

    Args:
        rows: the tracks.
        size: width and height of the picture, pixels.
    """
    if not len(rows):
        return np.zeros(0, np.intp)
    boxes = rows.xyxy.astype(np.float64)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    inside = (boxes[:, :2] > _EDGE).all(axis=1) & (boxes[:, 2:] < np.array(size) - _EDGE).all(axis=1)
    worth = np.sqrt(area) * np.where(inside, 1.0, 0.4) * np.where(rows.interpolated, 0.05, 1.0)
    worth *= np.clip(rows.scores, 0.1, 1.0)
    # Hidden ones cost an overlap matrix each frame, so only each track's most promising rows are looked at.
    order = np.lexsort((-worth, rows.ids))
    first = np.ones(len(order), bool)
    first[1:] = rows.ids[order][1:] != rows.ids[order][:-1]
    starts = np.flatnonzero(first)
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    promising = order[place < 8]
    by_frame = np.argsort(rows.frames, kind="stable")
    sorted_frames = rows.frames[by_frame]
    seen = np.zeros(len(rows))
    for frame in np.unique(rows.frames[promising]).tolist():
        low, high = np.searchsorted(sorted_frames, [frame, frame + 1])
        here = by_frame[low:high]
        nearer = (
            boxes[here, 3][None, :] > boxes[here, 3][:, None]
        )  # who stands lower stands before the others
        seen[here] = 1 - (covered_fraction(boxes[here], boxes[here]) * nearer).max(axis=1)
    worth = np.where(seen > 0, worth * seen, -1.0)
    order = np.lexsort((-worth, rows.ids))
    return order[starts]


def crops(
    reader: FrameReader, rows: TrackRows, chosen: NDArray[np.intp], height: int = 128
) -> Iterator[tuple[int, bytes]]:
    """The pictures in boxes, as JPEG of this height, with their tracks' ids; frames in order.

    Args:
        reader: gives the frames.
        rows: the tracks.
        chosen: rows wanted.
        height: pixels.
    """
    for row in chosen[np.argsort(rows.frames[chosen], kind="stable")].tolist():
        image = reader.image(int(rows.frames[row]))
        if image is None:
            continue
        tall, wide = image.shape[:2]
        x1, y1, x2, y2 = np.clip(np.rint(rows.xyxy[row]), 0, [wide, tall, wide, tall]).astype(int).tolist()
        if x2 - x1 < 2 or y2 - y1 < 2:
            continue
        across = min(max(1, round((x2 - x1) * height / (y2 - y1))), 3 * height)
        cut = cv2.resize(image[y1:y2, x1:x2], (across, height), interpolation=cv2.INTER_AREA)
        yield int(rows.ids[row]), encode(cut, 75)  # type: ignore[arg-type]
