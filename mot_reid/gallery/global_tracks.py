"""A camera's tracks with the ids of identities; arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["global_ids"]

Ints = NDArray[np.int64]


def global_ids(
    frames: Ints,
    ids: Ints,
    track_id: Ints,
    first_frame: Ints,
    last_frame: Ints,
    numbers: Ints,
    boxes: Ints,
) -> Ints:
    """The identity of each box of one source.

    A track's boxes belong to its record of their time, or else the nearest in time. Nobody is in one picture
    twice: where two tracks of one identity are, the box of the longer record keeps it.

    Args:
        frames: ``(B,)`` of the boxes.
        ids: ``(B,)`` track ids of the boxes.
        track_id: ``(R,)`` of the source's records.
        first_frame: ``(R,)``.
        last_frame: ``(R,)``.
        numbers: ``(R,)`` their identities.
        boxes: ``(R,)`` how many boxes each has.

    Returns:
        ``(B,)`` identities; 0 for boxes of tracks without a record, and for those that would be there twice.
    """
    found, weight = np.zeros(len(frames), np.int64), np.zeros(len(frames), np.int64)
    for track in np.unique(ids).tolist():
        own, records = np.flatnonzero(ids == track), np.flatnonzero(track_id == track)
        if not records.size:
            continue
        at = frames[own, None]
        gap = np.maximum(first_frame[records] - at, at - last_frame[records])
        nearest = records[np.maximum(gap, 0).argmin(axis=1)]
        found[own], weight[own] = numbers[nearest], boxes[nearest]
    order = np.lexsort((-weight, found, frames))
    repeated = np.zeros(len(frames), bool)
    same = (np.diff(frames[order]) == 0) & (np.diff(found[order]) == 0)
    repeated[order[1:][same]] = True
    found[repeated] = 0
    return found
