"""Pieces of a long video: idle workers detect ahead in them, and whoever tracks it takes what they found."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.structures import Detections

__all__ = ["Piece", "PieceReader", "Progress", "cut", "read_found", "write_found"]

# Where the piece at hand is not there, it is asked for again after so many seconds.
_ASK_AGAIN = 2.0


@dataclass(frozen=True)
class Piece:
    """A part of a video.

    Attributes:
        number: from 0.
        first: its first frame, from 1.
        last: its last one, included; None for the video's end.
    """

    number: int
    first: int
    last: int | None


@dataclass(frozen=True)
class Progress:
    """How far the worker is that tracks a video.

    Attributes:
        piece: number of the piece at hand.
        own: seconds that a piece takes in which nobody has detected, on average; None while none is through.
        taken: likewise one in which somebody had.
    """

    piece: int
    own: float | None = None
    taken: float | None = None


def cut(frames: int, fps: float, seconds: float) -> list[Piece]:
    """Cuts a video into pieces of about equal length.

    Args:
        frames: how many there are.
        fps: frames a second.
        seconds: how long a piece shall be, 0 for the whole video in one; none is longer by more than half.

    Example:
        >>> [(piece.first, piece.last) for piece in cut(1000, 10, 50)]
        [(1, 500), (501, None)]
    """
    length = seconds * fps
    count = min(frames, max(1, round(frames / length))) if length > 0 else 1
    firsts = [1 + frames * number // count for number in range(count)]
    ends = [*firsts, None]
    return [
        Piece(number, first, None if then is None else then - 1)
        for number, (first, then) in enumerate(pairwise(ends))
        if first is not None
    ]


def write_found(path: Path, found: Mapping[int, Detections]) -> None:
    """Writes the detections of each frame number, so that `read_found` gives the same ones bit for bit."""
    frames = list(found.values())
    beside = [[frame.invalid_rows, dict(frame.other_classes)] for frame in frames]
    arrays: dict[str, Any] = {
        "numbers": np.array(list(found), np.int64),
        "counts": np.array([len(frame) for frame in frames], np.int64),
        "xyxy": np.concatenate([np.zeros((0, 4), np.float32), *(frame.xyxy for frame in frames)]),
        "scores": np.concatenate([np.zeros(0, np.float32), *(frame.scores for frame in frames)]),
        "classes": np.concatenate([np.zeros(0, np.int64), *(frame.classes for frame in frames)]),
        "beside": np.array(json.dumps(beside)),
    }
    if any(frame.embeddings is not None for frame in frames):
        given = [frame.embeddings for frame in frames if frame.embeddings is not None and len(frame)]
        arrays["embeddings"] = np.concatenate(given) if given else np.zeros((0, 0), np.float32)
    np.savez(path, **arrays)


def read_found(path: Path | str) -> dict[int, Detections]:
    """Reads what `write_found` wrote.

    Raises:
        OSError, ValueError, KeyError: it cannot be read, or is something else.
    """
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    found, end = {}, 0
    beside = json.loads(str(arrays["beside"]))
    for number, count, (invalid, others) in zip(
        arrays["numbers"].tolist(), arrays["counts"].tolist(), beside, strict=True
    ):
        start, end = end, end + count
        embeddings = arrays["embeddings"][start:end] if "embeddings" in arrays else None
        one = Detections.unchecked(
            xyxy=arrays["xyxy"][start:end],
            scores=arrays["scores"][start:end],
            classes=arrays["classes"][start:end],
            embeddings=embeddings,
        ).beside(others)
        vars(one)["invalid_rows"] = invalid
        found[number] = one
    return found


class PieceReader:
    """The detections that other workers found ahead of the one who tracks, as far as they are there.

    One piece at a time is held. It is asked for its frames in ascending order.

    Args:
        pieces: of the video, in order.
        read: gives the detections of a piece by frame number; None while it is not there.
        tell: is told at each piece's beginning how far the tracker is.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        read: Callable[[Piece], Mapping[int, Detections] | None],
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._pieces, self._read, self._tell = pieces, read, tell
        self._began, self._began_found = 0.0, False
        self._spent: dict[bool, tuple[int, float]] = {}  # pieces and seconds, by whether they were found
        self._firsts = [piece.first for piece in pieces]
        self._at, self._asked = -1, 0.0
        self._found: Mapping[int, Detections] | None = None

    def __call__(self, number: int) -> Detections | None:
        """Gives the detections of a frame number, from 1; None where nobody has looked at it yet."""
        at, now = bisect_right(self._firsts, number) - 1, time.monotonic()
        if at < 0:
            return None
        if at != self._at:
            self._enter(at, now)
        elif self._found is None and now - self._asked >= _ASK_AGAIN:
            self._asked, self._found = now, self._read(self._pieces[at])
        return None if self._found is None else self._found.get(number)

    def _enter(self, at: int, now: float) -> None:
        if self._at >= 0 and self._began_found == (self._found is not None):  # it did not come in the middle
            count, seconds = self._spent.get(self._began_found, (0, 0.0))
            self._spent[self._began_found] = count + 1, seconds + now - self._began
        self._at, self._asked, self._began = at, now, now
        self._found = self._read(self._pieces[at])
        self._began_found = self._found is not None
        means = {found: seconds / count for found, (count, seconds) in self._spent.items()}
        self._tell(Progress(self._pieces[at].number, means.get(False), means.get(True)))
