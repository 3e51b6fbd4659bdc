"""A camera's tracks with the numbers of identities in place of their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mot_reid.gallery.identifying import Identities

__all__ = ["GLOBAL_FILE", "Renumbering", "global_ids"]

GLOBAL_FILE = "tracks_global.txt"

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


class Renumbering:
    """Writes identities into the tracks of one source after the other, in MOTChallenge's format.

    Rows of nobody who is remembered get numbers of their own, behind those of all identities; no two sources
    share one.

    Args:
        found: the identities of a gallery.
    """

    def __init__(self, found: Identities) -> None:
        self._found = found
        self._others = int(found.numbers.max(initial=0))

    def lines(self, text: str, rows: NDArray[np.intp]) -> str:
        """The text of a source's ``tracks.txt`` with identities instead of track ids.

        Args:
            text: of the file.
            rows: ``(R,)`` the gallery's records of this source.

        Raises:
            ValueError: a line does not begin with a frame and an id.
        """
        lines = [line for line in text.splitlines() if line]
        values = np.array([[int(float(part)) for part in line.split(",")[:2]] for line in lines], np.int64)
        values = values.reshape(-1, 2)
        table = self._found.table
        columns = (table.track_id, table.first_frame, table.last_frame, self._found.numbers, table.boxes)
        new = global_ids(values[:, 0], values[:, 1], *(column[rows] for column in columns))
        unknown = np.unique(values[new == 0, 1]).tolist()
        numbers = {track: self._others + place for place, track in enumerate(unknown, start=1)}
        self._others += len(numbers)
        return "".join(
            _renumbered(line, int(identity) or numbers[int(track)])
            for line, identity, track in zip(lines, new, values[:, 1], strict=True)
        )


def _renumbered(line: str, identity: int) -> str:
    frame, _, rest = line.split(",", 2)
    return f"{frame},{identity},{rest}\n"
