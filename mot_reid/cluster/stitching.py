"""Long videos in pieces: where to cut, and which tracks of two pieces are one. Arrays in, arrays out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mot_reid.association.looks import Looks, same_people
from mot_reid.association.reentry import Neighbours
from mot_reid.boxes import iou

__all__ = ["Piece", "Rows", "cut", "match_tracks", "stitched"]

# Two pieces see the same detections, so boxes of one track nearly coincide; only the filter's memory differs.
_SAME_IOU = 0.5
# The share of the frames with both tracks in which their boxes must coincide.
_SAME_SHARE = 0.5


@dataclass(frozen=True)
class Piece:
    """A part of a video.

    Attributes:
        number: from 0.
        warm_up: the first frame that is tracked, from 1: before ``first``, so that tracks are known by then.
        first: the first frame whose rows count.
        last: the last frame, included; None for the video's end.
    """

    number: int
    warm_up: int
    first: int
    last: int | None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of tracks, by ascending frame.

    Attributes:
        frames: ``(R,)`` int64, from 1.
        times: ``(R,)`` float64, seconds.
        ids: ``(R,)`` int64.
        xyxy: ``(R, 4)`` float32, pixels.
        scores: ``(R,)`` float32.
        classes: ``(R,)`` int64.
        detection_index: ``(R,)`` int64, -1 for a predicted row.
        id_confidence: ``(R,)`` float32.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    ids: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    detection_index: NDArray[np.int64]
    id_confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frames)

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows that a mask ``(R,)`` chooses."""
        return Rows(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def by_frame(self) -> Iterator[tuple[int, Rows]]:
        """The rows of each frame that has some, in order."""
        borders = np.flatnonzero(np.diff(self.frames, prepend=-1, append=-2))
        for start, end in pairwise(borders):
            part = (getattr(self, field.name)[start:end] for field in fields(self))
            yield int(self.frames[start]), Rows(*part)


def cut(frames: int, fps: float, piece_seconds: float, overlap_seconds: float) -> list[Piece]:
    """Cuts a video into pieces of about equal length, none longer than asked for by more than half.

    Args:
        frames: how many there are.
        fps: frames a second.
        piece_seconds: length of a piece; 0 for the whole video in one.
        overlap_seconds: how far a piece begins to track before its first frame.

    Example:
        >>> [(piece.warm_up, piece.first, piece.last) for piece in cut(1000, 10, 50, 5)]
        [(1, 1, 500), (451, 501, None)]
    """
    length = piece_seconds * fps
    count = min(frames, max(1, round(frames / length))) if length > 0 else 1
    firsts = [1 + frames * number // count for number in range(count)]
    overlap = math.ceil(overlap_seconds * fps)
    lasts = [first - 1 for first in firsts[1:]]
    return [
        Piece(number, max(1, first - overlap) if number else 1, first, last)
        for number, (first, last) in enumerate(zip(firsts, [*lasts, None], strict=True))
    ]


def match_tracks(earlier: Rows, later: Rows) -> dict[int, int]:
    """Which tracks of two runs over the same frames are the same: ids of ``later`` to ids of ``earlier``.

    In each frame boxes with an IoU of at least 0.5 speak for one track, the more the nearer to the last
    frame. The assignment with the most of it is taken (Hungarian algorithm), as far as the boxes of a pair
    coincide in half of the frames in which both are.

    Args:
        earlier: rows of the piece before, in the frames that both have.
        later: rows of the piece behind, in the same frames.
    """
    a_ids, a_index = np.unique(earlier.ids, return_inverse=True)
    b_ids, b_index = np.unique(later.ids, return_inverse=True)
    if not len(a_ids) or not len(b_ids):
        return {}
    first, last = int(later.frames.min()), int(max(earlier.frames.max(), later.frames.max()))
    weight, together, same = (np.zeros((len(a_ids), len(b_ids))) for _ in range(3))
    starts = np.searchsorted(earlier.frames, later.frames, "left")
    ends = np.searchsorted(earlier.frames, later.frames, "right")
    for frame in np.unique(later.frames):
        b_rows = np.flatnonzero(later.frames == frame)
        a_rows = np.arange(starts[b_rows[0]], ends[b_rows[0]])
        if not len(a_rows):
            continue
        overlaps = iou(earlier.xyxy[a_rows].astype(np.float64), later.xyxy[b_rows].astype(np.float64))
        cells = np.ix_(a_index[a_rows], b_index[b_rows])
        together[cells] += 1
        same[cells] += overlaps >= _SAME_IOU
        recency = (1 + frame - first) / (1 + last - first)
        weight[cells] += np.where(overlaps >= _SAME_IOU, overlaps * recency, 0)
    weight[same < _SAME_SHARE * np.maximum(together, 1)] = 0
    pairs = zip(*linear_sum_assignment(-weight), strict=True)
    return {int(b_ids[b]): int(a_ids[a]) for a, b in pairs if weight[a, b] > 0}


@dataclass
class _Person:
    """Who was seen in the pieces so far.

    Attributes:
        born: when the track began, seconds.
        last: when it was last seen.
        embedding: how it looked then, ``(D,)``; None where that is not known.
    """

    born: float
    last: float
    embedding: NDArray[np.float32] | None = None


def stitched(pieces: Iterator[tuple[Piece, Rows, Looks]], longest: float = 0.0) -> Iterator[Rows]:
    """The rows of each piece that count, with ids that go on from piece to piece.

    A track goes on where the boxes coincide in the frames that two pieces have in common, and where somebody
    who begins in a later piece looks like one who was seen before, as a tracker decides it for who returns.
    Two pieces are held at a time.

    Args:
        pieces: in order, each with all its rows, those of its warm-up included, and with how its tracks look.
        longest: seconds after which nobody returns any more; 0 leaves looks alone.
    """
    global_ids: dict[int, int] = {}
    people: dict[int, _Person] = {}
    before = None
    for piece, rows, looks in pieces:
        inherited: dict[int, int] = {}
        if before is not None:
            shared = before.where(before.frames >= piece.warm_up)
            same = match_tracks(shared, rows.where(rows.frames < piece.first))
            inherited = {own: global_ids[other] for own, other in same.items() if other in global_ids}
        counted = rows.where(rows.frames >= piece.first)
        spans = _spans(counted)
        embedding_of = dict(zip(looks.ids.tolist(), looks.embeddings, strict=True))
        fresh = {own: span for own, span in spans.items() if own not in inherited}
        gone = {
            name: person
            for name, person in people.items()
            if person.embedding is not None and name not in inherited.values()
        }
        global_ids = inherited | _returned(fresh, gone, people, embedding_of, looks.neighbours, longest)
        for own, (first, last) in spans.items():
            name = global_ids.setdefault(own, len(people) + 1)
            person = people.setdefault(name, _Person(first, last))
            person.last, person.embedding = last, embedding_of.get(own, person.embedding)
        renamed = np.array([global_ids[own] for own in counted.ids.tolist()], np.int64)
        yield replace(counted, ids=renamed)
        for person in people.values():
            if len(counted) and person.last < counted.times[-1] - longest:
                person.embedding = None  # for good
        before = rows


def _spans(rows: Rows) -> dict[int, tuple[float, float]]:
    """The first and last time of each id, in the order in which they come."""
    spans: dict[int, tuple[float, float]] = {}
    for own, seconds in zip(rows.ids.tolist(), rows.times.tolist(), strict=True):
        spans[own] = (spans[own][0] if own in spans else seconds, seconds)
    return spans


def _returned(
    fresh: dict[int, tuple[float, float]],
    gone: dict[int, _Person],
    people: dict[int, _Person],
    embedding_of: dict[int, NDArray[np.float32]],
    neighbours: Neighbours,
    longest: float,
) -> dict[int, int]:
    """Which tracks that begin in a piece, ``fresh`` with their spans, are who had gone before it."""
    own = sorted((name for name in fresh if name in embedding_of), key=fresh.__getitem__)
    if not own or not gone or not longest:
        return {}
    began, ended = np.array([fresh[name] for name in own]).T
    last = np.array([each.last for each in gone.values()])
    together = (began[:, None] <= ended) & (began <= ended[:, None]) & ~np.eye(len(own), dtype=bool)
    away = began[:, None] - last
    births = np.sort([person.born for person in people.values()])
    newcomers = np.searchsorted(births, began, "left")[:, None] - np.searchsorted(births, last, "right")
    pairs = same_people(
        np.stack([embedding_of[name] for name in own]),
        np.stack([person.embedding for person in gone.values() if person.embedding is not None]),
        (away > 0) & (away <= longest),
        np.maximum(newcomers, 0),
        together,
        neighbours,
    )
    names = list(gone)
    return {own[row]: names[column] for row, column in pairs}
