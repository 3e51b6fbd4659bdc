"""A camera's tracks with the numbers of identities in place of their ids, as hindsight knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from mot_reid.boxes import iou
from mot_reid.config import OfflineConfig
from mot_reid.offline.interpolation import fill_gaps
from mot_reid.offline.rows import TrackRows
from mot_reid.offline.smoothing import smooth
from mot_reid.typing import Indices, Ints

if TYPE_CHECKING:
    from mot_reid.gallery.identifying import Identities

__all__ = ["GLOBAL_FILE", "GlobalTracks", "carried", "global_ids"]

GLOBAL_FILE = "tracks_global.txt"


_LEAST_IOU = 0.5  # of a smoothed box with the one it was made of


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


class GlobalTracks:
    """Writes the tracks of one source after the other with identities, in MOTChallenge's format.

    Identities are known when everything is over, and so is more: gaps between two boxes of one person in one
    camera are filled, boxes smoothed, and whoever was seen too shortly to be sure that it is anybody is left
    out. Boxes of nobody who is remembered get numbers of their own, behind those of all identities; no two
    sources share one.

    Args:
        found: the identities of a gallery.
        config: how gaps are filled and boxes smoothed; the defaults where None.
    """

    def __init__(self, found: Identities, config: OfflineConfig | None = None) -> None:
        self._found = found
        self._config = config or OfflineConfig()
        self._others = int(found.numbers.max(initial=0))
        self._unsure = np.unique(found.numbers[~found.sure])

    def text(self, tracks: str, records: Indices, offline: str | None = None) -> str:
        """A source's tracks with identities.

        Args:
            tracks: the text of its ``tracks.txt``.
            records: ``(R,)`` the gallery's records of this source.
            offline: that of its ``tracks_offline.txt``, if there is one: then its boxes are taken.

        Raises:
            ValueError: a line has no frame, id and box.
        """
        rows = _read(tracks)
        numbers, fps = self._numbers(rows, records), self._fps(records)
        if offline is not None:
            refined = _read(offline)
            rows, numbers = refined, carried(rows, numbers, refined)
        kept = (numbers > 0) & ~np.isin(numbers, self._unsure)
        rows = fill_gaps(replace(rows[kept], ids=numbers[kept]), int(self._config.fill_time * fps))
        return _written(rows if offline is not None else smooth(rows, self._config.smooth_time * fps))

    def corrected(self, tracks: str, records: Indices) -> str:
        """As `text`, of tracks that somebody has corrected: all boxes stay as they are."""
        rows = _read(tracks)
        return _written(replace(rows, ids=self._numbers(rows, records)))

    def _numbers(self, rows: TrackRows, records: Indices) -> Ints:
        """``(N,)`` from 1; none is twice in a frame."""
        table = self._found.table
        columns = (table.track_id, table.first_frame, table.last_frame, self._found.numbers, table.boxes)
        new = global_ids(rows.frames, rows.ids, *(column[records] for column in columns))
        unknown, place = np.unique(rows.ids[new == 0], return_inverse=True)
        new[new == 0] = self._others + 1 + place
        self._others += len(unknown)
        return new

    def _fps(self, records: Indices) -> float:
        """Frames a second, by what the records say of both; 0 where they do not."""
        table = self._found.table[records]
        seconds = float((table.end - table.start).sum())
        return float((table.last_frame - table.first_frame).sum()) / seconds if seconds > 0 else 0.0


def carried(rows: TrackRows, numbers: Ints, refined: TrackRows) -> Ints:
    """The numbers of tracks' rows, for what hindsight made of these.

    A box has the number of the one it overlaps most in its frame; one that was put in has that of the nearest
    in time of its track. Where that number is in the frame already, it is left out.

    Args:
        rows: tracks.
        numbers: ``(N,)`` from 1, of their rows.
        refined: ``(M,)`` rows that were linked, lengthened, filled and smoothed, whatever their ids.

    Returns:
        ``(M,)``; 0 for a box to leave out.
    """
    found = np.zeros(len(refined), np.int64)
    order, others = np.argsort(rows.frames, kind="stable"), np.argsort(refined.frames, kind="stable")
    frames = np.intersect1d(rows.frames, refined.frames)
    bounds = np.searchsorted(rows.frames[order], [frames, frames + 1])
    places = np.searchsorted(refined.frames[others], [frames, frames + 1])
    for first, last, begin, end in np.vstack([bounds, places]).T.tolist():
        mine, theirs = order[first:last], others[begin:end]
        overlap = iou(rows.xyxy[mine].astype(np.float64), refined.xyxy[theirs].astype(np.float64))
        one, other = linear_sum_assignment(-np.where(overlap >= _LEAST_IOU, overlap, 0.0))
        fits = overlap[one, other] >= _LEAST_IOU
        found[theirs[other[fits]]] = numbers[mine[one[fits]]]
    known = found > 0
    for track in np.unique(refined.ids).tolist():
        own = np.flatnonzero(refined.ids == track)
        sure = own[known[own]]
        if sure.size:
            after = np.searchsorted(refined.frames[sure], refined.frames[own]).clip(0, len(sure) - 1)
            pair = sure[np.stack([np.maximum(after - 1, 0), after])]
            nearest = np.abs(refined.frames[pair] - refined.frames[own]).argmin(axis=0)
            found[own] = found[pair[nearest, np.arange(len(own))]]
    again = np.lexsort((~known, found, refined.frames))
    same = (np.diff(refined.frames[again]) == 0) & (np.diff(found[again]) == 0)
    found[again[1:][same]] = 0
    return found


def _read(text: str) -> TrackRows:
    lines = [line.split(",")[:7] for line in text.splitlines() if line]
    try:
        values = np.array([line + ["1"] * (7 - len(line)) for line in lines], np.float64).reshape(-1, 7)
    except ValueError:
        raise ValueError("tracks: expected lines of frame, id, left, top, width, height, score") from None
    values = values[(values[:, 4:6] > 0).all(axis=1)]
    boxes = np.column_stack([values[:, 2:4], values[:, 2:4] + values[:, 4:6]])
    return TrackRows.from_arrays(values[:, 0], values[:, 1], boxes, values[:, 6])


def _written(rows: TrackRows) -> str:
    order = np.lexsort((rows.ids, rows.frames))
    columns = (rows.frames, rows.ids, rows.xyxy, rows.scores)
    return "".join(
        f"{frame},{number},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1\n"
        for frame, number, (x1, y1, x2, y2), score in zip(
            *(column[order].tolist() for column in columns), strict=True
        )
    )
